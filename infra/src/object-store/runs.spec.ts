import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { runsOf } from './runs.js';

describe('what lies near each other', () => {
  it('is read together, what lies apart is not', () => {
    const at = (offset: number, length = 10) => ({ offset, length });
    expect(runsOf([at(100), at(0), at(15), at(300)], 5, 1000)).toEqual([
      { start: 0, end: 25, wanted: [at(0), at(15)] },
      { start: 100, end: 110, wanted: [at(100)] },
      { start: 300, end: 310, wanted: [at(300)] },
    ]);
    expect(runsOf([at(0), at(10), at(20)], 5, 20).map(({ end }) => end)).toEqual([20, 30]);
    expect(runsOf([], 5, 20)).toEqual([]);
  });

  it('is covered whole, once each, in reads of bounded length', () =>
    fc.assert(
      fc.property(fc.array(fc.record({ offset: fc.nat(10_000), length: fc.nat(500) })), fc.nat(100), fc.integer({ min: 1, max: 2000 }), (wanted, gap, window) => {
        const runs = runsOf(wanted, gap, window);
        expect(runs.flatMap((run) => run.wanted).length).toBe(wanted.length);
        for (const run of runs) {
          expect(run.end - run.start).toBeLessThanOrEqual(Math.max(window, ...run.wanted.map(({ length }) => length)));
          for (const { offset, length } of run.wanted) expect(offset >= run.start && offset + length <= run.end).toBe(true);
        }
      }),
    ));
});
