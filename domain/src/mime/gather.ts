/** Keeps a stretch of bytes of a stream that passes in chunks, up to a limit. */
export class Gather {
  private kept = EMPTY;
  private length = 0;

  /** @param start where in the stream the stretch begins. @param limit bytes. */
  constructor(
    readonly start: number,
    private readonly limit: number,
  ) {}

  /** `chunk`, which lies at `offset` in the stream, belongs to the stretch up to `end` (an index into the chunk). Copies. */
  add(chunk: Uint8Array, offset: number, end: number): void {
    const from = Math.max(0, this.start + this.length - offset);
    const taken = chunk.subarray(from, Math.min(end, from + this.limit - this.length));
    if (from >= end || taken.length === 0) return;
    const length = this.length + taken.length;
    if (length > this.kept.length) {
      // Doubling: many small chunks must not cost a copy of all for each.
      const larger = new Uint8Array(Math.min(this.limit, Math.max(1_024, length * 2)));
      larger.set(this.kept.subarray(0, this.length));
      this.kept = larger;
    }
    this.kept.set(taken, this.length);
    this.length = length;
  }

  /** The whole stretch; nothing is copied where it lies in this last chunk entirely. */
  close(chunk: Uint8Array, offset: number, end: number): Uint8Array {
    const from = this.start - offset;
    if (this.length === 0 && from >= 0) return from >= end ? EMPTY : chunk.subarray(from, Math.min(end, from + this.limit));
    this.add(chunk, offset, end);
    return this.kept.subarray(0, this.length);
  }
}

const EMPTY = new Uint8Array(0);
