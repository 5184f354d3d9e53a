import { LineTooLong } from './connection.js';

const CR = 13;
const LF = 10;
/** Chunks below this are copied together when others wait already: a client that sends byte by byte must not cost a Buffer per byte. */
const SMALL = 1024;
const BLOCK = 4096;

/**
 * What has arrived and was not read yet: a list of chunks, never copied into one. Looking for the end of a line goes on
 * where it stopped, so a line in a thousand pieces costs no more than in one.
 */
export class InputBuffer {
  /** Bytes that wait. */
  length = 0;
  private chunks: Buffer[] = [];
  /** Bytes of the first chunk that were read. */
  private head = 0;
  /** Bytes from the start that hold no line end (the last of them may be its CR). */
  private scanned = 0;
  /** A line was too long: what comes is dropped up to its end. */
  private skipping = false;
  /** The last chunk, when it lies in a block of our own with room behind it, and the bytes used of that block. */
  private block: Buffer | undefined;
  private used = 0;

  push(chunk: Buffer): void {
    this.length += chunk.length;
    if (chunk.length >= SMALL || this.chunks.length === 0) {
      this.chunks.push(chunk);
      this.block = undefined;
    } else this.append(chunk);
  }

  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.head > 0) this.chunks[0] = (this.chunks[0] as Buffer).subarray(this.head);
    this.head = 0;
    this.chunks.unshift(bytes);
    this.length += bytes.length;
    this.scanned = 0;
  }

  clear(): void {
    this.chunks = [];
    this.head = 0;
    this.length = 0;
    this.scanned = 0;
    this.skipping = false;
    this.block = undefined;
  }

  /**
   * The next line without its CRLF, undefined when it is not there yet.
   * @throws LineTooLong when the line has ended and was longer than `limit`; of a longer one at most `limit` bytes are ever kept.
   */
  takeLine(limit: number): Buffer | undefined {
    const end = this.findLineEnd();
    if (end < 0) {
      if (this.skipping || this.length > limit + 1) this.skip();
      return undefined;
    }
    const tooLong = this.skipping || end > limit;
    this.skipping = false;
    if (tooLong) {
      this.drop(end + 2);
      throw new LineTooLong();
    }
    const line = this.take(end);
    this.drop(2);
    return line;
  }

  /** Up to `max` bytes, undefined when there are none. */
  takeSome(max: number): Buffer | undefined {
    if (this.skipping) this.skipToLineEnd();
    const first = this.chunks[0];
    return first && this.take(Math.min(first.length - this.head, max));
  }

  /** Offset of the first CRLF, or -1. */
  private findLineEnd(): number {
    let offset = -this.head;
    let before = 0; // the byte before this chunk
    for (const chunk of this.chunks) {
      let at = Math.max(this.scanned - offset, 0);
      while (at < chunk.length && (at = chunk.indexOf(LF, at)) >= 0) {
        // A CR that was read already does not count.
        if (offset + at > 0 && (at > 0 ? chunk[at - 1] : before) === CR) return (this.scanned = offset + at - 1);
        at++;
      }
      offset += chunk.length;
      before = chunk[chunk.length - 1] ?? 0;
    }
    this.scanned = offset;
    return -1;
  }

  /** Drops all but a last CR, which may be half of the line end. */
  private skip(): void {
    const last = this.chunks.at(-1);
    this.skipping = true;
    this.drop(last?.[last.length - 1] === CR ? this.length - 1 : this.length);
  }

  private skipToLineEnd(): void {
    const end = this.findLineEnd();
    if (end < 0) return this.skip();
    this.skipping = false;
    this.drop(end + 2);
  }

  /** The first `n` bytes, n ≤ length; a view where they lie in one chunk. */
  private take(n: number): Buffer {
    const first = this.chunks[0];
    if (first !== undefined && this.head + n <= first.length) {
      const bytes = n === first.length ? first : first.subarray(this.head, this.head + n);
      this.drop(n);
      return bytes;
    }
    if (n === 0) return Buffer.alloc(0);
    const bytes = Buffer.allocUnsafe(n);
    let at = 0;
    for (const chunk of this.chunks) {
      if (at >= n) break;
      at += chunk.copy(bytes, at, at === 0 ? this.head : 0);
    }
    this.drop(n);
    return bytes;
  }

  private drop(n: number): void {
    this.length -= n;
    this.scanned = Math.max(this.scanned - n, 0);
    this.head += n;
    let whole = 0;
    for (let first; (first = this.chunks[whole]) !== undefined && this.head >= first.length; whole++) this.head -= first.length;
    if (whole === this.chunks.length) {
      this.chunks.length = 0;
      this.block = undefined;
    } else if (whole > 0) this.chunks.splice(0, whole);
  }

  /** Copies a small chunk behind the last one. */
  private append(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.block === undefined || this.used === BLOCK) {
        this.block = Buffer.allocUnsafe(BLOCK);
        this.used = 0;
        this.chunks.push(this.block.subarray(0, 0));
      }
      const copied = rest.copy(this.block, this.used);
      const last = this.chunks.length - 1;
      const old = (this.chunks[last] as Buffer).length;
      this.chunks[last] = this.block.subarray(this.used - old, this.used + copied);
      this.used += copied;
      rest = rest.subarray(copied);
    }
  }
}
