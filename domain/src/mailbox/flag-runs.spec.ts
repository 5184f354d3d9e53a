import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { changedWithin, columnsIn, messagesIn, runsOf } from './flag-runs.js';
import { rangesOf, rangesOfAny, uidsIn } from './uid-set.js';

const SEEN = ['\\Seen'];
const NONE: readonly string[] = [];
const uids = fc.uniqueArray(fc.integer({ min: 1, max: 60 })).map((some) => some.sort((a, b) => a - b));

describe('runs of messages with the same flags', () => {
  it('are as few as can be, and the same messages again', () =>
    fc.assert(fc.property(uids, fc.infiniteStream(fc.boolean()), (some, chance) => {
      const changes = some.map((uid) => ({ uid, modSeq: 2, flags: chance.next().value === true ? SEEN : NONE }));
      const runs = runsOf(changes);
      expect(columnsIn(runs)).toEqual({ uids: some, flags: changes.map(({ flags }) => flags) });
      expect(messagesIn(runs)).toBe(some.length);
      for (let i = 1; i < runs.length; i++) expect(runs[i]?.first === (runs[i - 1]?.last ?? 0) + 1 && runs[i]?.flags === runs[i - 1]?.flags).toBe(false);
    })));

  it('change where they are told to, and nowhere else', () =>
    fc.assert(fc.property(uids, uids, fc.boolean(), (some, touched, gone) => {
      const before = runsOf(some.map((uid) => ({ uid, modSeq: 2, flags: NONE })));
      const after = columnsIn(changedWithin(before, rangesOf(touched), gone ? undefined : { modSeq: 3, flags: SEEN }));
      const left = gone ? some.filter((uid) => !touched.includes(uid)) : some;
      expect(after).toEqual({ uids: left, flags: left.map((uid) => (touched.includes(uid) ? SEEN : NONE)) });
    })));
});

describe('UIDs in any order', () => {
  it('are the same ranges as in order', () =>
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (some) => {
      expect(uidsIn(rangesOfAny(some))).toEqual([...new Set(some)].sort((a, b) => a - b));
    })));
});
