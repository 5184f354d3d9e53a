import type { ReturnOptions } from '../grammar/commands.js';

/** What an ESEARCH response says (RFC 4731 §3.1, RFC 9394 §3.1). Sets are ready to be printed. */
export interface SearchReturn {
  /** First and last: of SORT in its order (RFC 5267 §3). Absent when nothing was found. */
  readonly min?: number;
  readonly max?: number;
  readonly count?: number;
  /** Absent when nothing was found. */
  readonly all?: string;
  /** `set` is undefined when the range lies outside: printed as NIL. */
  readonly partial?: { readonly range: string; readonly set: string | undefined };
}

/** A response, and what it rests on. */
export interface ShapedResult {
  readonly answer: SearchReturn;
  /** Places in the result that are named in the answer; for the highest MODSEQ (RFC 7162 §3.1.10) and for SAVE (RFC 5182 §2.1, RFC 9394 §3.3). */
  readonly named: Named;
}

/** `everything`, or these places of the result, ascending. */
export type Named = 'everything' | readonly number[];

/**
 * Picks from a result what was asked for.
 * @param numbers UIDs or message numbers, in the order of the answer: ascending, or as sorted.
 */
export function shapeResult(numbers: ArrayLike<number>, { min, max, all, count, partial }: Omit<ReturnOptions, 'save'>): ShapedResult {
  const found = numbers.length;
  const page = partial && pageOf(found, partial.first, partial.last);
  const answer: SearchReturn = {
    ...(min && found > 0 && { min: numbers[0] as number }),
    ...(max && found > 0 && { max: numbers[found - 1] as number }),
    ...(count && { count: found }),
    ...(all && found > 0 && { all: setText(numbers) }),
    ...(partial && page && {
      partial: { range: `${partial.first}:${partial.last}`, set: page.from < page.to ? setText(numbers, page.from, page.to) : undefined },
    }),
  };
  return { answer, named: all || count || !(min || max || page) ? 'everything' : places(found, min, max, page) };
}

interface Page {
  readonly from: number;
  readonly to: number;
}

/** RFC 9394 §3.1: 1:100 are the first hundred, -1:-100 the last. Either end may lie beyond the result. */
function pageOf(found: number, first: number, last: number): Page {
  const [low, high] = first < 0 ? [found + Math.min(first, last), found + Math.max(first, last) + 1] : [Math.min(first, last) - 1, Math.max(first, last)];
  return { from: Math.min(found, Math.max(0, low)), to: Math.min(found, Math.max(0, high)) };
}

function places(found: number, min: boolean, max: boolean, page: Page | undefined): readonly number[] {
  if (found === 0) return [];
  const named = new Set<number>();
  if (min) named.add(0);
  for (let i = page?.from ?? 0; i < (page?.to ?? 0); i++) named.add(i);
  if (max) named.add(found - 1);
  return [...named].sort((a, b) => a - b);
}

/** Numbers as a sequence-set in their order, runs that count up by one as ranges. `10:12,3`. */
export function setText(numbers: ArrayLike<number>, from = 0, to = numbers.length): string {
  const parts: string[] = [];
  for (let i = from; i < to; i++) {
    const first = numbers[i] as number;
    let last = first;
    while (i + 1 < to && numbers[i + 1] === last + 1) last = numbers[++i] as number;
    parts.push(first === last ? String(first) : `${first}:${last}`);
  }
  return parts.join(',');
}
