/** Bytes of a boundary that are compared; RFC 2046 §5.1.1 allows 70. */
export const BOUNDARY_LIMIT = 200;
/** Bytes of a line from which it can be told whether it is a boundary. */
export const LOOK = 2 + BOUNDARY_LIMIT + 2;

const DASH = 45;

interface Active {
  /** Which open multipart it belongs to: its level. */
  readonly level: number;
  readonly bytes: Uint8Array;
}

/** The boundaries of the multiparts that are open, from the outermost to the innermost. */
export class Boundaries {
  private readonly active: Active[] = [];

  get any(): boolean {
    return this.active.length > 0;
  }

  open(level: number, boundary: string): void {
    const length = Math.min(boundary.length, BOUNDARY_LIMIT);
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = boundary.charCodeAt(i);
    this.active.push({ level, bytes });
  }

  /** Forgets those of the level and of all below it. */
  close(level: number): void {
    while (this.active.length > 0 && (this.active.at(-1)?.level ?? -1) >= level) this.active.pop();
  }

  /**
   * The line that begins at `at` with two dashes: whose boundary it is. A line has to begin with the boundary, no more (RFC 2046
   * §5.1.1); where one is the beginning of another the longest counts, of equal ones the innermost.
   */
  match(bytes: Uint8Array, at: number): { readonly level: number; readonly last: boolean } | undefined {
    let best: Active | undefined;
    for (let i = this.active.length - 1; i >= 0; i--) {
      const one = this.active[i] as Active;
      if ((best === undefined || one.bytes.length > best.bytes.length) && startsWith(bytes, at + 2, one.bytes)) best = one;
    }
    if (!best) return undefined;
    const after = at + 2 + best.bytes.length;
    return { level: best.level, last: bytes[after] === DASH && bytes[after + 1] === DASH };
  }
}

function startsWith(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  if (at + wanted.length > bytes.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}
