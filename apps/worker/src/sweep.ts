import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { transaction } from '@kiroku/infra/read-model/database.js';
import type pg from 'pg';

const BODIES_AT_ONCE = 5_000;
const ROWS_AT_ONCE = 200;

/**
 * Wins back the space of bodies that nothing refers to any more: no mailbox, no recipient still waiting in the queue. A body is
 * left alone for `grace` ms after it was stored (or stored again), which must be longer than mail may take from acceptance to its
 * mailbox; while delivery or the message view lags behind by more than that, nothing is removed at all.
 * @returns bodies removed, and bytes won back on disk.
 */
export async function sweepBodies(pool: pg.Pool, objects: ObjectStore, now: number, grace: number): Promise<{ bodies: number; bytes: number }> {
  const before = now - grace;
  let bodies = 0;
  if (await caughtUp(pool, before)) {
    for (;;) {
      const { rows } = await pool.query<{ sha256: string }>(
        `SELECT encode(o.sha256, 'hex') AS sha256 FROM object_body o
         WHERE o.stored_at < $1
           AND NOT EXISTS (SELECT FROM view.mailbox_message_1 m WHERE m.sha256 = o.sha256)
           AND NOT EXISTS (SELECT FROM view.message_1 w WHERE w.sha256 = o.sha256 AND (w.remote > 0 OR w.accepted_at >= $1))
         LIMIT ${BODIES_AT_ONCE}`,
        [before],
      );
      if (rows.length === 0) break;
      await objects.delete(rows.map((r) => r.sha256), before);
      bodies += rows.length;
    }
  }
  return { bodies, bytes: await objects.compact() };
}

/** Has everything accepted before `before` reached its mailboxes and the message view? */
async function caughtUp(pool: pg.Pool, before: number): Promise<boolean> {
  const { rows } = await pool.query<{ behind: boolean }>(
    `SELECT EXISTS (
       SELECT FROM (VALUES ('delivery'), ('view:message_1')) c(consumer)
       CROSS JOIN (SELECT partition FROM history.head WHERE topic = 'mail') p
       LEFT JOIN history.checkpoint x ON x.consumer = c.consumer AND x.topic = 'mail' AND x.partition = p.partition
       JOIN history.mail m ON m.partition = p.partition AND m.position + m.count > coalesce(x.position, 0) AND m.at < $1
     ) OR EXISTS (
       SELECT FROM history.head h LEFT JOIN history.checkpoint x ON x.consumer = 'view:message_1' AND x.topic = h.topic AND x.partition = h.partition
       WHERE h.topic = 'decision' AND h.next - coalesce(x.position, 0) > 100000
     ) AS behind`,
    [before],
  );
  return rows[0]?.behind === false;
}

/** Forgets session facts that are older than `retention` ms, and what the story view made of them. @returns events removed. */
export async function pruneSessions(pool: pg.Pool, now: number, retention: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const step = await transaction(pool, async (db) => {
      await db.query(`SELECT pg_advisory_xact_lock(hashtextextended('view:story_1', 0))`);
      const { rows } = await db.query<{ entries: string }>(
        `DELETE FROM history.session WHERE (partition, position) IN (
           SELECT s.partition, s.position FROM history.session s
           JOIN history.checkpoint x ON x.consumer = 'view:story_1' AND x.topic = 'session' AND x.partition = s.partition AND s.position + s.count <= x.position
           WHERE s.at < $1 ORDER BY s.partition, s.position LIMIT ${ROWS_AT_ONCE})
         RETURNING entries`,
        [now - retention],
      );
      const events = rows.flatMap((r) => (JSON.parse(r.entries) as readonly { e: Recorded }[]).map(({ e }) => ({ subject: e.correlation, event_id: e.id })));
      if (events.length > 0)
        await db.query(
          `DELETE FROM view.story_1 s USING json_to_recordset($1) AS d(subject text, event_id uuid) WHERE s.subject = d.subject AND s.event_id = d.event_id`,
          [JSON.stringify(events)],
        );
      return events.length;
    });
    if (step === 0) return removed;
    removed += step;
  }
}
