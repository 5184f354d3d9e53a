import { type AppendOptions, type Consumer, type Entry, type EventLog, type Fact, partitionOf, type Positioned, type Subscription, type Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Ids } from '@kiroku/domain/kernel/clock.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type pg from 'pg';
import { consumeByLeases } from './consume.js';
import { Decisions } from './decisions.js';
import type { Hints } from './hints.js';
import { asAway } from './kafka-away.js';
import { KafkaCluster } from './kafka-cluster.js';
import { DecisionCopy } from './kafka-decisions.js';
import { KafkaReader } from './kafka-fetch.js';
import { idsInRuns } from './kafka-ids.js';
import { IdleReads } from './kafka-idle.js';
import type { KafkaOptions } from './kafka-options.js';
import type { Unit } from './kafka-lane.js';
import { KafkaProducer } from './kafka-producer.js';
import type { KafkaRecord, NewRecord } from './kafka-records.js';
import { deleteRecords, type Place } from './kafka-requests.js';
import { type KafkaTopics, namesOf, openTopics } from './kafka-topics.js';

/** ms by which the clocks of an installation's machines surely do not differ. */
const CLOCKS = 60 * 60_000;
/** ms from an append that the brokers do not take to its rejection. */
const PATIENCE = 30_000;

export interface KafkaLogParts {
  /** Decisions, checkpoints and leases are there. */
  readonly pool: pg.Pool;
  readonly hints: Hints;
  readonly upgrades?: Upgrades;
  readonly now?: () => number;
  /** Told after each append how many facts of a type it held. */
  readonly appended?: (type: string, count: number) => void;
  /** For what nobody else is told: records in our topics that are not ours. */
  readonly trouble?: (error: unknown) => void;
}

/**
 * The event log on Kafka: facts in topics `<prefix>.mail` and `<prefix>.session`, a record per event, whose position is its offset.
 * Durable means: all replicas in sync have it in memory (at least two, with three copies); Kafka does not wait for disks.
 * The topic `decision` is read where decisions are made; `decisionCopy` brings it to `<prefix>.decision`, for others.
 * @throws KafkaAway when no broker answers, or too few; when the topics are not those that this database's checkpoints point into, or another installation's.
 */
export async function openKafkaLog(options: KafkaOptions, parts: KafkaLogParts): Promise<KafkaEventLog> {
  const cluster = new KafkaCluster(options, Object.values(namesOf(options.prefix)));
  try {
    const topics = await openTopics(cluster, options, parts.pool);
    const log = new KafkaEventLog(cluster, topics, options, parts);
    await refuseLost(log, parts.pool);
    await refuseOthers(log, parts.pool, options.prefix);
    return log;
  } catch (error) {
    cluster.close();
    throw asAway(error);
  }
}

export class KafkaEventLog implements EventLog {
  readonly hints: Hints;
  /** What about the topics endangers the history, in words for the administrator. */
  readonly warnings: readonly string[];
  readonly decisionCopy: DecisionCopy;
  readonly #reader: KafkaReader;
  readonly #producer: KafkaProducer;
  readonly #decisions: Decisions;
  readonly #idle: IdleReads;

