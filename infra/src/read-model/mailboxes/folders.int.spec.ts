import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { foldersStream } from '@kiroku/domain/mailbox/folders.js';
import { MailboxRefusal, type MailboxTrouble } from '@kiroku/domain/mailbox/store-port.js';
import { Rebuild } from '../rebuild.js';
import { INLINE_VIEWS } from '../views.js';
import { body, mailboxWorld, type MailboxWorld, ORIGIN, type Person, upTo } from './testing.js';

let w: MailboxWorld;
let n = 0;
beforeAll(async () => void (w = await mailboxWorld()));
afterAll(async () => {
  expect(w.h.troubles).toEqual([]);
  await w.close();
});

const person = (more?: Parameters<MailboxWorld['person']>[1]): Promise<Person> => w.person(`p${++n}`, more);
const names = async (ann: Person) => (await w.store.folders(ann.id)).map((f) => f.name);
const make = (ann: Person, ...paths: readonly string[]) => paths.reduce<Promise<unknown>>((before, path) => before.then(() => w.store.create(ann.id, path, [], ORIGIN)), Promise.resolve());
const trouble = async (what: MailboxTrouble, work: Promise<unknown>): Promise<void> => {
  const error = await work.then(() => undefined, (e: unknown) => e);
  expect(error).toBeInstanceOf(MailboxRefusal);
  expect((error as MailboxRefusal).trouble).toBe(what);
};
const idOf = async (ann: Person, name: string) => (await w.store.folder(ann.id, name))?.id ?? '';

