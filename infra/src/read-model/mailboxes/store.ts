import { createHash } from 'node:crypto';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import { type BatchEntry, columnsOf } from '@kiroku/domain/mailbox/batch.js';
import { chunksOf, eachRun } from '@kiroku/domain/mailbox/chunk.js';
import { appendMessages, changeFlags, expungeAll } from '@kiroku/domain/mailbox/decisions.js';
import { columnsIn } from '@kiroku/domain/mailbox/flag-runs.js';
import { storedFlags } from '@kiroku/domain/mailbox/flags.js';
import type { MailboxEvent } from '@kiroku/domain/mailbox/mailbox.js';
import { rightFor } from '@kiroku/domain/mailbox/rights.js';
import {
  type Appended, type Changes, type Copied, type Folder, MailboxRefusal, type MailboxStatus, type MailboxStore, type NewMessage, type Quota, type Rights, type Snapshot,
  type SpecialUse, type StoredFlags, type StoredMessage, type StoreFlags,
} from '@kiroku/domain/mailbox/store-port.js';
import { rangesOf, rangesOfAny } from '@kiroku/domain/mailbox/uid-set.js';
import type pg from 'pg';
import type { Hints } from '../../event-log/hints.js';
import { type Access, KnownAccess } from './access.js';
import { ascending, readEntries, readGoing, remaining } from './contents.js';
import { Desk } from './desk.js';
import { FlagReader } from './flag-reader.js';
import { arrayText } from './numbers.js';
import { folderOf, Folders } from './folder-commands.js';
import { Holdings } from './holdings.js';
import type { MessageColumns } from './message-columns.js';
import { pack, worthPackingOf } from './packed-mailboxes.js';
import { changesSince, readMailbox, STATUS, statusOf, type StatusRow } from './snapshots.js';
import { Tail } from './tail.js';
import { MailboxWatch } from './watch.js';

/** Messages of one command: bounds its memory. About 200 bytes each, and what stands before their bodies. */
const MOST_AT_ONCE = 250_000;
const MOST_MESSAGES = 1_000;
/** INBOX is emptied by RENAME in steps. */
const STEP = 10_000;

