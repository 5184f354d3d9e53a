import { createHash } from 'node:crypto';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import { type BatchEntry, columnsOf } from '@kiroku/domain/mailbox/batch.js';
import { chunksOf, eachRun } from '@kiroku/domain/mailbox/chunk.js';
import { appendMessages, changeFlags, expungeAll } from '@kiroku/domain/mailbox/decisions.js';
import { storedFlags } from '@kiroku/domain/mailbox/flags.js';
import { rightFor } from '@kiroku/domain/mailbox/rights.js';
import {
  type Appended, type Changes, type Copied, type Folder, MailboxRefusal, type MailboxStatus, type MailboxStore, type NewMessage, type Quota, type Rights, type Snapshot,
  type SpecialUse, type StoredFlags, type StoredMessage, type StoreFlags,
} from '@kiroku/domain/mailbox/store-port.js';
import { rangesOf } from '@kiroku/domain/mailbox/uid-set.js';
import type pg from 'pg';
import type { Hints } from '../../event-log/hints.js';
import { type Access, demand } from './access.js';
import { ascending, type EntryFacts, readDoomed, readEntries, readFlags, readGoing, readKeywords } from './contents.js';
import { decideMailboxes } from './decide.js';
import { FlagReader } from './flag-reader.js';
import { folderOf, Folders } from './folder-commands.js';
import { changesSince, Snapshots, STATUS, statusOf, type StatusRow } from './snapshots.js';
import { MailboxWatch } from './watch.js';

/** Messages of one command: bounds its memory. About 200 bytes each, and what stands before their bodies. */
const MOST_AT_ONCE = 250_000;
const MOST_MESSAGES = 1_000;
/** INBOX is emptied by RENAME in steps. */
const STEP = 10_000;

