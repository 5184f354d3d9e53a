import type { EventLog, Slice, Subscription, Topic } from '@kiroku/domain/kernel/event-log.js';
import { CheckpointMoved } from '@kiroku/domain/kernel/event-store.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import type pg from 'pg';
import { gatherSlices } from '../event-log/gather-slices.js';
import { transaction } from './database.js';
import { Projector } from './projector.js';

const BATCH = 2_000;
/** ms: views may lag a little, and are cheaper so. */
export const PACE = 500;
/** ms in which partitions find together: an event and what follows from it then cost one row, not two. */
const LINGER = 50;

export const viewConsumer = (projection: Projection): string => `view:${projection.name}`;

/**
 * Keeps one view up to date, at its own pace: rows and checkpoints of what waits in all partitions in one transaction, so that a row
 * that several events concern is written once. A view is written by one transaction at a time, whatever the number of workers:
 * rows may depend on events of several partitions.
 * Commits do not wait for the disk: what a crash takes back, the checkpoint takes back too.
 */
export async function runView(
  log: EventLog,
  pool: pg.Pool,
  projection: Projection,
  trouble: (error: unknown) => void,
  pace: () => number = () => PACE,
): Promise<Subscription> {
  const projector = new Projector(projection);
  const consumer = viewConsumer(projection);
  return log.consume({
    group: consumer,
    topics: projection.topics,
    batch: BATCH,
    pace,
    start: (topic, partition) => checkpointOf(pool, consumer, topic, partition),
    handle: gatherSlices((slices) => applySlices(pool, projector, consumer, slices), LINGER),
    trouble,
  });
}

export async function checkpointOf(db: Pick<pg.Pool, 'query'>, consumer: string, topic: Topic, partition: number): Promise<number> {
  const { rows } = await db.query<{ position: number }>(
    'SELECT position FROM history.checkpoint WHERE consumer = $1 AND topic = $2 AND partition = $3', [consumer, topic, partition]);
  return rows[0]?.position ?? 0;
}

/** @throws CheckpointMoved when another worker has handled one of them: nothing was written. */
export async function applySlices(pool: pg.Pool, projector: Projector, consumer: string, slices: readonly Slice[]): Promise<void> {
  await transaction(pool, async (db) => {
    await db.query({ name: 'one-writer-per-view', text: `SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(hashtextextended($1, 0))`, values: [consumer] });
    const places = [slices.map((s) => s.topic), slices.map((s) => s.partition)];
    const { rows } = await db.query<{ position: number }>({
      name: 'checkpoints-for-slices',
      text: `SELECT coalesce(c.position, 0) AS position FROM unnest($2::text[], $3::smallint[]) WITH ORDINALITY AS s(topic, partition, n)
             LEFT JOIN history.checkpoint c ON c.consumer = $1 AND c.topic = s.topic AND c.partition = s.partition ORDER BY s.n`,
      values: [consumer, ...places],
    });
    if (slices.some((slice, i) => rows[i]?.position !== slice.from)) throw new CheckpointMoved(consumer);
    await projector.apply(db, slices.flatMap((s) => s.events));
    await db.query({
      name: 'store-checkpoints',
      text: `INSERT INTO history.checkpoint SELECT $1, * FROM unnest($2::text[], $3::smallint[], $4::bigint[])
             ON CONFLICT (consumer, topic, partition) DO UPDATE SET position = excluded.position`,
      values: [consumer, ...places, slices.map((s) => s.next)],
    });
  });
}
