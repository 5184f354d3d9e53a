import { setTimeout as pause } from 'node:timers/promises';
import type { EventLog, Subscription } from '@kiroku/domain/kernel/event-log.js';
import type pg from 'pg';
import type { Metrics } from '../telemetry/metrics.js';
import { guarded } from './database.js';
import type { BodyCache } from './search-index-cache.js';
import { fillCache, followMail } from './search-index-filler.js';
import { type Gate, whenIdle } from './search-index-pace.js';

/** ms before the first look through all mailboxes, and between two: mail that nobody followed for a while is found by the next. */
const FIRST = 5_000;
const ROUND = 6 * 60 * 60_000;
/** Bodies listed at once. */
const MOST = 50_000;
/** ms between two looks at the size of the cache. */
const LOOK = 60_000;

export interface BackgroundParts {
  readonly pool: pg.Pool;
  readonly log: EventLog;
  readonly metrics: Pick<Metrics, 'gauge'>;
  readonly trouble: (error: unknown) => void;
  /** See `PostgresMailboxStore.pack`. */
  readonly pack?: (mailboxes: readonly string[]) => Promise<void>;
}

/** ms; when nothing else is said, the constants above. */
export interface BackgroundTimes {
  readonly first?: number;
  readonly round?: number;
  readonly look?: number;
}

/**
 * Fills the body cache, and packs mailboxes, while the machine has nothing better to do. Every process of the role may have one: one at a time looks through the
 * mailboxes, one at a time follows what comes in.
 */
export class BackgroundFiller {
  readonly #stopping = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #following: Subscription | undefined;
  /** Ends the wait for the next look through all mailboxes. */
  #wanted: (() => void) | undefined;
  #bytes = 0;
  #bodies = 0;
  #listed = 0;
  #fresh = 0;

  constructor(
    private readonly parts: BackgroundParts,
    private readonly cache: BodyCache,
    private readonly times: BackgroundTimes = {},
    private readonly gate: Gate = whenIdle(),
  ) {
    parts.metrics.gauge('kiroku_body_cache_bytes', 'Size of the body cache on disk; every imap process says the same', () => this.#bytes);
    parts.metrics.gauge('kiroku_body_cache_bodies', 'Bodies in the cache, as PostgreSQL estimates; every imap process says the same', () => this.#bodies);
    parts.metrics.gauge('kiroku_body_cache_backlog', 'Bodies that this process has found and not yet read for the cache', () => this.#listed + this.#fresh);
  }

  async start(): Promise<void> {
    const { log, trouble, pack } = this.parts;
    this.#following = await followMail(log, this.cache, trouble, this.gate, (bodies) => { this.#fresh = bodies; }, pack);
    const { first = FIRST, round = ROUND, look = LOOK } = this.times;
    this.cache.wanting = () => this.#wanted?.();
    this.#work = Promise.all([this.#again(first, round, () => this.#fill(), look), this.#again(0, look, () => this.#measure())]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#following?.stop();
    await this.#work;
  }

  /** @param soon ms to the next time when that is wanted; nothing: none is ever wanted. */
  async #again(first: number, again: number, work: () => Promise<void>, soon?: number): Promise<void> {
    for (let wait = first; ; ) {
      await this.#pause(wait, soon);
      if (this.#stopping.signal.aborted) return;
      wait = again;
      await work().catch((error: unknown) => {
        wait = Math.min(again, LOOK);
        this.parts.trouble(error);
      });
    }
  }

  async #pause(wait: number, soon?: number): Promise<void> {
    const since = performance.now();
    const wanted = new AbortController();
    if (soon !== undefined) this.#wanted = () => wanted.abort();
    const signal = AbortSignal.any([this.#stopping.signal, wanted.signal]);
    await pause(wait, undefined, { signal, ref: false }).catch(() => undefined);
    if (!wanted.signal.aborted) return;
    await pause(Math.max(0, Math.min(wait, soon ?? wait) - (performance.now() - since)), undefined, { signal: this.#stopping.signal, ref: false }).catch(() => undefined);
  }

  async #fill(): Promise<void> {
    const { pool, pack } = this.parts;
    const { signal } = this.#stopping;
    if (pack)
      await this.gate(signal, async () => {
        const { rows } = await pool.query<{ id: string }>('SELECT id FROM view.mailbox_1');
        await pack(rows.map(({ id }) => id));
      });
    await guarded(pool, async (guard) => {
      const { rows } = await guard.query<{ got: boolean }>('SELECT pg_try_advisory_lock(4713) AS got');
      if (rows[0]?.got !== true) return;
      // Until nothing more can be read: bodies that are gone or damaged are found again each time.
      while ((await fillCache(pool, this.cache, MOST, signal, this.gate, (bodies) => { this.#listed = bodies; })) > 0);
    });
  }

  async #measure(): Promise<void> {
    const { rows } = await this.parts.pool.query<{ bytes: number; bodies: number }>({
      name: 'body-cache-size',
      text: `SELECT pg_total_relation_size('cache.search_1') + pg_total_relation_size('cache.body_1') AS bytes,
               (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'cache.search_1'::regclass) AS bodies`,
    });
    this.#bytes = rows[0]?.bytes ?? 0;
    this.#bodies = rows[0]?.bodies ?? 0;
  }
}
