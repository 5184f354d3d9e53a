import type { KafkaCluster } from './kafka-cluster.js';
import { CODE, KafkaError, PASSING } from './kafka-codes.js';
import { KafkaFetches } from './kafka-fetches.js';
import { KafkaTooOld } from './kafka-link.js';
import { batchesOf, type Batch, type KafkaRecord } from './kafka-records.js';
import { type Fetched, type KafkaRequest, listOffsets, type Place } from './kafka-requests.js';

/** Bytes per fetch, as they lie there, compressed. A single batch may be larger. */
const FETCH_SIZE = 512 << 10;
/** Bytes of events that one read may take into memory, and a batch on top. */
const READ_SIZE = 8 << 20;
/** What was fetched beyond what was asked for is kept for who goes on reading there: so many readers, each with one fetch. */
const MOST_KEPT = 16;
/** ms for which an election is waited out before a reader is told, and between two tries. */
const PATIENCE = 12_000;
const PAUSE = 100;

/** What was read at a place: at most as many as asked for, and where the next one lies. */
export interface Stretch { readonly records: readonly KafkaRecord[]; readonly next: number }
/** Fetched and not yet handed out. */
interface Rest { readonly records: readonly KafkaRecord[]; readonly batches: readonly Batch[] }

/** Random access to the partitions of topics, at offsets. Only what all replicas in sync have is ever seen. */
export class KafkaReader {
  readonly #rests = new Map<string, Rest>();

  readonly #fetches: KafkaFetches;

  constructor(private readonly cluster: KafkaCluster) {
    this.#fetches = new KafkaFetches(cluster);
  }

  /** Behind the last record that readers may see. */
  head(place: Place): Promise<number> {
    return this.offset(place, 'latest');
  }

  /** First kept, head, or the first that came at or after an epoch ms (the head if none did). */
  async offset(place: Place, which: 'earliest' | 'latest' | number): Promise<number> {
    const [found] = await this.ask(place, listOffsets([place], which), ([answer]) => answer?.code ?? -1);
    return found && found.offset >= 0 ? found.offset : this.offset(place, 'latest');
  }

  /**
   * From `from` on; empty only at the head. Where retention has removed what was there, reading goes on at the first kept; offsets
   * without a record (marks of transactions, what compaction took) are passed over.
   * @throws when `from` lies beyond the end: the log has lost what was read there before.
   */
  async read(place: Place, from: number, limit: number): Promise<Stretch> {
    let records: readonly KafkaRecord[] = [];
    let size = 0;
    let head = Infinity;
    for (let at = from; ; ) {
      let rest = this.#take(place, at);
      if (!rest) {
        const found = await this.#further(place, at);
        if (!found) return { records, next: at };
        ({ from: at, head } = found);
        rest = { records: [], batches: found.batches };
      }
      const stretch = this.#hand(place, rest, at, limit - records.length);
      records = records.length === 0 ? stretch.records : records.concat(stretch.records);
      size += stretch.records.reduce((n, { value }) => n + (value?.length ?? 0), 0);
      at = stretch.next;
      if (records.length >= limit || size >= READ_SIZE || (records.length > 0 && at >= head)) return { records, next: at };
    }
  }