  /** Use `openKafkaLog`. */
  constructor(
    private readonly cluster: KafkaCluster,
    private readonly topics: KafkaTopics,
    options: KafkaOptions,
    private readonly parts: KafkaLogParts,
  ) {
    const { pool, hints, upgrades = {}, now = Date.now } = parts;
    this.hints = hints;
    this.warnings = topics.warnings;
    const compression = options.compression ?? 'zstd';
    this.#reader = new KafkaReader(cluster);
    this.#decisions = new Decisions(pool, upgrades);
    this.#producer = new KafkaProducer(cluster, { compression, most: topics.most, patience: options.patience ?? PATIENCE, now, grown: (places) => this.#grown(places) });
    this.#idle = new IdleReads(cluster, (['mail', 'session'] as const).flatMap((topic) => Array.from({ length: topics.partitions[topic] }, (_, partition) => this.#place(topic, partition))));
    this.decisionCopy = new DecisionCopy(cluster, this.#reader, { topic: topics.names.decision, partition: 0 }, pool, { compression, now });
  }

  /** These ids, chosen so that what is appended together lies together. */
  choosing(ids: Ids): Ids {
    return idsInRuns(ids, this.topics.partitions.mail);
  }

  partitions(topic: Topic): number {
    return this.topics.partitions[topic];
  }

  /** @throws RangeError when one key's events at once are larger than the topic takes; any other error: the outcome is unknown. */
  async append(entries: readonly Entry[], options?: AppendOptions): Promise<void> {
    const units = this.#units(entries);
    for (const unit of units) this.#producer.mustFit(unit);
    await Promise.all(units.map((unit) => this.#producer.append(unit, options)));
    const types = new Map<string, number>();
    for (const { event } of entries) types.set(event.type, (types.get(event.type) ?? 0) + 1);
    for (const [type, count] of types) this.parts.appended?.(type, count);
  }

  /** What shares topic and key is kept together; what shares a partition only need not be. */
  #units(entries: readonly Entry[]): readonly Unit[] {
    const units = new Map<string, { readonly place: Place; readonly records: NewRecord[] }>();
    for (const { topic, key, event } of entries) {
      const record = { key, value: JSON.stringify(event) };
      const unit = units.get(`${topic} ${key}`);
      if (unit) unit.records.push(record);
      else units.set(`${topic} ${key}`, { place: this.#place(topic, partitionOf(key, this.topics.partitions[topic])), records: [record] });
    }
    return [...units.values()];
  }

  #grown(places: readonly Place[]): void {
    for (const topic of ['mail', 'session'] as const) {
      const its = places.filter((place) => place.topic === this.topics.names[topic]);
      if (its.length > 0) this.hints.send(topic, its.map(({ partition }) => partition));
    }
  }

  async head(topic: Topic, partition: number): Promise<number> {
    return topic === 'decision' ? this.#decisions.head() : this.#reader.head(this.#place(topic, partition));
  }

  async read(topic: Topic, partition: number, from: number, limit: number, types?: ReadonlySet<string>, ahead?: (next: number) => void): Promise<readonly Positioned[]> {
    if (topic === 'decision') return this.#decisions.read(from, limit, types, ahead);
    const place = this.#place(topic, partition);
    for (let at = from; ; ) {
      const { records, next } = await this.#reader.read(place, at, limit);
      const events = this.#events(place, records);
      // Nothing but records of others: what comes behind them is still to be found.
      if (events.length > 0 || records.length === 0) return events;
      at = next;
    }
  }

  async at(topic: Topic, partition: number, positions: readonly number[]): Promise<readonly Positioned[]> {
    if (topic === 'decision') return this.#decisions.at(positions);
    const place = this.#place(topic, partition);
    return this.#events(place, await this.#reader.at(place, positions));
  }

  consume(consumer: Consumer): Promise<Subscription> {
    const idle = this.#idle.reader();
    return consumeByLeases({
      hints: this.hints,
      partitions: (topic) => this.partitions(topic),
      read: (topic, partition, from, limit) => {
        const read = () => this.read(topic, partition, from, limit);
        return topic === 'decision' ? read() : idle(this.#place(topic, partition), from, this.hints.seen(topic, partition), read);
      },
    }, consumer);
  }

  forgettable(_: Fact, __: number, before: number): Promise<number> {
    return Promise.resolve(before);
  }

  /** The brokers hide the records at once and win their space back in the size of segments. */
  async forget(topic: Fact, partition: number, before: number): Promise<void> {
    const place = this.#place(topic, partition);
    await this.#reader.ask(place, deleteRecords([{ ...place, offset: before }]), ([answer]) => answer?.code ?? -1);
  }

  /** Waits for the appends under way. The pool and the hints are the caller's. */
  async close(): Promise<void> {
    await this.#producer.close();
    this.cluster.close();
  }

  #place(topic: Topic, partition: number): Place {
    if (!(partition >= 0 && partition < this.topics.partitions[topic])) throw new RangeError(`no partition ${topic}/${partition}`);
    return { topic: this.topics.names[topic], partition };
  }

  #events({ topic, partition }: Place, records: readonly KafkaRecord[]): readonly Positioned[] {
    return records.flatMap(({ offset, key, value }) => {
      const event = parsed(value);
      if (event) return [{ position: offset, key: key?.toString() ?? '', event: upcast(event, this.parts.upgrades ?? {}) }];
      this.parts.trouble?.(new Error(`Kafka: the record at ${topic}/${partition}/${offset} is no event: somebody else writes to this topic`));
      return [];
    });
  }
}

function parsed(value: Buffer | null): Recorded | undefined {
  try {
    const event = value === null ? undefined : (JSON.parse(value.toString()) as Partial<Recorded> | null);
    return typeof event?.type === 'string' && typeof event.version === 'number' ? (event as Recorded) : undefined;
  } catch {
    return undefined;
  }
}

/** A checkpoint beyond the end of its partition says that this is not the log it was taken in: what comes now would be passed over. */
async function refuseLost(log: KafkaEventLog, pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ topic: Fact; partition: number; position: number; consumer: string }>(
    `SELECT DISTINCT ON (topic, partition) topic, partition, position, consumer FROM history.checkpoint WHERE topic IN ('mail', 'session') ORDER BY topic, partition, position DESC`);
  for (const { topic, partition, position, consumer } of rows) {
    const head = partition < log.partitions(topic) ? await log.head(topic, partition) : 0;
    if (position > head)
      throw new Error(`Kafka: ${topic}/${partition} ends at ${head}, but ${consumer} has read up to ${position}: this database belongs to another log, or Kafka has lost events`);
  }
}

/**
 * A new database that has read nothing yet, and mail from before its first start: the topics are another installation's. Its mail would be
 * delivered from here, and sent back as unknown.
 */
async function refuseOthers(log: KafkaEventLog, pool: pg.Pool, prefix: string): Promise<void> {
  const { rows } = await pool.query<{ since: number }>(
    `SELECT since FROM ops.engine WHERE port = 'event-log' AND NOT EXISTS (SELECT FROM history.checkpoint WHERE topic = 'mail')`);
  const since = rows[0]?.since;
  if (since === undefined) return;
  for (let partition = 0; partition < log.partitions('mail'); partition++) {
    const [first] = await log.read('mail', partition, 0, 1);
    if (first && first.event.at < since - CLOCKS)
      throw new Error(`Kafka: topic ${prefix}.mail holds the history of another installation, and this database is new: restore its database, or begin with an empty one and another prefix`);
  }
}
