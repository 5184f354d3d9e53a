import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { foldersStream } from '@kiroku/domain/mailbox/folders.js';
import { appendMessage, type MailboxEvent, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { record } from '@kiroku/domain/kernel/execute.js';
import { Actions } from './administration-schemas.js';
import { AccessList, BodyCache, Mailbox, Mailboxes } from './mailbox-schemas.js';
import { type TestApi, testApi } from './testing/test-api.js';

let api: TestApi;
let annId = '';
const PASSWORD = 'tanstaafl-tanstaafl';
const ANN = '/accounts/ann@x.test/mailboxes';

beforeAll(async () => {
  api = await testApi();
  await ask('POST', '/domains', { name: 'x.test' });
  for (const name of ['ann', 'ben']) {
    const { body } = await ask('POST', '/accounts', { address: `${name}@x.test`, password: PASSWORD });
    if (name === 'ann') annId = (body as { id: string }).id;
  }
});
afterAll(() => api.close());

async function ask(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(`${api.url}/api/v1${path}`, {
    method, headers: { authorization: `Bearer ${api.token}`, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: answer.status === 204 ? undefined : await answer.json() };
}
async function gives<T>(schema: { parse(value: unknown): T }, asked: ReturnType<typeof ask>, status = 200): Promise<T> {
  const answer = await asked;
  expect(answer).toMatchObject({ status });
  const value = schema.parse(answer.body);
  expect(answer.body).toEqual(value);
  return value;
}
const at = (name: string, rest = ''): string => `${ANN}/${encodeURIComponent(name)}${rest}`;
const names = async (): Promise<readonly string[]> => (await gives(Mailboxes, ask('GET', ANN))).items.map((m) => m.name);

/** As local delivery does it. */
async function deliver(mailbox: string, size: number): Promise<void> {
  const { engine } = api.platform;
  const stream = mailboxStream(mailbox);
  const last = (await engine.store.readLast([stream])).get(stream);
  const { head } = (last?.event as unknown as MailboxEvent).data;
  const fact = appendMessage(mailbox, head, { messageId: 'Q1', sha256: 'ab'.repeat(32), bodySize: size, prefix: '', size, receivedAt: 0, recipient: 'ann@x.test', via: [], deliveredTo: 'ann@x.test' });
  await engine.store.append([{ stream, expected: last?.version ?? 0, events: record([fact], engine, { actor: 'system:delivery', correlation: 'Q1' }, {}) }]);
}

describe('the mailboxes of an account', () => {
  it('begin with INBOX, and tell how much is in them', async () => {
    const { items: [inbox] } = await gives(Mailboxes, ask('GET', '/accounts/Ann@X.test/mailboxes'));
    expect(inbox).toMatchObject({ name: 'INBOX', messages: 0, unseen: 0, bytes: 0, uidNext: 1, specialUse: [], sharedWith: [] });
    await deliver(inbox?.id ?? '', 1_234);
    expect(await gives(Mailbox, ask('GET', at('inbox')))).toMatchObject({ messages: 1, unseen: 1, bytes: 1_234, uidNext: 2 });
  });

  it('are created with what is missing above them, renamed with what lies below, and deleted alone', async () => {
    expect(await gives(Mailbox, ask('POST', ANN, { name: '仕事/2026', reason: 'a new year' }), 201)).toMatchObject({ name: '仕事/2026', messages: 0 });
    expect(await gives(Mailbox, ask('POST', ANN, { name: 'Sent', specialUse: ['\\Sent'] }), 201)).toMatchObject({ specialUse: ['\\Sent'] });
    expect(await names()).toEqual(['INBOX', 'Sent', '仕事', '仕事/2026']);
    expect(await gives(Mailbox, ask('POST', at('仕事', '/rename'), { to: 'Work/Old' }))).toMatchObject({ name: 'Work/Old' });
    expect(await names()).toEqual(['INBOX', 'Sent', 'Work', 'Work/Old', 'Work/Old/2026']);
    expect((await ask('DELETE', `${at('Work/Old')}?reason=${encodeURIComponent('merged')}`)).status).toBe(204);
    expect(await names()).toEqual(['INBOX', 'Sent', 'Work', 'Work/Old/2026']);
  });

  it('are subscribed to by their owner unless that is not wanted, with those above them that are made', async () => {
    const BEN = '/accounts/ben@x.test/mailboxes';
    expect(await gives(Mailbox, ask('POST', BEN, { name: 'a/b' }), 201)).toMatchObject({ subscribed: true });
    expect(await gives(Mailbox, ask('POST', BEN, { name: 'a/c', subscribe: false }), 201)).toMatchObject({ subscribed: false });
    expect((await gives(Mailboxes, ask('GET', BEN))).items.map((m) => [m.name, m.subscribed])).toEqual([['INBOX', false], ['a', true], ['a/b', true], ['a/c', false]]);
    expect((await ask('DELETE', `${BEN}/${encodeURIComponent('a/b')}`)).status).toBe(204);
    await gives(Mailbox, ask('POST', BEN, { name: 'a/b' }), 201);
    const { rows } = await api.platform.pool.query<{ path: string }>('SELECT s.path FROM view.subscription_1 s JOIN view.account_1 a ON a.id = s.account_id WHERE a.address = $1 ORDER BY s.path', ['ben@x.test']);
    expect(rows.map((row) => row.path)).toEqual(['a', 'a/b']);
  });

  it('are told page by page', async () => {
    const first = await gives(Mailboxes, ask('GET', `${ANN}?limit=3`));
    expect([first.items.length, first.next]).toEqual([3, 'Work']);
    expect((await gives(Mailboxes, ask('GET', `${ANN}?limit=3&after=${first.next}`))).items.map((m) => m.name)).toEqual(['Work/Old/2026']);
  });

  it('are shared with accounts and with anyone, by letters; an empty list takes an entry away', async () => {
    await gives(AccessList, ask('PUT', at('Work', '/acl/Ben@x.test'), { rights: 'slr', reason: 'works with Ann' }));
    await gives(AccessList, ask('PUT', at('Work', '/acl/-ben@x.test'), { rights: 'd' }));
    expect((await gives(AccessList, ask('PUT', at('Work', '/acl/anyone'), { rights: 'l' }))).items).toEqual([
      { who: '-ben@x.test', rights: 'te' }, { who: 'anyone', rights: 'l' }, { who: 'ben@x.test', rights: 'lrs' },
    ]);
    await gives(AccessList, ask('DELETE', at('Work', '/acl/-ben@x.test')));
    await gives(AccessList, ask('PUT', at('Work', '/acl/anyone'), { rights: '' }));
    expect((await gives(Mailbox, ask('GET', at('Work')))).sharedWith).toEqual([{ who: 'ben@x.test', rights: 'lrs' }]);
    expect((await gives(AccessList, ask('GET', at('Work', '/acl')))).items).toEqual([{ who: 'ben@x.test', rights: 'lrs' }]);
    expect((await gives(Mailbox, ask('POST', ANN, { name: 'Work/New' }), 201)).sharedWith).toEqual([{ who: 'ben@x.test', rights: 'lrs' }]);
  });

  it('keep who changed them and why', async () => {
    const { events } = await api.platform.engine.store.read(foldersStream(annId));
    expect(new Set(events.map((e) => e.actor))).toEqual(new Set(['admin:admin']));
    const { items } = await gives(Actions, ask('GET', '/admin/actions?subject=ann@x.test'));
    expect(items.filter((a) => a.reason !== undefined).map((a) => [a.type, a.subject, a.reason])).toEqual([
      ['FolderAccessChanged', 'ann@x.test', 'works with Ann'], ['FolderDeleted', 'ann@x.test', 'merged'],
      ['FolderCreated', 'ann@x.test', 'a new year'], ['FolderCreated', 'ann@x.test', 'a new year'],
    ]);
  });

  it.each<[string, string, string, object | undefined, number, string]>([
    ['an account that is not there', 'GET', '/accounts/eve@x.test/mailboxes', undefined, 404, 'no-such-account'],
    ['a mailbox that is not there', 'GET', at('None'), undefined, 404, 'no-such-mailbox'],
    ['a name that is taken', 'POST', ANN, { name: 'Sent' }, 409, 'mailbox-exists'],
    ['INBOX anew', 'POST', ANN, { name: 'Inbox' }, 409, 'mailbox-exists'],
    ['a name with a wildcard', 'POST', ANN, { name: 'a*' }, 422, 'bad-mailbox-name'],
    ['a name in somebody else’s tree', 'POST', ANN, { name: '#Shared/ben@x.test/a' }, 422, 'bad-mailbox-name'],
    ['a use that is none', 'POST', ANN, { name: 'a', specialUse: ['\\All'] }, 400, 'bad-request'],
    ['a reason of two lines', 'POST', ANN, { name: 'a', reason: 'one\ntwo' }, 422, 'bad-reason'],
    ['another name for INBOX', 'POST', at('INBOX', '/rename'), { to: 'Old' }, 409, 'inbox-stays'],
    ['a place below itself', 'POST', at('Sent', '/rename'), { to: 'Sent/a' }, 422, 'bad-mailbox-name'],
    ['a rename of nothing', 'POST', at('None', '/rename'), { to: 'a' }, 404, 'no-such-mailbox'],
    ['the end of INBOX', 'DELETE', at('inbox'), undefined, 409, 'inbox-stays'],
    ['the end of nothing', 'DELETE', at('None'), undefined, 404, 'no-such-mailbox'],
    ['the end of a name without a mailbox', 'DELETE', at('Work/Old'), undefined, 404, 'no-such-mailbox'],
    ['letters that are no rights', 'PUT', at('Sent', '/acl/ben@x.test'), { rights: 'rz' }, 422, 'bad-rights'],
    ['rights for nobody', 'PUT', at('Sent', '/acl/eve@x.test'), { rights: 'r' }, 422, 'unknown-identifier'],
    ['rights for what is no address', 'PUT', at('Sent', '/acl/everybody'), { rights: 'r' }, 422, 'unknown-identifier'],
    ['other rights for the owner', 'PUT', at('Sent', '/acl/Ann@x.test'), { rights: 'r' }, 409, 'owner-has-all-rights'],
    ['sharing of nothing', 'PUT', at('None', '/acl/ben@x.test'), { rights: 'r' }, 404, 'no-such-mailbox'],
    ['a field that is none', 'PUT', at('Sent', '/acl/ben@x.test'), { rights: 'r', colour: 'red' }, 400, 'bad-request'],
  ])('refuse %s', async (_, method, path, body, status, reason) => expect(await ask(method, path, body)).toMatchObject({ status, body: { reason } }));
});

describe('the cache of bodies', () => {
  it('tells its size and what it lacks, and can be emptied', async () => {
    const { pool } = api.platform;
    await pool.query(`INSERT INTO cache.body_1 VALUES ('\\x01', '')`);
    await pool.query(`INSERT INTO cache.search_1 (sha256, header_grams, keys, thread) VALUES ('\\x01', '', '', '')`);
    const before = await gives(BodyCache, ask('GET', '/body-cache'));
    expect(before).toEqual({ bytes: expect.any(Number), bodies: 1, missing: 1 });
    expect((await ask('DELETE', '/body-cache')).status).toBe(204);
    const after = await gives(BodyCache, ask('GET', '/body-cache'));
    expect(after).toMatchObject({ bodies: 0, missing: 1 });
    expect(after.bytes).toBeLessThan(before.bytes);
  });
});
