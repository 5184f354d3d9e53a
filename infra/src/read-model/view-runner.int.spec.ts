import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CheckpointMoved } from '@kiroku/domain/kernel/event-store.js';
import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { tableOf } from '@kiroku/migrations/table-of.js';
import { transaction } from './database.js';
import { Projector } from './projector.js';
import { recorded, type TestHistory, testHistory } from './testing.js';
import { applySlices, checkpointOf, runView, viewConsumer } from './view-runner.js';

type TallyRow = { name: string; seen: number };
/** Counts, so that an event applied twice shows. */
const tallyOf = (name: string): Projection<TallyRow> => ({
  name, topics: ['mail'], inline: false, types: ['Noted'], key: ['name'], columns: { name: 'text', seen: 'integer' },
  keysOf: ({ event }) => [{ name: (event.data as { name: string }).name }],
  apply: (row, { event }) => ({ name: (event.data as { name: string }).name, seen: (row?.seen ?? 0) + 1 }),
});

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

async function view(name: string): Promise<Projection> {
  const projection = tallyOf(name);
  await h.pool.query(tableOf(projection));
  return projection;
}
const note = (name: string, key = name) => ({ topic: 'mail' as const, key, event: recorded(h.engine, { type: 'Noted', data: { name } }) });
const rowsOf = async (name: string): Promise<ReadonlyMap<string, number>> =>
  new Map((await h.pool.query<TallyRow>(`SELECT name, seen FROM view.${name}`)).rows.map((r) => [r.name, r.seen]));

/** Resolves when the view stands at the head of all partitions. */
async function caughtUp(projection: Projection): Promise<void> {
  for (;;) {
    const behind = await Promise.all(Array.from({ length: h.log.partitions('mail') }, async (_, p) =>
      (await checkpointOf(h.pool, viewConsumer(projection), 'mail', p)) < (await h.log.head('mail', p))));
    if (!behind.includes(true)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
const slice = (events: readonly Positioned[], from: number, partition = 0) => [{ topic: 'mail' as const, partition, from, events, next: from + events.length }];

describe('a view that follows the log', () => {
  it('counts each event once, with two workers and their connections cut all the time', async () => {
    const projection = await view('tally_1');
    const workers = [h.another([]), h.another([])];
    const troubles: unknown[] = [];
    const running = await Promise.all(workers.map((w) => runView(w.log, w.pool, projection, (e) => troubles.push(e))));
    for (let round = 0; round < 8; round++) {
      for (let n = 0; n < 10; n++) await h.log.append(Array.from({ length: 20 }, (_, i) => note(`n${i}`, `${round}-${n}-${i}`)));
      await h.cut('%checkpoint%');
    }
    await caughtUp(projection);
    await Promise.all(running.map((r) => r.stop()));
    expect(await rowsOf('tally_1')).toEqual(new Map(Array.from({ length: 20 }, (_, i) => [`n${i}`, 80])));
    for (const trouble of troubles) expect(trouble).not.toBeInstanceOf(TypeError);
  });

  it('goes on from its checkpoint when it is started again', async () => {
    const projection = await view('tally_2');
    const first = await runView(h.log, h.pool, projection, () => undefined);
    await caughtUp(projection);
    await first.stop();
    await h.log.append([note('late')]);
    expect((await rowsOf('tally_2')).has('late')).toBe(false);
    const again = await runView(h.log, h.pool, projection, () => undefined);
    await caughtUp(projection);
    await again.stop();
    expect((await rowsOf('tally_2')).get('late')).toBe(1);
    expect((await rowsOf('tally_2')).get('n0')).toBe(80);
  });
});

describe('a slice of a view', () => {
  const event = (name: string, position: number): Positioned => ({ position, key: name, event: note(name).event });

  it('is written with its checkpoint or not at all', async () => {
    const projection = await view('tally_3');
    const consumer = viewConsumer(projection);
    // The server ends the connection when the checkpoint comes, after the rows.
    await h.pool.query(`CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.consumer = '${consumer}' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); END IF; RETURN NEW; END $$;
      CREATE TRIGGER cut BEFORE INSERT OR UPDATE ON history.checkpoint FOR EACH ROW EXECUTE FUNCTION cut()`);
    const projector = new Projector(projection);
    const events = slice([event('x', 0), event('y', 1)], 0);
    await expect(applySlices(h.pool, projector, consumer, events)).rejects.toThrow();
    expect(await rowsOf('tally_3')).toEqual(new Map());
    expect(await checkpointOf(h.pool, consumer, 'mail', 0)).toBe(0);
    await h.pool.query('DROP TRIGGER cut ON history.checkpoint; DROP FUNCTION cut()');
    await applySlices(h.pool, projector, consumer, events);
    expect(await rowsOf('tally_3')).toEqual(new Map([['x', 1], ['y', 1]]));
    expect(await checkpointOf(h.pool, consumer, 'mail', 0)).toBe(2);
  });

  it('is refused when another worker has handled it', async () => {
    const projection = await view('tally_4');
    const consumer = viewConsumer(projection);
    const events = slice([event('x', 0)], 0);
    const both = await Promise.allSettled([h.another([]), h.another([])].map((w) => applySlices(w.pool, new Projector(projection), consumer, events)));
    expect(both.map((r) => r.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect((both.find((r) => r.status === 'rejected') as PromiseRejectedResult).reason).toBeInstanceOf(CheckpointMoved);
    expect(await rowsOf('tally_4')).toEqual(new Map([['x', 1]]));
  });

  it('is refused with the slices of other partitions that it came with, when one of them was handled by another worker', async () => {
    const projection = await view('tally_7');
    const consumer = viewConsumer(projection);
    await applySlices(h.pool, new Projector(projection), consumer, slice([event('x', 0)], 0));
    const both = [...slice([event('y', 0)], 0, 1), ...slice([event('x', 0)], 0)];
    await expect(applySlices(h.pool, new Projector(projection), consumer, both)).rejects.toBeInstanceOf(CheckpointMoved);
    expect(await rowsOf('tally_7')).toEqual(new Map([['x', 1]]));
    expect(await checkpointOf(h.pool, consumer, 'mail', 1)).toBe(0);
  });

  it('waits for a writer of the same view and does not hold up another view', async () => {
    const [one, two] = [await view('tally_5'), await view('tally_6')];
    const done: string[] = [];
    let waiting: Promise<void> | undefined;
    await transaction(h.pool, async (db) => {
      await db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [viewConsumer(one)]);
      waiting = applySlices(h.pool, new Projector(one), viewConsumer(one), slice([event('x', 0)], 0)).then(() => void done.push('one'));
      await applySlices(h.pool, new Projector(two), viewConsumer(two), slice([event('x', 0)], 0));
      done.push('two');
    });
    await waiting;
    expect(done).toEqual(['two', 'one']);
  });
});
