import { hostname } from 'node:os';
import type { Ids } from '@kiroku/domain/kernel/clock.js';
import type pg from 'pg';
import type { Metrics } from './metrics.js';
import type { Warning } from './warnings.js';

/** ms between signs of life; a process unheard of for five times that is gone. */
const BEAT = 2_000;
export const GONE_AFTER = 5 * BEAT;

/** Writes this process's sign of life and metrics where the API finds them, whatever machine it runs on. */
export class Heartbeat {
  readonly #id: string;
  readonly #started = Date.now();
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(
    private readonly pool: pg.Pool,
    private readonly role: string,
    private readonly metrics: Metrics,
    ids: Ids,
    /** What is wrong now, in words for the administrator; undefined when all is well. */
    private readonly trouble: () => string | undefined,
    private readonly warnings: () => readonly Warning[] = () => [],
  ) {
    this.#id = ids.uuid();
  }

  /** Once is enough. */
  start(): void {
    if (this.#timer) return;
    let beating = false;
    const beat = (): void => {
      if (beating) return; // one at a time: a slow database is not asked for more connections
      beating = true;
      this.#last = this.#beat().catch(() => undefined).finally(() => (beating = false)); // no database, no sign: that is the sign
    };
    beat();
    this.#timer = setInterval(beat, BEAT);
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    const metrics = JSON.stringify(await this.metrics.registry.getMetricsAsJSON());
    await this.pool.query({
      name: 'heartbeat',
      text: `INSERT INTO ops.process VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, trouble = excluded.trouble, metrics = excluded.metrics, warnings = excluded.warnings`,
      values: [this.#id, this.role, hostname(), process.pid, this.#started, Date.now(), this.trouble() ?? null, metrics, JSON.stringify(this.warnings())],
    });
  }

  async stop(): Promise<void> {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    await this.#last;
    await this.pool.query('DELETE FROM ops.process WHERE id = $1 OR seen_at < $2', [this.#id, Date.now() - 60_000]).catch(() => undefined);
  }
}
