import { ftruncateSync } from 'node:fs';
import { StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { Place } from './body-index.js';
import { closeFd, unavailable, writeDurablyAt } from './files-io.js';
import { SIGN_OF_LIFE_EVERY } from './files-owner.js';
import { encodeHeader, HEADER_BYTES, type Header } from './files-record.js';
import type { Segments } from './files-segments.js';

export interface AppenderOptions {
  readonly segments: Segments;
  /** Token of this process. */
  readonly owner: string;
  readonly clock: Clock;
  /** A segment that has reached this many bytes gets no more. */
  readonly segmentBytes: number;
  /** A segment is closed and whole: index it and give it up. */
  readonly sealed: (id: number) => Promise<void>;
  readonly trouble: (error: unknown) => void;
}

interface Waiting {
  readonly header: Header;
  readonly parts: readonly Uint8Array[];
  readonly resolve: (place: Place) => void;
  readonly reject: (error: unknown) => void;
}

interface Current {
  readonly id: number;
  readonly fd: number;
  /** The end of the last batch that is durable. Never the size of the file. */
  end: number;
  readonly sign: NodeJS.Timeout;
}

/** Bodies whose second copy is spared because the first is in the segment that is being written. */
const RECENT_MAX = 20_000;

/**
 * Appends records to this process's own segment. Whatever arrives while a batch is being written is the next batch; there is
 * one write at a time (two at once gained a tenth and cost the simple rule for what a failed write leaves behind).
 */
export class Appender {
  #waiting: Waiting[] = [];
  #scheduled = false;
  #current: Current | undefined;
  /** Least recently used first. */
  readonly #recent = new Map<string, number>();
  #closed = false;
  #tail: Promise<unknown> = Promise.resolve();
  readonly #sealing = new Set<Promise<void>>();

  constructor(private readonly options: AppenderOptions) {}

  /** The segment being written, if any. */
  get segment(): number | undefined {
    return this.#current?.id;
  }

  /**
   * Where an equal body lies durably, if it is in the segment being written. Elsewhere it could have been deleted and its
   * space won back by another process; what has an owner is never compacted.
   */
  recent(sha256: string): Place | undefined {
    const offset = this.#recent.get(sha256);
    if (offset === undefined || !this.#current) return undefined;
    this.#recent.delete(sha256);
    this.#recent.set(sha256, offset);
    return { segment: this.#current.id, offset };
  }

  /** Durable when it resolves. @throws StoreUnavailable */
  append(header: Header, parts: readonly Uint8Array[]): Promise<Place> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('the object store is closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ header, parts, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      void this.#next(() => this.#writeBatch());
    });
  }

  /** Gives up the current segment. Resolves when it is indexed, or could not be. */
  async seal(): Promise<void> {
    await this.#next(() => this.#retire());
    await Promise.all(this.#sealing);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.seal();
  }

  /** One thing at a time; `step` does not reject. */
  #next(step: () => Promise<void>): Promise<void> {
    const run = this.#tail.then(step);
    this.#tail = run;
    return run;
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#scheduled = false;
    try {
      if (this.#current && this.#current.end >= this.options.segmentBytes) await this.#retire();
      const current = (this.#current ??= await this.#create());
      const { buffers, length } = gather(batch);
      await writeDurablyAt(current.fd, buffers, length, current.end);
      this.#kept(current, batch);
    } catch (error) {
      await this.#abandon();
      for (const { reject } of batch) reject(unavailable(error));
    }
  }

  #kept(current: Current, batch: readonly Waiting[]): void {
    for (const { header, resolve } of batch) {
      resolve({ segment: current.id, offset: current.end });
      this.#recent.set(header.sha256, current.end);
      current.end += HEADER_BYTES + header.size;
    }
    for (const oldest of this.#recent.keys()) {
      if (this.#recent.size <= RECENT_MAX) break;
      this.#recent.delete(oldest);
    }
  }

  async #create(): Promise<Current> {
    const { segments, owner, clock, trouble } = this.options;
    const { id, fd } = await segments.create(owner, clock.now());
    const sign = setInterval(() => segments.touch(id, clock.now()).catch(trouble), SIGN_OF_LIFE_EVERY).unref();
    return { id, fd, end: 0, sign };
  }

  /** The segment gets no more records; indexing it goes on beside the next one. */
  async #retire(): Promise<void> {
    const current = this.#current;
    if (!current) return;
    this.#current = undefined;
    this.#recent.clear();
    await closeFd(current.fd).catch(this.options.trouble);
    const sealing = this.options
      .sealed(current.id)
      .catch(this.options.trouble)
      .finally(() => {
        clearInterval(current.sign);
        this.#sealing.delete(sealing);
      });
    this.#sealing.add(sealing);
  }

  /**
   * After a failed write nothing is known about what lies behind the last good batch, and after a failed sync the kernel may
   * call lost pages clean: never try the same file again.
   */
  async #abandon(): Promise<void> {
    const current = this.#current;
    if (!current) return;
    try {
      ftruncateSync(current.fd, current.end);
    } catch (error) {
      this.options.trouble(error); // what stays behind the end are bodies that nobody was promised
    }
    if (current.end > 0) return this.#retire();
    this.#current = undefined;
    clearInterval(current.sign);
    await closeFd(current.fd).catch(this.options.trouble);
    await this.options.segments.discard(current.id).catch(this.options.trouble);
  }
}

function gather(batch: readonly Waiting[]): { buffers: Uint8Array[]; length: number } {
  const headers = Buffer.allocUnsafeSlow(batch.length * HEADER_BYTES);
  const buffers: Uint8Array[] = [];
  let length = 0;
  batch.forEach(({ header, parts }, i) => {
    encodeHeader(header, headers, i * HEADER_BYTES);
    buffers.push(headers.subarray(i * HEADER_BYTES, (i + 1) * HEADER_BYTES), ...parts);
    length += HEADER_BYTES + header.size;
  });
  return { buffers, length };
}