/** The mailboxes of all accounts, from their inline views. One per process: sessions share what it has read. */
export class PostgresMailboxStore implements MailboxStore {
  readonly #folders: Folders;
  readonly #tail: Tail;
  readonly #access: KnownAccess;
  readonly #holdings: Holdings;
  readonly #desk: Desk;
  readonly #watch: MailboxWatch;

  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
    hints: Hints,
    trouble: (error: unknown) => void,
  ) {
    this.#folders = new Folders(pool, engine);
    this.#tail = new Tail(pool);
    this.#access = new KnownAccess(pool, this.#tail);
    this.#holdings = new Holdings(pool, this.#tail, trouble);
    this.#desk = new Desk(engine, this.#holdings, this.#tail);
    this.#watch = new MailboxWatch(pool, this.#tail, hints, trouble);
  }

  /** Ends watching. */
  close(): Promise<void> {
    return this.#watch.close();
  }

  /** Packs those of these mailboxes that are large and have changed much, for whoever opens them next in a process that does not know them. */
  async pack(mailboxes: readonly string[]): Promise<void> {
    for (const id of await worthPackingOf(this.pool, mailboxes)) {
      const whole = await readMailbox(this.pool, id);
      if (whole) await pack(this.pool, { id, ...whole.head }, whole.columns);
    }
  }

  folders(account: string): Promise<readonly Folder[]> {
    return this.#folders.list(account);
  }

  async folder(account: string, name: string): Promise<Folder | undefined> {
    await this.#tail.current();
    const access = await this.#access.named(account, name, () => this.#folders.find(account, name));
    return access && folderOf(access);
  }

  subscriptions(account: string): Promise<readonly string[]> {
    return this.#folders.subscriptions(account);
  }

  subscribe(account: string, name: string, on: boolean, origin: Origin): Promise<void> {
    return this.#folders.subscribe(account, name, on, origin);
  }

  create(account: string, name: string, specialUse: readonly SpecialUse[], origin: Origin): Promise<Folder> {
    return this.#folders.create(account, name, specialUse, origin);
  }

  delete(account: string, name: string, origin: Origin): Promise<void> {
    return this.#folders.delete(account, name, origin);
  }

  async rename(account: string, from: string, to: string, origin: Origin): Promise<void> {
    const inbox = await this.#folders.find(account, from);
    if (inbox?.path !== 'INBOX') return this.#folders.rename(account, from, to, origin);
    if (inbox.accountId !== account) throw new MailboxRefusal('no-permission', from);
    const target = await this.#folders.create(account, to, [], origin);
    for (;;) {
      const { rows } = await this.pool.query<{ uid: number }>({ name: 'mailbox-first', text: `SELECT uid FROM view.mailbox_message_1 WHERE mailbox_id = $1 ORDER BY uid LIMIT ${STEP}`, values: [inbox.id] });
      if (rows.length === 0) return;
      await this.move(account, inbox.id, rows.map((r) => r.uid), target.id, origin);
    }
  }

  async status(mailboxes: readonly string[]): Promise<readonly MailboxStatus[]> {
    await this.#tail.current();
    const found = new Map<string, MailboxStatus>();
    for (const id of mailboxes) {
      const holding = this.#holdings.peek(id);
      if (holding && !holding.behind) found.set(id, holding.status);
    }
    const others = mailboxes.filter((id) => !found.has(id));
    if (others.length > 0) {
      const { rows } = await this.pool.query<StatusRow>({ name: 'mailbox-status', text: `SELECT ${STATUS} FROM view.mailbox_1 b WHERE b.id = ANY ($1::uuid[])`, values: [others] });
      for (const row of rows) found.set(row.id, statusOf(row));
    }
    return mailboxes.flatMap((id) => found.get(id) ?? []);
  }

  async count(mailbox: string, flag: string): Promise<number> {
    const known = await this.#known(mailbox);
    if (known) return known.columns.counted(flag);
    const column = { '\\seen': 'seen', '\\deleted': 'deleted' }[flag.toLowerCase()];
    if (column) {
      const { rows } = await this.pool.query<{ n: number }>({ name: `mailbox-count-${column}`, text: `SELECT coalesce(sum(${column}), 0)::bigint AS n FROM view.mailbox_state_1 WHERE mailbox_id = $1`, values: [mailbox] });
      return rows[0]?.n ?? 0;
    }
    const { rows } = await this.pool.query<{ flags: string }>({
      name: 'mailbox-count', text: `SELECT flags FROM view.mailbox_state_1 WHERE mailbox_id = $1 AND position(lower($2) IN lower(flags)) > 0`, values: [mailbox, flag],
    });
    const reader = new FlagReader(null);
    let count = 0;
    for (const row of rows)
      eachRun(row.flags, (first, last, text) => {
        if (reader.parsed(text).flags.some((f) => f.toLowerCase() === flag.toLowerCase())) count += last - first + 1;
      });
    return count;
  }

  async snapshot(mailbox: string): Promise<Snapshot | undefined> {
    await this.#tail.current();
    const holding = await this.#holdings.find(mailbox, true);
    return holding?.columns?.lend(holding.status);
  }

  async changes(mailbox: string, sinceModSeq: number, uidNext?: number, hinted = false): Promise<Changes | undefined> {
    const known = await this.#known(mailbox, hinted);
    return known?.columns.since(sinceModSeq, known.status) ?? changesSince(this.pool, mailbox, sinceModSeq, uidNext);
  }

  /** The mailbox as it is now, when its messages are at hand. */
  async #known(mailbox: string, hinted = false): Promise<{ readonly columns: MessageColumns; readonly status: MailboxStatus } | undefined> {
    if (!hinted) await this.#tail.current();
    if (!this.#holdings.peek(mailbox)?.columns) return undefined;
    const holding = await this.#holdings.find(mailbox, true);
    return holding?.columns && { columns: holding.columns, status: holding.status };
  }

  watch(mailbox: string, hint: () => void): () => void {
    return this.#watch.mailbox(mailbox, hint);
  }

  watchFolders(account: string, hint: () => void): () => void {
    return this.#watch.account(account, hint);
  }

  async messages(mailbox: string, uids: readonly number[]): Promise<readonly StoredMessage[]> {
    if (uids.length > MOST_MESSAGES) throw new RangeError(`${uids.length} messages at once, at most ${MOST_MESSAGES}`);
    interface Row { uid: number; size: number; received_at: number; message_id: string; prefix: string; sha256: string; body_size: number; at: string | null; saved: string | null }
    const wanted = ascending(uids);
    // All that is known of when they entered comes with the first row.
    const { rows } = await this.pool.query<Row>({
      name: 'mailbox-messages',
      text: `SELECT uid, size, received_at, message_id, prefix, encode(sha256, 'hex') AS sha256, body_size, at,
               CASE WHEN row_number() OVER (ORDER BY uid) = 1 THEN (SELECT string_agg(saved, E'\\n') FROM view.mailbox_state_1 WHERE mailbox_id = $1 AND chunk = ANY ($3::bigint[]) AND saved <> '') END AS saved
             FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid = ANY ($2::bigint[]) ORDER BY uid`,
      values: [mailbox, arrayText(wanted), arrayText(chunksOf(rangesOf(wanted)))],
    });
    const saved = savedIn(rows[0]?.saved ?? '', rows);
    return rows.map((r, i) => ({
      uid: r.uid, size: r.size, receivedAt: r.received_at, savedAt: saved[i] ?? r.received_at, emailId: emailIdOf(r.sha256, r.prefix), messageId: r.message_id,
      prefix: r.prefix, body: { sha256: r.sha256, size: r.body_size, ...(r.at !== null && { at: r.at }) },
    }));
  }

  async storeFlags(account: string, mailbox: string, { uids, operation, flags, unchangedSince }: StoreFlags, origin: Origin, ahead?: (decided: StoredFlags) => void): Promise<StoredFlags> {
    bounded(uids.length);
    const own = this.#access.own(account, mailbox);
    const [access] = own ? [own] : ((await this.#demand(account, [[mailbox, '']])) as [Access]);
    const allowed = allowedBy(access);
    if (flags.length > 0 ? !flags.some(allowed) : !/[stw]/.test(access.rights)) throw new MailboxRefusal('no-permission', access.name);
    const wanted = rangesOfAny(uids);
    return this.#desk.run<undefined, StoredFlags>({
      mailboxes: [mailbox], whole: [mailbox], messages: uids.length, origin, unproven: own !== undefined, read: nothing, ahead,
      decide: (present) => {
        const box = present(mailbox);
        const { head, keywords } = box;
        const { event, changed, modified, head: after } = changeFlags(mailbox, head, box.runsOf(wanted), { operation, flags: storedFlags(flags, keywords), unchangedSince, allowed });
        const { uidValidity, uidNext, highestModSeq, messages, bytes } = after;
        return { events: new Map([[mailbox, event ? [event] : []]]), result: { changed, modified, status: { id: mailbox, uidValidity, uidNext, highestModSeq, messages, bytes }, before: head.highestModSeq } };
      },
    });
  }

  async append(account: string, mailbox: string, messages: readonly NewMessage[], origin: Origin): Promise<Appended> {
    bounded(messages.length);
    const own = this.#access.own(account, mailbox);
    const unproven = own?.quota === 0;
    const [access] = unproven ? [own] : ((await this.#demand(account, [[mailbox, 'i']])) as [Access]);
    const entries = this.#entries(messages);
    return this.#desk.run({
      mailboxes: [mailbox], whole: [], messages: messages.length, origin, unproven, read: () => this.#room(access),
      decide: (present, room) => {
        const { head, keywords } = present(mailbox);
        const entering = { columns: columnsOf(entries), flags: messages.map((m) => storedFlags(m.flags.filter(allowedBy(access)), keywords)) };
        const { events, uids, head: after } = appendMessages(mailbox, head, entering);
        fits(room, after.bytes - head.bytes, access);
        return { events: new Map([[mailbox, events]]), result: { uidValidity: head.uidValidity, uids } };
      },
    });
  }

  #entries(messages: readonly NewMessage[]): readonly BatchEntry[] {
    return messages.map(({ body, receivedAt, smtputf8 }) => ({
      messageId: '', sha256: body.sha256, bodySize: body.size, ...(body.at !== undefined && { at: body.at }), prefix: '', size: body.size,
      ...(smtputf8 && { smtputf8: true as const }), receivedAt: receivedAt ?? this.engine.clock.now(),
    }));
  }

  async copy(account: string, from: string, uids: readonly number[], to: string, origin: Origin): Promise<Copied> {
    bounded(uids.length);
    const [, target] = (await this.#demand(account, [[from, 'r'], [to, 'i']])) as [Access, Access];
    return this.#desk.run({
      mailboxes: [to], whole: [], messages: uids.length, origin, read: async () => ({ entries: await readEntries(this.pool, from, uids), room: await this.#room(target) }),
      decide: (present, { entries, room }) => {
        const { head, keywords } = present(to);
        const { columns, flags } = entries;
        const copied = appendMessages(to, head, { columns, flags: flagsFor(flags, allowedBy(target), keywords), from });
        fits(room, copied.head.bytes - head.bytes, target);
        return { events: new Map([[to, copied.events]]), result: { uidValidity: head.uidValidity, from: columns.uids, to: copied.uids } };
      },
    });
  }

  async move(account: string, from: string, uids: readonly number[], to: string, origin: Origin): Promise<Copied & { readonly highestModSeq: number }> {
    bounded(uids.length);
    const [source, target] = (await this.#demand(account, [[from, 'rte'], [to, 'i']])) as [Access, Access];
    // Moved within one account nothing is added to what it has.
    const within = source.accountId === target.accountId;
    return this.#desk.run({
      mailboxes: [to, from], whole: [from], messages: uids.length, origin, read: async () => ({ entries: await readEntries(this.pool, from, uids), room: within ? Infinity : await this.#room(target) }),
      decide: (present, { entries, room }) => {
        const { head, keywords } = present(to);
        const now = columnsIn(present(from).runsOf(rangesOf(entries.columns.uids)));
        const columns = remaining(entries.columns, now.uids);
        const copied = appendMessages(to, head, { columns, flags: flagsFor(now.flags, allowedBy(target), keywords), from });
        fits(room, copied.head.bytes - head.bytes, target);
        const gone = expungeAll(from, from === to ? copied.head : present(from).head, columns);
        return { events: both(to, copied.events, from, gone.events), result: { uidValidity: head.uidValidity, from: columns.uids, to: copied.uids, highestModSeq: gone.head.highestModSeq } };
      },
    });
  }

  async expunge(account: string, mailbox: string, uids: readonly number[] | undefined, origin: Origin): Promise<{ readonly uids: readonly number[]; readonly highestModSeq: number }> {
    await this.#demand(account, [[mailbox, 'e']]);
    const asked = uids && new Set(uids);
    return this.#desk.run({
      mailboxes: [mailbox], whole: [mailbox], messages: uids?.length ?? 0, origin,
      read: async () => {
        const { columns } = await this.#holdings.get(mailbox, true);
        const marked = columns?.having('\\Deleted').filter((uid) => asked?.has(uid) ?? true) ?? [];
        return readGoing(this.pool, mailbox, marked);
      },
      decide: (present, doomed) => {
        const now = columnsIn(present(mailbox).runsOf(rangesOf(doomed.uids)));
        const going = remaining(doomed, now.uids.filter((_, i) => now.flags[i]?.includes('\\Deleted')));
        const { events, head } = expungeAll(mailbox, present(mailbox).head, going);
        return { events: new Map([[mailbox, events]]), result: { uids: going.uids, highestModSeq: head.highestModSeq } };
      },
    });
  }

  async replace(account: string, from: string, uid: number, to: string, message: NewMessage, origin: Origin): Promise<Appended & { readonly highestModSeq: number }> {
    const [, target] = (await this.#demand(account, [[from, 'te'], [to, 'i']])) as [Access, Access];
    const entries = this.#entries([message]);
    return this.#desk.run({
      mailboxes: [to, from], whole: [from], messages: 1, origin, read: async () => ({ doomed: await readGoing(this.pool, from, [uid]), room: await this.#room(target) }),
      decide: (present, { doomed, room }) => {
        if (doomed.uids.length === 0 || present(from).runsOf([[uid, uid]]).length === 0) throw new MailboxRefusal('nonexistent', String(uid));
        const { head, keywords } = present(to);
        const added = appendMessages(to, head, { columns: columnsOf(entries), flags: [storedFlags(message.flags.filter(allowedBy(target)), keywords)] });
        fits(room, added.head.bytes - head.bytes - (doomed.sizes[0] ?? 0), target);
        const gone = expungeAll(from, from === to ? added.head : present(from).head, doomed);
        return { events: both(to, added.events, from, gone.events), result: { uidValidity: head.uidValidity, uids: added.uids, highestModSeq: gone.head.highestModSeq } };
      },
    });
  }

  /** Rights as they are now, and what the process keeps is known to be current or not. */
  async #demand(account: string, demands: Parameters<KnownAccess['demand']>[1]): Promise<readonly Access[]> {
    await this.#tail.current();
    return this.#access.demand(account, demands);
  }

  async quota(account: string): Promise<Quota> {
    const { rows } = await this.pool.query<Quota>({
      name: 'account-quota',
      text: `SELECT a.quota AS limit, coalesce(sum(b.bytes), 0)::bigint AS used, coalesce(sum(b.messages), 0)::bigint AS messages
             FROM view.account_1 a LEFT JOIN view.mailbox_1 b ON b.account_id = a.id WHERE a.id = $1 GROUP BY a.quota`,
      values: [account],
    });
    return rows[0] ?? { limit: 0, used: 0, messages: 0 };
  }

  async room(account: string, mailbox: string): Promise<number> {
    const [access] = (await this.#access.demand(account, [[mailbox, '']])) as [Access];
    return this.#room(access);
  }

  /** Bytes that the owner of a mailbox may still add. */
  async #room({ accountId, quota }: Access): Promise<number> {
    if (quota === 0) return Infinity;
    return quota - (await this.quota(accountId)).used;
  }

  acl(account: string, name: string): Promise<readonly { readonly identifier: string; readonly rights: Rights }[]> {
    return this.#folders.acl(account, name);
  }

  setAcl(account: string, name: string, identifier: string, rights: Rights, origin: Origin): Promise<void> {
    return this.#folders.setAcl(account, name, identifier, rights, origin);
  }

  metadata(account: string, name: string): Promise<ReadonlyMap<string, string>> {
    return this.#folders.metadata(account, name);
  }

  setMetadata(account: string, name: string, entries: readonly (readonly [entry: string, value: string | null])[], origin: Origin): Promise<void> {
    return this.#folders.setMetadata(account, name, entries, origin);
  }
}

