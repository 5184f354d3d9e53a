/** Something wanted at a place within a file or object. */
export interface Wanted {
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** What one read brings. */
export interface Run<T extends Wanted> {
  readonly start: number;
  readonly end: number;
  readonly wanted: readonly T[];
}

/**
 * What lies near each other, for one read each.
 * @param gap bytes between two that are read along rather than passed over.
 * @param window bytes of one read, unless a single one is longer.
 */
export function runsOf<T extends Wanted>(wanted: readonly T[], gap: number, window: number): readonly Run<T>[] {
  const runs: { start: number; end: number; wanted: T[] }[] = [];
  let last: { start: number; end: number; wanted: T[] } | undefined;
  for (const one of wanted.toSorted((a, b) => a.offset - b.offset)) {
    const end = one.offset + one.length;
    if (last && one.offset <= last.end + gap && end - last.start <= window) {
      last.end = Math.max(last.end, end);
      last.wanted.push(one);
    } else runs.push((last = { start: one.offset, end, wanted: [one] }));
  }
  return runs;
}
