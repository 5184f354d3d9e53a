import { createHash, hash } from 'node:crypto';

/** Smaller chunks are copied together: a sender of single bytes would else cost a hundred times their memory. Bytes. */
const SMALL = 1024;
const TAIL_MAX = 64 * 1024;

/** The chunks of a body in their order, kept by reference where that is cheaper than a copy. */
export class Parts {
  /** Bytes. */
  size = 0;
  #list: Uint8Array[] = [];
  #tail = new Uint8Array(0);
  #start = 0;
  #end = 0;

  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.size += chunk.length;
    // A short view of a long buffer would keep all of it alive.
    if (chunk.length >= SMALL && chunk.buffer.byteLength <= 2 * chunk.length) {
      this.#cut();
      this.#list.push(chunk);
      return;
    }
    if (this.#tail.length - this.#end < chunk.length) {
      this.#cut();
      this.#tail = Buffer.allocUnsafeSlow(Math.max(chunk.length, Math.min(TAIL_MAX, Math.max(SMALL, this.size))));
      this.#start = this.#end = 0;
    }
    this.#tail.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** All parts; the list is empty afterwards. */
  take(): readonly Uint8Array[] {
    this.#cut();
    const list = this.#list;
    this.#list = [];
    this.#tail = new Uint8Array(0);
    this.#start = this.#end = this.size = 0;
    return list;
  }

  #cut(): void {
    if (this.#end > this.#start) this.#list.push(this.#tail.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}

/** SHA-256 in lower-case hex. One call into OpenSSL for the usual body of one part (measured: 2.2 µs against 3.7 µs for 3 KB). */
export function sha256Of(parts: readonly Uint8Array[]): string {
  if (parts.length === 1) return hash('sha256', parts[0]!, 'hex');
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest('hex');
}

/** The bytes that all writers of a process hold together. Beyond the limit they go to disk early; nobody waits for anybody. */
export class Budget {
  #used = 0;

  /** @param limit bytes */
  constructor(readonly limit: number) {}

  get used(): number {
    return this.#used;
  }

  get exceeded(): boolean {
    return this.#used > this.limit;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
