import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { printRanges, printSet } from './print-set.js';
import { countOf, NUMBER_LIMIT, resolveRanges } from './sequence-set.js';
import { read } from './testing.js';

const number = fc.integer({ min: 1, max: NUMBER_LIMIT });

describe('a sequence set', () => {
  it.each([
    ['1', [1, 1]], ['*', [0, 0]], ['1:*', [1, 0]], ['*:1', [0, 1]], ['5:3', [5, 3]], ['1,3:4,*', [1, 1, 3, 4, 0, 0]], ['4294967295', [4294967295, 4294967295]], ['$', '$'],
  ])('%j is read', (text, set) => expect(read(`UID EXPUNGE ${text}`).set).toEqual(set));

  it('reads back as it is printed', () =>
    fc.assert(
      fc.property(fc.array(fc.oneof(number, fc.constant(0)), { minLength: 2, maxLength: 100 }).filter((all) => all.length % 2 === 0), (pairs) => {
        expect(read(`UID EXPUNGE ${printRanges(pairs)}`).set).toEqual(pairs);
      }),
    ));

  it.each([
    [[3, 1, 2, 5, 9, 9], 20, [1, 5, 9, 9]],
    [[10, 0], 7, [7, 10]],
    [[0, 0], 7, [7, 7]],
    [[1, 0], 0, []],
    [[0, 0], 0, []],
    [[1, 2, 3, 4, 6, 7], 9, [1, 4, 6, 7]],
    [[1, 10, 2, 3], 9, [1, 10]],
  ])('%j in a mailbox up to %d is %j', (pairs, largest, resolved) => expect(resolveRanges(pairs, largest)).toEqual(resolved));

  it('names the same numbers however it is written', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 20 }).filter((all) => all.length % 2 === 0), fc.integer({ min: 1, max: 40 }), (pairs, largest) => {
        const named = new Set<number>();
        for (let i = 0; i < pairs.length; i += 2) {
          const [a, b] = [pairs[i] || largest, pairs[i + 1] || largest];
          for (let n = Math.min(a, b); n <= Math.max(a, b); n++) named.add(n);
        }
        const resolved = resolveRanges(pairs, largest);
        expect(countOf(resolved)).toBe(named.size);
        for (let i = 0; i < resolved.length; i += 2) for (let n = resolved[i] ?? 0; n <= (resolved[i + 1] ?? 0); n++) expect(named.has(n)).toBe(true);
      }),
    ));
});

describe('numbers printed as a set', () => {
  it.each([
    [[], ''], [[7], '7'], [[1, 2, 3], '1:3'], [[1, 3, 4, 5, 9], '1,3:5,9'], [[5, 4, 3], '5,4,3'], [[3, 4, 1, 2], '3:4,1:2'], [[1, 1], '1,1'],
  ])('%j are %j', (numbers, text) => expect(printSet(numbers)).toBe(text));

  it('may be a part of a column', () => expect(printSet(new Uint32Array([1, 2, 4, 5, 6, 9]), 1, 5)).toBe('2,4:6'));

  it('read back as the same numbers', () =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (numbers) => {
        const sorted = numbers.sort((a, b) => a - b);
        const set = read(`UID EXPUNGE ${printSet(sorted)}`).set as number[];
        const all: number[] = [];
        for (let i = 0; i < set.length; i += 2) for (let n = set[i] ?? 0; n <= (set[i + 1] ?? 0); n++) all.push(n);
        expect(all).toEqual(sorted);
        expect(set.length / 2).toBe(sorted.filter((n, i) => sorted[i - 1] !== n - 1).length);
      }),
    ));
});
