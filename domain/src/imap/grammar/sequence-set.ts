import { type Cursor, Problem } from './cursor.js';

/**
 * Pairs of first and last, as the client wrote them: not sorted, perhaps overlapping, a pair may be the wrong way round. A 0 is `*`, the
 * largest number in use (no message has number 0). See `resolveRanges`.
 */
export type Ranges = readonly number[];

/** RFC 9051 §9 `sequence-set`: message numbers or UIDs. `$` is the saved search result (RFC 5182). */
export type SequenceSet = '$' | Ranges;

/** `*` in `Ranges`. */
export const STAR = 0;

/** Ranges a client may name in one set. */
export const RANGE_LIMIT = 20_000;

/** The largest `nz-number` (RFC 9051 §9). */
export const NUMBER_LIMIT = 4_294_967_295;

const SET = /[\d:*,]+/y;
const COLON = 58;
const COMMA = 44;
const ASTERISK = 42;
const DIGIT_0 = 48;

export function sequenceSet(cursor: Cursor): SequenceSet {
  return cursor.skip('$') ? '$' : ranges(cursor);
}

/** Numbers only, as QRESYNC has them: neither `$` nor `*`. */
export function plainRanges(cursor: Cursor): Ranges {
  const pairs = ranges(cursor);
  if (pairs.includes(STAR)) cursor.fail('Set of numbers');
  return pairs;
}

export function ranges(cursor: Cursor): Ranges {
  const text = cursor.need(SET, 'Set of numbers');
  const pairs: number[] = [];
  let first = -1;
  let number = -1;
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? COMMA : text.charCodeAt(at);
    if (code >= DIGIT_0 && code < COLON) {
      // A number has no leading zero and is not 0, so 0 is free to mean `*`.
      number = number === -1 ? code - DIGIT_0 : number * 10 + code - DIGIT_0;
      if (number === 0 || number > NUMBER_LIMIT || text[at - 1] === '*') cursor.fail('Set of numbers');
    } else if (code === ASTERISK) {
      if (number !== -1) cursor.fail('Set of numbers');
      number = STAR;
    } else {
      if (number === -1 || (code === COLON && first !== -1)) cursor.fail('Set of numbers');
      if (code === COLON) first = number;
      else {
        pairs.push(first === -1 ? number : first, number);
        first = -1;
      }
      number = -1;
    }
  }
  if (pairs.length > 2 * RANGE_LIMIT) throw new Problem('The set has too many ranges', 'NO', 'LIMIT');
  return pairs;
}

/**
 * The same set with `*` replaced, each pair the right way round, ascending, none touching the next. As `*` is the largest number in use,
 * 10:* on a mailbox whose largest is 7 is 7:10 (RFC 9051 §9 `seq-range`).
 * @param largest the largest number in use, 0 if there is none: `*` is then nothing.
 */
export function resolveRanges(pairs: Ranges, largest: number): Ranges {
  const sorted: (readonly [number, number])[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const first = pairs[i] || largest;
    const last = pairs[i + 1] || largest;
    if (first === 0 || last === 0) continue;
    sorted.push(first <= last ? [first, last] : [last, first]);
  }
  sorted.sort((a, b) => a[0] - b[0]);
  const merged: number[] = [];
  for (const [first, last] of sorted) {
    const end = merged.at(-1);
    if (end !== undefined && first <= end + 1) merged[merged.length - 1] = Math.max(end, last);
    else merged.push(first, last);
  }
  return merged;
}

/** How many numbers are in pairs that do not overlap. */
export function countOf(pairs: Ranges): number {
  let count = 0;
  for (let i = 0; i < pairs.length; i += 2) count += Math.abs((pairs[i + 1] ?? 0) - (pairs[i] ?? 0)) + 1;
  return count;
}