describe('the folders of an account', () => {
  it('begin with INBOX', async () => {
    const ann = await person();
    expect(await w.store.folders(ann.id)).toEqual([
      { id: ann.inbox, accountId: ann.id, owner: ann.address, path: 'INBOX', name: 'INBOX', rights: 'lrswipkxtea', subscribed: false, specialUse: [] },
    ]);
    expect(await w.store.folder(ann.id, 'inbox')).toMatchObject({ id: ann.inbox });
    expect(await w.store.folder(ann.id, 'nothing')).toBeUndefined();
    expect(await w.store.folder(ann.id, 'a//b')).toBeUndefined();
  });

  it('are made with the names above them, in order of names', async () => {
    const ann = await person();
    const made = await w.store.create(ann.id, '仕事/2026/', ['\\Archive'], ORIGIN);
    expect(made).toMatchObject({ path: '仕事/2026', specialUse: ['\\Archive'] });
    await make(ann, 'B', 'a');
    expect(await names(ann)).toEqual(['B', 'INBOX', 'a', '仕事', '仕事/2026']);
    await trouble('already-exists', w.store.create(ann.id, '仕事', [], ORIGIN));
    await trouble('already-exists', w.store.create(ann.id, 'inbox', [], ORIGIN));
    await trouble('bad-name', w.store.create(ann.id, 'a//b', [], ORIGIN));
  });

  it('have one of a name, whoever makes it at the same time', async () => {
    const ann = await person();
    const results = await Promise.allSettled([w.store, w.process().store, w.process().store].map((s) => s.create(ann.id, 'x/y', [], ORIGIN)));
    expect(results.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await names(ann)).toEqual(['INBOX', 'x', 'x/y']);
  });

  it('get another UIDVALIDITY when a name is used again within the second', async () => {
    const ann = await person();
    const first = await w.store.create(ann.id, 'again', [], ORIGIN);
    const [before] = await w.store.status([first.id]);
    await w.store.delete(ann.id, 'again', ORIGIN);
    const [after] = await w.store.status([(await w.store.create(ann.id, 'again', [], ORIGIN)).id]);
    expect(after?.uidValidity).toBeGreaterThan(before?.uidValidity ?? Infinity);
    expect(await w.store.status([first.id])).toEqual([]);
  });

  it('are deleted with their messages; a name with inferiors stays without a mailbox', async () => {
    const ann = await person();
    await make(ann, 'a/b');
    const a = await idOf(ann, 'a');
    await w.store.append(ann.id, a, [{ body: body(1), flags: ['\\Seen', 'kw'] }], ORIGIN);
    await w.store.delete(ann.id, 'a', ORIGIN);
    expect(await names(ann)).toEqual(['INBOX', 'a/b']);
    expect(await w.store.snapshot(a)).toBeUndefined();
    await trouble('nonexistent', w.store.append(ann.id, a, [{ body: body(1), flags: [] }], ORIGIN));
    await trouble('has-children', w.store.delete(ann.id, 'a', ORIGIN));
    await trouble('inbox', w.store.delete(ann.id, 'INBOX', ORIGIN));
    await trouble('nonexistent', w.store.delete(ann.id, 'zzz', ORIGIN));
    await w.store.delete(ann.id, 'a/b', ORIGIN);
    expect(await names(ann)).toEqual(['INBOX']);
  });

  it('are renamed with what is below them, and keep their content', async () => {
    const ann = await person();
    await make(ann, 'a/b/c', 'ab', 'd');
    const c = await idOf(ann, 'a/b/c');
    await w.store.rename(ann.id, 'a', 'x/y', ORIGIN);
    expect(await names(ann)).toEqual(['INBOX', 'ab', 'd', 'x', 'x/y', 'x/y/b', 'x/y/b/c']);
    expect(await idOf(ann, 'x/y/b/c')).toBe(c);
    await trouble('already-exists', w.store.rename(ann.id, 'd', 'ab', ORIGIN));
    await trouble('bad-name', w.store.rename(ann.id, 'x', 'x/z', ORIGIN));
    await trouble('nonexistent', w.store.rename(ann.id, 'a', 'q', ORIGIN));
    const long = 'l'.repeat(250);
    await w.store.rename(ann.id, 'x/y/b', `${long}/${long}/${long}`, ORIGIN);
    await trouble('bad-name', w.store.rename(ann.id, long, `x/${long}/${long}`, ORIGIN));
  });

  it('take the messages of INBOX when that is renamed, and INBOX stays', async () => {
    const ann = await person();
    await w.deliver(ann.inbox, 5);
    await make(ann, 'INBOX/below');
    await w.store.storeFlags(ann.id, ann.inbox, { uids: [2], operation: 'add', flags: ['\\Seen'] }, ORIGIN);
    await w.store.rename(ann.id, 'INBOX', 'old/mail', ORIGIN);
    expect(await names(ann)).toEqual(['INBOX', 'INBOX/below', 'old', 'old/mail']);
    expect((await w.store.status([ann.inbox, await idOf(ann, 'old/mail')])).map((s) => s.messages)).toEqual([0, 5]);
    await w.deliver(ann.inbox, 1);
    expect((await w.store.snapshot(ann.inbox))?.uids).toEqual(Uint32Array.of(6));
  });

  it('are subscribed to by name, whether they exist or not', async () => {
    const ann = await person();
    for (const name of ['b', 'inbox', 'a', 'b']) await w.store.subscribe(ann.id, name, true, ORIGIN);
    await w.store.subscribe(ann.id, 'a', false, ORIGIN);
    await w.store.subscribe(ann.id, 'never', false, ORIGIN);
    expect(await w.store.subscriptions(ann.id)).toEqual(['INBOX', 'b']);
    expect((await w.store.folder(ann.id, 'INBOX'))?.subscribed).toBe(true);
    await make(ann, 'b');
    expect((await w.store.folder(ann.id, 'b'))?.subscribed).toBe(true);
    await w.store.delete(ann.id, 'b', ORIGIN);
    expect(await w.store.subscriptions(ann.id)).toEqual(['INBOX', 'b']);
    expect((await w.h.store.read(foldersStream(ann.id))).events.filter((e) => e.type === 'FolderSubscribed')).toHaveLength(3);
  });

  it('may be ten thousand', async () => {
    const ann = await person();
    for (let i = 0; i < 100; i++) await Promise.all(upTo(1).map(() => w.store.create(ann.id, `f${i}`, [], ORIGIN)));
    const { rows } = await w.h.pool.query<{ n: number }>(
      `INSERT INTO view.folder_1 SELECT $1, gen_random_uuid(), 'f1/' || i, '' FROM generate_series(1, 10000) i RETURNING 1::bigint AS n`, [ann.id]);
    expect(rows).toHaveLength(10_000);
    const started = performance.now();
    expect(await w.store.folders(ann.id)).toHaveLength(10_101);
    await w.store.create(ann.id, 'f1/10/x', [], ORIGIN);
    expect(performance.now() - started).toBeLessThan(5_000);
    await w.h.pool.query('DELETE FROM view.folder_1 WHERE account_id = $1 AND id NOT IN (SELECT id FROM view.mailbox_1)', [ann.id]); // made by hand
  });
});

