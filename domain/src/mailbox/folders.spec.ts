import { describe, expect, it } from '@jest/globals';
import { fold } from '../kernel/fold.js';
import { folderAccess, folderMetadata, folders, subscriptions } from './folder-views.js';
import { folderPath, parseName, sharedName, superiors } from './folder-name.js';
import { below, changeMetadata, createFolder, deleteFolder, type FolderEvent, foldersLeft, MOST_FOLDERS, renameFolder, type Tree } from './folders.js';
import { createMailbox } from './mailbox.js';
import { knownRights, rightsOf } from './rights.js';

const NINE = Date.UTC(2026, 0, 5);
const SECOND = NINE / 1000;
const making = (access: Record<string, string> = {}, now = NINE) => {
  let n = 0;
  return { access: new Map(Object.entries(access)), id: () => `f${++n}`, now };
};
const tree = (paths: readonly string[], more: Partial<Tree> = {}): Tree => ({
  accountId: 'acc', uidValidity: 0, count: paths.length, folders: new Map(paths.map((path) => [path, { folderId: `id-${path}`, path }])),
  parents: new Set(paths.flatMap(superiors)), ...more,
});
const paths = (events: readonly FolderEvent[]) => events.map((e) => (e.type === 'FolderCreated' ? e.data.path : e.type));

describe('CREATE', () => {
  it('makes superior names that nothing has yet', () => expect(paths(createFolder(tree(['a']), 'a/b/c', [], making()))).toEqual(['a/b', 'a/b/c']));
  it('leaves a superior name alone that was deleted and has inferiors', () => expect(paths(createFolder(tree(['a/x']), 'a/b', [], making()))).toEqual(['a/b']));
  it('makes a name that has inferiors and no mailbox', () => expect(paths(createFolder(tree(['a/x']), 'a', [], making()))).toEqual(['a']));
  it('gives each mailbox a greater UIDVALIDITY than any before it in the tree, whatever the clock says', () => {
    const made = createFolder(tree([], { uidValidity: SECOND + 5 }), 'a/b', ['\\Sent'], making());
    expect(made.map((e) => [e.data.uidValidity, e.data.specialUse])).toEqual([[SECOND + 6, []], [SECOND + 7, ['\\Sent']]]);
    expect(createFolder(tree([]), 'a', [], making())[0]?.data.uidValidity).toBe(SECOND);
  });
  it('takes over the access list from above', () => expect(createFolder(tree(['a']), 'a/b', [], making({ anyone: 'lr' }))[0]?.data.access).toEqual({ anyone: 'lr' }));
  it.each([['already-exists', 'a'], ['already-exists', 'INBOX']])('is refused: %s %s', (trouble, path) => expect(() => createFolder(tree(['a']), path, [], making())).toThrow(trouble));
  it('is refused beyond the limit, superior names counted', () => {
    expect(createFolder(tree([], { count: MOST_FOLDERS - 2 }), 'a/b', [], making())).toHaveLength(2);
    expect(() => createFolder(tree([], { count: MOST_FOLDERS - 1 }), 'a/b', [], making())).toThrow('too-many');
  });
});

describe('DELETE', () => {
  it('takes the mailbox and leaves what is below', () => expect(deleteFolder(tree(['a', 'a/b']), 'a').data).toEqual({ accountId: 'acc', uidValidity: 0, folderId: 'id-a', path: 'a' }));
  it.each([['inbox', 'INBOX'], ['nonexistent', 'b'], ['has-children', 'c']])('is refused: %s %s', (trouble, path) => expect(() => deleteFolder(tree(['a', 'c/d']), path)).toThrow(trouble));
});

describe('RENAME', () => {
  const branch = [{ folderId: '1', path: 'a' }, { folderId: '2', path: 'a/b' }];
  it('moves what is below along, and makes superior names of the new one', () => {
    const events = renameFolder(tree(['a', 'a/b']), 'a', 'x/y', branch, making());
    expect(events.map((e) => e.type)).toEqual(['FolderCreated', 'FolderRenamed']);
    expect(events[1]?.data).toMatchObject({ moved: [{ folderId: '1', path: 'x/y' }, { folderId: '2', path: 'x/y/b' }], uidValidity: SECOND });
  });
  it('takes a name that has no mailbox itself', () => {
    const [event] = renameFolder(tree(['a/b']), 'a', 'c', branch.slice(1), making());
    expect(event?.data).toMatchObject({ moved: [{ folderId: '2', path: 'c/b' }] });
  });
  it.each([['already-exists', 'c'], ['already-exists', 'INBOX'], ['bad-name', 'a/b/c'], ['already-exists', 'd']])('is refused: %s to %s', (trouble, to) =>
    expect(() => renameFolder(tree(['a', 'a/b', 'c', 'd/b']), 'a', to, branch, making())).toThrow(trouble));
  it('of nothing is refused', () => expect(() => renameFolder(tree([]), 'a', 'b', [], making())).toThrow('nonexistent'));
});

