import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { guarded, transaction } from '@kiroku/infra/read-model/database.js';
import { checkpointOf } from '@kiroku/infra/read-model/view-runner.js';
import type pg from 'pg';

const BODIES_AT_ONCE = 5_000;
const ROWS_AT_ONCE = 200;

/** ms that the message view may take to see what delivery has decided by now, and between two looks. */
const PATIENCE = 60_000;
const LOOK = 500;
/** Whole-table statements may take their time (ms); the driver reads this, its types do not know it. */
const PATIENT = { query_timeout: 3_600_000 } as object;

export interface Sweep {
  /** Epoch ms. */
  readonly now: number;
  /** ms. */
  readonly grace: number;
  /** ms to wait for the message view. */
  readonly patience?: number;
  /** ms between the two looks at the mailboxes; longer than an IMAP command takes. Default 0. */
  readonly linger?: number;
  /** Ends it early, at a point where nothing is left half-done. */
  readonly signal?: AbortSignal;
}

/**
 * Wins back the space of bodies that nothing refers to any more: no mailbox, no recipient still waiting in the queue, no message set aside. A body is
 * left alone for `grace` ms after it was stored (or stored again), which must be longer than mail may take from acceptance to its
 * mailbox; while delivery or the message view lags behind by more than half of that, nothing is removed at all.
 * @returns bodies removed, and bytes won back on disk.
 */
export async function sweepBodies(pool: pg.Pool, objects: ObjectStore, { now, grace, patience = PATIENCE, linger = 0, signal }: Sweep): Promise<{ bodies: number; bytes: number }> {
  const before = now - grace;
  let bodies = 0;
  // Half, because a body is stored some time before its message is accepted.
  if (await caughtUp(pool, now - grace / 2, patience, signal))
    await guarded(pool, async (db) => {
      // A look at the mailboxes for all. What is stored again meanwhile is spared by `delete`.
      await db.query(`CREATE TEMP TABLE doomed (sha256 bytea NOT NULL)`);
      await db.query({
        text: `INSERT INTO doomed SELECT o.sha256 FROM object_body o
               WHERE o.stored_at < $1
                 AND NOT EXISTS (SELECT FROM view.mailbox_message_1 m WHERE m.sha256 = o.sha256)
                 AND NOT EXISTS (SELECT FROM view.queue_1 q WHERE q.state <> 'unread' AND decode(q.message::json->>'sha256', 'hex') = o.sha256)
                 AND NOT EXISTS (SELECT FROM view.quarantine_1 x WHERE x.sha256 = o.sha256)
                 AND NOT EXISTS (SELECT FROM view.notice_1 n WHERE decode(n.data::json#>>'{message,sha256}', 'hex') = o.sha256)
                 AND NOT EXISTS (SELECT FROM view.message_2 w WHERE w.sha256 = o.sha256 AND (
                   w.accepted_at >= $1 OR EXISTS (SELECT FROM view.queue_1 q WHERE q.message_id = w.message_id)))`,
        values: [before],
        ...PATIENT,
      });
      // The last message with a body may have gone while it was being copied elsewhere: what has come by now stays.
      if (!(await pause(linger, signal))) return;
      await db.query({ text: 'DELETE FROM doomed d WHERE EXISTS (SELECT FROM view.mailbox_message_1 m WHERE m.sha256 = d.sha256)', ...PATIENT });
      for (;;) {
        const { rows } = await db.query<{ sha256: string }>(
          `DELETE FROM doomed WHERE ctid = ANY (ARRAY(SELECT ctid FROM doomed LIMIT ${BODIES_AT_ONCE})) RETURNING encode(sha256, 'hex') AS sha256`);
        if (rows.length === 0 || signal?.aborted) return;
        await objects.delete(rows.map((r) => r.sha256), before);
        bodies += rows.length;
      }
    });
  return { bodies, bytes: signal?.aborted ? 0 : await objects.compact() };
}