describe('a shared folder', () => {
  async function shared(rights: string) {
    const [ann, bob] = [await person(), await person()];
    await make(ann, 'team/box');
    await w.store.setAcl(ann.id, 'team/box', bob.address, rights, ORIGIN);
    return { ann, bob, name: `#Shared/${ann.address}/team/box`, id: await idOf(ann, 'team/box') };
  }

  it('is seen by whom it is shared with, after their own, and by nobody else', async () => {
    const { bob, name, ann } = await shared('lr');
    expect(await names(bob)).toEqual(['INBOX', name]);
    expect(await w.store.folder(bob.id, name)).toMatchObject({ rights: 'lr', owner: ann.address, path: 'team/box', accountId: ann.id });
    expect(await w.store.folder(bob.id, `#Shared/${ann.address}/team`)).toBeUndefined();
    expect(await names(await person())).toEqual(['INBOX']);
    await w.store.setAcl(ann.id, 'team/box', bob.address, 'r', ORIGIN);
    expect(await names(bob)).toEqual(['INBOX']);
  });

  it('permits what its list says', async () => {
    const { ann, bob, id } = await shared('lr');
    await w.store.append(ann.id, id, [{ body: body(1), flags: [] }], ORIGIN);
    const flag = (...flags: string[]) => w.store.storeFlags(bob.id, id, { uids: [1], operation: 'add', flags }, ORIGIN);
    for (const flags of [['\\Seen'], ['\\Deleted'], ['\\Flagged']]) await trouble('no-permission', flag(...flags));
    await trouble('no-permission', w.store.append(bob.id, id, [{ body: body(1), flags: [] }], ORIGIN));
    await trouble('no-permission', w.store.expunge(bob.id, id, undefined, ORIGIN));
    await trouble('no-permission', w.store.move(bob.id, id, [1], bob.inbox, ORIGIN));
    await trouble('no-permission', w.store.copy(bob.id, bob.inbox, [], id, ORIGIN));
    expect((await w.store.copy(bob.id, id, [1], bob.inbox, ORIGIN)).to).toEqual([1]);
    await w.store.setAcl(ann.id, 'team/box', bob.address, 'lrsi', ORIGIN);
    expect((await flag('\\Seen', '\\Flagged')).changed[0]?.flags).toEqual(['\\Seen']);
    await w.store.append(bob.id, id, [{ body: body(2), flags: ['\\Seen', '\\Deleted', 'kw'] }], ORIGIN);
    const snapshot = await w.store.snapshot(id);
    expect(snapshot?.flagSets[snapshot.flags[1] ?? 0]).toEqual(['\\Seen']);
    await trouble('nonexistent', w.store.storeFlags((await person()).id, id, { uids: [1], operation: 'add', flags: ['\\Seen'] }, ORIGIN));
  });

  it('may be given folders, and be renamed or deleted, with k and x', async () => {
    const { ann, bob, name } = await shared('lr');
    await trouble('no-permission', w.store.create(bob.id, `${name}/sub`, [], ORIGIN));
    await trouble('no-permission', w.store.delete(bob.id, name, ORIGIN));
    await trouble('no-permission', w.store.create(bob.id, `#Shared/${ann.address}/new`, [], ORIGIN));
    await w.store.setAcl(ann.id, 'team/box', bob.address, 'lrkx', ORIGIN);
    expect(await w.store.create(bob.id, `${name}/sub`, [], ORIGIN)).toMatchObject({ name: `${name}/sub`, rights: 'lrkx', accountId: ann.id });
    await w.store.rename(bob.id, `${name}/sub`, `${name}/neu`, ORIGIN);
    await trouble('no-permission', w.store.rename(bob.id, `${name}/neu`, 'mine', ORIGIN));
    await w.store.delete(bob.id, `${name}/neu`, ORIGIN);
    expect(await names(ann)).toEqual(['INBOX', 'team', 'team/box']);
  });

  it('counts against the quota of its owner', async () => {
    const ann = await person({ quota: 150 });
    const bob = await person({ quota: 50 });
    await w.store.setAcl(ann.id, 'INBOX', bob.address, 'lri', ORIGIN);
    await w.store.append(bob.id, ann.inbox, [{ body: body(1), flags: [] }], ORIGIN);
    await trouble('over-quota', w.store.append(bob.id, ann.inbox, [{ body: body(1), flags: [] }], ORIGIN));
  });

  it('is for anyone of the same domain, less whom the list excludes', async () => {
    const [ann, bob, eve] = [await person(), await person(), await person({ domain: 'y.test' })];
    await make(ann, 'all');
    await w.store.setAcl(ann.id, 'all', 'anyone', 'lrs', ORIGIN);
    const name = `#Shared/${ann.address}/all`;
    expect((await w.store.folder(bob.id, name))?.rights).toBe('lrs');
    expect(await w.store.folder(eve.id, name)).toBeUndefined();
    expect(await names(eve)).toEqual(['INBOX']);
    await w.store.setAcl(ann.id, 'all', `-${bob.address}`, 's', ORIGIN);
    expect((await w.store.folder(bob.id, name))?.rights).toBe('lr');
    expect(await w.store.acl(ann.id, 'all')).toEqual([
      { identifier: ann.address, rights: 'lrswipkxtea' }, { identifier: `-${bob.address}`, rights: 's' }, { identifier: 'anyone', rights: 'lrs' },
    ]);
    await w.store.setAcl(ann.id, 'all', 'anyone', '', ORIGIN);
    expect(await w.store.folder(bob.id, name)).toBeUndefined();
    await trouble('bad-name', w.store.setAcl(ann.id, 'all', 'nobody@x.test', 'l', ORIGIN));
    await trouble('nonexistent', w.store.setAcl(bob.id, name, 'anyone', 'l', ORIGIN));
    await w.store.setAcl(ann.id, 'all', ann.address, 'l', ORIGIN);
    expect((await w.store.folder(ann.id, 'all'))?.rights).toBe('lrswipkxtea');
  });

  it('follows its owner to another address, subscriptions too', async () => {
    const { ann, bob, name } = await shared('lr');
    await w.store.subscribe(bob.id, name, true, ORIGIN);
    const address = `moved-${ann.address}`;
    await w.directory.renameAccount(ann.id, address, ORIGIN);
    expect(await names(bob)).toEqual(['INBOX', `#Shared/${address}/team/box`]);
    expect(await w.store.subscriptions(bob.id)).toEqual([`#Shared/${address}/team/box`]);
    expect(await w.store.folder(bob.id, name)).toBeUndefined();
  });
});