describe('a name', () => {
  it.each([['inbox', 'INBOX'], ['Inbox/é', 'INBOX/é'], ['仕事/2026', '仕事/2026'], ['a/inbox', 'a/inbox']])('%j is kept as %j', (name, path) => expect(folderPath(name)).toBe(path));
  it.each(['', '/', 'a//b', 'a/', '/a', 'a\u0000', 'a\u0085', 'a*', 'a%', '#a', '..', 'a/../b', '\ud800', 'x'.repeat(256), Array(51).fill('a').join('/'), Array(30).fill('x'.repeat(40)).join('/')])(
    '%j is refused', (name) => expect(() => folderPath(name)).toThrow('bad-name'));
  it('of 255 bytes a level is kept, of 256 refused', () => {
    expect(folderPath('あ'.repeat(85))).toHaveLength(85);
    expect(() => folderPath(`${'あ'.repeat(85)}a`)).toThrow('bad-name');
  });
  it('of somebody else begins with their address', () => {
    expect(parseName('#Shared/bob@x.test/a/b')).toEqual({ owner: 'bob@x.test', path: 'a/b' });
    expect(sharedName('bob@x.test', 'a/b')).toBe('#Shared/bob@x.test/a/b');
    for (const name of ['#Shared', '#Shared/', '#Shared/bob@x.test', '#Shared//a', '#Shared/bob@x.test/']) expect(() => parseName(name)).toThrow('bad-name');
  });
  it('has a range of names below it and nothing else', () => {
    const [from, to] = below('a');
    expect(['a', 'a/', 'a/b', 'a/\u{10ffff}', 'a0', 'ab', 'a.b'].filter((n) => n > from && n < to)).toEqual(['a/b', 'a/\u{10ffff}']);
  });
});

describe('rights', () => {
  it.each([['eirl', 'lrie'], ['c', 'kx'], ['d', 'te'], ['', '']])('%j are %j', (text, rights) => expect(knownRights(text)).toBe(rights));
  it.each(['z', 'L', 'l r', 'lr'.repeat(30)])('%j are refused', (text) => expect(() => knownRights(text)).toThrow('bad-name'));
  it('are those given to the account and to anyone, less those taken away', () => {
    const list = new Map([['anyone', 'lrs'], ['me', 'wi'], ['-me', 's'], ['-anyone', 'w']]);
    expect(rightsOf(list, 'me', true)).toBe('lri');
    expect(rightsOf(list, 'you', true)).toBe('lrs');
  });
  it('are those of the account, of its groups and of anyone together, less what any of them takes away', () => {
    const list = new Map([['anyone', 'l'], ['me', 'w'], ['group:g', 'rs'], ['group:h', 'i'], ['group:other', 'x'], ['-group:h', 's'], ['-group:other', 'l']]);
    expect(rightsOf(list, 'me', true, ['g', 'h'])).toBe('lrwi');
    expect(rightsOf(list, 'me', true, ['g'])).toBe('lrsw');
    expect(rightsOf(list, 'you', false, ['g'])).toBe('rs');
    expect(rightsOf(list, 'you', false)).toBe('');
  });
  it('of anyone are for accounts of the same domain', () => expect(rightsOf(new Map([['anyone', 'lr'], ['me', 's']]), 'me', false)).toBe('s'));
});

