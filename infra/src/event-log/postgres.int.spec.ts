import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { partitionOf, type Positioned } from '@kiroku/domain/kernel/event-log.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import type pg from 'pg';
import { PostgresEventStore } from '../event-store/postgres.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from '../read-model/database.js';
import { until } from '../rig/until.js';
import { describeHistory, fact, type History, readAll } from './contract.js';
import { Hints } from './hints.js';
import { PostgresEventLog } from './postgres.js';

const fail = (error: unknown): void => { throw error; };

async function open(db: TestPostgres, trouble = fail): Promise<History> {
  let closing = false;
  // A pool's connections end a little after its `end`: dropping the database may cut them off.
  const told = (error: unknown): void => { if (!closing) trouble(error); };
  const pool = openPool(db.connection, 4, told);
  const hints = new Hints(db.connection, pool, told);
  const log = new PostgresEventLog(pool, hints);
  const store = new PostgresEventStore(pool, hints, []);
  return { log, store, close: async () => { closing = true; await hints.close(); await pool.end(); } };
}

async function emptyHistory(): Promise<TestPostgres> {
  const db = await testPostgres();
  await migrate(db.connection);
  return db;
}

describeHistory('PostgreSQL', async () => {
  const db = await emptyHistory();
  const [history, other] = [await open(db), await open(db)];
  return { ...history, other: other.log, close: async () => { await other.close(); await history.close(); await db.close(); } };
});

describe('the PostgreSQL history with writers on several connections', () => {
  let db: TestPostgres;
  beforeAll(async () => void (db = await emptyHistory()));
  afterAll(() => db.close());

  it('shows a follower every one of 1,000,000 events once and in order, however late a writer commits', async () => {
    const total = 1_000_000;
    const each = 500;
    const writers = await Promise.all(Array.from({ length: 4 }, () => open(db)));
    const reader = await open(db);
    const seen = new Map<number, number>();
    let events = 0;
    let done: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (done = resolve));
    const lastOf = new Map<string, number>();
    const subscription = await reader.log.consume({
      group: 'follower', topics: ['mail'], batch: 5_000, trouble: fail,
      start: () => Promise.resolve(0),
      handle: ({ partition, from, events: slice, next }) => {
        expect(seen.get(partition) ?? 0).toBe(from);
        expect(next).toBe(from + slice.length); // no gap: nothing was committed below what was read
        seen.set(partition, next);
        for (const { key, event } of slice) {
          const { n } = event.data as { n: number };
          if (n <= (lastOf.get(key) ?? -1)) throw new Error(`${key} out of order at ${n}`);
          lastOf.set(key, n);
        }
        if ((events += slice.length) >= total) done();
        return Promise.resolve();
      },
    });
    // Small and large appends mixed, so that commits overtake each other.
    await Promise.all(
      writers.map(async ({ log }, w) => {
        for (let n = 0; n < total / writers.length; n += each) {
          const entries = Array.from({ length: each }, (_, i) => ({ topic: 'mail' as const, key: `W${w}-${(n + i) % 7}`, event: fact(n + i) }));
          const cut = (n / each) % 5 === 0 ? 1 : each;
          await Promise.all([log.append(entries.slice(0, cut)), log.append(entries.slice(cut))]);
        }
      }),
    );
    await all;
    await subscription.stop();
    expect(events).toBe(total);
    await Promise.all([reader, ...writers].map((h) => h.close()));
  }, 300_000);

  it('goes on at the first event kept when retention has removed what a reader had not seen', async () => {
    const history = await open(db);
    const { log } = history;
    const pool = openPool(db.connection, 1, fail);
    const partition = partitionOf('W0-0', log.partitions('mail'));
    const before: readonly Positioned[] = await log.read('mail', partition, 0, 1_000);
    const cut = (before.at(-1) as Positioned).position;
    await pool.query('DELETE FROM history.mail WHERE partition = $1 AND position + count <= $2', [partition, cut]);
    const [first] = await log.read('mail', partition, 0, 10);
    expect(first?.position).toBeLessThanOrEqual(cut);
    expect(first?.position).toBeGreaterThan(0);
    await pool.end();
    await history.close();
  });

  it('loses nothing that was acknowledged when its connections are cut in the middle', async () => {
    const history = await open(db, () => undefined);
    const { log } = history;
    const pool = openPool(db.connection, 1, () => undefined);
    const acknowledged: number[] = [];
    const cuts: Promise<unknown>[] = [];
    for (let n = 0; n < 200; n++) {
      if (n % 20 === 10) cuts.push(pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%append_facts%'`));
      await log.append([{ topic: 'session', key: `S${n}`, event: fact(n) }]).then(() => acknowledged.push(n), () => undefined);
    }
    await Promise.all(cuts);
    const after = await open(db, () => undefined); // the last cut may have left a dead connection to the one before
    const kept = new Set((await Promise.all([0, 1].map((p) => readAll(after.log, 'session', p)))).flat().map((p) => (p.event.data as { n: number }).n));
    expect(acknowledged.filter((n) => !kept.has(n))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(100);
    await pool.end();
    await history.close();
    await after.close();
  });
});

describe('hints that a topic grew', () => {
  let db: TestPostgres;
  beforeAll(async () => void (db = await emptyHistory()));
  afterAll(() => db.close());

  it('reach who listens', async () => {
    const pool = openPool(db.connection, 2, fail);
    const [sender, reader] = [new Hints(db.connection, pool, fail), new Hints(db.connection, pool, fail)];
    await reader.query('SELECT', []); // it listens from now on
    const before = reader.seen('mail', 0);
    sender.send('mail', [0]);
    await until('the hint is here', 5_000, () => Promise.resolve(reader.seen('mail', 0) > before));
    await reader.close();
    await sender.close();
    await pool.end();
  });

  it('come at once after a silence, and ever further apart while events follow one another', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    try {
      const began = performance.now();
      const sent: number[] = [];
      const hints = new Hints(db.connection, { query: () => Promise.resolve(void sent.push(performance.now() - began)) } as unknown as pg.Pool, fail);
      const each = async (ms: number): Promise<void> => {
        hints.send('mail', [0]);
        await jest.advanceTimersByTimeAsync(ms);
      };
      for (let ms = 0; ms < 200; ms++) await each(1);
      await each(300);
      await each(1);
      await each(9);
      expect(sent).toEqual([0, 5, 15, 35, 75, 115, 155, 195, 235, 500, 505]);
      await hints.close();
    } finally {
      jest.useRealTimers();
    }
  });
});
