import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { fixedClock } from '../ids/ids.js';
import { Backlog } from './backlog.js';
import { NINE, recorded, type TestHistory, testHistory } from './testing.js';

let h: TestHistory;
const statements: string[] = [];
beforeAll(async () => {
  h = await testHistory();
});
afterAll(() => h.close());

/** What one SMTP process knows. */
function process() {
  const { pool } = h.another();
  const clock = fixedClock(NINE);
  statements.length = 0;
  const counted = new Proxy(pool, { get: (target, name) => {
    const value = Reflect.get(target, name) as unknown;
    if (name !== 'query') return value;
    return (query: pg.QueryConfig) => (statements.push(query.name ?? ''), target.query(query));
  } });
  return { clock, backlog: new Backlog(counted, clock) };
}

/** A message to so many recipients elsewhere. */
async function queue(messageId: string, recipients: number): Promise<void> {
  const message = { sender: 'ann@x.test', sha256: '0'.repeat(64), size: 1, trace: '', body: '7BIT', smtputf8: false, requireTls: false, hops: 0, acceptedAt: NINE };
  const data = { messageId, message, priority: 0, recipients: Array.from({ length: recipients }, (_, i) => ({ address: `r${i}@y.test`, recipient: `r${i}@y.test`, via: [] })) };
  await h.engine.store.append([{ stream: `message-${messageId}`, expected: 0, events: [recorded(h.engine, { type: 'MessageQueued', data })] }]);
}

describe('the queue', () => {
  it('is full from its limit on, and seen to be within five seconds', async () => {
    const { backlog, clock } = process();
    expect(await backlog.full(5)).toBe(false);
    await queue('Q1', 4);
    clock.advance(5000);
    expect(await backlog.full(5)).toBe(false);
    await queue('Q2', 1);
    expect(backlog.full(5)).toBe(false);
    clock.advance(5000);
    expect(await backlog.full(5)).toBe(true);
    await h.engine.store.append([
      { stream: 'message-Q2', expected: 1, events: [recorded(h.engine, { type: 'RecipientRemoved', data: { messageId: 'Q2', address: 'r0@y.test', by: 'admin:ann', reason: 'x' } })] },
    ]);
    clock.advance(5000);
    expect(await backlog.full(5)).toBe(false);
  });

  it('is counted once for all who ask, and not at all where there is no limit', async () => {
    const { backlog } = process();
    expect(backlog.full(0)).toBe(false);
    expect(statements).toEqual([]);
    expect(await Promise.all([backlog.full(1), backlog.full(1), backlog.full(1)])).toEqual([true, true, true]);
    expect(backlog.full(1)).toBe(true);
    expect(statements).toEqual(['backlog']);
  });

  it('is counted again when the limit is another one', async () => {
    const { backlog } = process();
    expect(await backlog.full(1)).toBe(true);
    expect(await backlog.full(1000)).toBe(false);
    expect(await backlog.full(2)).toBe(true);
  });

  it('that cannot be counted refuses nobody for good, and is counted by the next who asks', async () => {
    const { backlog } = process();
    const broken = new Backlog({ query: () => Promise.reject(new Error('away')) } as unknown as pg.Pool, fixedClock(NINE));
    await expect(broken.full(1)).rejects.toThrow('away');
    await expect(broken.full(1)).rejects.toThrow('away');
    expect(await backlog.full(1)).toBe(true);
  });
});