describe('metadata', () => {
  const change = (entries: readonly (readonly [string, string | null])[], there: Record<string, string> = {}) => changeMetadata(tree([]), 'f', entries, new Map(Object.entries(there)));
  it('is written where it differs', () => {
    expect(change([['/Private/Comment', 'x'], ['/shared/a', null]], { '/shared/b': 'y' })?.data.entries).toEqual([{ entry: '/private/comment', value: 'x' }]);
    expect(change([['/private/comment', 'x']], { '/private/comment': 'x' })).toBeUndefined();
  });
  it.each(['/private', '/private/', '/other/x', '/private//x', '/private/a*', '/private/a%', '/private/あ', `/private/${'x'.repeat(250)}`])('entry %j is refused', (entry) => expect(() => change([[entry, 'x']])).toThrow('bad-name'));
  it('is limited in size and number', () => {
    expect(() => change([['/private/x', 'x'.repeat(65_537)]])).toThrow('too-big');
    const full = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`/private/k${i}`, 'v']));
    expect(() => change([['/private/more', 'x']], full)).toThrow('too-many');
    expect(change([['/private/more', 'x'], ['/private/k0', null]], full)?.data.entries).toHaveLength(2);
  });
});

describe('the views of a tree', () => {
  const [made, below2] = createFolder(tree([]), 'a/b', ['\\Archive'], making({ anyone: 'lr' }));
  const inbox = createMailbox('inbox-1', 'acc', 'INBOX', NINE);
  const common = { accountId: 'acc', uidValidity: SECOND };
  const history = (...events: readonly { readonly type: string; readonly data: unknown }[]) =>
    [inbox, createMailbox('f1', 'acc', 'a', NINE), made, below2, ...events].map((event, i) => ({ stream: 's', event: { id: `${i}`, version: 1, at: NINE, actor: 'a', correlation: 'c', ...(event as { type: string; data: unknown }) } }));
  const renamed: FolderEvent = { type: 'FolderRenamed', data: { ...common, from: 'a', to: 'z', moved: [{ folderId: 'f1', path: 'z' }, { folderId: 'f2', path: 'z/b' }] } };
  const deleted: FolderEvent = { type: 'FolderDeleted', data: { ...common, folderId: 'f2', path: 'z/b' } };
  const noted: readonly FolderEvent[] = [
    { type: 'FolderSubscribed', data: { ...common, owner: 'acc', path: 'a' } }, { type: 'FolderSubscribed', data: { ...common, owner: 'bob', path: 'b' } },
    { type: 'FolderUnsubscribed', data: { ...common, owner: 'acc', path: 'a' } },
    { type: 'FolderMetadataChanged', data: { ...common, folderId: 'f2', entries: [{ entry: '/shared/x', value: '1' }, { entry: '/shared/y', value: null }] } },
    { type: 'FolderAccessChanged', data: { ...common, folderId: 'f1', identifier: 'anyone', rights: '' } },
    { type: 'FolderAccessChanged', data: { ...common, folderId: 'f1', identifier: 'bob', rights: 'lr' } },
  ];

  it('hold INBOX without any event of the tree, and what was made', () =>
    expect(fold(folders, history(renamed)).map((r) => [r.id, r.path, r.special_use])).toEqual([['inbox-1', 'INBOX', ''], ['f1', 'z', ''], ['f2', 'z/b', '\\Archive']]));
  it('hold subscriptions, access and metadata', () => {
    expect(fold(subscriptions, history(...noted))).toEqual([{ account_id: 'acc', owner: 'bob', path: 'b' }]);
    expect(fold(folderAccess, history(...noted)).map((r) => [r.folder_id, r.identifier, r.rights])).toEqual([['f2', 'anyone', 'lr'], ['f1', 'bob', 'lr']]);
    expect(fold(folderMetadata, history(...noted)).map((r) => [r.entry, r.value])).toEqual([['/shared/x', '1']]);
  });
  it('forget a mailbox that is deleted', () => {
    expect(fold(folders, history(renamed, deleted)).map((r) => r.id)).toEqual(['inbox-1', 'f1']);
    expect(fold(folderAccess, history(...noted, deleted)).map((r) => r.folder_id)).toEqual(['f1']);
    expect(fold(folderMetadata, history(...noted, deleted))).toEqual([]);
  });
  it('forget all of an account that is deleted', () => {
    for (const view of [folders, folderAccess, subscriptions, folderMetadata]) expect(fold(view as never, history(...noted, { type: 'AccountDeleted', data: { accountId: 'acc' } }))).toEqual([]);
  });
  it('and its stream tell which mailboxes are left', () => expect(foldersLeft([made, below2, renamed, deleted] as FolderEvent[])).toEqual(['f1']));
});
