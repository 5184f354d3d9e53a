import type { EventLog, Topic } from '@kiroku/domain/kernel/event-log.js';
import type pg from 'pg';

/** How many events a consumer has still to see in a partition. */
export interface Lag { readonly consumer: string; readonly topic: Topic; readonly partition: number; readonly events: number }

/** Of all consumers that keep a checkpoint, in every partition of the topics in which they have one. */
export async function lagOf(log: Pick<EventLog, 'head' | 'partitions'>, pool: Pick<pg.Pool, 'query'>): Promise<readonly Lag[]> {
  const { rows } = await pool.query<{ consumer: string; topic: Topic; partition: number; position: number }>({
    name: 'all-checkpoints', text: 'SELECT consumer, topic, partition, position FROM history.checkpoint',
  });
  // After the checkpoints, so that a lag is never below 0.
  const heads = new Map<Topic, readonly number[]>();
  for (const topic of new Set(rows.map((r) => r.topic)))
    heads.set(topic, await Promise.all(Array.from({ length: log.partitions(topic) }, (_, partition) => log.head(topic, partition))));
  const at = new Map(rows.map((r) => [`${r.consumer} ${r.topic} ${r.partition}`, r.position]));
  const readers = new Map(rows.map(({ consumer, topic }) => [`${consumer} ${topic}`, { consumer, topic }]));
  return [...readers.values()].flatMap(({ consumer, topic }) =>
    (heads.get(topic) ?? []).map((head, partition) => ({ consumer, topic, partition, events: head - (at.get(`${consumer} ${topic} ${partition}`) ?? 0) })));
}
