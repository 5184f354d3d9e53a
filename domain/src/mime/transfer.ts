import { joined } from './binary.js';

/** Undoes a content transfer encoding (RFC 2045 §6) of bytes that arrive in chunks. Never throws; broken input gives what can be read. */
export interface TransferDecoder {
  push(chunk: Uint8Array): Uint8Array;
  /** What was held back. */
  end(): Uint8Array;
}

/** @returns undefined for an encoding that is not known (IMAP: UNKNOWN-CTE). */
export function transferDecoder(encoding: string): TransferDecoder | undefined {
  switch (encoding) {
    case 'base64':
      return new Base64Decoder();
    case 'quoted-printable':
      return new QuotedPrintableDecoder();
    case '7bit':
    case '8bit':
    case 'binary':
      return { push: (chunk) => chunk, end: () => EMPTY };
  }
  return undefined;
}

const EMPTY = new Uint8Array(0);
const SKIP = 64;
const PAD = 65;
const VALUES = new Uint8Array(256).fill(SKIP);
Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/').forEach((c, i) => (VALUES[c.charCodeAt(0)] = i));
VALUES[61] = PAD;

/** Bytes that are no part of the alphabet are passed over (RFC 2045 §6.8); padding ends a piece, and what follows is decoded like another. */
class Base64Decoder implements TransferDecoder {
  private bits = 0;
  private count = 0;

  push(chunk: Uint8Array): Uint8Array {
    const out = new Uint8Array(Math.ceil((chunk.length + 3) / 4) * 3);
    const length = chunk.length;
    let { bits, count } = this;
    let to = 0;
    for (let at = 0; at < length; ) {
      if (count === 0 && at + 4 <= length) {
        // Whole groups, nearly always: any byte beyond the alphabet sets one of the two upper bits.
        const a = VALUES[chunk[at] as number] as number;
        const b = VALUES[chunk[at + 1] as number] as number;
        const c = VALUES[chunk[at + 2] as number] as number;
        const d = VALUES[chunk[at + 3] as number] as number;
        if ((a | b | c | d) < SKIP) {
          out[to] = (a << 2) | (b >> 4);
          out[to + 1] = (b << 4) | (c >> 2);
          out[to + 2] = (c << 6) | d;
          to += 3;
          at += 4;
          continue;
        }
      }
      const value = VALUES[chunk[at++] as number] as number;
      if (value < SKIP) {
        bits = (bits << 6) | value;
        if (++count < 4) continue;
        out[to++] = bits >> 16;
        out[to++] = bits >> 8;
        out[to++] = bits;
        bits = 0;
        count = 0;
      } else if (value === PAD && count > 0) {
        to = this.flush(out, to, bits, count);
        bits = 0;
        count = 0;
      }
    }
    this.bits = bits;
    this.count = count;
    return out.subarray(0, to);
  }

  end(): Uint8Array {
    const out = new Uint8Array(3);
    const to = this.flush(out, 0, this.bits, this.count);
    this.bits = 0;
    this.count = 0;
    return out.subarray(0, to);
  }

  private flush(out: Uint8Array, at: number, bits: number, count: number): number {
    if (count < 2) return at;
    out[at] = count === 2 ? bits >> 4 : bits >> 10;
    if (count === 3) out[at + 1] = bits >> 2;
    return at + count - 1;
  }
}

const LF = 10;
const CR = 13;
const EQUALS = 61;
/** Blanks and other bytes held back until it is known what they are; RFC 2045 §6.7 allows lines of 76. */
const MOST_HELD = 1_024;

/** Blanks at the end of a line go (rule 3), soft line breaks go (rule 5), a `=` without two hexadecimal digits stays as it is. */
class QuotedPrintableDecoder implements TransferDecoder {
  /** Bytes of `=` and what may belong to it, or of blanks. */
  private readonly held: number[] = [];

  push(chunk: Uint8Array): Uint8Array {
    const out = new Uint8Array(chunk.length + this.held.length);
    const { held } = this;
    let to = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (held.length > 0) {
        to = this.judge(byte, out, to);
        continue;
      }
      if (byte === EQUALS) {
        const code = at + 2 < chunk.length ? hexPair(chunk[at + 1] as number, chunk[at + 2] as number) : -1;
        if (code >= 0) {
          out[to++] = code;
          at += 2;
        } else held.push(byte);
      } else if ((byte === 32 || byte === 9) && mayEndLine(chunk[at + 1])) held.push(byte);
      else out[to++] = byte;
    }
    return out.subarray(0, to);
  }

  end(): Uint8Array {
    // A `=` as the last byte is a soft line break at the end of the text.
    const rest = this.held[0] === EQUALS ? (/^=[ \t\r]*$/.test(String.fromCharCode(...this.held)) ? [] : this.held) : [];
    const out = Uint8Array.from(rest);
    this.held.length = 0;
    return out;
  }

  private judge(byte: number, out: Uint8Array, at: number): number {
    return this.held[0] === EQUALS ? this.afterEquals(byte, out, at) : this.afterBlanks(byte, out, at);
  }

  private afterBlanks(byte: number, out: Uint8Array, at: number): number {
    const { held } = this;
    if ((byte === 32 || byte === 9 || (byte === CR && held.at(-1) !== CR)) && held.length < MOST_HELD) {
      held.push(byte);
      return at;
    }
    let to = at;
    if (byte !== LF) to = this.release(out, to);
    else if (held.at(-1) === CR) out[to++] = CR;
    held.length = 0;
    if (byte === EQUALS) held.push(byte);
    else out[to++] = byte;
    return to;
  }

  private afterEquals(byte: number, out: Uint8Array, at: number): number {
    const { held } = this;
    const second = held[1];
    const digit = second !== undefined && hex(second) >= 0;
    if (byte === LF && !digit) {
      // `=`, blanks, CRLF is a soft break too: blanks were added on the way.
      held.length = 0;
      return at;
    }
    const code = digit ? hexPair(second, byte) : -1;
    if (code >= 0) {
      out[at] = code;
      held.length = 0;
      return at + 1;
    }
    const blank = !digit && held.at(-1) !== CR && held.length < MOST_HELD && (byte === CR || byte === 32 || byte === 9);
    if (blank || (second === undefined && hex(byte) >= 0)) {
      held.push(byte);
      return at;
    }
    // None of these: the equals sign was meant literally.
    const to = this.release(out, at);
    held.length = 0;
    if (byte === EQUALS || byte === 32 || byte === 9) {
      held.push(byte);
      return to;
    }
    out[to] = byte;
    return to + 1;
  }

  private release(out: Uint8Array, at: number): number {
    let to = at;
    for (const byte of this.held) out[to++] = byte;
    return to;
  }
}

/** Whether a blank before this byte may be one at the end of a line; undefined: the chunk ends. */
const mayEndLine = (next: number | undefined): boolean => next === undefined || next === 32 || next === 9 || next === CR || next === LF;

function hexPair(first: number, second: number): number {
  const [high, low] = [hex(first), hex(second)];
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hex(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function whole(decoder: TransferDecoder, bytes: Uint8Array): Uint8Array {
  const head = decoder.push(bytes);
  const tail = decoder.end();
  return tail.length === 0 ? head : joined(head, tail);
}

export const decodeBase64 = (bytes: Uint8Array): Uint8Array => whole(new Base64Decoder(), bytes);

/** Bytes of a body that lies in memory; as they are where the encoding is unknown. */
export function decodeTransfer(bytes: Uint8Array, encoding: string): Uint8Array {
  const decoder = transferDecoder(encoding);
  return decoder ? whole(decoder, bytes) : bytes;
}
