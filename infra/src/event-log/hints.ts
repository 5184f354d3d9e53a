import type { Topic } from '@kiroku/domain/kernel/event-log.js';
import pg from 'pg';
import type { PostgresConnection } from '../postgres/connection.js';
import { connectionOptions } from '../read-model/database.js';

/** Told when a view was exchanged for its rebuild. */
export const EXCHANGED = 'view';
/** A lost hint costs at most this long (ms). */
const POLL = 500;
/** ms between hints: who appends one event at a time should not spend more on hints than on events. */
const SPACING = 5;
/** ms between hints while they follow one another: each wakes every process, and who reads in numbers reads in larger steps. */
const LONGEST_SPACING = 40;

const place = (topic: Topic, partition: number): string => `${topic}/${partition}`;

/**
 * LISTEN/NOTIFY as a hint that a topic grew, on a connection of its own, which also carries the partition leases: when it breaks,
 * the server has released them, and whoever holds one is told. NOTIFY goes out after the append's commit and never inside it:
 * notifying transactions commit one at a time.
 */
export class Hints {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #seen = new Map<string, number>();
  readonly #lost = new Set<() => void>();
  readonly #pending = new Set<string>();
  #sentAt = -Infinity;
  #spacing = SPACING;
  #client: pg.Client | undefined;
  #connecting: Promise<pg.Client> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #sending = false;
  #epoch = 0;
  #closed = false;

  constructor(
    private readonly address: PostgresConnection,
    private readonly pool: pg.Pool,
    private readonly trouble: (error: unknown) => void,
  ) {}

  /** The connection that listens and holds locks; made when first needed and again after it broke. */
  private client(): Promise<pg.Client> {
    if (this.#closed) return Promise.reject(new Error('closed'));
    if (this.#client) return Promise.resolve(this.#client);
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...connectionOptions(this.address), keepAlive: true });
    const lose = (error?: unknown): void => {
      if (error !== undefined && !this.#closed) this.trouble(error);
      if (this.#client !== client) return;
      this.#client = undefined;
      this.#epoch++;
      for (const lost of this.#lost) lost();
      for (const name of this.#waiting.keys()) this.#wake(name);
    };
    client.on('error', lose);
    client.on('end', () => lose());
    client.on('notification', ({ payload }) => this.#wake(payload ?? ''));
    await client.connect();
    await client.query('LISTEN kiroku');
    this.#client = client;
    return client;
  }

  /** One statement after another on that connection. */
  query<R extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<readonly R[]> {
    const result = this.#last.then(async () => (await (await this.client()).query<R>(text, [...values])).rows);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Called when the connection, and with it every lock on it, is gone. */
  onLost(lost: () => void): () => void {
    this.#lost.add(lost);
    return () => this.#lost.delete(lost);
  }

  /** Tells all readers, also in other processes, that partitions of `topic` grew. One round trip at a time; see the spacing above. */
  send(topic: Topic, partitions: Iterable<number>): void {
    for (const partition of partitions) this.#pending.add(place(topic, partition));
    if (this.#sending || this.#closed) return;
    this.#sending = true;
    const wait = this.#sentAt + this.#spacing - performance.now();
    if (wait > 0) setTimeout(() => this.#notify(), wait).unref();
    else this.#notify();
  }

  #notify(): void {
    const places = [...this.#pending];
    this.#pending.clear();
    const now = performance.now();
    this.#spacing = now - this.#sentAt < 2 * this.#spacing ? Math.min(2 * this.#spacing, LONGEST_SPACING) : SPACING;
    this.#sentAt = now;
    this.pool
      .query({ name: 'hint', text: `SELECT pg_notify('kiroku', p) FROM unnest($1::text[]) p`, values: [places] })
      .catch(() => undefined) // a hint only: readers poll
      .finally(() => {
        this.#sending = false;
        if (this.#pending.size > 0) this.send('mail', []);
      });
  }

  /**
   * Changes when rows of views may have become others than this process wrote: a view was exchanged for its rebuild, or the connection broke, after
   * which another server may answer. Undefined while this process would not hear of it.
   */
  get epoch(): number | undefined {
    if (this.#client) return this.#epoch;
    void this.client().catch(() => undefined); // also where it is waited for, it is told
    return undefined;
  }

  /** How many hints came for a partition so far; for `wait`. */
  seen(topic: Topic, partition: number): number {
    return this.#seen.get(place(topic, partition)) ?? 0;
  }

  /** Resolves at once when a hint came after `since` was asked for; else at the next one, when `signal` aborts, or after 500 ms. */
  wait(topic: Topic, partition: number, since: number, signal: AbortSignal): Promise<void> {
    if (this.seen(topic, partition) !== since) return Promise.resolve();
    if (!this.#client) void this.client().catch(() => undefined); // listening is a comfort; polling goes on without
    const name = place(topic, partition);
    return new Promise((resolve) => {
      const set = this.#waiting.get(name) ?? new Set();
      this.#waiting.set(name, set);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        set.delete(done);
        resolve();
      };
      const timer = setTimeout(done, POLL);
      set.add(done);
      if (signal.aborted) done();
      else signal.addEventListener('abort', done, { once: true });
    });
  }

  pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      if (signal.aborted) done();
      else signal.addEventListener('abort', done, { once: true });
    });
  }

  #wake(name: string): void {
    if (name === EXCHANGED) this.#epoch++;
    this.#seen.set(name, (this.#seen.get(name) ?? 0) + 1);
    for (const wake of [...(this.#waiting.get(name) ?? [])]) wake();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connecting?.catch(() => undefined);
    await this.#client?.end().catch(() => undefined);
    this.#client = undefined;
  }
}
