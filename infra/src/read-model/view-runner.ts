import type { EventLog, Slice, Subscription, Topic } from '@kiroku/domain/kernel/event-log.js';
import { CheckpointMoved } from '@kiroku/domain/kernel/event-store.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import type pg from 'pg';
import { transaction } from './database.js';
import { Projector } from './projector.js';

const BATCH = 2_000;

export const viewConsumer = (projection: Projection): string => `view:${projection.name}`;

/**
 * Keeps one view up to date, at its own pace: a slice's rows and the checkpoint in one transaction. A view is written by one
 * transaction at a time, whatever the number of workers: rows may depend on events of several partitions.
 * Commits do not wait for the disk: what a crash takes back, the checkpoint takes back too.
 */
export async function runView(
  log: EventLog,
  pool: pg.Pool,
  projection: Projection,
  trouble: (error: unknown) => void,
): Promise<Subscription> {
  const projector = new Projector(projection);
  const consumer = viewConsumer(projection);
  return log.consume({
    group: consumer,
    topics: projection.topics,
    batch: BATCH,
    start: (topic, partition) => checkpointOf(pool, consumer, topic, partition),
    handle: (slice) => applySlice(pool, projector, consumer, slice),
    trouble,
  });
}

export async function checkpointOf(db: Pick<pg.Pool, 'query'>, consumer: string, topic: Topic, partition: number): Promise<number> {
  const { rows } = await db.query<{ position: number }>(
    'SELECT position FROM history.checkpoint WHERE consumer = $1 AND topic = $2 AND partition = $3', [consumer, topic, partition]);
  return rows[0]?.position ?? 0;
}

/** @throws CheckpointMoved when another worker has handled it: nothing was written. */
export async function applySlice(pool: pg.Pool, projector: Projector, consumer: string, slice: Slice): Promise<void> {
  await transaction(pool, async (db) => {
    await db.query({ name: 'one-writer-per-view', text: `SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(hashtextextended($1, 0))`, values: [consumer] });
    const { rows } = await db.query<{ position: number }>({
      name: 'checkpoint-for-slice',
      text: 'SELECT position FROM history.checkpoint WHERE consumer = $1 AND topic = $2 AND partition = $3',
      values: [consumer, slice.topic, slice.partition],
    });
    if ((rows[0]?.position ?? 0) !== slice.from) throw new CheckpointMoved(consumer);
    await projector.apply(db, slice.events);
    await db.query({
      name: 'store-checkpoint',
      text: `INSERT INTO history.checkpoint VALUES ($1, $2, $3, $4) ON CONFLICT (consumer, topic, partition) DO UPDATE SET position = excluded.position`,
      values: [consumer, slice.topic, slice.partition, slice.next],
    });
  });
}
