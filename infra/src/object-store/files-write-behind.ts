import type { BodyEntry, BodyIndex } from './body-index.js';

export interface WriteBehindOptions {
  readonly index: BodyIndex;
  /** These are in the index now. */
  readonly indexed: (entries: readonly BodyEntry[]) => Promise<void>;
  readonly trouble: (error: unknown) => void;
}

/** Written after this long or this many, whichever comes first. */
const DELAY_MS = 1000;
const BATCH = 2000;
/** With the index away for long, more than this are left to be read from the segments again. */
const PENDING_MAX = 50_000;

/**
 * Index entries on their way, off the path of the acknowledgement. Losing them loses nothing: a segment is marked as indexed
 * only when all of its entries were written.
 */
export class WriteBehind {
  readonly #pending = new Map<string, BodyEntry>();
  /** Segments with entries that were given up. */
  readonly #dropped = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: WriteBehindOptions) {}

  put(entry: BodyEntry): void {
    // A second large copy is a file of its own, that has to be told of as well.
    const key = entry.segment === 0 ? `${entry.sha256}:${entry.offset}` : entry.sha256;
    if (this.#pending.has(key)) return;
    if (this.#pending.size >= PENDING_MAX) {
      this.#dropped.add(entry.segment);
      return;
    }
    this.#pending.set(key, entry);
    if (this.#pending.size === BATCH) this.#flushSoon(0);
    else if (!this.#timer) this.#flushSoon(DELAY_MS);
  }

  /** Not yet in the index. */
  find(sha256: string): BodyEntry | undefined {
    return this.#pending.get(sha256);
  }

  /** Whether entries of this segment were given up since the last call. */
  takeDropped(segment: number): boolean {
    return this.#dropped.delete(segment);
  }

  /** Entries of this segment are no longer this process's to write. */
  forget(segment: number): void {
    for (const [key, entry] of this.#pending) if (entry.segment === segment) this.#pending.delete(key);
  }

  /** Resolves when all entries known at the call are in the index, rejects when the index does not take them. */
  flush(): Promise<void> {
    const run = this.#tail.then(() => this.#flush());
    this.#tail = run.catch(() => undefined);
    return run;
  }

  /** The last attempt; what fails is found in the segments at the next start. */
  async close(): Promise<void> {
    await this.flush().catch(this.options.trouble);
    clearTimeout(this.#timer);
  }

  #flushSoon(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush().catch((error: unknown) => {
        this.options.trouble(error);
        if (!this.#timer) this.#flushSoon(DELAY_MS);
      });
    }, delay).unref();
  }

  async #flush(): Promise<void> {
    for (let left = this.#pending.size; left > 0; left -= BATCH) {
      const batch = this.#oldest(Math.min(left, BATCH));
      const entries = [...batch.values()];
      await this.options.index.put(entries);
      for (const key of batch.keys()) this.#pending.delete(key);
      await this.options.indexed(entries).catch(this.options.trouble);
    }
  }

  #oldest(count: number): Map<string, BodyEntry> {
    const batch = new Map<string, BodyEntry>();
    for (const [key, entry] of this.#pending) {
      if (batch.size === count) break;
      batch.set(key, entry);
    }
    return batch;
  }
}
