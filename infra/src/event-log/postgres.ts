import { type Consumer, type Entry, type EventLog, type Fact, partitionOf, type Positioned, type Subscription, type Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type pg from 'pg';
import { consumeByLeases } from './consume.js';
import { Decisions, READ_SIZE, tell } from './decisions.js';
import type { Hints } from './hints.js';
import { whenGathered } from '../platform/gathering.js';
import { transaction } from '../read-model/database.js';

/** As the migration made them; changing a number would re-order keys, so it is refused at start. */
const PARTITIONS: Readonly<Record<Topic, number>> = { mail: 4, session: 2, decision: 1 };
/** Events per row: bounds what a reader must parse to begin in the middle of one. */
const MOST_PER_ROW = 500;
const MOST_PER_APPEND = 2_000;
/** Characters per row and per append, unless one event alone has more: a thousand recipients make an event of 300 KB. */
const ROW_SIZE = 1 << 20;
const APPEND_SIZE = 16 << 20;

/** An entry as it will lie in its row. */
interface Line { readonly partition: number; readonly type: string; readonly json: string }
/** A row to be: `entries` is a JSON list of `{ k: key, e: event }`. The database never looks inside. */
interface FactRow { readonly partition: number; readonly count: number; readonly entries: string }
interface StoredRow { readonly position: number; readonly count: number; readonly entries: string }
interface Waiting { readonly lines: readonly Line[]; readonly size: number; readonly resolve: () => void; readonly reject: (error: unknown) => void }

/**
 * The event log in PostgreSQL. Group commit: what arrives while one append is under way goes with the next.
 * A position is given out under a row lock held until commit, so whatever a reader sees is complete below it.
 */
export class PostgresEventLog implements EventLog {
  readonly #queues: Record<Fact, Waiting[]> = { mail: [], session: [] };
  readonly #busy = new Set<Fact>();
  readonly #served: Record<Fact, number> = { mail: 0, session: 0 };
  readonly #decisions: Decisions;

  constructor(
    private readonly pool: pg.Pool,
    readonly hints: Hints,
    private readonly upgrades: Upgrades = {},
    private readonly now: () => number = Date.now,
    /** Told after each append how many facts of a type it held. */
    private readonly appended: (type: string, count: number) => void = () => undefined,
  ) {
    this.#decisions = new Decisions(pool, upgrades);
  }

  partitions(topic: Topic): number {
    return PARTITIONS[topic];
  }

  async append(entries: readonly Entry[]): Promise<void> {
    const topics = new Set(entries.map((e) => e.topic));
    await Promise.all(
      [...topics].map(
        (topic) =>
          new Promise<void>((resolve, reject) => {
            const lines = entries.flatMap((e): readonly Line[] =>
              e.topic === topic ? [{ partition: partitionOf(e.key, PARTITIONS[topic]), type: e.event.type, json: JSON.stringify({ k: e.key, e: e.event }) }] : []);
            this.#queues[topic].push({ lines, size: lines.reduce((n, l) => n + l.json.length, 0), resolve, reject });
            this.#pump(topic);
          }),
      ),
    );
  }

  #pump(topic: Fact): void {
    if (this.#busy.has(topic) || this.#queues[topic].length === 0) return;
    this.#busy.add(topic);
    // After this turn of the event loop at the earliest, so that everything the current input causes is in the batch.
    whenGathered(this.#served[topic], () => {
      const batch = takeUpTo(this.#queues[topic], MOST_PER_APPEND, APPEND_SIZE);
      this.#served[topic] = batch.length;
      this.#write(topic, batch.flatMap((w) => w.lines))
        .then(
          () => batch.forEach((w) => w.resolve()),
          (error: unknown) => batch.forEach((w) => w.reject(error)),
        )
        .finally(() => {
          this.#busy.delete(topic);
          this.#pump(topic);
        });
    });
  }

  async #write(topic: Fact, lines: readonly Line[]): Promise<void> {
    const docs = documents(lines, PARTITIONS[topic]);
    const append = (db: Pick<pg.Pool, 'query'>, doc: readonly FactRow[]) =>
      db.query({
        // The long texts as values of their own: an array would have them escaped, character by character.
        name: `append-facts-${doc.length}`,
        text: `SELECT history.append_facts($1, $2, $3, $4, ARRAY[${doc.map((_, i) => `$${i + 5}`).join(', ')}]::text[])`,
        values: [topic, this.now(), doc.map((r) => r.partition), doc.map((r) => r.count), ...doc.map((r) => r.entries)],
      });
    if (docs.length === 1) await append(this.pool, docs[0] as readonly FactRow[]);
    else
      await transaction(this.pool, async (db) => {
        for (const doc of docs) await append(db, doc);
      });
    const types = new Map<string, number>();
    for (const { type } of lines) types.set(type, (types.get(type) ?? 0) + 1);
    for (const [type, count] of types) this.appended(type, count);
    this.hints.send(topic, docs.flatMap((doc) => doc.map((row) => row.partition)));
  }

  async head(topic: Topic, partition: number): Promise<number> {
    const { rows } = await this.pool.query<{ next: number }>('SELECT next FROM history.head WHERE topic = $1 AND partition = $2', [topic, partition]);
    if (!rows[0]) throw new RangeError(`no partition ${topic}/${partition}`);
    return rows[0].next;
  }

  async read(topic: Topic, partition: number, from: number, limit: number, types?: ReadonlySet<string>, ahead?: (next: number) => void): Promise<readonly Positioned[]> {
    if (topic === 'decision') return this.#decisions.read(from, limit, types, ahead);
    const found = await this.#rows(topic, partition, from, limit, ahead);
    if (found.length > 0) return found;
    const next = await this.#firstKept(topic, partition, from);
    return next === undefined ? [] : this.#rows(topic, partition, next, limit, ahead);
  }

  async #rows(topic: Fact, partition: number, from: number, limit: number, ahead?: (next: number) => void): Promise<readonly Positioned[]> {
    const { rows } = await this.pool.query<StoredRow>({
      name: `read-${topic}`,
      text: `SELECT position, count, entries FROM (
               SELECT position, count, entries, sum(pg_column_size(entries)) OVER (ORDER BY position) - pg_column_size(entries) AS before
               FROM history.${topic}
               WHERE partition = $3 AND position + count > $1 AND position < $2
                 AND position >= coalesce((SELECT max(position) FROM history.${topic} WHERE partition = $3 AND position <= $1), 0)) r
             WHERE before < $4 AND (before = 0 OR position + count <= $2 OR NOT $5) ORDER BY position`,
      values: [from, from + limit, partition, READ_SIZE, ahead !== undefined],
    });
    tell(rows, from + limit, ahead);
    const events: Positioned[] = [];
    for (const row of rows)
      for (const event of this.#eventsOf(row)) if (event.position >= from && events.length < limit) events.push(event);
    return events;
  }

  #eventsOf({ position, entries }: StoredRow): readonly Positioned[] {
    return (JSON.parse(entries) as readonly { k: string; e: Recorded }[]).map(({ k, e }, i) => ({ position: position + i, key: k, event: upcast(e, this.upgrades) }));
  }

  async at(topic: Topic, partition: number, positions: readonly number[]): Promise<readonly Positioned[]> {
    if (topic === 'decision') return this.#decisions.at(positions);
    if (positions.length === 0) return [];
    const wanted = new Set(positions);
    const { rows } = await this.pool.query<StoredRow>({
      name: `at-${topic}`,
      text: `SELECT DISTINCT ON (r.position) r.* FROM unnest($1::bigint[]) AS p(position) CROSS JOIN LATERAL (
               SELECT position, entries, count FROM history.${topic} d WHERE partition = $2 AND position <= p.position ORDER BY position DESC LIMIT 1) r
             WHERE p.position < r.position + r.count ORDER BY r.position`,
      values: [positions, partition],
    });
    return rows.flatMap((row) => this.#eventsOf(row).filter((e) => wanted.has(e.position)));
  }

  /** Where reading goes on when retention has removed what was there; undefined at the head. */
  async #firstKept(topic: Fact, partition: number, from: number): Promise<number | undefined> {
    const { rows } = await this.pool.query<{ position: number | null }>(
      `SELECT min(position) AS position FROM history.${topic} WHERE partition = $2 AND position >= $1`, [from, partition]);
    return rows[0]?.position ?? undefined;
  }

  async forgettable(topic: Fact, partition: number, before: number): Promise<number> {
    // The row that begins last before it, or that row's end.
    const { rows } = await this.pool.query<{ at: number | null }>(
      `SELECT CASE WHEN position + count <= $2 THEN position + count ELSE position END AS at FROM history.${topic}
       WHERE partition = $1 AND position < $2 ORDER BY position DESC LIMIT 1`, [partition, before]);
    return rows[0]?.at ?? before;
  }

  async forget(topic: Fact, partition: number, before: number): Promise<void> {
    await this.pool.query(`DELETE FROM history.${topic} WHERE partition = $1 AND position + count <= $2`, [partition, before]);
  }

  consume(consumer: Consumer): Promise<Subscription> {
    return consumeByLeases(this, consumer);
  }
}

function takeUpTo(queue: Waiting[], events: number, size: number): readonly Waiting[] {
  let n = 0;
  for (const { lines, size: more } of queue) {
    events -= lines.length;
    size -= more;
    if (n > 0 && (events < 0 || size < 0)) break;
    n++;
  }
  return queue.splice(0, n);
}

/** Rows per call of `append_facts`, at most one per partition: usually one call; more when a partition gets more than a row may hold. */
function documents(lines: readonly Line[], partitions: number): readonly (readonly FactRow[])[] {
  const rows = Array.from({ length: partitions }, () => [] as { jsons: string[]; size: number }[]);
  for (const { partition, json } of lines) {
    const last = rows[partition]?.at(-1);
    if (last && last.jsons.length < MOST_PER_ROW && last.size + json.length <= ROW_SIZE) {
      last.jsons.push(json);
      last.size += json.length;
    } else rows[partition]?.push({ jsons: [json], size: json.length });
  }
  return Array.from({ length: Math.max(...rows.map((r) => r.length)) }, (_, n) =>
    rows.flatMap((row, partition) => (row[n] ? [{ partition, count: row[n].jsons.length, entries: `[${row[n].jsons.join(',')}]` }] : [])));
}