/** @returns false when it was cut short. */
async function pause(ms: number, signal?: AbortSignal): Promise<boolean> {
  for (let left = ms; left > 0 && !signal?.aborted; left -= LOOK) await new Promise((resolve) => setTimeout(resolve, Math.min(left, LOOK)));
  return signal?.aborted !== true;
}

/** Has everything accepted before `settled` reached its mailboxes and the message view, with all that delivery decided about it? */
async function caughtUp(pool: pg.Pool, settled: number, patience: number, signal?: AbortSignal): Promise<boolean> {
  const { rows } = await pool.query<{ behind: boolean }>({
    text: `SELECT EXISTS (
       SELECT FROM (VALUES ('delivery'), ('view:message_2')) c(consumer)
       CROSS JOIN (SELECT partition FROM history.head WHERE topic = 'mail') p
       LEFT JOIN history.checkpoint x ON x.consumer = c.consumer AND x.topic = 'mail' AND x.partition = p.partition
       JOIN history.mail m ON m.partition = p.partition AND m.position + m.count > coalesce(x.position, 0) AND m.at < $1
     ) AS behind`,
    values: [settled],
    ...PATIENT,
  });
  if (rows[0]?.behind !== false) return false;
  const head = await pool.query<{ next: number }>(`SELECT next FROM history.head WHERE topic = 'decision'`);
  const decided = head.rows[0]?.next ?? 0;
  for (let waited = 0; ; waited += LOOK) {
    if ((await checkpointOf(pool, 'view:message_2', 'decision', 0)) >= decided) return true;
    if (waited >= patience || signal?.aborted) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** Forgets session facts that are older than `retention` ms, and where the session view says they lie; waits for no rebuild of it. @returns events removed. */
export async function pruneSessions(pool: pg.Pool, now: number, retention: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const step = await transaction(pool, async (db) => {
      // A rebuild that had read what is forgotten here would show it for ever.
      const { rows: free } = await db.query<{ got: boolean }>(`SELECT pg_try_advisory_xact_lock(hashtextextended('session_1', 2)) AS got`);
      if (free[0]?.got !== true) return 0;
      await db.query(`SELECT pg_advisory_xact_lock(hashtextextended('view:session_1', 0))`);
      const { rows } = await db.query<{ position: number; entries: string }>(
        `DELETE FROM history.session WHERE (partition, position) IN (
           SELECT s.partition, s.position FROM history.session s
           JOIN history.checkpoint x ON x.consumer = 'view:session_1' AND x.topic = 'session' AND x.partition = s.partition AND s.position + s.count <= x.position
           WHERE s.at < $1 ORDER BY s.partition, s.position LIMIT ${ROWS_AT_ONCE})
         RETURNING position, entries`,
        [now - retention],
      );
      const gone = rows.flatMap(({ position, entries }) =>
        (JSON.parse(entries) as readonly { e: Recorded }[]).map(({ e }, i) => ({ session: e.correlation, position: String(position + i) })));
      if (gone.length > 0) await forget(db, gone);
      return gone.length;
    });
    if (step === 0) return removed;
    removed += step;
  }
}

async function forget(db: pg.PoolClient, gone: readonly { readonly session: string; readonly position: string }[]): Promise<void> {
  const values = [gone.map((g) => g.session), gone.map((g) => g.position)];
  await db.query(
    `UPDATE view.session_1 s SET facts = (
       SELECT coalesce(string_agg(p, ' ' ORDER BY n), '') FROM unnest(string_to_array(s.facts, ' ')) WITH ORDINALITY AS f(p, n) WHERE p <> ALL (d.gone))
     FROM (SELECT session, array_agg(position) AS gone FROM unnest($1::text[], $2::text[]) AS g(session, position) GROUP BY session) d
     WHERE s.session = d.session`, values);
  await db.query(`DELETE FROM view.session_1 WHERE session = ANY ($1) AND facts = ''`, [values[0]]);
}
