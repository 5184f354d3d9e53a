import type { AppendOptions } from '@kiroku/domain/kernel/event-log.js';
import { whenGathered } from '../platform/gathering.js';
import type { KafkaCluster } from './kafka-cluster.js';
import { CODE, KafkaError, MAYBE_WRITTEN, PASSING, WRITER_LOST } from './kafka-codes.js';
import { type Batch, type Identity, Lane, sizeOf, type Unit } from './kafka-lane.js';
import { KafkaTooOld } from './kafka-link.js';
import type { Compression } from './kafka-records.js';
import { type Place, produce, type Produced } from './kafka-requests.js';

export interface ProducerOptions {
  readonly compression: Compression;
  /** Bytes of the largest batch that the topics take. */
  readonly most: number;
  /** ms from append to rejection. */
  readonly patience: number;
  readonly now: () => number;
  /** ms between tries. */
  readonly pause?: number;
  /** Told of partitions that have grown. */
  readonly grown: (places: readonly Place[]) => void;
}

/** Bytes of a request, unless one batch has more. */
const REQUEST_SIZE = 8 << 20;
/** ms between tries unless told otherwise, between looks for what has waited too long, and for the brokers to have it replicated. */
const PAUSE = 100;
const LOOK = 500;
const REPLICATION = 8_000;
/** ms that an append is tried for while no broker has answered for as long as `patience`: it may be back this very moment. */
const MOMENT = 1_000;
/**
 * Writes to partitions, each batch once: a broker that sees producer id and sequence a second time knows the batch. What waits for the
 * same leader shares a request (group commit: what arrives while one is under way goes with the next); leaders do not wait for each other.
 * Where the fate of a batch stays open, the next one of its partition gets another producer id: its number might be taken for the first's.
 */
export class KafkaProducer {
  readonly #lanes = new Map<string, Lane>();
  readonly #busy = new Set<number>();
  readonly #served = new Map<number, number>();
  #identity: Promise<Identity> | undefined;
  #looking: NodeJS.Timeout | undefined;
  #retrying = false;
  #closed = false;

  constructor(
    private readonly cluster: KafkaCluster,
    private readonly options: ProducerOptions,
  ) {}

  /** @throws RangeError when it can never be written. */
  mustFit({ place, records }: Unit): void {
    const size = sizeOf(records);
    if (size > this.options.most) throw new RangeError(`Kafka: ${size} bytes of events for one key at once; ${place.topic} takes ${this.options.most} (max.message.bytes)`);
  }

