import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import type pg from 'pg';
import { transaction } from '../read-model/database.js';
import type { KafkaCluster } from './kafka-cluster.js';
import { CODE, WRITER_LOST } from './kafka-codes.js';
import type { KafkaReader } from './kafka-fetch.js';
import { BATCH_SIZE, type Identity } from './kafka-lane.js';
import { type Compression, encodeBatch, type NewRecord, recordSize, SEQUENCES } from './kafka-records.js';
import { type Place, produce } from './kafka-requests.js';

/** ms for the brokers to have it replicated. */
const REPLICATION = 8_000;

/**
 * The copy of all decisions in a Kafka topic of one partition, each once and in their order, for readers outside. Headers: `position` in
 * the store, `version` of the stream, `type`; the key is the stream, the value the event as JSON.
 *
 * Whoever copies does so under one producer id, kept in the database, and numbers each record by its position. So the brokers
 * themselves refuse what comes twice, too late or too early, from whichever process: a copier that was thought dead cannot double anything.
 * Only when the brokers have forgotten the id (a day without a decision, by default) would its late batch pass; the header tells.
 */
export class DecisionCopy {
  #identity: Identity | undefined;
  /** Where the brokers last refused our numbers. */
  #lostAt: number | undefined;

  constructor(
    private readonly cluster: KafkaCluster,
    private readonly reader: KafkaReader,
    private readonly place: Place,
    private readonly pool: pg.Pool,
    private readonly options: { readonly compression: Compression; readonly now: () => number },
  ) {}

  /**
   * The position behind the last decision copied, by the topic itself.
   * @param checkpoint what counts where retention has left nothing to look at.
   */
  async next(checkpoint: number): Promise<number> {
    const head = await this.reader.head(this.place);
    if (head === 0) return 0;
    const first = await this.reader.offset(this.place, 'earliest');
    for (let offset = head - 1; offset >= first; offset--) {
      const [last] = await this.reader.at(this.place, [offset]);
      const position = last && positionOf(last.headers);
      if (position !== undefined) return position + 1;
    }
    return checkpoint;
  }

  /**
   * Decisions that follow each other. All of them are there when it resolves.
   * @throws any error: how many have been written is unknown; ask `next`.
   */
  async append(decisions: readonly Positioned[]): Promise<void> {
    for (const batch of batched(decisions)) await this.#write(batch);
  }

  async #write({ position, records }: { readonly position: number; readonly records: readonly NewRecord[] }): Promise<void> {
    const writer = { ...(this.#identity ??= await this.#known()), sequence: position % SEQUENCES };
    const bytes = encodeBatch(records, writer, this.options.now(), this.options.compression);
    try {
      await this.reader.ask(this.place, produce([{ ...this.place, bytes }], REPLICATION), ([answer]) => {
        const code = answer?.code ?? -1;
        if (!WRITER_LOST.has(code)) return code === CODE.duplicateSequence ? CODE.none : code;
        throw new WriterLost(position);
      });
      this.#lostAt = undefined;
    } catch (error) {
      if (error instanceof WriterLost) {
        // Twice at the place where the topic ends: it is not another copier, positions are missing in between. A new id may begin anywhere.
        this.#identity = this.#lostAt === position ? await this.#fresh() : undefined;
        this.#lostAt = position;
      }
      throw error;
    }
  }

  async #known(): Promise<Identity> {
    const { rows } = await this.pool.query<{ producer_id: number | null; epoch: number }>(`SELECT producer_id, epoch FROM history.kafka_topic WHERE topic = 'decision'`);
    const [row] = rows;
    return row && row.producer_id !== null ? { producerId: row.producer_id, epoch: row.epoch } : this.#fresh();
  }

  #fresh(): Promise<Identity> {
    return transaction(this.pool, async (db) => {
      const identity = await this.cluster.producerId();
      await db.query(`UPDATE history.kafka_topic SET producer_id = $1, epoch = $2 WHERE topic = 'decision'`, [identity.producerId, identity.epoch]);
      return identity;
    });
  }
}

class WriterLost extends Error {
  constructor(position: number) {
    super(`Kafka: the copy of decisions does not go on at ${position}: another process has copied meanwhile`);
  }
}

function positionOf(headers: readonly (readonly [string, Buffer | null])[]): number | undefined {
  const position = Number(headers.find(([name]) => name === 'position')?.[1]?.toString() ?? NaN);
  return Number.isSafeInteger(position) && position >= 0 ? position : undefined;
}

/** Cut where a batch is full, and where positions are missing (what retention took): numbers inside a batch count up. */
function* batched(decisions: readonly Positioned[]): Generator<{ readonly position: number; readonly records: readonly NewRecord[] }> {
  let position = 0;
  let records: NewRecord[] = [];
  let size = 0;
  for (const decision of decisions) {
    const { key, version = 0, event } = decision;
    const record = { key, value: JSON.stringify(event), headers: [['position', String(decision.position)], ['version', String(version)], ['type', event.type]] as const };
    const more = recordSize(record);
    if (records.length > 0 && (size + more > BATCH_SIZE || decision.position !== position + records.length)) {
      yield { position, records };
      [records, size] = [[], 0];
    }
    if (records.length === 0) position = decision.position;
    records.push(record);
    size += more;
  }
  if (records.length > 0) yield { position, records };
}
