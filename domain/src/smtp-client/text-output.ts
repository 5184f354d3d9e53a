const LF = 10;
const CR = 13;
const DOT = 46;

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const END = latin1('.\r\n');
const END_AFTER_CR = latin1('\n.\r\n');
const END_AFTER_TEXT = latin1('\r\n.\r\n');

/** Within a line; at the start of one; after a CR that has gone out and awaits its LF. */
const TEXT = 0;
const LINE_START = 1;
const AFTER_CR = 2;

/**
 * Makes a message into what DATA sends (RFC 5321 §4.5.2), chunk by chunk, however it is cut: a dot at the start of a line is
 * doubled, and a bare LF or bare CR becomes CRLF, because servers differ in what they take for a line end and an attacker could
 * hide a second message in the difference (RFC 5321 §2.3.8).
 */
export class TextOutput {
  private state = LINE_START;

  /** @returns the chunk itself when nothing has to be inserted: the usual case costs no copy. */
  push(chunk: Uint8Array): Uint8Array {
    const { length } = chunk;
    let state = this.state;
    let missing: number[] | undefined;
    for (let i = 0; i < length; i++) {
      let byte = chunk[i] as number; // i is below the length; a check here would cost a third of the speed
      if (state === TEXT) {
        // Nearly all bytes are passed here.
        while (byte > CR) {
          if (++i === length) break;
          byte = chunk[i] as number;
        }
        if (i === length) break;
      }
      if (byte === LF) {
        if (state !== AFTER_CR) (missing ??= []).push(i);
        state = LINE_START;
        continue;
      }
      if (state === AFTER_CR) {
        (missing ??= []).push(i);
        state = LINE_START;
      }
      if (byte === DOT && state === LINE_START) (missing ??= []).push(i);
      state = byte === CR ? AFTER_CR : TEXT;
    }
    this.state = state;
    return missing === undefined ? chunk : insert(chunk, missing);
  }

  /** What completes the text and ends it. */
  end(): Uint8Array {
    return this.state === LINE_START ? END : this.state === AFTER_CR ? END_AFTER_CR : END_AFTER_TEXT;
  }
}

/**
 * @param places before which a byte is missing: before a LF its CR, before a dot at the start of a line another one, otherwise
 * the LF of the CR before it. A place that stands twice is a dot after a bare CR: first the LF, then the dot.
 */
function insert(chunk: Uint8Array, places: readonly number[]): Uint8Array {
  const out = new Uint8Array(chunk.length + places.length);
  let from = 0;
  let to = 0;
  places.forEach((place, n) => {
    out.set(chunk.subarray(from, place), to);
    to += place - from;
    const byte = chunk[place];
    out[to++] = byte === LF ? CR : byte === DOT && places[n + 1] !== place ? DOT : LF;
    from = place;
  });
  out.set(chunk.subarray(from), to);
  return out;
}
