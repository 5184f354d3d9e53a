import { type BodyRef, type BodyWriter, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import type { BodyEntry } from './body-index.js';
import { unavailable } from './files-io.js';
import type { LargeObjects } from './files-large.js';
import { PACKED_MAX } from './files-record.js';
import type { LargeSink } from './files-sink.js';
import { type Budget, Parts } from './parts.js';

/** What a writer needs of its store. */
export interface Shelf {
  readonly budget: Budget;
  readonly large: LargeObjects;
  readonly closed: boolean;
  /** Packs a small body. @throws StoreUnavailable */
  pack(parts: readonly Uint8Array[], size: number): Promise<BodyEntry>;
  /** To be told to the index. */
  stored(entry: BodyEntry): void;
}

/** Written by the store, read by the store: `segment:offset`, or `L:copy` of a large body. */
export const hintOf = ({ segment, offset }: BodyEntry): string => (segment === 0 ? `L:${offset}` : `${segment}:${offset}`);

const refOf = (entry: BodyEntry): BodyRef => ({ sha256: entry.sha256, size: entry.size, at: hintOf(entry) });

export class FileBodyWriter implements BodyWriter {
  size = 0;
  readonly #parts = new Parts();
  #sink: LargeSink | undefined;
  #committed: Promise<BodyRef> | undefined;
  #aborted = false;

  constructor(private readonly shelf: Shelf) {}

  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#committed) throw new Error('a body was written to after its commit');
    if (this.#aborted) return;
    this.size += chunk.length;
    if (this.#sink) return this.#sink.write(chunk);
    this.#parts.add(chunk);
    this.shelf.budget.take(chunk.length);
    if (this.size > PACKED_MAX || this.shelf.budget.exceeded) return this.#spill();
  }

  /** From now on straight to disk. */
  #spill(): void | Promise<void> {
    this.shelf.budget.give(this.#parts.size);
    this.#sink = this.shelf.large.begin();
    let wait: void | Promise<void> = undefined;
    for (const part of this.#parts.take()) wait = this.#sink.write(part);
    return wait;
  }

  commit(): Promise<BodyRef> {
    if (this.#aborted) return Promise.reject(new Error('a body was committed after it was aborted'));
    return (this.#committed ??= this.#sink ? this.#keep(this.#sink) : this.#pack());
  }

  async #pack(): Promise<BodyRef> {
    const { shelf, size } = this;
    try {
      if (shelf.closed) throw new StoreUnavailable('the object store is closed');
      return refOf(await shelf.pack(this.#parts.take(), size));
    } finally {
      shelf.budget.give(size);
    }
  }

  async #keep(sink: LargeSink): Promise<BodyRef> {
    if (this.shelf.closed) {
      await sink.discard();
      throw new StoreUnavailable('the object store is closed');
    }
    try {
      const { sha256, copy, storedAt } = await this.shelf.large.keep(sink);
      const entry = { sha256, size: this.size, segment: 0, offset: copy, storedAt };
      this.shelf.stored(entry);
      return refOf(entry);
    } catch (error) {
      throw unavailable(error);
    }
  }

  async abort(): Promise<void> {
    if (this.#aborted || this.#committed) return;
    this.#aborted = true;
    this.shelf.budget.give(this.#parts.size);
    this.#parts.take();
    await this.#sink?.discard();
  }
}
