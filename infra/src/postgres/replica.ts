import type { Clock } from '@kiroku/domain/kernel/clock.js';
import pg from 'pg';
import { connectionOptions } from '../read-model/database.js';
import type { PostgresConnection } from './connection.js';
import { caughtUp, judge, primaryFacts, reasonOf, replicaFacts, type PrimaryFacts, type ReplicaFacts, type ReplicaLook } from './replica-look.js';

/** Where reports are read: lists whose reader does not mind that they are some seconds old. A `pg.Pool` is one. */
export interface Reports {
  query<Row extends pg.QueryResultRow>(query: string | pg.QueryConfig, values?: unknown[]): Promise<{ readonly rows: Row[] }>;
}

export interface ReplicaParts {
  readonly primary: pg.Pool;
  readonly replica: PostgresConnection;
  /** ms that an answer may be behind the primary. */
  readonly limit: number;
  readonly clock: Clock;
  /** Told after each look. */
  readonly looked: (look: ReplicaLook) => void;
  /** Told for each report, and by whom it was answered. */
  readonly answered: (by: 'replica' | 'primary') => void;
  /** The primary could not be asked. */
  readonly trouble: (error: unknown) => void;
  /** Connections at most, the one for looks included. */
  readonly connections?: number;
}

/** ms between looks. A lag that is allowed must be longer, or answers would go to and fro. */
const LOOK = 2_000;
/** ms: a server that takes longer to say how it is, is away. */
const PATIENCE = 3_000;
/** ms for a statement. Below the driver's own time-out, so that the server says itself that it was too slow. */
const STATEMENT = 15_000;
/** SQLSTATE of a statement that took too long. */
const TOO_SLOW = '57014';

/**
 * Reads reports from a replica, as long as it follows closely enough; else from the primary. A change made by `changing` is seen by every
 * report that begins after it. Nothing connects before it is used.
 */
export class ReplicaReads implements Reports {
  readonly #reports: pg.Pool;
  /** Reports that take long must not keep a look waiting: it would take the replica for away. */
  readonly #looks: pg.Pool;
  #look: { readonly found: ReplicaLook; readonly at: number } | undefined;
  #looking: Promise<void> | undefined;
  #wholeAt = -Infinity;
  #open = 0;
  #changes = 0;
  /** Bytes of WAL that have to be replayed before the replica may answer; undefined: not known yet. */
  #needed: number | undefined = 0;
  #replayed = 0;
  readonly #waiting = new Set<(away: Error) => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: ReplicaParts) {
    const { replica, connections = 4 } = parts;
    const common = connectionOptions(replica, { timeout: STATEMENT + 5_000 });
    const options = `${common.options} -c default_transaction_read_only=on -c statement_timeout=${STATEMENT}`;
    const pool = (more: pg.PoolConfig): pg.Pool => new pg.Pool({ ...common, options, idleTimeoutMillis: 10_000, ...more }).on('error', () => undefined); // a connection broke: the next use tells
    this.#reports = pool({ max: connections - 1 });
    this.#looks = pool({ max: 1, connectionTimeoutMillis: PATIENCE, query_timeout: PATIENCE });
  }

  /** Looks at the replica at once, and again every two seconds. */
  start(): void {
    void this.look();
    this.#timer = setInterval(() => void this.look(), LOOK);
    this.#timer.unref();
  }

  /** undefined before the first look. */
  get found(): ReplicaLook | undefined {
    return this.#look?.found;
  }

  /** Something is changed that reports show: until the replica has it, the primary answers. Call what it returns when the change is done. */
  changing(): () => void {
    this.#open++;
    let done = false;
    return () => {
      if (done) return;
      done = true;
      this.#open--;
      this.#changes++;
      this.#needed = undefined;
    };
  }

  async query<Row extends pg.QueryResultRow>(query: string | pg.QueryConfig, values?: unknown[]): Promise<{ readonly rows: Row[] }> {
    if (this.#usable()) {
      try {
        const result = await this.#unlessAway(this.#reports.query<Row>(query as string, values));
        this.parts.answered('replica');
        return result;
      } catch (error) {
        // What is too much for the replica is what it is there to keep from the primary.
        if ((error as { code?: unknown }).code === TOO_SLOW) throw error;
        void this.look();
      }
    }
    this.parts.answered('primary');
    return this.parts.primary.query<Row>(query as string, values);
  }

  /** Never rejects. One at a time: who asks while one runs gets its end. */
  look(): Promise<void> {
    return (this.#looking ??= this.#lookNow().finally(() => (this.#looking = undefined)));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await Promise.all([this.#reports.end(), this.#looks.end()]);
  }

  #usable(): boolean {
    const { found, at } = this.#look ?? {};
    if (found?.kind !== 'following' || at === undefined || this.#open > 0 || this.#needed === undefined || this.#replayed < this.#needed) return false;
    // Nobody knows what the replica has missed since the last look.
    return found.lag + (this.parts.clock.now() - at) <= this.parts.limit;
  }

  async #lookNow(): Promise<void> {
    const changes = this.#changes;
    let primary: PrimaryFacts;
    try {
      primary = await primaryFacts(this.parts.primary);
    } catch (error) {
      this.parts.trouble(error);
      return; // nothing to compare with; what was found grows old by itself
    }
    if (this.#open === 0 && this.#changes === changes) this.#needed ??= primary.written ?? undefined;
    const found = await this.#compare(primary);
    this.#look = { found, at: this.parts.clock.now() };
    if (found.kind !== 'following') for (const give of this.#waiting) give(new Error('the replica is away'));
    this.parts.looked(found);
  }

  async #compare(primary: PrimaryFacts): Promise<ReplicaLook> {
    const asked = this.parts.clock.now();
    let replica: ReplicaFacts;
    try {
      replica = await replicaFacts(this.#looks);
    } catch (error) {
      return { kind: 'away', why: reasonOf(error) };
    }
    // Another server, or an older copy, in its place: what was seen of the one before says nothing.
    if ((replica.replayed ?? 0) < this.#replayed) this.#wholeAt = -Infinity;
    const found = judge(primary, replica, asked - this.#wholeAt);
    if (found.kind !== 'following') return found;
    if (caughtUp(primary, replica)) this.#wholeAt = asked;
    this.#replayed = replica.replayed ?? 0;
    return found;
  }

  /** A server that falls silent would keep its reader waiting for as long as a statement may take. */
  async #unlessAway<T>(answer: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#waiting.add(reject);
    try {
      return await Promise.race([answer, promise]);
    } finally {
      this.#waiting.delete(reject);
    }
  }
}
