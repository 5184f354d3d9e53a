import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { runsOf } from '@kiroku/domain/mailbox/flag-runs.js';
import {
  type Appended, type Changes, type Copied, type FlagChange, type Folder, MailboxRefusal, type MailboxStatus, type MailboxStore, type NewMessage, type Quota,
  type Rights, type Snapshot, type SpecialUse, type StoredFlags, type StoredMessage, type StoreFlags,
} from '@kiroku/domain/mailbox/store-port.js';

const ALL: Rights = 'lrswipkxtea';

interface Entry {
  uid: number;
  modSeq: number;
  appendedAt: number;
  flags: string[];
  readonly stored: Omit<StoredMessage, 'uid'>;
}

class Box {
  readonly entries = new Map<number, Entry>();
  readonly vanished: { readonly uid: number; readonly modSeq: number }[] = [];
  readonly acl = new Map<string, Rights>();
  readonly metadata = new Map<string, string>();
  uidNext = 1;
  modSeq = 1;

  constructor(
    readonly id: string,
    readonly owner: string,
    public path: string,
    readonly specialUse: readonly SpecialUse[],
    readonly uidValidity: number,
  ) {}

  get bytes(): number {
    return [...this.entries.values()].reduce((sum, { stored }) => sum + stored.size, 0);
  }
}

/** Mailboxes in memory, for tests: what the port promises, without its speed. Accounts are called `id-of-<name>`, their addresses `<name>@x.test`. */
export class MemoryMailboxes implements MailboxStore {
  private readonly boxes = new Map<string, Box>();
  private readonly subscribed = new Map<string, Set<string>>();
  private readonly accountMetadata = new Map<string, Map<string, string>>();
  private readonly hints = new Map<string, Set<() => void>>();
  private made = 0;
  /** Bytes per account; 0 = no limit. */
  limit = 0;
  /** Set to make all fail. */
  down: Error | undefined;
  /** Calls of `messages` so far. */
  looks = 0;
  now = 1_700_000_000_000;

  constructor(accounts: readonly string[]) {
    for (const account of accounts) this.make(account, 'INBOX', []);
  }

  /** By delivery or another process. */
  deliver(account: string, path: string, body: BodyRef, flags: readonly string[] = [], prefix = ''): number {
    const box = this.own(account, path);
    const uid = this.add(box, { body, flags: [...flags] }, prefix);
    this.hint(box.id);
    return uid;
  }

  async folders(account: string): Promise<readonly Folder[]> {
    this.check();
    const all = [...this.boxes.values()].map((box) => this.seen(box, account)).filter((folder) => folder.rights.includes('l'));
    const byName = (a: Folder, b: Folder): number => (a.name < b.name ? -1 : 1);
    return [...all.filter((f) => f.accountId === account).sort(byName), ...all.filter((f) => f.accountId !== account).sort(byName)];
  }

  async folder(account: string, name: string): Promise<Folder | undefined> {
    this.check();
    const box = this.find(account, name);
    const folder = box && this.seen(box, account);
    return folder?.rights.includes('l') || folder?.rights.includes('r') ? folder : undefined;
  }

  async subscriptions(account: string): Promise<readonly string[]> {
    return [...(this.subscribed.get(account) ?? [])].sort();
  }

  async subscribe(account: string, name: string, on: boolean): Promise<void> {
    const names = this.subscribed.get(account) ?? new Set();
    this.subscribed.set(account, names);
    if (on) names.add(name);
    else names.delete(name);
    this.hint(`of ${account}`);
  }

