import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type pg from 'pg';
import { noteEngine } from '../config/engines-in-use.js';
import { transaction } from '../read-model/database.js';
import { viewConsumer } from '../read-model/view-runner.js';
import { FOLLOWING_VIEWS } from '../read-model/views.js';
import { FACT_TOPICS } from './facts.js';
import { MigrationRefused } from './steps.js';

/** Consumers of facts that decide: each must have seen everything, as a position in one log says nothing in another. */
const DECIDERS: readonly { readonly consumer: string; readonly topic: 'mail' | 'session' }[] = [{ consumer: 'delivery', topic: 'mail' }];
/** Views that follow facts: they hold positions themselves, so the worker builds them anew. */
const FOLLOWERS = FOLLOWING_VIEWS.filter(({ topics }) => FACT_TOPICS.some((topic) => topics.includes(topic)));

/**
 * Facts can move only when nobody has any of them still to handle, and nothing but views remembers where one lies.
 * @throws MigrationRefused
 */
export async function refuseUnfinished(pool: Pick<pg.Pool, 'query'>, source: Pick<EventLog, 'partitions' | 'head'>): Promise<void> {
  const { rows } = await pool.query<{ consumer: string; topic: string; partition: number; position: number }>(
    `SELECT consumer, topic, partition, position FROM history.checkpoint WHERE topic IN ('mail', 'session')`);
  const rebuilt = FOLLOWERS.map(viewConsumer);
  const consumers = [...DECIDERS, ...rows.filter(({ consumer }) => !rebuilt.includes(consumer))];
  for (const { consumer, topic } of consumers)
    for (let partition = 0; partition < source.partitions(topic as 'mail'); partition++) {
      const head = await source.head(topic as 'mail', partition);
      const position = rows.find((r) => r.consumer === consumer && r.topic === topic && r.partition === partition)?.position ?? 0;
      if (position < head) throw new MigrationRefused(`${consumer} has ${head - position} events of ${topic}/${partition} still to handle: start the server, wait until nothing is waiting, stop it`);
    }
  const { rows: aside } = await pool.query<{ n: number }>('SELECT count(*)::integer AS n FROM view.quarantine_1');
  if ((aside[0]?.n ?? 0) > 0)
    throw new MigrationRefused(`${aside[0]?.n} messages are set aside, and are found by their place in the log: deal with them first ("kiroku quarantine list")`);
}

/** From the next start on the facts are read from the target, where everything in it counts as handled. */
export async function switchLog(pool: pg.Pool, target: Pick<EventLog, 'partitions' | 'head'>, engine: { readonly engine: string; readonly place: string }, now: number): Promise<void> {
  const ends: { topic: string; partition: number; position: number }[] = [];
  for (const topic of FACT_TOPICS)
    for (let partition = 0; partition < target.partitions(topic); partition++) ends.push({ topic, partition, position: await target.head(topic, partition) });
  await transaction(pool, async (db) => {
    const { rows } = await db.query<{ consumer: string; topic: string }>(
      `DELETE FROM history.checkpoint WHERE topic IN ('mail', 'session') RETURNING consumer, topic`);
    const rebuilt = FOLLOWERS.map(viewConsumer);
    const kept = new Set([...DECIDERS, ...rows].filter(({ consumer }) => !rebuilt.includes(consumer)).map(({ consumer, topic }) => `${consumer} ${topic}`));
    for (const name of kept) {
      const [consumer, topic] = name.split(' ') as [string, string];
      const its = ends.filter((end) => end.topic === topic);
      await db.query('INSERT INTO history.checkpoint SELECT $1, $2, * FROM unnest($3::smallint[], $4::bigint[])', [consumer, topic, its.map((e) => e.partition), its.map((e) => e.position)]);
    }
    await db.query('DELETE FROM history.checkpoint WHERE consumer = ANY ($1)', [rebuilt]);
    // Where another engine has the decisions, each batch there tells these checkpoints too: places in the old log must not come back with the next.
    await db.query(
      `UPDATE history.decision_copy SET checkpoints =
         coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(checkpoints) WHERE key !~ '/(mail|session)/[0-9]+$'), '{}')
         || coalesce((SELECT jsonb_object_agg(consumer || '/' || topic || '/' || partition, position) FROM history.checkpoint
                      WHERE topic IN ('mail', 'session') AND consumer = ANY ($1)), '{}')`,
      [DECIDERS.map(({ consumer }) => consumer)]);
    for (const { name } of FOLLOWERS) await db.query(`TRUNCATE view."${name}"`);
    await noteEngine(db, 'event-log', engine, now);
  });
}
