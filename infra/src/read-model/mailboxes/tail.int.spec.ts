import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { filledMailbox, recorded, type TestHistory, testHistory } from '../testing.js';
import { mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { type Growth, Tail } from './tail.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

it('asks nothing while nobody appends, and tells of what another process appended before it resolves', async () => {
  const { pool } = h.another();
  const tail = new Tail(pool);
  const told: (Growth | 'all')[] = [];
  tail.onGrown((grown) => told.push(grown));
  await tail.current();
  expect(told).toEqual(['all']);
  let statements = 0;
  pool.on('acquire', () => void statements++);
  const began = performance.now();
  for (let n = 0; n < 50; n++) await tail.current();
  // An answer counts for a second at most.
  expect(statements).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 1_000));
  for (let n = 0; n < 3; n++) {
    const { id, version } = await filledMailbox(h, 2);
    await tail.current();
    expect(told.at(-1)).toEqual(new Map([[mailboxStream(id), version]]));
  }
  expect(told).toHaveLength(4);
});

it('asks nothing about what its own process appended, and tells of it before it resolves', async () => {
  const tail = new Tail(h.pool);
  const told: (Growth | 'all')[] = [];
  tail.onGrown((grown) => told.push(grown));
  const append = (expected: number) => h.engine.store.append([{ stream: 'own-1', expected, events: [recorded(h.engine, { type: 'Noted', data: {} }, 'x')] }]);
  await append(0);
  await tail.current();
  let statements = 0;
  const count = (): void => void statements++;
  const began = performance.now();
  for (let version = 1; version <= 20; version++) {
    await append(version);
    h.pool.on('acquire', count);
    await tail.current();
    h.pool.off('acquire', count);
    expect(told.at(-1)).toEqual(new Map([['own-1', version + 1]]));
  }
  expect(statements).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 1_000));
});

it('looks again when its process has appended more than it remembers, and again when that failed', async () => {
  const tail = new Tail(h.pool);
  const told: (Growth | 'all')[] = [];
  await tail.current();
  tail.onGrown((grown) => told.push(grown));
  const streams = Array.from({ length: 5_001 }, (_, n) => `many-${n}`);
  for (let n = 0; n < streams.length; n += 500)
    await h.engine.store.append(streams.slice(n, n + 500).map((stream) => ({ stream, expected: 0, events: [recorded(h.engine, { type: 'Noted', data: {} }, 'x')] })));
  Object.assign(h.pool, { query: () => Promise.reject(new Error('away')) });
  await expect(tail.current()).rejects.toThrow('away');
  delete (h.pool as { query?: unknown }).query;
  await tail.current();
  expect(told).toEqual(['all']);
});
