import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { routeKey } from '@kiroku/domain/routing/hosts.js';
import { routeOf, type RouteTable } from '@kiroku/domain/routing/route-table.js';
import { GatewayAdmin } from '../admin/gateways.js';
import { SealBroken } from '../auth/seal.js';
import { AccessTokens } from '../oauth/access-tokens.js';
import { PostgresGateways } from './gateways.js';
import { Rebuild } from './rebuild.js';
import { type TestHistory, testHistory } from './testing.js';
import { INLINE_VIEWS } from './views.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
const key = randomBytes(32);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
let h: TestHistory;
let admin: GatewayAdmin;
beforeAll(async () => {
  h = await testHistory();
  admin = new GatewayAdmin(h.pool, h.engine, key);
});
afterAll(() => h.close());

const reader = (serverKey = key) => {
  const member = h.another();
  const gateways = new PostgresGateways(member.pool, serverKey, member.engine.clock, new AccessTokens({ pool: member.pool, engine: member.engine, key: serverKey, trouble: () => undefined }));
  const to = async (address: string, sender = '') => routeKey(routeOf({ address, sender }, await gateways.table()));
  return { gateways, to, clock: member.engine.clock };
};
const events = async (stream: string) => (await h.engine.store.read(stream)).events;

describe('the gateway table', () => {
  it('is empty until somebody fills it, and a second old at most', async () => {
    const { gateways, to, clock } = reader();
    expect(await to('ann@x.test')).toBe('mx x.test');
    await admin.import(bytes('; first\nx.test,gw.test,25\n'), 0, ORIGIN);
    clock.advance(999);
    expect(await to('ann@x.test')).toBe('mx x.test');
    clock.advance(1);
    expect(await to('ann@x.test')).toBe('gateway gw.test 25 ');
    const compiled = await gateways.table();
    clock.advance(1_000);
    expect(await gateways.table()).toBe(compiled); // not compiled again
    clock.advance(-10_000);
    await admin.change({ type: 'SetForwardAll', forwardAll: true }, ORIGIN);
    expect(await gateways.table()).toMatchObject({ forwardAll: true, revision: 2 });
    await admin.change({ type: 'SetForwardAll', forwardAll: false }, ORIGIN);
  });

  it('is asked for once by all who ask at the same time', async () => {
    const { gateways } = reader();
    const tables = await Promise.all(Array.from({ length: 20 }, async () => gateways.table()));
    expect(new Set<RouteTable>(tables).size).toBe(1);
  });

  it('is changed by one of two who saw the same revision', async () => {
    const { revision } = await admin.table();
    const both = await Promise.allSettled([1, 2].map((n) => admin.change({ type: 'AddLine', line: { comment: `; ${n}` }, revision }, ORIGIN)));
    expect(both.map((b) => b.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((b) => b.status === 'rejected')).toMatchObject({ reason: { reason: 'stale-table' } });
    expect((await admin.table()).revision).toBe(revision + 1);
  });

  it('takes the changes of many who do not care', async () => {
    const before = await admin.table();
    await Promise.all(Array.from({ length: 8 }, (_, n) => admin.change({ type: 'AddLine', line: { target: `n${n}.test`, host: 'gw', port: 25 } }, ORIGIN)));
    const after = await admin.table();
    expect([after.revision, after.lines.length]).toEqual([before.revision + 8, before.lines.length + 8]);
  });

  it('comes from Japanese Windows too, and stays as it was when a line is wrong', async () => {
    // ; メモ in Shift_JIS
    await admin.import(Buffer.concat([Buffer.from([0x3b, 0x83, 0x81, 0x83, 0x82]), Buffer.from('\r\n*,gw.test,465*\r\n')]), undefined, ORIGIN);
    expect(await admin.text()).toBe(';メモ\n*,gw.test,465*\n');
    await expect(admin.import(bytes('*,gw.test,25\nx.test,gw.test\n'), undefined, ORIGIN)).rejects.toMatchObject({ reason: 'bad-table', detail: expect.stringContaining('line 2: ') });
    await expect(admin.import(Uint8Array.of(0x3b, 0xff, 0x80), undefined, ORIGIN)).rejects.toMatchObject({ reason: 'bad-table' });
    expect(await admin.text()).toBe(';メモ\n*,gw.test,465*\n');
  });

  it('knows who changed it and what was done', async () => {
    await admin.change({ type: 'MoveLine', at: 2, to: 1 }, { actor: 'admin:bob', correlation: 'r9' });
    expect((await events('gateways')).at(-1)).toMatchObject({ type: 'GatewayTableChanged', actor: 'admin:bob', correlation: 'r9', data: { change: { kind: 'moved', line: 2, to: 1 } } });
    expect(await admin.table()).toMatchObject({ changedBy: 'admin:bob', lines: [{ line: 1, target: '*' }, { line: 2, comment: ';メモ' }] });
  });

  it('says which line decides, and what does not ask it', async () => {
    await new DirectoryCommands(h.engine).addDomain('ours.test', { accountLimit: 0 }, ORIGIN);
    await admin.import(bytes('ours.test,inner.test,25\nx.test|ann@ours.test,one.test,25\nx.test,two.test,25\n'), undefined, ORIGIN);
    expect(await admin.test('A@X.test', 'bob@ours.test')).toMatchObject({ address: 'a@x.test', line: 3, passedOver: [2], route: { kind: 'gateway', host: 'two.test' }, localDomain: false });
    expect(await admin.test('a@x.test', 'ANN@ours.test')).toMatchObject({ line: 2, passedOver: [] });
    expect(await admin.test('a@y.test', '')).toMatchObject({ route: { kind: 'mx', domain: 'y.test' } });
    expect(await admin.test('a@ours.test', '')).toMatchObject({ route: { kind: 'local' }, localDomain: true });
    await admin.change({ type: 'SetForwardAll', forwardAll: true }, ORIGIN);
    expect(await admin.test('a@ours.test', '')).toMatchObject({ route: { kind: 'gateway', host: 'inner.test' }, line: 1, localDomain: true });
    await admin.change({ type: 'RemoveLine', at: 1 }, ORIGIN);
    expect(await admin.test('a@ours.test', '')).toMatchObject({ route: { kind: 'local' } });
    await expect(admin.test('nonsense', '')).rejects.toMatchObject({ reason: 'bad-address' });
    await admin.change({ type: 'SetForwardAll', forwardAll: false }, ORIGIN);
  });
});

describe('credentials', () => {
  const isp = { name: 'ISP', mechanism: 'CRAM-MD5', user: 'kiroku', secret: 'hunter2 秘密' } as const;

  it('are sealed in events and rows, opened for delivery, and current at once', async () => {
    const { gateways } = reader();
    expect(await gateways.credentials('isp')).toBeUndefined();
    await admin.addCredentials(isp, ORIGIN);
    expect(await gateways.credentials('isp')).toEqual({ mechanism: 'CRAM-MD5', user: 'kiroku', secret: 'hunter2 秘密' });
    await admin.changeCredentials('Isp', { secret: 'hunter3', mechanism: 'XOAUTH2' }, ORIGIN);
    expect(await gateways.credentials('isp')).toEqual({ mechanism: 'XOAUTH2', user: 'kiroku', secret: 'hunter3' });
    const stored = JSON.stringify([await events('credentials-isp'), (await h.pool.query('SELECT * FROM view.credentials_2')).rows, await admin.credentials({ limit: 10 })]);
    expect(stored).not.toMatch(/hunter|秘密/);
    expect(await admin.oneCredentials('isp')).toEqual({ name: 'isp', mechanism: 'XOAUTH2', user: 'kiroku', createdAt: expect.any(Number), changedAt: expect.any(Number) });
  });

  it('open with their own key and under their own name only', async () => {
    await expect(reader(randomBytes(32)).gateways.credentials('isp')).rejects.toThrow(SealBroken);
    await h.pool.query(`INSERT INTO view.credentials_2 SELECT 'stolen', mechanism, "user", sealed, oauth, created_at, changed_at FROM view.credentials_2 WHERE name = 'isp'`);
    await expect(reader().gateways.credentials('stolen')).rejects.toThrow(SealBroken);
    await h.pool.query(`DELETE FROM view.credentials_2 WHERE name = 'stolen'`);
  });

  it('must be there before a line can use them, and stay while one does', async () => {
    await expect(admin.import(bytes('*,gw,25,none'), undefined, ORIGIN)).rejects.toMatchObject({ reason: 'unknown-credentials', detail: 'none' });
    await admin.import(bytes('*,gw,587,isp'), undefined, ORIGIN);
    await expect(admin.removeCredentials('isp', ORIGIN)).rejects.toMatchObject({ reason: 'credentials-in-use' });
    await admin.change({ type: 'RemoveLine', at: 1 }, ORIGIN);
    await admin.removeCredentials('isp', ORIGIN);
    await admin.removeCredentials('isp', ORIGIN); // again is harmless
    expect(await reader().gateways.credentials('isp')).toBeUndefined();
    await expect(admin.oneCredentials('isp')).rejects.toMatchObject({ reason: 'no-such-credentials' });
  });

  it('are never gone while a line names them, whoever is faster', async () => {
    const member = h.another();
    const other = new GatewayAdmin(member.pool, member.engine, key);
    const { gateways } = reader();
    for (let round = 0; round < 10; round++) {
      const name = `race${round}`;
      await admin.addCredentials({ ...isp, name }, ORIGIN);
      await Promise.allSettled([
        admin.removeCredentials(name, ORIGIN), other.change({ type: 'AddLine', line: { target: '*', host: 'gw', port: 25, credentials: name } }, ORIGIN),
      ]);
      const named = (await admin.text()).includes(name);
      expect([round, (await gateways.credentials(name)) !== undefined]).toEqual([round, named]);
    }
  });
});

describe('the views', () => {
  it.each(['gateway_1', 'credentials_2'])('%s is rebuilt to the same', async (name) => {
    const view = INLINE_VIEWS.find((v) => v.name === name);
    expect((await new Rebuild(h.log, h.pool, view as NonNullable<typeof view>).verify()).differences).toEqual([]);
  });
});