/** The mailboxes of all accounts, from their inline views. One per process: sessions share what it has read. */
export class PostgresMailboxStore implements MailboxStore {
  readonly #folders: Folders;
  readonly #snapshots: Snapshots;
  readonly #watch: MailboxWatch;

  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
    hints: Hints,
    trouble: (error: unknown) => void,
  ) {
    this.#folders = new Folders(pool, engine);
    this.#snapshots = new Snapshots(pool);
    this.#watch = new MailboxWatch(pool, hints, trouble);
  }

  /** Ends watching. */
  close(): Promise<void> {
    return this.#watch.close();
  }

  folders(account: string): Promise<readonly Folder[]> {
    return this.#folders.list(account);
  }

  async folder(account: string, name: string): Promise<Folder | undefined> {
    const access = await this.#folders.find(account, name);
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
    const { rows } = await this.pool.query<StatusRow>({ name: 'mailbox-status', text: `SELECT ${STATUS} FROM view.mailbox_1 b WHERE b.id = ANY ($1::uuid[])`, values: [mailboxes] });
    const found = new Map(rows.map((row) => [row.id, statusOf(row)]));
    return mailboxes.flatMap((id) => found.get(id) ?? []);
  }

  async count(mailbox: string, flag: string): Promise<number> {
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

  snapshot(mailbox: string): Promise<Snapshot | undefined> {
    return this.#snapshots.of(mailbox);
  }

  changes(mailbox: string, sinceModSeq: number, uidNext?: number): Promise<Changes | undefined> {
    return changesSince(this.pool, mailbox, sinceModSeq, uidNext);
  }

  watch(mailbox: string, hint: () => void): () => void {
    return this.#watch.mailbox(mailbox, hint);
  }

  watchFolders(account: string, hint: () => void): () => void {
    return this.#watch.account(account, hint);
  }

  async messages(mailbox: string, uids: readonly number[]): Promise<readonly StoredMessage[]> {
    if (uids.length > MOST_MESSAGES) throw new RangeError(`${uids.length} messages at once, at most ${MOST_MESSAGES}`);
    interface Row { uid: number; size: number; received_at: number; message_id: string; prefix: string; sha256: string; body_size: number; at: string | null }
    const [{ rows }, saved] = await Promise.all([
      this.pool.query<Row>({
        name: 'mailbox-messages',
        text: `SELECT uid, size, received_at, message_id, prefix, encode(sha256, 'hex') AS sha256, body_size, at FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid = ANY ($2::bigint[]) ORDER BY uid`,
        values: [mailbox, uids],
      }),
      this.#saved(mailbox, uids),
    ]);
    return rows.map((r) => ({
      uid: r.uid, size: r.size, receivedAt: r.received_at, savedAt: saved.get(r.uid) ?? r.received_at, emailId: emailIdOf(r.sha256, r.prefix), messageId: r.message_id,
      prefix: r.prefix, body: { sha256: r.sha256, size: r.body_size, ...(r.at !== null && { at: r.at }) },
    }));
  }

  async #saved(mailbox: string, uids: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const chunks = chunksOf(rangesOf(ascending(uids)));
    const { rows } = await this.pool.query<{ saved: string }>({
      name: 'mailbox-saved', text: `SELECT saved FROM view.mailbox_state_1 WHERE mailbox_id = $1 AND chunk = ANY ($2::bigint[]) AND saved <> ''`, values: [mailbox, chunks],
    });
    const saved = new Map<number, number>();
    for (const row of rows) eachRun(row.saved, (first, last, at) => { for (let uid = first; uid <= last; uid++) saved.set(uid, Number(at)); });
    return saved;
  }

  async storeFlags(account: string, mailbox: string, { uids, operation, flags, unchangedSince }: StoreFlags, origin: Origin): Promise<StoredFlags> {
    bounded(uids.length);
    const asked = demand(this.pool, account, [[mailbox, '']]);
    return decideMailboxes(
      this.engine, [mailbox],
      async () => {
        const [[access], facts] = (await Promise.all([asked, readFlags(this.pool, mailbox, uids)])) as [[Access], Awaited<ReturnType<typeof readFlags>>];
        const allowed = allowedBy(access);
        if (flags.length > 0 ? !flags.some(allowed) : !/[stw]/.test(access.rights)) throw new MailboxRefusal('no-permission', access.name);
        return { ...facts, allowed, stands: new Map([[mailbox, facts.stand]]) };
      },
      (heads, facts) => {
        const head = headOf(heads, mailbox);
        const wanted = storedFlags(flags, facts.keywords);
        const { event, changed, modified, head: after } = changeFlags(mailbox, head, facts.messages, { operation, flags: wanted, unchangedSince, allowed: facts.allowed });
        const { uidValidity, uidNext, highestModSeq, messages, bytes } = after;
        return { events: new Map([[mailbox, event ? [event] : []]]), result: { changed, modified, status: { id: mailbox, uidValidity, uidNext, highestModSeq, messages, bytes }, before: head.highestModSeq } };
      },
      origin,
    );
  }

  async append(account: string, mailbox: string, messages: readonly NewMessage[], origin: Origin): Promise<Appended> {
    bounded(messages.length);
    const [access] = (await demand(this.pool, account, [[mailbox, 'i']])) as [Access];
    const entries = this.#entries(messages);
    return decideMailboxes(
      this.engine, [mailbox],
      async () => ({ stands: new Map(), keywords: await readKeywords(this.pool, mailbox), quota: await this.#room(access) }),
      (heads, { keywords, quota }) => {
        const head = headOf(heads, mailbox);
        const entering = { columns: columnsOf(entries), flags: messages.map((m) => storedFlags(m.flags.filter(allowedBy(access)), keywords)) };
        const { events, uids, head: after } = appendMessages(mailbox, head, entering);
        fits(quota, after.bytes - head.bytes, access);
        return { events: new Map([[mailbox, events]]), result: { uidValidity: head.uidValidity, uids } };
      },
      origin,
    );
  }

  #entries(messages: readonly NewMessage[]): readonly BatchEntry[] {
    return messages.map(({ body, receivedAt, smtputf8 }) => ({
      messageId: '', sha256: body.sha256, bodySize: body.size, ...(body.at !== undefined && { at: body.at }), prefix: '', size: body.size,
      ...(smtputf8 && { smtputf8: true as const }), receivedAt: receivedAt ?? this.engine.clock.now(),
    }));
  }

  copy(account: string, from: string, uids: readonly number[], to: string, origin: Origin): Promise<Copied> {
    return this.#transfer(account, from, uids, to, false, origin);
  }

  move(account: string, from: string, uids: readonly number[], to: string, origin: Origin): Promise<Copied & { readonly highestModSeq: number }> {
    return this.#transfer(account, from, uids, to, true, origin);
  }

  async #transfer(account: string, from: string, uids: readonly number[], to: string, moving: boolean, origin: Origin): Promise<Copied & { readonly highestModSeq: number }> {
    bounded(uids.length);
    const [source, target] = (await demand(this.pool, account, [[from, moving ? 'rte' : 'r'], [to, 'i']])) as [Access, Access];
    return decideMailboxes(
      this.engine, moving ? [to, from] : [to],
      async () => {
        const [entries, keywords, quota] = await Promise.all([readEntries(this.pool, from, uids), readKeywords(this.pool, to), this.#room(target)]);
        return { entries, keywords, quota, stands: new Map(moving ? [[from, entries.stand]] : []) };
      },
      (heads, { entries, keywords, quota }) => {
        const head = headOf(heads, to);
        const copied = appendMessages(to, head, { columns: entries.columns, flags: flagsFor(entries, allowedBy(target), keywords), from });
        // Moved within one account nothing is added to what it has.
        if (!moving || source.accountId !== target.accountId) fits(quota, copied.head.bytes - head.bytes, target);
        if (!moving) return { events: new Map([[to, copied.events]]), result: { ...copiedOf(head.uidValidity, entries, copied.uids), highestModSeq: 0 } };
        const { columns } = entries;
        const expunged = expungeAll(from, from === to ? copied.head : headOf(heads, from), { uids: columns.uids, messageIds: columns.messageIds, sizes: columns.sizes });
        const events = from === to ? new Map([[to, [...copied.events, ...expunged.events]]]) : new Map([[to, copied.events], [from, expunged.events as readonly never[]]]);
        return { events, result: { ...copiedOf(head.uidValidity, entries, copied.uids), highestModSeq: expunged.head.highestModSeq } };
      },
      origin,
    );
  }

  async expunge(account: string, mailbox: string, uids: readonly number[] | undefined, origin: Origin): Promise<{ readonly uids: readonly number[]; readonly highestModSeq: number }> {
    await demand(this.pool, account, [[mailbox, 'e']]);
    return decideMailboxes(
      this.engine, [mailbox],
      async () => {
        const { stand, doomed } = await readDoomed(this.pool, mailbox, uids);
        return { doomed, stands: new Map([[mailbox, stand]]) };
      },
      (heads, { doomed }) => {
        const { events, head } = expungeAll(mailbox, headOf(heads, mailbox), doomed);
        return { events: new Map([[mailbox, events]]), result: { uids: doomed.uids, highestModSeq: head.highestModSeq } };
      },
      origin,
    );
  }

  async replace(account: string, from: string, uid: number, to: string, message: NewMessage, origin: Origin): Promise<Appended & { readonly highestModSeq: number }> {
    const [, target] = (await demand(this.pool, account, [[from, 'te'], [to, 'i']])) as [Access, Access];
    const entries = this.#entries([message]);
    return decideMailboxes(
      this.engine, [to, from],
      async () => {
        const [{ stand, doomed }, keywords, quota] = await Promise.all([readGoing(this.pool, from, [uid]), readKeywords(this.pool, to), this.#room(target)]);
        if (doomed.uids.length === 0) throw new MailboxRefusal('nonexistent', String(uid));
        return { doomed, keywords, quota, stands: new Map([[from, stand]]) };
      },
      (heads, { doomed, keywords, quota }) => {
        const head = headOf(heads, to);
        const added = appendMessages(to, head, { columns: columnsOf(entries), flags: [storedFlags(message.flags.filter(allowedBy(target)), keywords)] });
        fits(quota, added.head.bytes - head.bytes - (doomed.sizes[0] ?? 0), target);
        const gone = expungeAll(from, from === to ? added.head : headOf(heads, from), doomed);
        const events = from === to ? new Map([[to, [...added.events, ...gone.events]]]) : new Map([[to, added.events], [from, gone.events as readonly never[]]]);
        return { events, result: { uidValidity: head.uidValidity, uids: added.uids, highestModSeq: gone.head.highestModSeq } };
      },
      origin,
    );
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

const headOf = <T>(heads: ReadonlyMap<string, T>, id: string): T => heads.get(id) as T;

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
function flagsFor({ messages: { flags } }: EntryFacts, allowed: (flag: string) => boolean, keywords: ReadonlyMap<string, string>): readonly (readonly string[])[] {
  const known = new Map<readonly string[], readonly string[]>();
  return flags.map((list) => {
    const there = known.get(list) ?? storedFlags(list.filter(allowed), keywords);
    known.set(list, there);
    return there;
  });
}

const copiedOf = (uidValidity: number, { columns }: EntryFacts, to: readonly number[]): Copied => ({ uidValidity, from: columns.uids, to });

/** RFC 8474 §5.1: the same for the same octets. What stands before the body belongs to them. */
function emailIdOf(sha256: string, prefix: string): string {
  const name = prefix === '' ? sha256 : createHash('sha256').update(sha256).update(prefix).digest('hex');
  return `M${name.slice(0, 40)}`;
}
