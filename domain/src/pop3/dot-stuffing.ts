const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;

/** How a multi-line reply ends (RFC 1939 §3): after a line, after a lone CR or an unfinished line. */
const END = new TextEncoder().encode('.\r\n');
const LINE_END = new TextEncoder().encode('\r\n.\r\n');

/**
 * Makes a message into the lines of a multi-line reply (RFC 1939 §3), chunk by chunk, however it is cut: a dot at the start of a
 * line is doubled, a bare LF becomes CRLF (a client could take `LF . LF` for the end; such a message is longer than LIST says),
 * and an unfinished last line gets its CRLF. Every other byte, also a bare CR, goes out as it is.
 */
export class DotStuffing {
  private lineStart = true;
  private afterCr = false;

  /** @returns the chunk itself when nothing has to be inserted: the usual case costs no copy. */
  push(chunk: Uint8Array): Uint8Array {
    const at = this.insertions(chunk);
    const last = chunk[chunk.length - 1];
    if (last !== undefined) {
      this.lineStart = last === LF;
      this.afterCr = last === CR;
    }
    return at.length === 0 ? chunk : insert(chunk, at);
  }

  end(): Uint8Array {
    return this.lineStart ? END : LINE_END;
  }

  /** Places before which a byte is missing: before a dot another one, before a bare LF its CR. */
  private insertions(chunk: Uint8Array): number[] {
    const at: number[] = [];
    if (this.lineStart && chunk[0] === DOT) at.push(0);
    for (let i = chunk.indexOf(LF); i >= 0; i = chunk.indexOf(LF, i + 1)) {
      if (i === 0 ? !this.afterCr : chunk[i - 1] !== CR) at.push(i);
      if (chunk[i + 1] === DOT) at.push(i + 1);
    }
    return at;
  }
}

function insert(chunk: Uint8Array, places: readonly number[]): Uint8Array {
  const out = new Uint8Array(chunk.length + places.length);
  let from = 0;
  let to = 0;
  for (const place of places) {
    out.set(chunk.subarray(from, place), to);
    to += place - from;
    out[to++] = chunk[place] === LF ? CR : DOT;
    from = place;
  }
  out.set(chunk.subarray(from), to);
  return out;
}

/** What TOP shows (RFC 1939 §7): the header, the empty line, and so many lines of the body. Lines end at LF, as they go out. */
export class Top {
  private inBody = false;
  /** Bytes before this chunk in a line of the header that it continues; a lone CR among them. */
  private begun = 0;
  private begunWithCr = false;

  constructor(private left: number) {}

  /** @returns what of the chunk belongs to it, and whether that was all. */
  take(chunk: Uint8Array): { readonly part: Uint8Array; readonly done: boolean } {
    let start = 0;
    for (let i = chunk.indexOf(LF); i >= 0; i = chunk.indexOf(LF, start)) {
      this.continueLine(chunk, start, i);
      if (this.inBody) this.left -= 1;
      else this.inBody = this.begun === 0 || (this.begun === 1 && this.begunWithCr);
      this.begun = 0;
      start = i + 1;
      if (this.inBody && this.left <= 0) return { part: chunk.subarray(0, start), done: true };
    }
    this.continueLine(chunk, start, chunk.length);
    return { part: chunk, done: false };
  }

  private continueLine(chunk: Uint8Array, from: number, to: number): void {
    if (this.begun === 0) this.begunWithCr = chunk[from] === CR;
    this.begun += to - from;
  }
}
