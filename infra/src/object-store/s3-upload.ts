import { createHash } from 'node:crypto';
import type { BodyEntry } from './body-index.js';
import type { Bucket } from './s3-bucket.js';
import { encodeTail, tailBytes } from './s3-format.js';
import { type ObjectName, placeIn } from './s3-name.js';
import { keyOf, type Objects } from './s3-objects.js';
import type { Budget } from './parts.js';
import { unavailable } from './s3-errors.js';
import type { Shelf } from './s3-shelf.js';

/** S3 takes no smaller parts but the last, and 10,000 of them: 50 GB. Bytes. */
export const PART = 5 * 1024 * 1024;
const BEGIN = 512 * 1024;
const NOTHING = Buffer.alloc(0);

export interface UploadOptions {
  readonly bucket: Bucket;
  readonly objects: Objects;
  readonly shelf: Shelf;
  /** Bytes of parts in memory. */
  readonly budget: Budget;
  readonly now: () => number;
}

interface Multipart {
  readonly key: string;
  readonly id: string;
  readonly etags: string[];
}

/**
 * A large body on its way to an object of its own: one part is filled while the one before is sent. Its name says nothing of its content,
 * which is known last; the object's end does. A failure is kept and thrown by `finish`; what comes after it is dropped.
 */
export class Upload {
  readonly #name: ObjectName;
  readonly #hash = createHash('sha256');
  #size = 0;
  #part: Buffer = NOTHING;
  /** A part that was sent, to be filled again: else each is garbage of 5 MiB. */
  #spare: Buffer | undefined;
  /** Bytes taken from the budget. */
  #held = 0;
  #filled = 0;
  #multipart: Multipart | undefined;
  #sending: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(private readonly options: UploadOptions) {
    this.#name = options.objects.begin();
  }

  /** @returns a promise to wait for when the server is slower than the sender, or memory is short. */
  write(chunk: Uint8Array): void | Promise<void> {
    for (let from = 0; from < chunk.length && !this.#failure; ) {
      const taken = this.#fill(chunk.subarray(from));
      from += taken;
      if (this.#filled < PART) break;
      if (this.#sending) {
        const rest = chunk.subarray(from);
        return this.#sending.then(() => {
          this.#send();
          return this.write(rest);
        });
      }
      this.#send();
    }
    if (this.#sending && this.options.budget.exceeded) return this.#sending;
  }

  #fill(chunk: Uint8Array): number {
    const taken = Math.min(chunk.length, PART - this.#filled);
    const bytes = taken === chunk.length ? chunk : chunk.subarray(0, taken);
    if (this.#filled + taken > this.#part.length) this.#grow(this.#filled + taken);
    this.#part.set(bytes, this.#filled);
    this.#hash.update(bytes);
    this.#filled += taken;
    this.#size += taken;
    return taken;
  }

  #grow(needed: number): void {
    const larger = this.#spare ?? this.#allocate(Math.min(PART, Math.max(BEGIN, needed, 2 * this.#part.length)));
    this.#spare = undefined;
    this.#hold(-this.#part.length);
    this.#part.copy(larger, 0, 0, this.#filled);
    this.#part = larger;
  }

  #allocate(bytes: number): Buffer {
    this.#hold(bytes);
    return Buffer.allocUnsafeSlow(bytes);
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    if (bytes > 0) this.options.budget.take(bytes);
    else this.options.budget.give(-bytes);
  }

  /** Sends what has been gathered. Only when nothing is under way. */
  #send(): void {
    const sent = this.#part;
    const bytes = this.#take();
    this.#sending = this.#sendPart(bytes)
      .then(() => {
        if (this.#spare) this.#hold(-sent.length);
        else this.#spare = sent;
      })
      .catch((cause: unknown) => {
        this.#failure ??= { cause };
      })
      .finally(() => {
        this.#sending = undefined;
      });
  }

  #take(): Buffer {
    const bytes = this.#part.subarray(0, this.#filled);
    this.#part = NOTHING;
    this.#filled = 0;
    return bytes;
  }

  async #sendPart(bytes: Buffer): Promise<void> {
    const { bucket } = this.options;
    const key = keyOf(this.#name);
    this.#multipart ??= { key, id: await bucket.multipart.begin(key), etags: [] };
    const { id, etags } = this.#multipart;
    etags.push(await bucket.multipart.putPart(key, id, etags.length + 1, bytes));
  }

  /** Kept when it resolves. @throws StoreUnavailable; then nothing stays. */
  async finish(): Promise<BodyEntry> {
    await this.#sending;
    try {
      if (this.#failure) throw this.#failure.cause;
      return await this.#keep();
    } catch (error) {
      throw unavailable(error);
    } finally {
      this.#end();
    }
  }

  async #keep(): Promise<BodyEntry> {
    const { shelf, now } = this.options;
    const body = { sha256: this.#hash.digest('hex'), size: this.#size, storedAt: now() };
    const known = await shelf.knownLarge(body);
    if (known?.whole) {
      const entry = { ...body, segment: known.row.segment, offset: known.row.offset };
      await shelf.keep([entry], []);
      return entry;
    }
    await this.#complete(this.#take(), encodeTail([{ ...body, offset: 0 }]));
    const entry = { ...body, ...placeIn(this.#name, 0) };
    await shelf.keep([entry], known ? [known.row] : []);
    return entry;
  }

  async #complete(last: Buffer, tail: Buffer): Promise<void> {
    const { bucket } = this.options;
    const bytes = Buffer.concat([last, tail]);
    if (!this.#multipart) return bucket.putBody(keyOf(this.#name), bytes);
    await this.#sendPart(bytes);
    const { key, id, etags } = this.#multipart;
    await bucket.multipart.complete(key, id, etags, this.#size + tailBytes(1));
    this.#multipart = undefined;
  }

  async discard(): Promise<void> {
    this.#failure ??= { cause: new Error('discarded') };
    await this.#sending;
    this.#end();
  }

  #end(): void {
    this.#part = NOTHING;
    this.#spare = undefined;
    this.#hold(-this.#held);
    this.#abort();
    this.options.objects.end(this.#name);
  }

  /** Nobody waits for it: a server that does not answer keeps the parts until maintenance comes by. */
  #abort(): void {
    const multipart = this.#multipart;
    this.#multipart = undefined;
    if (multipart) this.options.bucket.multipart.abort(multipart.key, multipart.id).catch(() => undefined);
  }
}
