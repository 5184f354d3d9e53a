import type { Output } from '../output.js';

/** Octets of the first piece, and of those that follow it: a short answer needs little, a long one few writes. */
const FIRST = 4 * 1024;
const BLOCK = 64 * 1024;
/** Octets from which on they are sent as they are instead of being copied. */
const LARGE = 16 * 1024;
/** Lines from which on it pays to make octets of their texts first. */
const MANY = 8;
/** Characters up to which they are written one by one: a call into the runtime costs more. */
const SHORT = 24;

/** An answer on its way out, put together octet by octet in blocks. */
export class Assembly {
  private block = Buffer.allocUnsafe(FIRST);
  private at = 0;

  constructor(private readonly output: Pick<Output, 'write' | 'room'>) {}

  /** Each character is an octet. */
  text(text: string): void {
    const { length } = text;
    if (length > this.block.length - this.at && !this.make(length)) {
      this.output.write(Buffer.from(text, 'latin1'));
      return;
    }
    if (length > SHORT) {
      this.at += this.block.write(text, this.at, 'latin1');
      return;
    }
    const { block } = this;
    let { at } = this;
    for (let i = 0; i < length; i++) block[at++] = text.charCodeAt(i);
    this.at = at;
  }

  /** A natural number in decimal. */
  number(value: number): void {
    if (value > 0xffff_ffff) return this.text(String(value));
    if (this.block.length - this.at < 10) this.make(10);
    const { block } = this;
    let rest = value >>> 0;
    let digits = 1;
    for (let power = 10; power <= rest; power *= 10) digits++;
    for (let at = this.at + digits - 1; at >= this.at; at--) {
      const next = Math.floor(rest / 10);
      block[at] = 48 + rest - next * 10;
      rest = next;
    }
    this.at += digits;
  }

  /** So many times over: the texts as they are, the numbers by one more each time. */
  counted(times: number, pieces: readonly (string | number)[]): void {
    const parts = times < MANY ? pieces : pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece));
    for (let i = 0; i < times; i++)
      for (let p = 0; p < parts.length; p++) {
        const part = parts[p] as string | number | Uint8Array;
        if (typeof part === 'number') this.number(part + i);
        else if (typeof part === 'string') this.text(part);
        else this.bytes(part);
      }
  }

  /** The octets must stay as they are. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length > this.block.length - this.at && (bytes.length >= LARGE || !this.make(bytes.length))) {
      this.send();
      this.output.write(bytes);
      return;
    }
    this.block.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** To be awaited between messages. @throws ConnectionEnded */
  room(): void | Promise<void> {
    return this.output.room();
  }

  /** Hands on what is there. */
  send(): void {
    if (this.at === 0) return;
    this.output.write(this.block.subarray(0, this.at));
    this.block = this.block.subarray(this.at);
    this.at = 0;
  }

  /** Room for so many octets in one block. @returns false when no block has it; then all before has been handed on. */
  private make(octets: number): boolean {
    this.send();
    if (octets > BLOCK) return false;
    // What was handed on may still be on its way: its block is not written again.
    this.block = Buffer.allocUnsafe(BLOCK);
    return true;
  }
}