describe('metadata', () => {
  it('is private to the account, or shared by those who may write', async () => {
    const [ann, bob] = [await person(), await person()];
    await make(ann, 'notes');
    await w.store.setAcl(ann.id, 'notes', bob.address, 'lr', ORIGIN);
    const name = `#Shared/${ann.address}/notes`;
    await w.store.setMetadata(ann.id, 'notes', [['/Shared/Comment', '全員'], ['/private/comment', 'ann']], ORIGIN);
    await w.store.setMetadata(bob.id, name, [['/private/comment', 'bob']], ORIGIN);
    await trouble('no-permission', w.store.setMetadata(bob.id, name, [['/shared/comment', 'bob']], ORIGIN));
    expect([...(await w.store.metadata(ann.id, 'notes'))]).toEqual([['/private/comment', 'ann'], ['/shared/comment', '全員']]);
    expect([...(await w.store.metadata(bob.id, name))]).toEqual([['/private/comment', 'bob'], ['/shared/comment', '全員']]);
    await w.store.setAcl(ann.id, 'notes', bob.address, 'lrw', ORIGIN);
    await w.store.setMetadata(bob.id, name, [['/shared/comment', null], ['/private/comment', null]], ORIGIN);
    expect([...(await w.store.metadata(ann.id, 'notes'))]).toEqual([['/private/comment', 'ann']]);
    expect([...(await w.store.metadata(bob.id, name))]).toEqual([]);
  });

  it('belongs to the account where it names no mailbox', async () => {
    const ann = await person();
    await w.store.setMetadata(ann.id, '', [['/private/vendor/x', 'y']], ORIGIN);
    expect([...(await w.store.metadata(ann.id, ''))]).toEqual([['/private/vendor/x', 'y']]);
    await trouble('bad-name', w.store.setMetadata(ann.id, '', [['/nowhere', 'y']], ORIGIN));
  });
});

describe('an account that is deleted', () => {
  it('takes all its mailboxes along, also one that is being made', async () => {
    const [ann, bob] = [await person(), await person()];
    await make(ann, 'a/b');
    await w.store.setAcl(ann.id, 'a/b', bob.address, 'lr', ORIGIN);
    await w.store.subscribe(ann.id, 'a/b', true, ORIGIN);
    await w.store.setMetadata(ann.id, 'a', [['/private/x', 'y']], ORIGIN);
    const box = await idOf(ann, 'a/b');
    await w.store.append(ann.id, box, [{ body: body(1), flags: ['kw'] }], ORIGIN);
    const making = Promise.allSettled(upTo(10).map((i) => w.process().store.create(ann.id, `late${i}`, [], ORIGIN)));
    await w.directory.deleteAccount(ann.id, ORIGIN);
    await making;
    expect(await w.store.folders(ann.id)).toEqual([]);
    expect(await names(bob)).toEqual(['INBOX']);
    for (const [view, column] of [['mailbox_1', 'account_id'], ['folder_1', 'account_id'], ['folder_access_1', 'account_id'], ['subscription_1', 'account_id'], ['folder_metadata_1', 'account_id']] as const)
      expect((await w.h.pool.query(`SELECT FROM view.${view} WHERE ${column} = $1`, [ann.id])).rowCount).toBe(0);
    for (const view of ['mailbox_message_1', 'mailbox_state_1', 'mailbox_keyword_1']) expect((await w.h.pool.query(`SELECT FROM view.${view} WHERE mailbox_id = $1`, [box])).rowCount).toBe(0);
    await trouble('nonexistent', w.store.create(ann.id, 'more', [], ORIGIN));
  });
});

describe('the trees', () => {
  it('are rebuilt row by row', async () => {
    for (const view of INLINE_VIEWS) expect(await new Rebuild(w.h.log, w.h.pool, view).verify()).toMatchObject({ view: view.name, differences: [] });
  });
});