  /** Undefined at the head; `from` is later than asked for where retention has removed what was there. */
  async #further(place: Place, from: number): Promise<{ readonly from: number; readonly batches: readonly Batch[]; readonly head: number } | undefined> {
    for (let at = from, alone = false; ; ) {
      const { code, records, head } = await this.#fetch(place, at, FETCH_SIZE, alone);
      if (code === CODE.offsetOutOfRange) {
        at = await this.#firstKept(place, at);
        continue;
      }
      const batches = batchesOf(records).filter((batch) => batch.next > at);
      if (batches.length > 0) return { from: at, batches, head };
      if (alone || head <= at) return undefined;
      alone = true; // others took the room of the answer
    }
  }

  /** Single records by their offsets; those that are gone or not yet there are absent. */
  async at(place: Place, offsets: readonly number[]): Promise<readonly KafkaRecord[]> {
    const found: KafkaRecord[] = [];
    const wanted = [...new Set(offsets)].sort((a, b) => a - b);
    for (let i = 0; i < wanted.length; ) {
      const { code, records } = await this.#fetch(place, wanted[i] as number, 1);
      const batches = code === CODE.offsetOutOfRange ? [] : batchesOf(records);
      const until = Math.max((wanted[i] as number) + 1, batches.at(-1)?.next ?? 0);
      const here = new Set<number>();
      for (; i < wanted.length && (wanted[i] as number) < until; i++) here.add(wanted[i] as number);
      for (const batch of batches) for (const record of batch.records()) if (here.has(record.offset)) found.push(record);
    }
    return found;
  }

  #hand(place: Place, { records: some, batches }: Rest, from: number, limit: number): Stretch {
    let pending = some.filter((record) => record.offset >= from);
    let used = 0;
    let next = from;
    while (pending.length < limit && used < batches.length) {
      const batch = batches[used++] as Batch;
      const more = batch.records();
      pending = pending.concat(batch.first < from ? more.filter((record) => record.offset >= from) : more);
      next = batch.next;
    }
    const records = pending.slice(0, limit);
    const rest = { records: pending.slice(limit), batches: batches.slice(used) };
    const last = records.at(-1);
    if (last && (used === 0 || rest.records.length > 0)) next = last.offset + 1;
    if (rest.records.length > 0 || rest.batches.length > 0) this.#keep(place, next, rest);
    return { records, next };
  }

  #keep(place: Place, at: number, rest: Rest): void {
    this.#rests.set(nameOf(place, at), rest);
    if (this.#rests.size > MOST_KEPT) this.#rests.delete(this.#rests.keys().next().value as string);
  }

  /** What is written never changes: what was fetched once is as good as new. */
  #take(place: Place, from: number): Rest | undefined {
    const rest = this.#rests.get(nameOf(place, from));
    if (rest) this.#rests.delete(nameOf(place, from));
    return rest;
  }

  async #firstKept(place: Place, from: number): Promise<number> {
    const first = await this.offset(place, 'earliest');
    if (from < first) return first;
    const head = await this.head(place);
    if (from > head) throw new Error(`Kafka: ${place.topic}/${place.partition} ends at ${head}, and ${from} had been read: the log has lost events`);
    return from;
  }

  #fetch(place: Place, offset: number, bytes: number, alone = false): Promise<Fetched> {
    const { topic, partition } = place;
    return this.#asked(place, (leader) => this.#fetches.fetch(leader, { topic, partition, offset, bytes }, alone), ({ code }) => (code === CODE.offsetOutOfRange ? CODE.none : code));
  }

  /** Asks the leader of a partition, whoever that is by now. @param codeOf the code in its answer; passing trouble is waited out. */
  ask<T>(place: Place, request: KafkaRequest<T>, codeOf: (answer: T) => number): Promise<T> {
    return this.#asked(place, (leader) => this.cluster.send(leader, request), codeOf);
  }

  async #asked<T>(place: Place, send: (leader: number) => Promise<T>, codeOf: (answer: T) => number): Promise<T> {
    const until = performance.now() + PATIENCE;
    for (;;) {
      const leader = this.cluster.leader(place);
      let failure: unknown = new Error(`Kafka: ${place.topic}/${place.partition} has no leader`);
      if (leader !== undefined) {
        const answer = await send(leader).then((its) => ({ its }), (error: unknown) => ({ error }));
        if ('error' in answer) failure = answer.error;
        else {
          const code = codeOf(answer.its);
          if (code === CODE.none) return answer.its;
          failure = new KafkaError(code, `asking ${place.topic}/${place.partition}`);
        }
        if (failure instanceof KafkaError ? !PASSING.has(failure.code) : failure instanceof KafkaTooOld || failure instanceof RangeError) throw failure;
      }
      if (performance.now() > until) throw failure;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      await this.cluster.refresh().catch((error: unknown) => { if (performance.now() > until) throw error; });
    }
  }
}

const nameOf = ({ topic, partition }: Place, at: number): string => `${topic}/${partition}@${at}`;