const nothing = (): Promise<undefined> => Promise.resolve(undefined);

const both = (to: string, added: readonly MailboxEvent[], from: string, gone: readonly MailboxEvent[]): ReadonlyMap<string, readonly MailboxEvent[]> =>
  from === to ? new Map([[to, [...added, ...gone]]]) : new Map([[to, added], [from, gone]]);

function bounded(count: number): void {
  if (count > MOST_AT_ONCE) throw new MailboxRefusal('too-many');
}

/** @throws MailboxRefusal `over-quota` */
function fits(room: number, bytes: number, { name }: Access): void {
  if (bytes > room && bytes > 0) throw new MailboxRefusal('over-quota', name);
}

const allowedBy = ({ rights }: Access): ((flag: string) => boolean) => {
  const known = new Map<string, boolean>();
  return (flag) => {
    const sure = known.get(flag);
    if (sure !== undefined) return sure;
    const may = rights.includes(rightFor(flag));
    known.set(flag, may);
    return may;
  };
};

/** Flags in the target: those that the account may set there, keywords as the target has them. */
function flagsFor(flags: readonly (readonly string[])[], allowed: (flag: string) => boolean, keywords: ReadonlyMap<string, string>): readonly (readonly string[])[] {
  const known = new Map<readonly string[], readonly string[]>();
  return flags.map((list) => {
    const there = known.get(list) ?? storedFlags(list.filter(allowed), keywords);
    known.set(list, there);
    return there;
  });
}

/** When these messages entered, in their order, where it is known. */
function savedIn(text: string, ascending: readonly { readonly uid: number }[]): readonly (number | undefined)[] {
  const places = new Map(ascending.map(({ uid }, i) => [uid, i]));
  const saved: (number | undefined)[] = [];
  eachRun(text, (first, last, at) => {
    for (let uid = first; uid <= last; uid++) {
      const place = places.get(uid);
      if (place !== undefined) saved[place] = Number(at);
    }
  });
  return saved;
}

/** RFC 8474 §5.1: the same for the same octets. What stands before the body belongs to them. */
function emailIdOf(sha256: string, prefix: string): string {
  const name = prefix === '' ? sha256 : createHash('sha256').update(sha256).update(prefix).digest('hex');
  return `M${name.slice(0, 40)}`;
}
