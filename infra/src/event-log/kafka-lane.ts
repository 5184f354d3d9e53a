import { type Compression, encodeBatch, type NewRecord, recordSize, SEQUENCES } from './kafka-records.js';
import type { Place } from './kafka-requests.js';

/** Bytes of a batch, unless one unit has more. */
export const BATCH_SIZE = 960 << 10;

/** Records that are written together or not at all. */
export interface Unit { readonly place: Place; readonly records: readonly NewRecord[] }
/** When its caller is told that it takes too long, by `performance.now()`: `until`; while no broker answers, `moment`. */
interface Waiting extends Unit { readonly size: number; readonly until: number; readonly moment: number; readonly resolve: () => void; readonly reject: (error: unknown) => void }

export interface Identity { readonly producerId: number; readonly epoch: number }

export interface Batch {
  readonly units: readonly Waiting[];
  readonly count: number;
  readonly bytes: Buffer;
  /** A try whose answer did not come, or said maybe: it may lie in the log already. */
  uncertain: boolean;
}

export const sizeOf = (records: readonly NewRecord[]): number => records.reduce((n, record) => n + recordSize(record), 0);

/** What waits for a partition: one batch is under way at a time, so its order is that of the appends. */
export class Lane {
  readonly waiting: Waiting[] = [];
  batch: Batch | undefined;
  sending = false;
  /** Until the next look at who leads what. */
  paused = false;
  failure: unknown;
  #identity: Identity | undefined;
  #sequence = 0;

  constructor(readonly place: Place) {}

  get ready(): boolean {
    return !this.sending && !this.paused && (this.batch !== undefined || this.waiting.length > 0);
  }

  /** Of what waits, as much as a batch holds. Numbers begin anew with each identity. */
  make(identity: Identity, { most, now, compression }: { readonly most: number; readonly now: () => number; readonly compression: Compression }): Batch {
    let size = 0;
    let n = 0;
    for (const unit of this.waiting) {
      size += unit.size;
      if (n > 0 && size > Math.min(BATCH_SIZE, most)) break;
      n++;
    }
    const units = this.waiting.slice(0, n);
    const records = units.length === 1 ? (units[0] as Waiting).records : units.flatMap((unit) => unit.records);
    if (this.#identity !== identity) [this.#identity, this.#sequence] = [identity, 0];
    const bytes = encodeBatch(records, { ...identity, sequence: this.#sequence }, now(), compression);
    this.waiting.splice(0, n);
    return { units, count: records.length, bytes, uncertain: false };
  }

  /** The batch lies in the log. */
  written(): void {
    const { count, units } = this.batch as Batch;
    this.#sequence = (this.#sequence + count) % SEQUENCES;
    Object.assign(this, { batch: undefined, sending: false, failure: undefined });
    for (const unit of units) unit.resolve();
  }

  /**
   * Tells those who have waited too long. What was not yet tried is surely not written and is forgotten.
   * @param away why no broker answers, when none has for long. What is under way to one is waited for all the same.
   * @returns whether nobody waits any more for the batch, and it is not under way.
   */
  tellLate(patience: number, away: Error | undefined): boolean {
    const now = performance.now();
    const late = (unit: Waiting): boolean => unit.until <= now;
    const gone = (unit: Waiting): boolean => late(unit) || (away !== undefined && unit.moment <= now);
    const tell = (unit: Waiting): void => unit.reject(late(unit) || !away ? this.tooLate(patience) : away);
    const waiting = this.waiting.splice(0);
    for (const unit of waiting) if (gone(unit)) tell(unit);
    else this.waiting.push(unit);
    const over = this.sending ? late : gone;
    for (const unit of this.batch?.units ?? []) if (over(unit)) tell(unit);
    return this.batch !== undefined && !this.sending && this.batch.units.every(gone);
  }

  tooLate(patience: number): Error {
    return new Error(`Kafka: ${this.place.topic}/${this.place.partition} was not acknowledged in ${patience} ms`, { cause: this.failure });
  }
}
