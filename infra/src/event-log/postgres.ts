import { type Consumer, type Entry, type EventLog, partitionOf, type Positioned, type Subscription, type Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type pg from 'pg';
import type { Hints } from './hints.js';
import { PartitionLeases } from './leases.js';
import { runPartition } from './run-partition.js';
import { transaction } from '../read-model/database.js';

/** As the migration made them; changing a number would re-order keys, so it is refused at start. */
const PARTITIONS: Readonly<Record<Topic, number>> = { mail: 4, session: 2, decision: 1 };
/** Events per row: bounds what a reader must parse to begin in the middle of one. */
const MOST_PER_ROW = 500;
const MOST_PER_APPEND = 2_000;

type Fact = Exclude<Topic, 'decision'>;
interface Waiting { readonly entries: readonly Entry[]; readonly resolve: () => void; readonly reject: (error: unknown) => void }

/**
 * The event log in PostgreSQL. Group commit without timers: what arrives while one append is under way goes with the next.
 * A position is given out under a row lock held until commit, so whatever a reader sees is complete below it.
 */
export class PostgresEventLog implements EventLog {
  readonly #queues: Record<Fact, Waiting[]> = { mail: [], session: [] };
  readonly #busy = new Set<Fact>();

  constructor(
    private readonly pool: pg.Pool,
    private readonly hints: Hints,
    private readonly upgrades: Upgrades = {},
    private readonly now: () => number = Date.now,
  ) {}

  partitions(topic: Topic): number {
    return PARTITIONS[topic];
  }

  async append(entries: readonly Entry[]): Promise<void> {
    const topics = new Set(entries.map((e) => e.topic));
    await Promise.all(
      [...topics].map(
        (topic) =>
          new Promise<void>((resolve, reject) => {
            this.#queues[topic].push({ entries: topics.size === 1 ? entries : entries.filter((e) => e.topic === topic), resolve, reject });
            this.#pump(topic);
          }),
      ),
    );
  }

  #pump(topic: Fact): void {
    if (this.#busy.has(topic) || this.#queues[topic].length === 0) return;
    this.#busy.add(topic);
    // After this turn of the event loop, so that everything the current input causes is in the batch.
    setImmediate(() => {
      const batch = takeUpTo(this.#queues[topic], MOST_PER_APPEND);
      this.#write(topic, batch.flatMap((w) => w.entries))
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

  async #write(topic: Fact, entries: readonly Entry[]): Promise<void> {
    const docs = documents(entries, PARTITIONS[topic]);
    const append = (db: Pick<pg.Pool, 'query'>, doc: string) =>
      db.query({ name: 'append-facts', text: 'SELECT history.append_facts($1, $2, $3)', values: [topic, doc, this.now()] });
    if (docs.length === 1) await append(this.pool, docs[0] as string);
    else
      await transaction(this.pool, async (db) => {
        for (const doc of docs) await append(db, doc);
      });
    this.hints.send(topic);
  }

  async head(topic: Topic, partition: number): Promise<number> {
    const { rows } = await this.pool.query<{ next: number }>('SELECT next FROM history.head WHERE topic = $1 AND partition = $2', [topic, partition]);
    if (!rows[0]) throw new RangeError(`no partition ${topic}/${partition}`);
    return rows[0].next;
  }

  async read(topic: Topic, partition: number, from: number, limit: number): Promise<readonly Positioned[]> {
    const found = await this.#rows(topic, partition, from, limit);
    if (found.length > 0) return found;
    const next = await this.#firstKept(topic, partition, from);
    return next === undefined ? [] : this.#rows(topic, partition, next, limit);
  }

  async #rows(topic: Topic, partition: number, from: number, limit: number): Promise<readonly Positioned[]> {
    const { rows } = await this.pool.query<{ position: number; stream?: string; entries: readonly ({ k: string; e: Recorded } | Recorded)[] }>(
      topic === 'decision'
        ? {
            name: 'read-decisions',
            text: `SELECT position, stream, events AS entries FROM history.decision
                   WHERE position >= coalesce((SELECT max(position) FROM history.decision WHERE position <= $1), 0)
                     AND position + count > $1 AND position < $2 ORDER BY position`,
            values: [from, from + limit],
          }
        : {
            name: `read-${topic}`,
            text: `SELECT position, entries FROM history.${topic}
                   WHERE partition = $3 AND position + count > $1 AND position < $2
                     AND position >= coalesce((SELECT max(position) FROM history.${topic} WHERE partition = $3 AND position <= $1), 0)
                   ORDER BY position`,
            values: [from, from + limit, partition],
          },
    );
    const events: Positioned[] = [];
    for (const { position, stream, entries } of rows) {
      entries.forEach((entry, i) => {
        const at = position + i;
        if (at < from || events.length >= limit) return;
        const [key, event] = stream === undefined ? [(entry as { k: string }).k, (entry as { e: Recorded }).e] : [stream, entry as Recorded];
        events.push({ position: at, key, event: upcast(event, this.upgrades) });
      });
    }
    return events;
  }

  /** Where reading goes on when retention has removed what was there; undefined at the head. */
  async #firstKept(topic: Topic, partition: number, from: number): Promise<number | undefined> {
    const { rows } = await this.pool.query<{ position: number | null }>(
      topic === 'decision'
        ? 'SELECT min(position) AS position FROM history.decision WHERE position >= $1'
        : `SELECT min(position) AS position FROM history.${topic} WHERE partition = $2 AND position >= $1`,
      topic === 'decision' ? [from] : [from, partition],
    );
    return rows[0]?.position ?? undefined;
  }

  async consume(consumer: Consumer): Promise<Subscription> {
    const stopping = new AbortController();
    const wanted = consumer.topics.flatMap((topic) => Array.from({ length: PARTITIONS[topic] }, (_, partition) => ({ topic, partition })));
    const leases = await PartitionLeases.open(this.hints, consumer.group, wanted, (error) => consumer.trouble(error));
    const loops = wanted.map(({ topic, partition }) =>
      runPartition(this, consumer, topic, partition, {
        stopping: stopping.signal,
        mine: () => leases.has(topic, partition),
        wait: () => this.hints.wait(topic, stopping.signal),
        pause: (failures) => this.hints.pause(Math.min(5_000, 100 * 2 ** failures), stopping.signal),
      }).finally(() => leases.give(topic, partition)),
    );
    return {
      stop: async () => {
        stopping.abort();
        await Promise.all(loops);
        await leases.close();
      },
    };
  }
}

function takeUpTo(queue: Waiting[], events: number): readonly Waiting[] {
  let taken = 0;
  let n = 0;
  while (n < queue.length && (n === 0 || taken + (queue[n]?.entries.length ?? 0) <= events)) taken += queue[n++]?.entries.length ?? 0;
  return queue.splice(0, n);
}

/** One JSON document per call of `append_facts`: usually one; more when a partition gets more than a row may hold. */
function documents(entries: readonly Entry[], partitions: number): readonly string[] {
  const rows = Array.from({ length: partitions }, () => [] as { k: string; e: Recorded }[]);
  for (const { key, event } of entries) rows[partitionOf(key, partitions)]?.push({ k: key, e: event });
  const docs: string[] = [];
  for (let start = 0; ; start += MOST_PER_ROW) {
    const doc = rows.flatMap((row, p) => {
      const e = row.slice(start, start + MOST_PER_ROW);
      return e.length === 0 ? [] : [{ p, n: e.length, e }];
    });
    if (doc.length === 0) return docs;
    docs.push(JSON.stringify(doc));
  }
}
