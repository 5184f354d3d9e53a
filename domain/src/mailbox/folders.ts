import type { Fact } from '../kernel/event.js';
import { isInferior, SEPARATOR, superiors } from './folder-name.js';
import type { AccessList } from './rights.js';
import { MailboxRefusal, type Rights, type SpecialUse } from './store-port.js';

/** An account has at most so many mailboxes. */
export const MOST_FOLDERS = 20_000;
const MOST_METADATA = 1_000;
const LONGEST_ENTRY = 255;
/** UTF-16 units of one metadata value. */
export const LONGEST_VALUE = 65_536;

/**
 * What an account's tree of mailboxes is called, and who may do what in it. Stream `folders-<account id>`, at whose version names are
 * unique. A mailbox's content has a stream of its own; INBOX is in the tree since its `MailboxCreated`, without an event here.
 */
export type FolderEvent =
  | Told<'FolderCreated', { readonly folderId: string; readonly path: string; readonly specialUse: readonly SpecialUse[]; readonly access: Readonly<Record<string, Rights>> }>
  /** The mailbox and its inferiors; a name that could not be selected has inferiors only. */
  | Told<'FolderRenamed', { readonly from: string; readonly to: string; readonly moved: readonly FolderState[] }>
  | Told<'FolderDeleted', FolderState>
  /** `owner` is an account's id: the name follows when its address changes. */
  | Told<'FolderSubscribed', { readonly owner: string; readonly path: string }>
  | Told<'FolderUnsubscribed', { readonly owner: string; readonly path: string }>
  /** `identifier` as in `AccessList`; `rights` '' takes the entry away. */
  | Told<'FolderAccessChanged', { readonly folderId: string; readonly identifier: string; readonly rights: Rights }>
  /** RFC 5464. `folderId` is the account's id for entries of the account; null removes. */
  | Told<'FolderMetadataChanged', { readonly folderId: string; readonly entries: readonly { readonly entry: string; readonly value: string | null }[] }>
  /** The account is gone, and its mailboxes with it. */
  | Told<'FoldersDropped', object>;

/**
 * `uidValidity`: the greatest that a mailbox of the tree was made with. The next one gets a greater, so a name that is used again within
 * the same second, or after the clock was put back, never has an old one's (RFC 9051 §2.3.1.1).
 */
type Told<Type extends string, Data> = Fact<Type, { readonly accountId: string; readonly uidValidity: number } & Administered & Data>;

/** Of what an administrator does: the account's address at that time, and why, in the administrator's own words. */
export interface Administered {
  readonly address?: string;
  readonly reason?: string;
}

export const foldersStream = (accountId: string): string => `folders-${accountId}`;

export interface FolderState {
  readonly folderId: string;
  readonly path: string;
}

/** What deciding about a name must know of the tree: the names concerned, read at the stream's version. */
export interface Tree {
  readonly accountId: string;
  /** Of the stream's last event; 0 = none. */
  readonly uidValidity: number;
  /** Mailboxes in all. */
  readonly count: number;
  /** Mailboxes among the names asked for. */
  readonly folders: ReadonlyMap<string, FolderState>;
  /** Those names that have inferiors, whether they are mailboxes or not. */
  readonly parents: ReadonlySet<string>;
}

/** For mailboxes that are made: ids, the time (epoch ms), and the access list of the superior mailbox, which new ones take over. */
export interface Making {
  readonly access: AccessList;
  readonly id: () => string;
  readonly now: number;
}

/**
 * CREATE: the mailbox, and before it superior names that nothing has yet. A name that was deleted and has inferiors stays without a
 * mailbox until it is created itself.
 * @throws MailboxRefusal `already-exists`, `too-many`
 */
export function createFolder(tree: Tree, path: string, specialUse: readonly SpecialUse[], { access, id, now }: Making): readonly Extract<FolderEvent, { type: 'FolderCreated' }>[] {
  if (path === 'INBOX' || tree.folders.has(path)) throw new MailboxRefusal('already-exists', path);
  const missing = superiors(path).filter((name) => !tree.folders.has(name) && !tree.parents.has(name));
  if (tree.count + missing.length + 1 > MOST_FOLDERS) throw new MailboxRefusal('too-many', path);
  let { uidValidity } = tree;
  return [...missing, path].map((name) => {
    uidValidity = Math.max(Math.floor(now / 1000), uidValidity + 1);
    const uses = name === path ? [...new Set(specialUse)] : [];
    return { type: 'FolderCreated', data: { accountId: tree.accountId, uidValidity, folderId: id(), path: name, specialUse: uses, access: Object.fromEntries(access) } };
  });
}