  /** Durable when it resolves. @throws any error: the outcome is unknown. */
  append(unit: Unit, { patient = false }: AppendOptions = {}): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('Kafka: closed'));
    const size = sizeOf(unit.records);
    return new Promise((resolve, reject) => {
      const lane = this.#lane(unit.place);
      const now = performance.now();
      lane.waiting.push({ ...unit, size, until: now + this.options.patience, moment: patient ? Infinity : now + MOMENT, resolve, reject });
      this.#looking ??= setInterval(() => this.#look(), Math.min(LOOK, this.options.patience / 4));
      this.#pump(lane);
    });
  }

  #lane(place: Place): Lane {
    const name = `${place.topic}/${place.partition}`;
    const found = this.#lanes.get(name);
    if (found) return found;
    const made = new Lane(place);
    this.#lanes.set(name, made);
    return made;
  }

  /** Why no broker has answered for so long that nobody else need wait for it. Slow ones answer. */
  get #away(): Error | undefined {
    return this.cluster.silence(this.options.patience);
  }

  #pump(lane: Lane): void {
    const leader = this.cluster.leader(lane.place);
    if (leader === undefined || this.#away) return this.#retry();
    if (this.#busy.has(leader)) return;
    this.#busy.add(leader);
    whenGathered(this.#served.get(leader) ?? 0, () => {
      void this.#round(leader).finally(() => {
        this.#busy.delete(leader);
        this.#pumpAll();
      });
    });
  }

  #pumpAll(): void {
    for (const lane of this.#lanes.values()) if (lane.ready) this.#pump(lane);
  }

  /** One request to one leader with what waits for it. */
  async #round(leader: number): Promise<void> {
    const lanes: Lane[] = [];
    let answers: readonly Produced[];
    try {
      const asked = (this.#identity ??= this.cluster.producerId());
      const identity = await asked;
      if (this.#identity !== asked) return; // a batch was given up meanwhile: its partition must not go on under this one
      let size = 0;
      for (const lane of this.#lanes.values()) {
        if (!lane.ready || this.cluster.leader(lane.place) !== leader) continue;
        lane.batch ??= lane.make(identity, this.options);
        if (size > 0 && size + lane.batch.bytes.length > REQUEST_SIZE) continue;
        size += lane.batch.bytes.length;
        lane.sending = true;
        lanes.push(lane);
      }
      this.#served.set(leader, lanes.reduce((n, { batch }) => n + (batch?.units.length ?? 0), 0));
      if (lanes.length === 0) return;
      answers = await this.cluster.send(leader, produce(lanes.map(({ place, batch }) => ({ ...place, bytes: (batch as Batch).bytes })), REPLICATION));
    } catch (error) {
      for (const lane of lanes) this.#failed(lane, error, !(error instanceof KafkaTooOld));
      if (lanes.length === 0) {
        this.#identity = undefined; // there was none
        for (const lane of this.#lanes.values()) if (lane.ready) Object.assign(lane, { paused: true, failure: error });
      }
      return this.#retry();
    }
    this.#heed(lanes, answers);
  }

  #heed(lanes: readonly Lane[], answers: readonly Produced[]): void {
    const grown: Place[] = [];
    for (const lane of lanes) {
      const code = answers.find(({ topic, partition }) => topic === lane.place.topic && partition === lane.place.partition)?.code ?? -1;
      if (code === CODE.none || code === CODE.duplicateSequence) {
        lane.written();
        grown.push(lane.place);
      } else this.#refused(lane, code);
    }
    if (grown.length > 0) this.options.grown(grown);
    if (grown.length < lanes.length) this.#retry();
  }

  #refused(lane: Lane, code: number): void {
    const batch = lane.batch as Batch;
    const error = new KafkaError(code, `writing to ${lane.place.topic}/${lane.place.partition}`);
    if (PASSING.has(code)) return this.#failed(lane, error, MAYBE_WRITTEN.has(code));
    if (!WRITER_LOST.has(code) || batch.uncertain) return this.#giveUp(lane, error);
    // Surely not written: the same events again, under another number.
    this.#identity = undefined;
    lane.waiting.unshift(...batch.units);
    Object.assign(lane, { batch: undefined, sending: false, paused: true, failure: error });
  }

  #failed(lane: Lane, error: unknown, maybe: boolean): void {
    const batch = lane.batch as Batch;
    batch.uncertain ||= maybe;
    Object.assign(lane, { sending: false, paused: true, failure: error });
    // Everybody has been told already: no use in trying on.
    if (batch.units.every(({ until }) => until <= performance.now())) this.#giveUp(lane, lane.tooLate(this.options.patience));
  }

  #giveUp(lane: Lane, error: unknown): void {
    for (const unit of lane.batch?.units ?? []) unit.reject(error);
    Object.assign(lane, { batch: undefined, sending: false });
    this.#identity = undefined;
  }

  /** Once more after a moment, with what is then known of the leaders. */
  #retry(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    setTimeout(() => {
      void this.cluster.refresh().then(() => undefined, (error: unknown) => {
        for (const lane of this.#lanes.values()) lane.failure ??= error;
      }).finally(() => {
        this.#retrying = false;
        for (const lane of this.#lanes.values()) lane.paused = false;
        this.#pumpAll();
      });
    }, this.options.pause ?? PAUSE);
  }

  /** Tells those who have waited too long. What was not yet tried is surely not written and is forgotten. */
  #look(): void {
    const away = this.#away;
    let some = false;
    for (const lane of this.#lanes.values()) {
      if (lane.batch === undefined && lane.waiting.length === 0) continue;
      if (lane.tellLate(this.options.patience, away)) this.#giveUp(lane, lane.tooLate(this.options.patience));
      some = true;
    }
    if (some) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    while ([...this.#lanes.values()].some((lane) => lane.batch !== undefined || lane.waiting.length > 0)) await new Promise((resolve) => setTimeout(resolve, 10));
    clearInterval(this.#looking);
  }
}
