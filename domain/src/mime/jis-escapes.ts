import { joined } from './binary.js';

const ESC = 0x1b;
const EMPTY = new Uint8Array(0);

/**
 * Takes out escape sequences of ISO-2022-JP that are followed by another at once. TextDecoder shows U+FFFD for the second, as the
 * Encoding Standard wants it; in mail they are common: each encoded word ends in ASCII, and the next one leaves it again.
 */
export class JisEscapes {
  /** An escape sequence at the end of the last chunk, or the beginning of one. */
  private held: Uint8Array = EMPTY;

  push(chunk: Uint8Array): Uint8Array {
    if (chunk.length === 0) return chunk;
    const bytes = this.held.length === 0 ? chunk : joined(this.held, chunk);
    this.held = EMPTY;
    if (bytes.indexOf(ESC) < 0) return bytes;
    const out = new Uint8Array(bytes.length);
    let to = 0;
    let from = 0;
    for (let at = bytes.indexOf(ESC); at >= 0; at = bytes.indexOf(ESC, at)) {
      const length = sequenceLength(bytes, at);
      if (at + length >= bytes.length) {
        this.held = bytes.slice(at);
        out.set(bytes.subarray(from, at), to);
        return out.subarray(0, to + at - from);
      }
      if (length > 1 && bytes[at + length] === ESC) {
        out.set(bytes.subarray(from, at), to);
        to += at - from;
        from = at + length;
      }
      at += length;
    }
    out.set(bytes.subarray(from), to);
    return out.subarray(0, to + bytes.length - from);
  }

  end(): Uint8Array {
    const rest = this.held;
    this.held = EMPTY;
    return rest;
  }
}

/** Bytes of the escape sequence; 1 for what is none. Of one that is cut off it may be more than there are. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const second = bytes[at + 1];
  if (second === undefined) return 3;
  if (second === 0x28) return 3;
  if (second !== 0x24) return 1;
  return bytes[at + 2] === 0x28 ? 4 : 3;
}

/** The same for bytes that are all there. */
export function withoutDoubleEscapes(bytes: Uint8Array): Uint8Array {
  const filter = new JisEscapes();
  const head = filter.push(bytes);
  const tail = filter.end();
  return tail.length === 0 ? head : joined(head, tail);
}
