import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CHUNK, formatRuns, parseRuns, storedWithText, withText } from './chunk.js';
import type { UidRange } from './uid-set.js';

const CHUNK_AT = 3;
const BASE = CHUNK_AT * CHUNK;

/** A text per UID, put there one by one. */
class Plain {
  readonly #texts = new Map<number, string>();

  put(ranges: readonly UidRange[], text: string | undefined): void {
    for (const [first, last] of ranges)
      for (let uid = Math.max(first, BASE); uid <= Math.min(last, BASE + CHUNK - 1); uid++) {
        if (text === undefined) this.#texts.delete(uid);
        else this.#texts.set(uid, text);
      }
  }

  /** Each line as long as it can be. */
  get stored(): string {
    const lines: string[] = [];
    for (let uid = BASE; uid < BASE + CHUNK; uid++) {
      const text = this.#texts.get(uid);
      if (text === undefined) continue;
      const first = uid;
      while (this.#texts.get(uid + 1) === text) uid++;
      lines.push(`${first === uid ? first : `${first}:${uid}`} ${text}`);
    }
    return lines.join('\n');
  }
}

/** Ascending ranges that do not overlap, in the chunk, before it and behind it. */
const ranges = fc.uniqueArray(fc.integer({ min: BASE - 40, max: BASE + CHUNK + 40 }), { minLength: 2, maxLength: 8 }).map((uids): readonly UidRange[] => {
  const sorted = uids.sort((a, b) => a - b);
  return sorted.flatMap((first, i) => (i % 2 === 0 && i + 1 < sorted.length ? [[first, (sorted[i + 1] as number) - (first % 2)] as UidRange] : [])).filter(([a, b]) => a <= b);
});
const steps = fc.array(fc.record({ ranges, text: fc.option(fc.constantFrom('1 \\Seen', '1', '2 a b'), { nil: undefined }) }), { maxLength: 12 });

describe('the texts of a chunk of UIDs', () => {
  it('are, as runs and as they are stored, what putting them one by one comes to', () => {
    fc.assert(fc.property(steps, (all) => {
      const plain = new Plain();
      let [runs, stored] = [parseRuns(''), ''];
      for (const { ranges: where, text } of all) {
        plain.put(where, text);
        runs = withText(runs, CHUNK_AT, where, text);
        stored = storedWithText(stored, CHUNK_AT, where, text);
        expect(formatRuns(runs)).toBe(plain.stored);
        expect(stored).toBe(plain.stored);
        expect(parseRuns(stored)).toEqual(runs);
      }
    }), { numRuns: 500 });
  });

  it('grow at the end line by line, or by a longer line', () => {
    let stored = storedWithText('', 0, [[1, 1]], 'a');
    stored = storedWithText(stored, 0, [[2, 2]], 'a');
    stored = storedWithText(stored, 0, [[3, 5]], 'b');
    stored = storedWithText(stored, 0, [[7, 300]], 'b');
    expect(stored).toBe('1:2 a\n3:5 b\n7:255 b');
    expect(storedWithText(stored, 0, [[2, 4]], undefined)).toBe('1 a\n5 b\n7:255 b');
  });
});
