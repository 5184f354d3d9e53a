import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { Hints } from '@kiroku/infra/event-log/hints.js';
import { KurrentEventStore } from '@kiroku/infra/event-store/kurrentdb.js';
import { type TestPostgres, testPostgres } from '@kiroku/infra/postgres/testing.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { type KurrentRig, startKurrentRig } from '@kiroku/infra/rig/engines/kurrentdb/server.js';
import { until } from '@kiroku/infra/rig/until.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import type pg from 'pg';
import { DecisionCopy } from './decision-copy.js';

const noted = (n: number): Recorded => ({
  id: `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`, type: 'Noted', version: 1, at: n, actor: 'system:test', correlation: 'c', data: { n },
});

let rig: KurrentRig;
let db: TestPostgres;
let pool: pg.Pool;
let hints: Hints;
let store: KurrentEventStore;
const troubles: unknown[] = [];

beforeAll(async () => {
  rig = await startKurrentRig();
  db = await testPostgres();
  await migrate(db.connection);
  pool = openPool(db.connection, 4);
  hints = new Hints(db.connection, pool, () => undefined);
  store = new KurrentEventStore({ url: rig.url, trouble: (error) => troubles.push(error) }, pool, hints, []);
  await store.append([{ stream: 'box-1', expected: 0, events: [noted(1), noted(2)] }]);
});
afterAll(async () => {
  await store.close();
  await hints.close();
  await pool.end();
  await db.close();
  await rig.stop();
});

/** As it is after a restore from a backup, or when the last process to append died before its commit. */
const forget = (): Promise<unknown> => pool.query(`
  DELETE FROM history.decision; UPDATE history.head SET next = 0 WHERE topic = 'decision'; 
  UPDATE history.decision_copy SET batch = 0, position_batch = 0, commit_position = NULL, prepare_position = NULL`);
const streams = async (): Promise<readonly string[]> => (await pool.query<{ stream: string }>('SELECT stream FROM history.decision ORDER BY position')).rows.map((r) => r.stream);

describe('the worker’s copy of decisions', () => {
  it('gets what it lacks although nobody appends', async () => {
    const copy = new DecisionCopy(store, (error) => troubles.push(error), 10, 10);
    await forget();
    copy.start();
    await until('the copy is complete', 20_000, async () => (await streams()).length > 0);
    expect(await streams()).toEqual(['box-1']);
    await forget();
    await until('the copy is complete', 20_000, async () => (await streams()).length > 0);
    await copy.stop();
    expect(troubles).toEqual([]);
    expect((await store.read('box-1')).events).toEqual([noted(1), noted(2)]);
  });

  it('tells of a server that is away, and goes on when it is back', async () => {
    const told: unknown[] = [];
    const copy = new DecisionCopy(store, (error) => told.push(error), 10, 10);
    await rig.stop();
    copy.start();
    await until('trouble is told', 20_000, () => told.length > 1);
    await rig.start();
    await forget();
    await until('the copy is complete', 20_000, async () => (await streams()).length > 0);
    await copy.stop();
  });

  it('stops at once, however long it would rest', async () => {
    const looks: number[] = [];
    const copy = new DecisionCopy({ catchUp: () => Promise.resolve(looks.push(1)) }, (error) => { throw error; }, 3_600_000);
    copy.start();
    await until('a look', 20_000, () => looks.length > 0);
    await copy.stop();
    expect(looks).toHaveLength(1);
  });
});