/** @throws MailboxRefusal `inbox`; `nonexistent`; `has-children` for a name that has inferiors and no mailbox. */
export function deleteFolder(tree: Tree, path: string): Extract<FolderEvent, { type: 'FolderDeleted' }> {
  if (path === 'INBOX') throw new MailboxRefusal('inbox', path);
  const folder = tree.folders.get(path);
  if (!folder) throw new MailboxRefusal(tree.parents.has(path) ? 'has-children' : 'nonexistent', path);
  return { type: 'FolderDeleted', data: { accountId: tree.accountId, uidValidity: tree.uidValidity, ...folder } };
}

/**
 * RENAME of anything but INBOX: what is below moves along.
 * @param tree knows `to`, its superiors, and the new names of `branch`.
 * @param branch `from` and all mailboxes below it.
 * @throws MailboxRefusal `nonexistent`, `already-exists`, `bad-name` when the new name lies below the old one, `too-many`
 */
export function renameFolder(tree: Tree, from: string, to: string, branch: readonly FolderState[], making: Making): readonly FolderEvent[] {
  if (branch.length === 0) throw new MailboxRefusal('nonexistent', from);
  if (isInferior(to, from)) throw new MailboxRefusal('bad-name', to);
  const moved = branch.map(({ folderId, path }) => ({ folderId, path: to + path.slice(from.length) }));
  const taken = to === 'INBOX' || tree.folders.has(to) || moved.some(({ path }) => tree.folders.has(path));
  if (taken || from === to) throw new MailboxRefusal('already-exists', to);
  const above = superiors(to);
  const parent = above.at(-1);
  const missing = parent === undefined || tree.folders.has(parent) || tree.parents.has(parent) ? [] : createFolder(tree, parent, [], making);
  return [...missing, { type: 'FolderRenamed', data: { accountId: tree.accountId, uidValidity: missing.at(-1)?.data.uidValidity ?? tree.uidValidity, from, to, moved } }];
}

/** @param there all entries that it has now. @throws MailboxRefusal `bad-name`, `too-big`, `too-many` */
export function changeMetadata(
  { accountId, uidValidity }: Pick<Tree, 'accountId' | 'uidValidity'>,
  folderId: string,
  entries: readonly (readonly [entry: string, value: string | null])[],
  there: ReadonlyMap<string, string>,
): Extract<FolderEvent, { type: 'FolderMetadataChanged' }> | undefined {
  const after = new Map(there);
  const changed = new Map<string, string | null>();
  for (const [name, value] of entries) {
    const entry = name.toLowerCase();
    if (entry.length > LONGEST_ENTRY || !/^\/(private|shared)(\/[!-$&-)+-.0-~]+)+$/.test(entry)) throw new MailboxRefusal('bad-name', entry.slice(0, LONGEST_ENTRY));
    if (value !== null && value.length > LONGEST_VALUE) throw new MailboxRefusal('too-big', entry);
    if ((after.get(entry) ?? null) === value) continue;
    changed.set(entry, value);
    if (value === null) after.delete(entry);
    else after.set(entry, value);
  }
  if (changed.size === 0) return undefined;
  if (after.size > MOST_METADATA && after.size > there.size) throw new MailboxRefusal('too-many', folderId);
  return { type: 'FolderMetadataChanged', data: { accountId, uidValidity, folderId, entries: [...changed].map(([entry, value]) => ({ entry, value })) } };
}

/** Ids of the mailboxes that a whole stream leaves in the tree, INBOX excepted. For ending an account. */
export function foldersLeft(events: readonly Fact[]): readonly string[] {
  const left = new Set<string>();
  for (const { type, data } of events as readonly FolderEvent[]) {
    if (type === 'FolderCreated') left.add(data.folderId);
    if (type === 'FolderDeleted') left.delete(data.folderId);
    if (type === 'FoldersDropped') left.clear();
  }
  return [...left];
}

/** The half-open interval of names below a path, in byte order: `/` comes right before `0`. */
export const below = (path: string): readonly [from: string, to: string] => [`${path}${SEPARATOR}`, `${path}0`];
