import { createHash } from 'node:crypto';
import { constants, futimes } from 'node:fs';
import { closeFd, openFd, syncFd, unlinkIfThere, writeAllAt } from './files-io.js';
import { type Budget, Parts } from './parts.js';

/** Bytes gathered before a write; while one is under way, as many again are taken before the sender has to wait. */
const FLUSH = 64 * 1024;

/** Bytes that go to disk between two collections of what they came in: V8 by itself lets more of it lie (measured: 35 MB, with 50 senders). */
const COLLECT = 16 * 1024 * 1024;
let uncollected = 0;

/** The young generation only: a millisecond or two. Nothing where the process was not started with `--expose-gc`. */
function collect(written: number): void {
  uncollected += written;
  if (uncollected < COLLECT) return;
  uncollected = 0;
  void globalThis.gc?.({ type: 'minor' });
}

/** A large body on its way to its file. A failure is kept and thrown by `finish`; what comes after it is dropped. */
export class LargeSink {
  readonly #hash = createHash('sha256');
  readonly #parts = new Parts();
  #fd: number | undefined;
  #end = 0;
  #writing: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(
    readonly path: string,
    private readonly budget: Budget,
  ) {}

  /** @returns a promise to wait for when the disk is slower than the sender. */
  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#failure) return;
    this.#parts.add(chunk);
    this.budget.take(chunk.length);
    if (this.#parts.size < FLUSH && !this.budget.exceeded) return;
    if (this.#writing) return this.#writing;
    void this.#flush();
  }

  #flush(): Promise<void> {
    const length = this.#parts.size;
    const parts = this.#parts.take();
    this.#writing = this.#writeOut(parts, length)
      .catch((cause: unknown) => {
        this.#failure = { cause };
      })
      .finally(() => {
        this.budget.give(length);
        this.#writing = undefined;
      });
    return this.#writing;
  }

  async #writeOut(parts: readonly Uint8Array[], length: number): Promise<void> {
    this.#fd ??= await openFd(this.path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
    const written = writeAllAt(this.#fd, parts, length, this.#end);
    for (const part of parts) this.#hash.update(part); // while the thread pool writes
    await written;
    this.#end += length;
    collect(length);
  }

  /** The bytes are durable when it resolves, their name is not. @param storedAt epoch ms, kept as the file's time. */
  async finish(storedAt: number): Promise<string> {
    await this.#writing;
    if (!this.#failure) await this.#flush();
    try {
      if (this.#failure) throw this.#failure.cause;
      const fd = this.#fd!;
      await new Promise<void>((resolve, reject) =>
        futimes(fd, storedAt / 1000, storedAt / 1000, (error) => (error ? reject(error) : resolve())),
      );
      await syncFd(fd);
      this.#fd = undefined;
      await closeFd(fd);
    } catch (error) {
      await this.discard();
      throw error;
    }
    return this.#hash.digest('hex');
  }

  async discard(): Promise<void> {
    this.#failure ??= { cause: new Error('discarded') };
    this.budget.give(this.#parts.size);
    this.#parts.take();
    await this.#writing;
    if (this.#fd !== undefined) {
      await closeFd(this.#fd).catch(() => undefined); // it is about to be removed
      this.#fd = undefined;
    }
    await unlinkIfThere(this.path).catch(() => undefined); // `compact` removes it in time
  }
}
