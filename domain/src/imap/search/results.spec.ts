import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { setText, shapeResult } from './results.js';

const none = { min: false, max: false, all: false, count: false };

describe('a search result', () => {
  it.each([
    [[2, 10, 11], { all: true }, { all: '2,10:11' }, 'everything'],
    [[2, 10, 11], { min: true }, { min: 2 }, [0]],
    [[2, 10, 11], { max: true }, { max: 11 }, [2]],
    [[2, 10, 11], { min: true, max: true }, { min: 2, max: 11 }, [0, 2]],
    [[7], { min: true, max: true }, { min: 7, max: 7 }, [0]],
    [[2, 10, 11], { min: true, count: true }, { min: 2, count: 3 }, 'everything'],
    [[], { min: true, max: true, all: true, count: true }, { count: 0 }, 'everything'],
    [[], { min: true }, {}, []],
    [[2, 10, 11], {}, {}, 'everything'], // RETURN (SAVE) alone
    [[2, 10, 11], { partial: { first: 1, last: 2 } }, { partial: { range: '1:2', set: '2,10' } }, [0, 1]],
    [[2, 10, 11], { partial: { first: 3, last: 900 } }, { partial: { range: '3:900', set: '11' } }, [2]],
    [[2, 10, 11], { partial: { first: 4, last: 900 } }, { partial: { range: '4:900', set: undefined } }, []],
    [[2, 10, 11], { partial: { first: -1, last: -2 } }, { partial: { range: '-1:-2', set: '10:11' } }, [1, 2]],
    [[2, 10, 11], { partial: { first: -3, last: -100 } }, { partial: { range: '-3:-100', set: '2' } }, [0]],
    [[2, 10, 11], { partial: { first: -4, last: -100 } }, { partial: { range: '-4:-100', set: undefined } }, []],
    [[], { partial: { first: 1, last: 5 } }, { partial: { range: '1:5', set: undefined } }, []],
    [[2, 10, 11], { max: true, partial: { first: 1, last: 1 } }, { max: 11, partial: { range: '1:1', set: '2' } }, [0, 2]],
    [[11, 2, 3, 4, 9], { min: true, max: true, all: true }, { min: 11, max: 9, all: '11,2:4,9' }, 'everything'], // sorted
  ])('%j asked for %j', (numbers, returns, answer, named) => expect(shapeResult(numbers, { ...none, ...returns })).toEqual({ answer, named }));

  it('is printed as a set that names each number once, in order', () =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 40 })), (numbers) => {
        const read = setText(numbers).split(',').filter((p) => p !== '').flatMap((part) => {
          const [first = 0, last = first] = part.split(':').map(Number);
          return Array.from({ length: last - first + 1 }, (_, i) => first + i);
        });
        expect(read).toEqual(numbers);
      }),
    ));
});
