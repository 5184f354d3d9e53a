import {
  BodyDamaged,
  BodyMissing,
  type BodyRef,
  type BodyWriter,
  type ObjectStore,
  type Range,
  StoreUnavailable,
} from '@kiroku/domain/kernel/object-store.js';
import { rangeOf } from './range.js';
import { Parts, sha256Of } from './parts.js';

const CHUNK = 256 * 1024;

/** Bodies in memory, gone with the process. For tests and demonstrations. */
export class MemoryObjectStore implements ObjectStore {
  /** Open to tests that damage a body. */
  readonly bodies = new Map<string, Uint8Array>();
  /** Epoch ms of the last time each was stored. */
  readonly #storedAt = new Map<string, number>();
  /** Bytes of deleted bodies, until `compact`. */
  #dead = 0;
  #closed = false;

  create(): BodyWriter {
    return new MemoryBodyWriter((sha256, body) => {
      if (this.#closed) throw new StoreUnavailable('the object store is closed');
      if (!this.bodies.has(sha256)) this.bodies.set(sha256, body);
      this.#storedAt.set(sha256, Date.now());
    });
  }

  async *read(ref: BodyRef, range?: Range): AsyncGenerator<Uint8Array> {
    const { offset, length } = rangeOf(ref, range);
    const body = this.bodies.get(ref.sha256);
    if (!body) throw new BodyMissing(ref.sha256);
    if (sha256Of([body]) !== ref.sha256) throw new BodyDamaged(ref.sha256);
    for (let at = offset; at < offset + length; at += CHUNK) yield body.subarray(at, Math.min(at + CHUNK, offset + length));
  }

  async readMany(refs: readonly BodyRef[]): Promise<readonly (Uint8Array | undefined)[]> {
    return refs.map(({ sha256, size }) => {
      const body = this.bodies.get(sha256);
      return body && body.length === size && size <= CHUNK && sha256Of([body]) === sha256 ? body : undefined;
    });
  }

  async delete(sha256: readonly string[], storedBefore = Number.MAX_SAFE_INTEGER): Promise<void> {
    for (const name of sha256) {
      if ((this.#storedAt.get(name) ?? 0) >= storedBefore) continue;
      this.#dead += this.bodies.get(name)?.length ?? 0;
      this.bodies.delete(name);
    }
  }

  async compact(): Promise<number> {
    const won = this.#dead;
    this.#dead = 0;
    return won;
  }

  async usage(): Promise<{ readonly bodies: number; readonly bytes: number; readonly storedBytes: number }> {
    const bytes = [...this.bodies.values()].reduce((sum, { length }) => sum + length, 0);
    return { bodies: this.bodies.size, bytes, storedBytes: bytes + this.#dead };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

class MemoryBodyWriter implements BodyWriter {
  size = 0;
  readonly #parts = new Parts();
  #committed: BodyRef | undefined;
  #aborted = false;

  constructor(private readonly keep: (sha256: string, body: Uint8Array) => void) {}

  write(chunk: Uint8Array): void {
    if (this.#committed) throw new Error('a body was written to after its commit');
    if (this.#aborted) return;
    this.size += chunk.length;
    this.#parts.add(chunk);
  }

  async commit(): Promise<BodyRef> {
    if (this.#aborted) throw new Error('a body was committed after it was aborted');
    return (this.#committed ??= this.#commit());
  }

  #commit(): BodyRef {
    const body = Buffer.concat(this.#parts.take());
    const sha256 = sha256Of([body]);
    this.keep(sha256, body);
    return { sha256, size: this.size };
  }

  async abort(): Promise<void> {
    if (this.#committed) return;
    this.#aborted = true;
    this.#parts.take();
  }
}
