import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type pg from 'pg';

/** ms for which a count holds. */
const HOLDS = 5_000;
/** A count that took long holds this many times as long: it may cost the database a twentieth of its time, not more. */
const SHARE = 20;

/** Whether as many recipients wait for other servers as may. A sample of the inline view `queue_1`: so much may come in on top of it. */
export class Backlog {
  #limit = 0;
  #full = false;
  #since = -Infinity;
  #until = -Infinity;
  #counting: Promise<boolean> | undefined;

  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
  ) {}

  /**
   * Those who ask during a count share it.
   * @param limit recipients; 0 = none.
   * @throws any error when the view cannot be read: temporary.
   */
  full(limit: number): boolean | Promise<boolean> {
    if (limit === 0) return false;
    const now = this.clock.now();
    // A clock that was set back must not keep an old count.
    if (limit === this.#limit && now >= this.#since && now < this.#until) return this.#full;
    return (this.#counting ??= this.#count(limit).finally(() => (this.#counting = undefined)));
  }

  async #count(limit: number): Promise<boolean> {
    const began = this.clock.now();
    // No further than the limit: the length of the queue costs nothing.
    const { rows } = await this.pool.query<{ n: number }>({
      name: 'backlog', text: 'SELECT count(*)::integer AS n FROM (SELECT FROM view.queue_1 LIMIT $1) q', values: [limit],
    });
    const now = this.clock.now();
    this.#limit = limit;
    this.#full = (rows[0]?.n ?? 0) >= limit;
    this.#since = now;
    this.#until = now + Math.max(HOLDS, SHARE * (now - began));
    return this.#full;
  }
}
