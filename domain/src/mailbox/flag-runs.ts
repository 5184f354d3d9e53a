import type { FlagChange, FlagRun } from './store-port.js';
import type { UidRange } from './uid-set.js';

/** Adds a run to ascending ones; one that goes on where the last ends, with the same flags and MODSEQ, makes that longer. */
export function addRun(runs: FlagRun[], first: number, last: number, modSeq: number, flags: readonly string[]): void {
  const before = runs.at(-1);
  if (before && before.last + 1 === first && before.modSeq === modSeq && before.flags === flags) runs[runs.length - 1] = { first: before.first, last, modSeq, flags };
  else runs.push({ first, last, modSeq, flags });
}

/** Adds a range to ascending ones. */
export function addRange(ranges: UidRange[], first: number, last: number): void {
  const before = ranges.at(-1);
  if (before && before[1] + 1 === first) ranges[ranges.length - 1] = [before[0], last];
  else ranges.push([first, last]);
}

/** Single messages, ascending, as runs. */
export function runsOf(changes: readonly FlagChange[]): readonly FlagRun[] {
  const runs: FlagRun[] = [];
  for (const { uid, modSeq, flags } of changes) addRun(runs, uid, uid, modSeq, flags);
  return runs;
}

/** Messages in all. */
export const messagesIn = (runs: readonly { readonly first: number; readonly last: number }[]): number => runs.reduce((sum, { first, last }) => sum + last - first + 1, 0);

/** Their UIDs and, in the same order, their flags. */
export function columnsIn(runs: readonly FlagRun[]): { readonly uids: readonly number[]; readonly flags: readonly (readonly string[])[] } {
  const uids: number[] = [];
  const flags: (readonly string[])[] = [];
  for (const run of runs)
    for (let uid = run.first; uid <= run.last; uid++) {
      uids.push(uid);
      flags.push(run.flags);
    }
  return { uids, flags };
}

/**
 * Ascending runs after something has happened to those within ascending ranges.
 * @param now what they have from then on; undefined: they are gone.
 */
export function changedWithin(runs: readonly FlagRun[], ranges: readonly UidRange[], now: Pick<FlagRun, 'modSeq' | 'flags'> | undefined): readonly FlagRun[] {
  const after: FlagRun[] = [];
  let at = 0;
  for (const { first, last, modSeq, flags } of runs) {
    let from = first;
    while (at < ranges.length && (ranges[at] as UidRange)[1] < first) at++;
    for (let i = at; i < ranges.length && (ranges[i] as UidRange)[0] <= last; i++) {
      const [low, high] = [Math.max((ranges[i] as UidRange)[0], from), Math.min((ranges[i] as UidRange)[1], last)];
      if (low > from) after.push({ first: from, last: low - 1, modSeq, flags });
      if (now) after.push({ first: low, last: high, ...now });
      from = high + 1;
    }
    if (from <= last) after.push({ first: from, last, modSeq, flags });
  }
  return after;
}
