import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execute } from '@kiroku/domain/kernel/execute.js';
import { lockoutAggregate, type LockoutCommand, lockoutStream } from '@kiroku/domain/policy/lockout.js';
import { lockouts } from '@kiroku/domain/policy/views.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { Rebuild } from '@kiroku/infra/read-model/rebuild.js';
import { NINE, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { forgetLockouts } from './forget-lockouts.js';

const MINUTE = 60_000;
const WINDOW = 10 * MINUTE;
let h: TestHistory;
beforeAll(async () => { h = await testHistory(); });
afterAll(() => h.close());

const failed = (ip: string, now: number, limit = 10): LockoutCommand => ({ type: 'Fail', protocol: 'smtp', ip, now, limit, window: WINDOW, lockTime: 60 * MINUTE });
const happened = async (...commands: LockoutCommand[]): Promise<void> => {
  for (const command of commands) await execute(h.engine, lockoutAggregate, lockoutStream(command.protocol, command.ip), command, { actor: 'session:s', correlation: 's' });
};
const known = async (net: string): Promise<readonly string[]> => (await h.pool.query<{ ip: string }>('SELECT ip FROM view.lockout_1 WHERE starts_with(ip, $1) ORDER BY ip', [net])).rows.map((r) => r.ip);
const last = async (ip: string): Promise<string | undefined> => (await h.store.read(lockoutStream('smtp', ip))).events.at(-1)?.type;

describe('housekeeping', () => {
  it('forgets addresses whose lock or window is over, and no others', async () => {
    await happened(failed('192.0.2.1', NINE - WINDOW), failed('192.0.2.2', NINE - WINDOW + 1), failed('192.0.2.3', NINE - 60 * MINUTE, 1), failed('192.0.2.4', NINE - 60 * MINUTE + 1, 1));
    expect(await forgetLockouts(h.pool, h.engine, WINDOW)).toBe(2);
    expect(await known('192.0.2.')).toEqual(['192.0.2.2', '192.0.2.4']);
    expect(await forgetLockouts(h.pool, h.engine, WINDOW)).toBe(0);
    expect(await last('192.0.2.1')).toBe('LockoutForgotten');
  });

  it('leaves no row of a flood from many addresses, and the rebuilt view agrees', async () => {
    const rows = 1_203;
    const of = (n: number): string => `198.51.${Math.floor(n / 256)}.${n % 256}`;
    await Promise.all(Array.from({ length: rows }, (_, n) => happened(failed(of(n), NINE - WINDOW))));
    expect(await known('198.51.')).toHaveLength(rows);
    expect(await forgetLockouts(h.pool, h.engine, WINDOW)).toBe(rows);
    expect(await known('198.51.')).toEqual([]);
    expect((await new Rebuild(h.log, h.pool, lockouts as unknown as Projection).verify()).differences).toEqual([]);
  });

  it('spares an address that is back at this moment', async () => {
    await happened(failed('203.0.113.5', NINE - WINDOW), failed('203.0.113.6', NINE - WINDOW));
    const store = {
      checkpoint: h.store.checkpoint.bind(h.store), read: h.store.read.bind(h.store),
      readLast: async (streams: readonly string[]) => {
        const found = await h.store.readLast(streams);
        await happened(failed('203.0.113.5', NINE));
        return found;
      },
      append: h.store.append.bind(h.store),
    };
    expect(await forgetLockouts(h.pool, { ...h.engine, store }, WINDOW)).toBe(1);
    expect(await known('203.0.113.')).toEqual(['203.0.113.5']);
  });
});
