import type { QueueRow } from '@kiroku/domain/delivery/queue-view.js';
import type pg from 'pg';
import type { Hints } from '../event-log/hints.js';

/** A row's name. */
export interface RowName {
  readonly message_id: string;
  readonly address: string;
}

/** A place in the order in which rows come due. */
export interface Place extends RowName {
  readonly next_at: number;
}
export const FROM_THE_START: Place = { next_at: -1, message_id: '', address: '' };
/** Before all that is due at that time. @param at epoch ms */
export const beforeAll = (at: number): Place => ({ next_at: at, message_id: '', address: '' });

/** As much of a row as is needed to choose among many. */
export interface Head extends Place {
  readonly destination: string;
  readonly partition: number;
  readonly sender: string;
  readonly priority: number;
}

/** Rows of one sender for one destination, from a place on. */
export interface Lane {
  readonly destination: string;
  readonly sender: string;
  readonly from: Place;
}

/** Somebody is, or was, sending to this recipient. */
export interface Claim extends RowName {
  readonly partition: number;
  readonly owner: string;
  readonly host: string;
  /** Epoch ms. */
  readonly started_at: number;
  /** Its process is there and may still be at it. */
  readonly alive: boolean;
}

/** First half of the advisory lock that says "I live"; the second is a hash of the owner. */
const LIVES = 0x6b716c76;
const HASH = `hashtext($OWNER::text) & 2147483647`;
const HEAD = 'message_id, address, next_at, destination, partition, sender, priority';

/**
 * The outbound queue's rows (view `queue_1`) as the scheduler reads them, and the claims (`ops.sending`): the record, durable before
 * the first byte leaves, of who is being sent to. Every question is one statement, whatever the number of rows.
 */
export class PostgresQueue {
  #lives = false;
  #analyzed = false;
  readonly #forget: () => void;

  /** @param owner UUID of this process. */
  constructor(
    private readonly pool: pg.Pool,
    private readonly hints: Pick<Hints, 'query' | 'onLost'>,
    readonly owner: string,
  ) {
    this.#forget = hints.onLost(() => (this.#lives = false));
  }

