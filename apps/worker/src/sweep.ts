import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { guarded, transaction } from '@kiroku/infra/read-model/database.js';
import { checkpointOf } from '@kiroku/infra/read-model/view-runner.js';
import type pg from 'pg';

const BODIES_AT_ONCE = 5_000;
const FACTS_AT_ONCE = 5_000;
const PAGES_AT_ONCE = 10;

/** ms that the message view may take to see what delivery has decided by now, and between two looks. */
const PATIENCE = 60_000;
const LOOK = 500;
/** Whole-table statements may take their time (ms); the driver reads this, its types do not know it. */
const PATIENT = { query_timeout: 3_600_000 } as object;

export interface History {
  readonly pool: pg.Pool;
  readonly log: EventLog;
}

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
export async function sweepBodies({ pool, log }: History, objects: ObjectStore, { now, grace, patience = PATIENCE, linger = 0, signal }: Sweep): Promise<{ bodies: number; bytes: number }> {
  const before = now - grace;
  let bodies = 0;
  // Half, because a body is stored some time before its message is accepted.
  if (await caughtUp({ pool, log }, now - grace / 2, patience, signal))
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
async function caughtUp({ pool, log }: History, settled: number, patience: number, signal?: AbortSignal): Promise<boolean> {
  for (const consumer of ['delivery', 'view:message_2'])
    for (let partition = 0; partition < log.partitions('mail'); partition++) {
      const [next] = await log.read('mail', partition, await checkpointOf(pool, consumer, 'mail', partition), 1);
      if (next && next.event.at < settled) return false;
    }
  const decided = await log.head('decision', 0);
  for (let waited = 0; ; waited += LOOK) {
    if ((await checkpointOf(pool, 'view:message_2', 'decision', 0)) >= decided) return true;
    if (waited >= patience || signal?.aborted) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** Forgets session facts that are older than `retention` ms, and where the session view says they lie; waits for no rebuild of it. @returns events removed. */
export async function pruneSessions(history: History, now: number, retention: number): Promise<number> {
  let removed = 0;
  for (let partition = 0; partition < history.log.partitions('session'); partition++)
    for (let some = Infinity; some > 0; removed += some) some = await pruneSome(history, partition, now - retention);
  return removed;
}

/** A rebuild that had read what is forgotten here would show it for ever. Given back in between: one that is asked for need not wait long. */
function pruneSome(history: History, partition: number, until: number): Promise<number> {
  return guarded(history.pool, async (guard) => {
    const { rows: free } = await guard.query<{ got: boolean }>(`SELECT pg_try_advisory_lock(hashtextextended('session_1', 2)) AS got`);
    let removed = 0;
    for (let pages = 0, page = Infinity; free[0]?.got === true && page > 0 && pages < PAGES_AT_ONCE; pages++, removed += page) page = await prunePage(history, partition, until);
    return removed;
  });
}

async function prunePage({ pool, log }: History, partition: number, until: number): Promise<number> {
  const facts = await log.read('session', partition, 0, FACTS_AT_ONCE);
  const seen = await checkpointOf(pool, 'view:session_1', 'session', partition);
  const kept = facts.findIndex(({ event, position }) => event.at >= until || position >= seen);
  const old = facts.slice(0, kept === -1 ? facts.length : kept).at(-1);
  if (!old) return 0;
  const below = await log.forgettable('session', partition, old.position + 1);
  const gone = facts.filter(({ position }) => position < below).map(({ event, position }) => ({ session: event.correlation, position: String(position) }));
  if (gone.length === 0) return 0;
  // The view first: should this process die in between, the log still tells the next one what to forget.
  await transaction(pool, async (db) => {
    await db.query(`SELECT pg_advisory_xact_lock(hashtextextended('view:session_1', 0))`);
    await forget(db, gone);
  });
  await log.forget('session', partition, below);
  return gone.length;
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