  async create(account: string, name: string, specialUse: readonly SpecialUse[]): Promise<Folder> {
    if (this.find(account, name)) throw new MailboxRefusal('already-exists', name);
    if (name === '' || name.startsWith('#') || name.includes('//')) throw new MailboxRefusal('bad-name', name);
    for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) if (!this.find(account, name.slice(0, at))) this.make(account, name.slice(0, at), []);
    const box = this.make(account, name, specialUse);
    this.hint(`of ${account}`);
    return this.seen(box, account);
  }

  async delete(account: string, name: string): Promise<void> {
    const box = this.must(account, name, 'x');
    if (box.path === 'INBOX') throw new MailboxRefusal('inbox', name);
    this.boxes.delete(box.id);
    this.hint(box.id);
    this.hint(`of ${account}`);
  }

  async rename(account: string, from: string, to: string, origin: Origin): Promise<void> {
    const box = this.must(account, from, 'x');
    if (this.find(account, to)) throw new MailboxRefusal('already-exists', to);
    if (box.path === 'INBOX') {
      const made = await this.create(account, to, []);
      await this.move(account, box.id, [...box.entries.keys()], made.id, origin);
      return;
    }
    for (const other of this.boxes.values()) if (other.owner === account && (other.path === from || other.path.startsWith(`${from}/`))) other.path = to + other.path.slice(from.length);
    this.hint(`of ${account}`);
  }

  async status(mailboxes: readonly string[]): Promise<readonly MailboxStatus[]> {
    return mailboxes.flatMap((id) => this.boxes.get(id) ?? []).map((box) => this.statusOf(box));
  }

  async count(mailbox: string, flag: string): Promise<number> {
    return [...(this.boxes.get(mailbox)?.entries.values() ?? [])].filter(({ flags }) => flags.includes(flag)).length;
  }

  async snapshot(mailbox: string): Promise<Snapshot | undefined> {
    this.check();
    const box = this.boxes.get(mailbox);
    if (!box) return undefined;
    const entries = [...box.entries.values()];
    const sets = [...new Set(entries.map(({ flags }) => flags.join(' ')))];
    return {
      status: this.statusOf(box),
      uids: Uint32Array.from(entries, ({ uid }) => uid),
      modSeqs: Float64Array.from(entries, ({ modSeq }) => modSeq),
      flags: Uint32Array.from(entries, ({ flags }) => sets.indexOf(flags.join(' '))),
      flagSets: sets.map((set) => (set === '' ? [] : set.split(' '))),
    };
  }

  async changes(mailbox: string, since: number): Promise<Changes | undefined> {
    this.check();
    const box = this.boxes.get(mailbox);
    if (!box) return undefined;
    const changed = [...box.entries.values()].filter(({ modSeq }) => modSeq > since);
    return {
      status: this.statusOf(box),
      appended: changed.filter(({ appendedAt }) => appendedAt > since).map(changeOf),
      flagged: runsOf(changed.filter(({ appendedAt }) => appendedAt <= since).map(changeOf)),
      vanished: box.vanished.filter(({ modSeq }) => modSeq > since).map(({ uid }) => uid).sort((a, b) => a - b),
    };
  }

  watch(mailbox: string, hint: () => void): () => void {
    const hints = this.hints.get(mailbox) ?? new Set();
    this.hints.set(mailbox, hints);
    hints.add(hint);
    return () => void hints.delete(hint);
  }

  watchFolders(account: string, hint: () => void): () => void {
    return this.watch(`of ${account}`, hint);
  }

  async messages(mailbox: string, uids: readonly number[]): Promise<readonly StoredMessage[]> {
    this.check();
    this.looks++;
    const box = this.boxes.get(mailbox);
    return uids.flatMap((uid) => {
      const entry = box?.entries.get(uid);
      return entry ? [{ uid, ...entry.stored }] : [];
    });
  }

  async storeFlags(account: string, mailbox: string, { uids, operation, flags, unchangedSince = Infinity }: StoreFlags): Promise<StoredFlags> {
    const box = this.byId(account, mailbox, 's', 'w', 't');
    const modified: number[] = [];
    const changed: FlagChange[] = [];
    const before = box.modSeq;
    for (const uid of uids) {
      const entry = box.entries.get(uid);
      if (!entry) continue;
      if (entry.modSeq > unchangedSince) {
        modified.push(uid);
        continue;
      }
      const next = operation === 'add' ? [...new Set([...entry.flags, ...flags])] : operation === 'remove' ? entry.flags.filter((flag) => !flags.includes(flag)) : [...flags];
      next.sort();
      if (next.join(' ') !== entry.flags.join(' ')) Object.assign(entry, { flags: next, modSeq: ++box.modSeq });
      changed.push(changeOf(entry));
    }
    this.hint(box.id);
    return { changed: runsOf(changed), modified, status: this.statusOf(box), before };
  }

  async append(account: string, mailbox: string, messages: readonly NewMessage[]): Promise<Appended> {
    const box = this.byId(account, mailbox, 'i');
    const more = messages.reduce((sum, { body }) => sum + body.size, 0);
    if (this.limit > 0 && this.usedBy(box.owner) + more > this.limit) throw new MailboxRefusal('over-quota', box.path);
    const uids = messages.map((message) => this.add(box, message));
    this.hint(box.id);
    return { uidValidity: box.uidValidity, uids };
  }

  async copy(account: string, from: string, uids: readonly number[], to: string): Promise<Copied> {
    const source = this.byId(account, from, 'r');
    const target = this.byId(account, to, 'i');
    const found = uids.flatMap((uid) => source.entries.get(uid) ?? []);
    const made = found.map(({ flags, stored }) => this.add(target, { body: stored.body, flags, receivedAt: stored.receivedAt }, stored.prefix));
    this.hint(to);
    return { uidValidity: target.uidValidity, from: found.map(({ uid }) => uid), to: made };
  }

  async move(account: string, from: string, uids: readonly number[], to: string, _: Origin): Promise<Copied & { readonly highestModSeq: number }> {
    const copied = await this.copy(account, from, uids, to);
    const source = this.byId(account, from, 'e');
    for (const uid of copied.from) this.vanish(source, uid);
    this.hint(from);
    return { ...copied, highestModSeq: source.modSeq };
  }

  async expunge(account: string, mailbox: string, uids: readonly number[] | undefined): Promise<{ uids: readonly number[]; highestModSeq: number }> {
    const box = this.byId(account, mailbox, 'e');
    const only = uids && new Set(uids);
    const doomed = [...box.entries.values()].filter(({ uid, flags }) => flags.includes('\\Deleted') && (!only || only.has(uid))).map(({ uid }) => uid);
    for (const uid of doomed) this.vanish(box, uid);
    this.hint(box.id);
    return { uids: doomed, highestModSeq: box.modSeq };
  }

  async replace(account: string, from: string, uid: number, to: string, message: NewMessage): Promise<Appended & { readonly highestModSeq: number }> {
    const source = this.byId(account, from, 'e');
    const appended = await this.append(account, to, [message]);
    if (source.entries.has(uid)) this.vanish(source, uid);
    this.hint(from);
    return { ...appended, highestModSeq: source.modSeq };
  }

  async quota(account: string): Promise<Quota> {
    const own = [...this.boxes.values()].filter(({ owner }) => owner === account);
    return { limit: this.limit, used: this.usedBy(account), messages: own.reduce((sum, { entries }) => sum + entries.size, 0) };
  }

  async room(account: string, mailbox: string): Promise<number> {
    const { owner } = this.byId(account, mailbox, '');
    return this.limit === 0 ? Infinity : this.limit - this.usedBy(owner);
  }

  async acl(account: string, name: string): Promise<readonly { readonly identifier: string; readonly rights: Rights }[]> {
    const box = this.must(account, name, 'a');
    return [{ identifier: addressOf(box.owner), rights: ALL }, ...[...box.acl].map(([identifier, rights]) => ({ identifier, rights }))];
  }

  async setAcl(account: string, name: string, identifier: string, rights: Rights): Promise<void> {
    const box = this.must(account, name, 'a');
    if (rights === '') box.acl.delete(identifier);
    else box.acl.set(identifier, rights);
    for (const owner of this.owners()) this.hint(`of ${owner}`);
  }

  async metadata(account: string, name: string): Promise<ReadonlyMap<string, string>> {
    return this.metadataOf(account, name);
  }

  async setMetadata(account: string, name: string, entries: readonly (readonly [string, string | null])[]): Promise<void> {
    const values = this.metadataOf(account, name);
    for (const [entry, value] of entries) if (value === null) values.delete(entry); else values.set(entry, value);
    this.hint(`of ${account}`);
  }

  private metadataOf(account: string, name: string): Map<string, string> {
    if (name !== '') return this.must(account, name, 'r').metadata;
    const values = this.accountMetadata.get(account) ?? new Map<string, string>();
    this.accountMetadata.set(account, values);
    return values;
  }

  private add(box: Box, { body, flags, receivedAt = this.now }: NewMessage, prefix = ''): number {
    const uid = box.uidNext++;
    const modSeq = ++box.modSeq;
    const size = Buffer.byteLength(prefix) + body.size;
    const stored = { size, receivedAt, savedAt: this.now, emailId: `E${body.sha256.slice(0, 16)}`, messageId: `M${uid}`, prefix, body };
    box.entries.set(uid, { uid, modSeq, appendedAt: modSeq, flags: [...flags].sort(), stored });
    return uid;
  }

  private vanish(box: Box, uid: number): void {
    box.entries.delete(uid);
    box.vanished.push({ uid, modSeq: ++box.modSeq });
  }

  private make(account: string, path: string, specialUse: readonly SpecialUse[]): Box {
    const id = `box-${++this.made}`;
    const box = new Box(id, account, path, specialUse, 1_700_000_000 + this.made);
    this.boxes.set(id, box);
    return box;
  }

  private own(account: string, path: string): Box {
    const box = [...this.boxes.values()].find((one) => one.owner === account && one.path === path);
    if (!box) throw new MailboxRefusal('nonexistent', path);
    return box;
  }

  private find(account: string, name: string): Box | undefined {
    return [...this.boxes.values()].find((box) => nameFor(box, account) === name);
  }

  private must(account: string, name: string, right: string): Box {
    const box = this.find(account, name);
    if (!box || !this.rights(box, account).includes('l')) throw new MailboxRefusal('nonexistent', name);
    return this.byId(account, box.id, right);
  }

  private byId(account: string, id: string, ...rights: string[]): Box {
    this.check();
    const box = this.boxes.get(id);
    if (!box) throw new MailboxRefusal('nonexistent', id);
    if (!rights.some((right) => this.rights(box, account).includes(right))) throw new MailboxRefusal('no-permission', box.path);
    return box;
  }

  private rights(box: Box, account: string): Rights {
    return box.owner === account ? ALL : (box.acl.get(addressOf(account)) ?? box.acl.get('anyone') ?? '');
  }

  private seen(box: Box, account: string): Folder {
    const { id, owner, path, specialUse } = box;
    const name = nameFor(box, account);
    const subscribed = this.subscribed.get(account)?.has(name) === true;
    return { id, accountId: owner, owner: addressOf(owner), path, name, rights: this.rights(box, account), subscribed, specialUse };
  }

  private statusOf(box: Box): MailboxStatus {
    const { id, uidValidity, uidNext, modSeq, entries, bytes } = box;
    return { id, uidValidity, uidNext, highestModSeq: modSeq, messages: entries.size, bytes };
  }

  private usedBy(account: string): number {
    return [...this.boxes.values()].filter(({ owner }) => owner === account).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  private owners(): ReadonlySet<string> {
    return new Set([...this.boxes.values()].map(({ owner }) => owner));
  }

  private hint(key: string): void {
    for (const hint of this.hints.get(key) ?? []) setImmediate(hint);
  }

  private check(): void {
    if (this.down) throw this.down;
  }
}

const addressOf = (account: string): string => `${account.replace('id-of-', '')}@x.test`;
const nameFor = ({ owner, path }: Box, account: string): string => (owner === account ? path : `#Shared/${addressOf(owner)}/${path}`);
const changeOf = ({ uid, modSeq, flags }: Entry): FlagChange => ({ uid, modSeq, flags });
