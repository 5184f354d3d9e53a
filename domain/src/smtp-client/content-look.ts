import type { Content } from './plan.js';

const LF = 10;
const CR = 13;
/** RFC 5321 §4.5.3.1.6, without CRLF. */
const LINE = 998;

/** Looks at a message's bytes, chunk by chunk, to learn what the other server must be able to take. */
export class ContentLook implements Content {
  eightBit = false;
  eightBitHeader = false;

  private faulty = false;
  private inHeader = true;
  private afterCr = false;
  /** Bytes of the line under way, a CR at its end not counted. */
  private line = 0;
  private empty = true;

  get binary(): boolean {
    return this.faulty || this.afterCr || this.line > 0;
  }

  push(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (byte === LF) {
        if (!this.afterCr) this.faulty = true;
        if (this.empty) this.inHeader = false;
        this.line = 0;
        this.empty = true;
        this.afterCr = false;
        continue;
      }
      if (this.afterCr || byte === 0) this.faulty = true;
      this.afterCr = byte === CR;
      if (this.afterCr) continue;
      this.empty = false;
      if (++this.line > LINE) this.faulty = true;
      if (byte > 127) {
        this.eightBit = true;
        if (this.inHeader) this.eightBitHeader = true;
      }
    }
  }
}
