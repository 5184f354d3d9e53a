import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { MemoryObjectStore } from '../object-store/memory.js';
import { Metrics } from '../telemetry/metrics.js';
import { BackgroundFiller } from './search-index-background.js';
import { BodyCache } from './search-index-cache.js';
import { fillCache } from './search-index-filler.js';
import { type Gate, whenIdle } from './search-index-pace.js';
import { filledMailbox, type TestHistory, testHistory } from './testing.js';

let h: TestHistory;
const objects = new MemoryObjectStore();
let cache: BodyCache;
beforeAll(async () => {
  h = await testHistory();
  cache = new BodyCache(h.pool, objects, (error) => h.troubles.push(error));
});
afterAll(async () => {
  expect(h.troubles).toEqual([]);
  await h.close();
});

let last = 0;
/** A mailbox of so many messages. */
async function mailbox(count: number): Promise<readonly string[]> {
  const refs: BodyRef[] = [];
  for (let i = 0; i < count; i++) {
    const writer = objects.create();
    await writer.write(Buffer.from(`Subject: number ${++last}\r\n\r\ntext\r\n`));
    refs.push(await writer.commit());
  }
  await filledMailbox(h, count, (i) => refs[i - 1]?.sha256 ?? '');
  return refs.map((ref) => ref.sha256);
}
const known = async (bodies: readonly string[]): Promise<number> =>
  (await h.pool.query<{ n: number }>('SELECT count(*) AS n FROM cache.search_1 WHERE sha256 = ANY ($1::bytea[])', [bodies.map((b) => `\\x${b}`)])).rows[0]?.n ?? 0;
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
const value = async (metrics: Metrics, name: string): Promise<number> => ((await metrics.registry.getSingleMetric(name)?.get())?.values[0]?.value ?? NaN);

/** A machine that the test makes busy, and how often it was looked at. */
function machine(busy: boolean) {
  const state = { busy, looks: 0 };
  return { state, gate: whenIdle({ busy: () => (state.looks++, state.busy), usual: 0, longest: 1 }) satisfies Gate };
}

describe('filling the cache of bodies', () => {
  it('waits while the machine is busy, goes on when it is not, and stops at once when it is told to', async () => {
    const bodies = await mailbox(30);
    const { state, gate } = machine(true);
    const stopping = new AbortController();
    const filling = fillCache(h.pool, cache, 100, stopping.signal, gate);
    await until(() => state.looks > 5);
    expect(await known(bodies)).toBe(0);
    state.busy = false;
    expect(await filling).toBe(30);
    expect(await known(bodies)).toBe(30);
    state.busy = true;
    const more = await mailbox(1);
    const again = fillCache(h.pool, cache, 100, stopping.signal, gate);
    stopping.abort();
    expect([await again, await known(more)]).toEqual([0, 0]);
  });

  it('works down what is there and what comes in, and tells how far it is', async () => {
    const metrics = new Metrics('imap');
    const { state, gate } = machine(true);
    const old = await mailbox(50);
    const filler = new BackgroundFiller({ pool: h.pool, log: h.log, metrics, trouble: (error) => h.troubles.push(error) }, cache, { first: 0, look: 5 }, gate);
    await filler.start();
    state.busy = false;
    await until(async () => (await known(old)) === 50);
    // A consumer begins at the head that it finds when it gets its partition: mail that is there before is not its business.
    const fresh: string[] = [];
    while ((await known(fresh)) === 0) fresh.push(...(await mailbox(2)));
    state.busy = true;
    // Busy from the first step on, or from the next slice on: what has come is waited for.
    const waiting = await mailbox(45);
    const { looks } = state;
    await until(() => state.looks > looks + 5);
    expect(await known(waiting)).toBeLessThan(45);
    await until(async () => (await value(metrics, 'kiroku_body_cache_bytes')) > 0);
    expect(await value(metrics, 'kiroku_body_cache_bodies')).toBeGreaterThanOrEqual(0);
    state.busy = false;
    await until(async () => (await known(waiting)) === 45 && (await value(metrics, 'kiroku_body_cache_backlog')) === 0);
    state.busy = true;
    await filler.stop();
  }, 30_000);

  it('looks again soon after a search passed over bodies', async () => {
    const filler = new BackgroundFiller({ pool: h.pool, log: h.log, metrics: new Metrics('imap'), trouble: (error) => h.troubles.push(error) }, cache, { first: 3_600_000, look: 5 }, machine(false).gate);
    const bodies = await mailbox(3);
    await filler.start();
    expect(await known(bodies)).toBe(0);
    cache.wanting();
    await until(async () => (await known(bodies)) === 3);
    await filler.stop();
  });

  it('is told of as a backlog while it is not done', async () => {
    await mailbox(25);
    const told: number[] = [];
    await fillCache(h.pool, cache, 100, new AbortController().signal, (_, work) => work(() => false), (left) => told.push(left));
    expect([told[0], told.at(-1)]).toEqual([expect.any(Number), 0]);
    expect(told[0]).toBeGreaterThanOrEqual(25);
  });
});
