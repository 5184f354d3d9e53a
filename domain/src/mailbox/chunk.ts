import type { UidRange } from './uid-set.js';

/** UIDs per chunk. A flag of one message rewrites a row of at most a few KB; a flag of 10,000 messages rewrites 40 rows. */
export const CHUNK = 256;
export const chunkOf = (uid: number): number => Math.floor(uid / CHUNK);

/** The chunks that these ranges touch, ascending. */
export function chunksOf(ranges: readonly UidRange[]): readonly number[] {
  const chunks: number[] = [];
  for (const [first, last] of ranges) {
    const end = chunkOf(last);
    for (let chunk = Math.max(chunkOf(first), (chunks.at(-1) ?? -1) + 1); chunk <= end; chunk++) chunks.push(chunk);
  }
  return chunks;
}

/** Neighbours with equal texts. */
export interface TextRun { readonly first: number; readonly last: number; readonly text: string }

/**
 * As it is stored: a line per run of neighbours with equal texts, `first:last text` or `uid text`, ascending. Messages that were changed
 * together are one line.
 */
export const formatRuns = (runs: readonly TextRun[]): string => runs.map(lineOf).join('\n');

const lineOf = ({ first, last, text }: TextRun): string => `${first === last ? first : `${first}:${last}`} ${text}`;

export function parseRuns(stored: string): readonly TextRun[] {
  const runs: TextRun[] = [];
  eachRun(stored, (first, last, text) => void runs.push({ first, last, text }));
  return runs;
}

export function eachRun(stored: string, run: (first: number, last: number, text: string) => void): void {
  if (stored === '') return;
  for (const line of stored.split('\n')) {
    const space = line.indexOf(' ');
    const colon = line.indexOf(':');
    if (colon === -1 || colon > space) {
      const uid = Number(line.slice(0, space));
      run(uid, uid, line.slice(space + 1));
    } else run(Number(line.slice(0, colon)), Number(line.slice(colon + 1, space)), line.slice(space + 1));
  }
}

/** Those of the ranges that lie in the chunk, cut at its ends. */
function within(chunk: number, ranges: readonly UidRange[]): readonly UidRange[] {
  const [start, end] = [chunk * CHUNK, (chunk + 1) * CHUNK - 1];
  const found: UidRange[] = [];
  for (const [first, last] of ranges) {
    if (first > end) break;
    if (last >= start) found.push([Math.max(first, start), Math.min(last, end)]);
  }
  return found;
}

/**
 * The runs with this text at these UIDs of the chunk.
 * @param ranges ascending, not overlapping. @param text undefined: none.
 */
export function withText(runs: readonly TextRun[], chunk: number, ranges: readonly UidRange[], text: string | undefined): readonly TextRun[] {
  const result: TextRun[] = [];
  const add = (run: TextRun): void => {
    const before = result.at(-1);
    if (before?.text === run.text && before.last === run.first - 1) result[result.length - 1] = { ...before, last: run.last };
    else result.push(run);
  };
  let at = 0;
  let next = runs[at];
  for (const [first, last] of within(chunk, ranges)) {
    while (next && next.first < first) {
      add(next.last < first ? next : { ...next, last: first - 1 });
      next = next.last < first ? runs[++at] : { ...next, first };
    }
    while (next && next.last <= last) next = runs[++at];
    if (next && next.first <= last) next = { ...next, first: last + 1 };
    if (text !== undefined) add({ first, last, text });
  }
  for (; next; next = runs[++at]) add(next);
  return result;
}

/** The same of runs as they are stored. Where the UIDs come behind all others only the last line is looked at. */
export function storedWithText(stored: string, chunk: number, ranges: readonly UidRange[], text: string | undefined): string {
  const start = stored.lastIndexOf('\n') + 1;
  const tail = parseRuns(stored.slice(start));
  const behind = (tail[0]?.first ?? -1) < (ranges[0]?.[0] ?? Infinity);
  return behind ? stored.slice(0, start) + formatRuns(withText(tail, chunk, ranges, text)) : formatRuns(withText(parseRuns(stored), chunk, ranges, text));
}
