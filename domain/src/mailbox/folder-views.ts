import type { Fact, RecordedOf } from '../kernel/event.js';
import type { Positioned } from '../kernel/event-log.js';
import type { Projection } from '../kernel/projection.js';
import type { FolderEvent } from './folders.js';
import type { MailboxEvent } from './mailbox.js';

/** Events of the tree, of mailboxes, and of the directory: with its account all is gone. */
type Told = RecordedOf<FolderEvent | Extract<MailboxEvent, { type: 'MailboxCreated' }> | Fact<'AccountDeleted', { readonly accountId: string }>>;
const told = ({ event }: Positioned): Told => event as unknown as Told;

const gone = (positioned: Positioned): { account_id: string } | undefined => {
  const { type, data } = told(positioned);
  return type === 'AccountDeleted' || type === 'FoldersDropped' ? { account_id: data.accountId } : undefined;
};

type FolderRow = { account_id: string; id: string; path: string; special_use: string };

/** One row per mailbox: what it is called now. `special_use` is a list with spaces. */
export const folders: Projection<FolderRow> = {
  name: 'folder_1',
  topics: ['decision'],
  inline: true,
  types: ['MailboxCreated', 'FolderCreated', 'FolderRenamed', 'FolderDeleted', 'FoldersDropped', 'AccountDeleted'],
  blind: ['MailboxCreated', 'FolderCreated', 'FolderDeleted'],
  key: ['account_id', 'id'],
  columns: { account_id: 'uuid', id: 'uuid', path: 'text', special_use: 'text' },
  keysOf: (positioned) => {
    const { type, data } = told(positioned);
    if (type === 'MailboxCreated') return data.head.name === 'INBOX' ? [{ account_id: data.head.accountId, id: data.mailboxId }] : [];
    if (type === 'FolderRenamed') return data.moved.map(({ folderId }) => ({ account_id: data.accountId, id: folderId }));
    return type === 'FolderCreated' || type === 'FolderDeleted' ? [{ account_id: data.accountId, id: data.folderId }] : [];
  },
  removes: gone,
  apply(row, positioned, key) {
    const { type, data } = told(positioned);
    const { account_id, id } = key as FolderRow;
    if (type === 'MailboxCreated') return { account_id, id, path: 'INBOX', special_use: '' };
    if (type === 'FolderCreated') return { account_id, id, path: data.path, special_use: data.specialUse.join(' ') };
    if (type !== 'FolderRenamed') return null;
    const path = newPaths(data).get(id);
    return path === undefined || row === undefined ? row : { ...row, path };
  },
};

const memory = new WeakMap<object, ReadonlyMap<string, string>>();
function newPaths(data: Extract<FolderEvent, { type: 'FolderRenamed' }>['data']): ReadonlyMap<string, string> {
  const known = memory.get(data) ?? new Map(data.moved.map(({ folderId, path }) => [folderId, path]));
  memory.set(data, known);
  return known;
}

type AccessRow = { account_id: string; folder_id: string; identifier: string; rights: string };

/** Access lists: a row per entry. Owners are not in it. */
export const folderAccess: Projection<AccessRow> = {
  name: 'folder_access_1',
  topics: ['decision'],
  inline: true,
  types: ['FolderCreated', 'FolderAccessChanged', 'FolderDeleted', 'FoldersDropped', 'AccountDeleted'],
  blind: ['FolderCreated', 'FolderAccessChanged'],
  key: ['account_id', 'folder_id', 'identifier'],
  columns: { account_id: 'uuid', folder_id: 'uuid', identifier: 'text', rights: 'text' },
  keysOf: (positioned) => {
    const { type, data } = told(positioned);
    if (type !== 'FolderCreated' && type !== 'FolderAccessChanged') return [];
    const identifiers = type === 'FolderCreated' ? Object.keys(data.access) : [data.identifier];
    return identifiers.map((identifier) => ({ account_id: data.accountId, folder_id: data.folderId, identifier }));
  },
  removes: (positioned) => {
    const { type, data } = told(positioned);
    return type === 'FolderDeleted' ? { account_id: data.accountId, folder_id: data.folderId } : gone(positioned);
  },
  apply(_, positioned, key) {
    const { type, data } = told(positioned);
    const row = key as Omit<AccessRow, 'rights'>;
    const rights = type === 'FolderCreated' ? data.access[row.identifier] : type === 'FolderAccessChanged' ? data.rights : undefined;
    return rights === undefined || rights === '' ? null : { ...row, rights };
  },
};

type SubscriptionRow = { account_id: string; owner: string; path: string };

/** Names that an account has subscribed to, its own and others'. */
export const subscriptions: Projection<SubscriptionRow> = {
  name: 'subscription_1',
  topics: ['decision'],
  inline: true,
  types: ['FolderSubscribed', 'FolderUnsubscribed', 'FoldersDropped', 'AccountDeleted'],
  blind: ['FolderSubscribed', 'FolderUnsubscribed'],
  key: ['account_id', 'owner', 'path'],
  columns: { account_id: 'uuid', owner: 'uuid', path: 'text' },
  keysOf: (positioned) => {
    const { type, data } = told(positioned);
    return type === 'FolderSubscribed' || type === 'FolderUnsubscribed' ? [{ account_id: data.accountId, owner: data.owner, path: data.path }] : [];
  },
  removes: gone,
  apply: (_, { event }, key) => (event.type === 'FolderSubscribed' ? (key as SubscriptionRow) : null),
};

type MetadataRow = { account_id: string; folder_id: string; entry: string; value: string };

/** RFC 5464: private entries under the account that made them, shared ones under the mailbox's owner. */
export const folderMetadata: Projection<MetadataRow> = {
  name: 'folder_metadata_1',
  topics: ['decision'],
  inline: true,
  types: ['FolderMetadataChanged', 'FolderDeleted', 'FoldersDropped', 'AccountDeleted'],
  blind: ['FolderMetadataChanged'],
  key: ['account_id', 'folder_id', 'entry'],
  columns: { account_id: 'uuid', folder_id: 'uuid', entry: 'text', value: 'text' },
  keysOf: (positioned) => {
    const { type, data } = told(positioned);
    return type === 'FolderMetadataChanged' ? data.entries.map(({ entry }) => ({ account_id: data.accountId, folder_id: data.folderId, entry })) : [];
  },
  removes: (positioned) => {
    const { type, data } = told(positioned);
    return type === 'FolderDeleted' ? { account_id: data.accountId, folder_id: data.folderId } : gone(positioned);
  },
  apply(_, positioned, key) {
    const { type, data } = told(positioned);
    const row = key as Omit<MetadataRow, 'value'>;
    const value = type === 'FolderMetadataChanged' ? data.entries.find((e) => e.entry === row.entry)?.value : undefined;
    return value == null ? null : { ...row, value };
  },
};
