import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execute } from '@kiroku/domain/kernel/execute.js';
import { lockoutStream } from '@kiroku/domain/policy/lockout.js';
import { settings, SETTINGS_STREAM } from '@kiroku/domain/policy/settings.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { PostgresAdmission } from './admission.js';
import { type Member, type TestHistory, testHistory } from './testing.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

const set = (changes: Partial<Settings>) =>
  execute(h.engine, { decider: settings, upgrades: {} }, SETTINGS_STREAM, { type: 'ChangeSettings', changes }, { actor: 'admin:ann', correlation: 'r' });
const policy = (member: Member = h.another()) => new PostgresAdmission(member.pool, member.engine);
const times = (n: number, what: () => Promise<void>): Promise<unknown> => Promise.all(Array.from({ length: n }, what));

describe('admission', () => {
  it('knows the defaults before anybody has set anything', async () => {
    expect(await policy().admit('smtp', '192.0.2.1')).toEqual({ settings: DEFAULTS, refused: undefined, digests: false });
  });

  it('sees a setting as soon as it is set, in every process', async () => {
    const [a, b] = [policy(), policy()];
    await a.admit('smtp', '192.0.2.1');
    await set({ hops: 7, tagSeparators: '-' });
    for (const p of [a, b]) expect((await p.admit('smtp', '192.0.2.1')).settings).toEqual({ ...DEFAULTS, hops: 7, tagSeparators: '-' });
    await set({ hops: DEFAULTS.hops, tagSeparators: '+' });
    expect((await a.admit('smtp', '192.0.2.1')).settings).toEqual(DEFAULTS);
    expect(a.settings).toEqual(DEFAULTS);
  });

  it('knows whether any account keeps the secret that CRAM-MD5 needs, as soon as there is one', async () => {
    const p = policy();
    const row = (id: number, reversible: boolean) => h.pool.query(
      `INSERT INTO view.account_1 VALUES ($1, $2, 'x.test', '', true, true, true, true, 0, 'sealed', $3, gen_random_uuid(), 0, 0)`,
      [`00000000-0000-7000-8000-00000000000${id}`, `digest${id}@x.test`, reversible]);
    await row(1, false);
    expect((await p.admit('smtp', '192.0.2.1')).digests).toBe(false);
    await row(2, true);
    expect((await p.admit('smtp', '192.0.2.1')).digests).toBe(true);
    await h.pool.query(`DELETE FROM view.account_1 WHERE address LIKE 'digest%'`);
  });

  it('refuses who is on the block list, unless the allow list has them too', async () => {
    await set({ blockIps: ['198.51.100.0/24', '2001:db8::/32'], allowIps: ['198.51.100.7'] });
    const p = policy();
    const refused = async (ip: string) => (await p.admit('pop3', ip)).refused;
    expect(await Promise.all(['198.51.100.6', '198.51.100.7', '2001:db8::1', '192.0.2.1'].map(refused))).toEqual(['blocked', undefined, 'blocked', undefined]);
    await set({ blockIps: [], allowIps: [] });
    expect(await refused('198.51.100.6')).toBeUndefined();
  });

  it('answers each of many that ask at once', async () => {
    const p = policy();
    await p.connected('smtp', '192.0.2.1', 'S');
    const answers = await Promise.all(Array.from({ length: 1_200 }, (_, n) => p.admit(n % 2 ? 'smtp' : 'pop3', `10.0.${n >> 8}.${n & 255}`)));
    expect(answers.every((a) => a.refused === undefined)).toBe(true);
  });
});

describe('an address with failed logins', () => {
  const member = () => {
    const m = h.another();
    return { m, p: policy(m) };
  };
  const limits = { lockoutFailures: 3, lockoutWindow: 60_000, lockoutTime: 600_000 };

  it('is locked out at the limit for that service, until the time is over', async () => {
    await set(limits);
    const { m, p } = member();
    const ip = '203.0.113.1';
    const refused = async (service: 'smtp' | 'pop3' = 'pop3') => (await p.admit(service, ip)).refused;
    await refused();
    for (const expected of [undefined, undefined, 'locked-out']) {
      await p.failed('pop3', ip, 'P1');
      expect(await refused()).toBe(expected);
    }
    expect(await refused('smtp')).toBeUndefined();
    expect((await policy().admit('pop3', ip)).refused).toBe('locked-out'); // every process knows
    m.engine.clock.advance(limits.lockoutTime - 1);
    expect(await refused()).toBe('locked-out');
    m.engine.clock.advance(1);
    expect(await refused()).toBeUndefined();
  });

  it('is locked out also when the failures come at once, from several processes', async () => {
    const [a, b] = [member().p, member().p];
    const ip = '203.0.113.2';
    for (const p of [a, b]) await p.admit('smtp', ip);
    await times(40, () => Promise.all([a.failed('smtp', ip, 'S1'), b.failed('smtp', ip, 'S2')]).then(() => undefined));
    expect((await a.admit('smtp', ip)).refused).toBe('locked-out');
    const { events } = await h.store.read(lockoutStream('smtp', ip));
    expect(events.map((e) => e.type)).toEqual(['LoginFailureCounted', 'LoginFailureCounted', 'AddressLocked']); // and no more than that
  });

  it('starts anew when the window is over', async () => {
    const { m, p } = member();
    const ip = '203.0.113.3';
    await p.admit('pop3', ip);
    await p.failed('pop3', ip, 'P1');
    await p.failed('pop3', ip, 'P1');
    m.engine.clock.advance(limits.lockoutWindow);
    await p.failed('pop3', ip, 'P1');
    expect((await p.admit('pop3', ip)).refused).toBeUndefined();
  });

  it('is left alone when it is on the allow list, or when lockouts are off', async () => {
    const { p } = member();
    await set({ allowIps: ['203.0.113.4'] });
    await p.admit('pop3', '203.0.113.4');
    await times(5, () => p.failed('pop3', '203.0.113.4', 'P1'));
    await set({ allowIps: [], lockoutFailures: 0 });
    await p.admit('pop3', '203.0.113.4');
    await times(5, () => p.failed('pop3', '203.0.113.4', 'P1'));
    expect((await h.store.read(lockoutStream('pop3', '203.0.113.4'))).version).toBe(0);
    await set(limits);
  });
});

describe('an address with many connections', () => {
  it('is locked out at the limit within the window', async () => {
    await set({ connectionLimit: 5, connectionWindow: 1_000, connectionLockTime: 5_000 });
    const m = h.another();
    const p = policy(m);
    const refused = async (ip: string) => (await p.admit('smtp', ip)).refused;
    await refused('203.0.113.9');
    for (let n = 0; n < 4; n++) await p.connected('smtp', '203.0.113.9', 'S');
    m.engine.clock.advance(1_000); // a new window
    for (let n = 0; n < 4; n++) await p.connected('smtp', '203.0.113.9', 'S');
    expect(await refused('203.0.113.9')).toBeUndefined();
    await p.connected('smtp', '203.0.113.9', 'S');
    expect(await refused('203.0.113.9')).toBe('locked-out');
    m.engine.clock.advance(5_000);
    expect(await refused('203.0.113.9')).toBeUndefined();
  });

  it('is counted in bounded memory and time, however many others there are', async () => {
    const p = policy();
    await p.admit('smtp', '203.0.113.9');
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 300_000; n++) await p.connected('smtp', `2001:db8::${n.toString(16)}`, 'S');
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 2 ** 20);
  });
});