  /** Says that this process lives, for as long as its connection does: until then nobody else takes what it claimed for lost. */
  async live(): Promise<void> {
    if (this.#lives) return;
    // A long queue of which the planner knows nothing (just built, or filled at once) is sorted for every page.
    if (!this.#analyzed) await this.pool.query('ANALYZE view.queue_1');
    this.#analyzed = true;
    await this.hints.query(`SELECT pg_try_advisory_lock_shared(${LIVES}, ${HASH.replace('$OWNER', '$1')})`, [this.owner]);
    this.#lives = true;
  }

  /** Due rows behind a place, in the order in which they came due; waiting ones only. @param until epoch ms */
  async heads(partitions: readonly number[], after: Place, until: number, limit: number): Promise<readonly Head[]> {
    const { rows } = await this.pool.query<Head>({
      name: 'queue-heads',
      text: `SELECT ${HEAD} FROM view.queue_1
             WHERE state = 'waiting' AND partition = ANY ($1::int[]) AND (next_at, message_id, address) > ($2, $3, $4) AND next_at <= $5
             ORDER BY next_at, message_id, address LIMIT $6`,
      values: [partitions, after.next_at, after.message_id, after.address, until, limit],
    });
    return rows;
  }

  /** Due rows of some lanes, that at `from` included. @param limit per lane, at least 2. */
  async lanes(lanes: readonly Lane[], until: number, limit: number): Promise<readonly Head[]> {
    if (lanes.length === 0) return [];
    const { rows } = await this.pool.query<Head>({
      name: 'queue-lanes',
      text: `SELECT q.* FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[]) AS l(destination, sender, next_at, message_id, address)
             CROSS JOIN LATERAL (
               SELECT ${HEAD} FROM view.queue_1 v
               WHERE v.state = 'waiting' AND v.destination = l.destination AND v.sender = l.sender AND v.next_at <= $6
                 AND (v.next_at, v.message_id, v.address) >= (l.next_at, l.message_id, l.address)
               ORDER BY v.next_at, v.message_id, v.address LIMIT $7) q`,
      values: [
        lanes.map((l) => l.destination), lanes.map((l) => l.sender), lanes.map((l) => l.from.next_at),
        lanes.map((l) => l.from.message_id), lanes.map((l) => l.from.address), until, limit,
      ],
    });
    return rows;
  }

  /** Whole rows, whatever their state; those that are gone are left out. In no order. */
  async rows(names: readonly RowName[]): Promise<readonly QueueRow[]> {
    if (names.length === 0) return [];
    const { rows } = await this.pool.query<QueueRow>({
      name: 'queue-rows',
      // LIMIT 1 makes the planner look up each row by its key.
      text: `SELECT q.* FROM unnest($1::text[], $2::text[]) AS d(m, a)
             CROSS JOIN LATERAL (SELECT * FROM view.queue_1 v WHERE v.message_id = d.m AND v.address = d.a LIMIT 1) q`,
      values: columns(names),
    });
    return rows;
  }

  /** When the next row behind `after` comes due (epoch ms). */
  async nextDue(partitions: readonly number[], after: number): Promise<number | undefined> {
    const { rows } = await this.pool.query<{ next_at: number }>({
      name: 'queue-next-due',
      text: `SELECT next_at FROM view.queue_1 WHERE state = 'waiting' AND partition = ANY ($1::int[]) AND next_at > $2
             ORDER BY next_at, message_id, address LIMIT 1`,
      values: [partitions, after],
    });
    return rows[0]?.next_at;
  }

  /**
   * Claims rows that still wait as the caller knows them: nobody has held, changed or sent them meanwhile, and nobody else is at it.
   * Durable when it resolves. @returns those that are this process's own now.
   */
  async claim(claims: readonly { readonly row: QueueRow; readonly host: string }[], now: number): Promise<readonly RowName[]> {
    if (claims.length === 0) return [];
    const { rows } = await this.pool.query<RowName>({
      name: 'queue-claim',
      // Later than the last attempt on record, whichever machine's clock wrote that: so "recorded since" can be seen afterwards.
      text: `INSERT INTO ops.sending (message_id, address, partition, owner, host, started_at)
             SELECT d.m, d.a, q.partition, $5::uuid, d.h, greatest($6::bigint, q.last_at + 1)
             FROM unnest($1::text[], $2::text[], $3::int[], $4::text[]) AS d(m, a, v, h)
             CROSS JOIN LATERAL (
               -- Not as state = 'waiting': an index of all that wait looks as good as the key to a planner that saw an empty queue.
               -- Locked: a row that somebody else has delivered and unclaimed since this statement began is gone, not claimable. Skipped: whoever writes it now is not waited for.
               SELECT partition, last_at FROM view.queue_1 v WHERE v.message_id = d.m AND v.address = d.a AND v.state || '' = 'waiting' AND v.version = d.v LIMIT 1
               FOR KEY SHARE SKIP LOCKED) q
             ORDER BY d.m, d.a
             ON CONFLICT DO NOTHING RETURNING message_id, address`,
      values: [...columns(claims.map((c) => c.row)), claims.map((c) => c.row.version), claims.map((c) => c.host), this.owner, now],
    });
    return rows;
  }

  /**
   * Takes claims back: the outcome is recorded, or nothing was sent. Not waited for by the disk: one that comes back after a crash
   * of the database is seen to be settled.
   */
  async unclaim(names: readonly RowName[], owner = this.owner): Promise<void> {
    if (names.length === 0) return;
    await this.pool.query({
      name: 'queue-unclaim',
      text: `DELETE FROM ops.sending WHERE (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL AND ctid = ANY (ARRAY(
               SELECT s.ctid FROM unnest($1::text[], $2::text[]) AS d(m, a)
               CROSS JOIN LATERAL (SELECT c.ctid FROM ops.sending c WHERE c.message_id = d.m AND c.address = d.a AND c.owner = $3::uuid LIMIT 1) s))`,
      values: [...columns(names), owner],
    });
  }

  /** Says which server these claims of ours are about, where that has become known, or another one, since. Not waited for by the disk. */
  async name(names: readonly RowName[], host: string): Promise<void> {
    if (names.length === 0) return;
    await this.pool.query({
      name: 'queue-name',
      text: `UPDATE ops.sending s SET host = $4 FROM unnest($1::text[], $2::text[]) AS d(m, a)
             WHERE s.message_id = d.m AND s.address = d.a AND s.owner = $3::uuid AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL`,
      values: [...columns(names), this.owner, host],
    });
  }

  /** Claims of others in these partitions, and whether their owners live. */
  async foreignClaims(partitions: readonly number[]): Promise<readonly Claim[]> {
    const { rows } = await this.pool.query<Claim>({
      name: 'queue-foreign',
      text: `SELECT s.message_id, s.address, s.partition, s.owner, coalesce(s.host, '') AS host, s.started_at, EXISTS (
               SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND l.classid = ${LIVES}::oid AND l.objid = (${HASH.replace('$OWNER', 's.owner')})::oid) AS alive
             FROM ops.sending s WHERE s.partition = ANY ($1::int[]) AND s.owner <> $2::uuid LIMIT 10000`,
      values: [partitions, this.owner],
    });
    return rows;
  }

  /** Nothing is said any more about this process's life. */
  async close(): Promise<void> {
    this.#forget();
    if (!this.#lives) return;
    this.#lives = false;
    await this.hints.query(`SELECT pg_advisory_unlock_shared(${LIVES}, ${HASH.replace('$OWNER', '$1')})`, [this.owner]).catch(() => undefined); // no connection, no lock
  }
}

const columns = (names: readonly RowName[]): [string[], string[]] => [names.map((n) => n.message_id), names.map((n) => n.address)];
