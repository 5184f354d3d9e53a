import type { EventLog, Slice, Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import type pg from 'pg';
import { EXCHANGED } from '../event-log/hints.js';
import { inStep } from '../event-log/in-step.js';
import { changeMark } from '../postgres/change-mark.js';
import { apart, guarded, transaction } from './database.js';
import { Projector, type Queryable } from './projector.js';
import { viewConsumer } from './view-runner.js';

/** Events that may be left when writers are made to wait for the rest. */
const NEARLY = 5_000;
/** Rows that wait for what another topic has of them: under load a delivery comes some seconds, at 5,000 messages each, after the acceptance. 20 MB or so. */
const HELD = 20_000;
/** Whole-table statements may take their time (ms); the driver reads this, its types do not know it. */
const PATIENT = { query_timeout: 3_600_000 } as object;

export interface Progress {
  /** Events read so far, and in all; the end moves while mail flows. */
  readonly done: number;
  readonly total: number;
}

export interface RebuildReport {
  readonly view: string;
  readonly events: number;
  readonly seconds: number;
  readonly rows: number;
  /** With verify: keys of rows that differ, at most 20; [] = the live view equals its rebuild. */
  readonly differences?: readonly string[];
}

interface Place { readonly topic: Topic; readonly partition: number }
type Positions = ReadonlyMap<string, number>;
const at = ({ topic, partition }: Place): string => `${topic}/${partition}`;

/**
 * Builds a view anew from the history, in a table beside the live one, while mail flows.
 *
 * Verify: the live table's content is copied at one instant together with the position it stands at, the rebuild stops exactly
 * there, and the two are compared. Nothing of the live view is changed.
 * Otherwise: when the rebuild has nearly caught up, writers of the view wait for the last events, and the new table takes the
 * place of the old one in the same transaction.
 */
export class Rebuild {
  readonly #places: readonly Place[];
  readonly #fresh: Projector;
  readonly #types: ReadonlySet<string>;
  #done = 0;
  /** Rejects when the connection with the lock was lost: another rebuild may be writing the same table by then. */
  #held: () => Promise<void> = () => Promise.resolve();

  constructor(
    private readonly log: EventLog,
    private readonly pool: pg.Pool,
    private readonly projection: Projection,
    private readonly progress: (progress: Progress) => void = () => undefined,
  ) {
    this.#places = projection.topics.flatMap((topic) => Array.from({ length: log.partitions(topic) }, (_, partition) => ({ topic, partition })));
    this.#types = new Set(projection.types);
    this.#fresh = new Projector(projection, 'rebuild', projection.topics.length > 1 ? HELD : 0);
  }

  async verify(): Promise<RebuildReport> {
    const started = performance.now();
    return this.#alone(async () => {
      const target = await this.#copyLive();
      await this.#makeTable('UNLOGGED');
      await this.#alongside((db) => this.#readUpTo(new Map(), target, db));
      const seconds = (performance.now() - started) / 1000;
      const differences = await this.#differences();
      const rows = await this.#count();
      await this.pool.query(`DROP TABLE rebuild.${this.#table}; DROP TABLE rebuild.${this.#liveCopy}`);
      return { view: this.projection.name, events: this.#done, seconds, rows, differences };
    });
  }

  async replace(): Promise<RebuildReport> {
    const started = performance.now();
    return this.#alone(async () => {
      await this.#makeTable('');
      const nearly = await this.#alongside((db) => this.#catchUp(db));
      await this.#makeIndexes();
      await this.#analyze();
      await this.#takePlace(nearly).finally(() => changeMark(this.pool).move());
      return { view: this.projection.name, events: this.#done, seconds: (performance.now() - started) / 1000, rows: await this.#count('view') };
    });
  }

  /** Reads until next to nothing is left. @returns where it stands. */
  async #catchUp(db: Queryable): Promise<Positions> {
    let reached: Positions = new Map();
    for (let rounds = 0; rounds < 20; rounds++) {
      const heads = await this.#heads();
      const missing = sum([...heads.values()]) - sum([...reached.values()]);
      await this.#readUpTo(reached, heads, db);
      reached = heads;
      if (missing <= NEARLY) break;
    }
    return reached;
  }

  /**
   * A connection of its own whose commits need not be durable: a crash before the table takes its place drops it, and that last
   * commit brings the others along.
   */
  #alongside<T>(work: (db: Queryable) => Promise<T>): Promise<T> {
    return apart(this.pool, async (db, copyIn) => {
      await db.query('SET synchronous_commit = off');
      this.#fresh.copyIn = copyIn;
      return work(db).finally(() => (this.#fresh.copyIn = undefined));
    });
  }

  /** One rebuild of a view at a time, also across processes; what an interrupted one left is dropped. Retention waits meanwhile. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    return guarded(this.pool, async (guard) => {
      const { rows } = await guard.query<{ got: boolean }>('SELECT pg_try_advisory_lock(hashtextextended($1, 1)) AS got', [this.projection.name]);
      if (rows[0]?.got !== true) throw new Error(`${this.projection.name} is being rebuilt by another process`);
      await guard.query('SELECT pg_advisory_lock_shared(hashtextextended($1, 2))', [this.projection.name]);
      this.#held = async () => void (await guard.query('SELECT'));
      await this.pool.query(`DROP TABLE IF EXISTS rebuild.${this.#table}; DROP TABLE IF EXISTS rebuild.${this.#liveCopy}`);
      return work();
    });
  }

  get #table(): string {
    return `"${this.projection.name}"`;
  }

  get #liveCopy(): string {
    return `"${this.projection.name}_live"`;
  }

  async #makeTable(kind: 'UNLOGGED' | ''): Promise<void> {
    const key = this.projection.key.map((k) => `"${k}"`).join(', ');
    const like = this.#indexesLast ? `INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (${key})` : 'INCLUDING ALL';
    // Autovacuum would go through rows that are still being written, again and again, and take a core for it.
    await this.pool.query(`CREATE ${kind} TABLE rebuild.${this.#table} (LIKE view.${this.#table} ${like}) WITH (autovacuum_enabled = off)`);
  }

  /** Making an index at once takes a fifth of the time of keeping it; but an event that removes rows may need one to find them. */
  get #indexesLast(): boolean {
    return this.projection.removes === undefined;
  }

  async #makeIndexes(): Promise<void> {
    if (!this.#indexesLast) return;
    const { rows } = await this.pool.query<{ made: string }>(
      'SELECT pg_get_indexdef(indexrelid) AS made FROM pg_index WHERE indrelid = $1::regclass AND NOT indisprimary', [`view.${this.#table}`]);
    for (const { made } of rows) await this.pool.query({ text: made.replace(' ON view.', ' ON rebuild.'), ...PATIENT });
  }

  /** What the planner needs to know at once; the server looks at the other columns by itself, which takes ten times as long. */
  async #analyze(): Promise<void> {
    const { rows } = await this.pool.query<{ attname: string }>(
      `SELECT DISTINCT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = $1::regclass`,
      [`rebuild.${this.#table}`]);
    await this.pool.query({ text: `ANALYZE rebuild.${this.#table} (${rows.map((r) => `"${r.attname}"`).join(', ')})`, ...PATIENT });
  }

  /** The live rows and the position they stand at, at one instant. */
  async #copyLive(): Promise<Positions> {
    return transaction(
      this.pool,
      async (db) => {
        const positions = this.projection.inline ? await this.#heads(db) : await this.#checkpoints(db);
        await db.query({ text: `CREATE UNLOGGED TABLE rebuild.${this.#liveCopy} AS SELECT * FROM view.${this.#table}`, ...PATIENT });
        return positions;
      },
      'BEGIN ISOLATION LEVEL REPEATABLE READ',
    );
  }

  /** Of decisions as the connection sees them, so that they fit the rows of inline views that it sees. */
  async #heads(db: Pick<pg.Pool, 'query'> = this.pool): Promise<Positions> {
    const found = await Promise.all(this.#places.map(async (place) => [at(place), await this.#head(place, db)] as const));
    return this.#mine(found);
  }

  async #head({ topic, partition }: Place, db: Pick<pg.Pool, 'query'>): Promise<number> {
    if (topic !== 'decision') return this.log.head(topic, partition);
    const { rows } = await db.query<{ next: number }>('SELECT next FROM history.head WHERE topic = $1 AND partition = $2', [topic, partition]);
    return rows[0]?.next ?? 0;
  }

  async #checkpoints(db: Pick<pg.Pool, 'query'>): Promise<Positions> {
    const { rows } = await db.query<{ topic: Topic; partition: number; position: number }>(
      'SELECT topic, partition, position FROM history.checkpoint WHERE consumer = $1', [viewConsumer(this.projection)]);
    return this.#mine(rows.map((r) => [at(r), r.position]));
  }

  #mine(found: readonly (readonly [string, number])[]): Positions {
    const all = new Map(found);
    return new Map(this.#places.map((p) => [at(p), all.get(at(p)) ?? 0]));
  }

  async #readUpTo(from: Positions, to: Positions, db: Queryable): Promise<void> {
    const places = this.#places.map((place) => ({ ...place, from: from.get(at(place)) ?? 0, end: to.get(at(place)) ?? 0 }));
    let written = Promise.resolve();
    for await (const slices of inStep(this.log, places, this.#types)) {
      const events = slices.flatMap((s) => s.events);
      // The next batch is read and folded while this one is being written; never more than one.
      const before = Promise.all([written, this.#held()]).then(() => undefined);
      written = this.#fresh.apply(db, events, before);
      written.catch(() => undefined); // seen when it is waited for
      await before;
      this.#done += sum(slices.map(lookedAt));
      this.progress({ done: this.#done, total: Math.max(this.#done, sum([...to.values()])) });
    }
    await written;
    await this.#fresh.flush(db);
  }

  /** Both ways, by whole rows. */
  async #differences(): Promise<readonly string[]> {
    const key = `concat_ws('/', ${this.projection.key.map((k) => `"${k}"`).join(', ')})`;
    const [live, fresh] = [`rebuild.${this.#liveCopy}`, `rebuild.${this.#table}`];
    const { rows } = await this.pool.query<{ difference: string }>({
      text: `(SELECT ${key} || ': only in the live view' AS difference FROM (TABLE ${live} EXCEPT TABLE ${fresh}) x LIMIT 10)
             UNION ALL (SELECT ${key} || ': only in the rebuild' FROM (TABLE ${fresh} EXCEPT TABLE ${live}) x LIMIT 10)`,
      ...PATIENT,
    });
    return rows.map((r) => r.difference);
  }

  async #takePlace(reached: Positions): Promise<void> {
    await transaction(this.pool, async (db) => {
      // Writers of the view wait here: appends of decisions for inline views, the view's own runner for others.
      if (this.projection.inline) await db.query(`SELECT 1 FROM history.head WHERE topic = 'decision' FOR UPDATE`);
      else await db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [viewConsumer(this.projection)]);
      const heads = await this.#heads(db);
      await this.#readUpTo(reached, heads, db);
      await this.#held();
      await db.query(`DROP TABLE view.${this.#table}; ALTER TABLE rebuild.${this.#table} RESET (autovacuum_enabled); ALTER TABLE rebuild.${this.#table} SET SCHEMA view; NOTIFY kiroku, '${EXCHANGED}'`);
      if (this.projection.inline) return;
      for (const place of this.#places)
        await db.query(
          'INSERT INTO history.checkpoint VALUES ($1, $2, $3, $4) ON CONFLICT (consumer, topic, partition) DO UPDATE SET position = excluded.position',
          [viewConsumer(this.projection), place.topic, place.partition, heads.get(at(place)) ?? 0]);
    });
  }

  async #count(schema = 'rebuild'): Promise<number> {
    const { rows } = await this.pool.query<{ n: number }>(`SELECT count(*) AS n FROM ${schema}.${this.#table}`);
    return rows[0]?.n ?? 0;
  }
}

/** How many events it tells of: of decisions those of other types may be missing, of facts those that retention has removed. */
const lookedAt = ({ topic, from, next, events }: Slice): number => (topic === 'decision' ? next - from : events.length);

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
