import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Present, Tracker } from './tracker.js';

const present = (uids: readonly number[], expunges = 0): Present => ({ uids: Uint32Array.from(uids), count: uids.length, expunges });
const known = (tracker: Tracker): number[] => Array.from({ length: tracker.size }, (_, i) => tracker.uid(i + 1));

describe("a session's sequence numbers", () => {
  it.each([
    // what it knew, what there is, may EXPUNGE be sent, sequence numbers expunged, first new one, what it knows then
    ['nothing happened', [1, 2, 3], [1, 2, 3], true, [], 0, [1, 2, 3]],
    ['a message came', [1, 2], [1, 2, 5], false, [], 3, [1, 2, 5]],
    ['the first message came', [], [7], true, [], 1, [7]],
    ['the first one went', [1, 2, 3], [2, 3], true, [1], 0, [2, 3]],
    ['the last one went', [1, 2, 3], [1, 2], true, [3], 0, [1, 2]],
    ['two went', [1, 2, 3, 4], [1, 4], true, [2, 3], 0, [1, 4]],
    ['all went', [1, 2], [], true, [1, 2], 0, []],
    ['one went and one came', [1, 2, 3], [1, 3, 9], true, [2], 3, [1, 3, 9]],
    ['all went and others came', [1, 2], [8, 9], true, [1, 2], 1, [8, 9]],
    ['one went and must stay', [1, 2, 3], [1, 3], false, [], 0, [1, 2, 3]],
    ['one went and must stay, one came', [1, 2, 3], [1, 3, 9], false, [], 4, [1, 2, 3, 9]],
    ['all went and must stay, one came', [1, 2], [9], false, [], 3, [1, 2, 9]],
  ] as const)('%s', (_, before, now, mayExpunge, expunged, firstNew, after) => {
    const tracker = new Tracker(present(before));
    const gone = before.some((uid) => !(now as readonly number[]).includes(uid));
    const moved = tracker.advance(present(now, gone ? 1 : 0), mayExpunge);
    expect(moved.expunged.map(({ seq }) => seq)).toEqual(expunged);
    expect(moved.expunged.map(({ uid }) => uid)).toEqual(expunged.map((seq) => before[seq - 1]));
    expect(moved.firstNew).toBe(firstNew);
    expect(known(tracker)).toEqual(after);
  });

  it('catch up at the first occasion with all that went and came meanwhile', () => {
    const tracker = new Tracker(present([1, 2, 3]));
    tracker.advance(present([1, 3, 4], 1), false);
    tracker.advance(present([3, 4, 6], 2), false);
    expect(known(tracker)).toEqual([1, 2, 3, 4, 6]);
    expect(tracker.lags(present([3, 6], 3))).toBe(true);
    expect(tracker.advance(present([3, 6], 3), true)).toEqual({ expunged: [{ uid: 1, seq: 1 }, { uid: 2, seq: 2 }, { uid: 4, seq: 4 }], firstNew: 0 });
    expect(known(tracker)).toEqual([3, 6]);
    expect(tracker.lags(present([3, 6], 3))).toBe(false);
  });

  it('do not move when the mailbox writes behind what they share', () => {
    const uids = new Uint32Array(4);
    uids[0] = 5;
    const tracker = new Tracker({ uids, count: 1, expunges: 0 });
    uids[1] = 6;
    expect(known(tracker)).toEqual([5]);
    expect(tracker.advance({ uids, count: 2, expunges: 0 }, false).firstNew).toBe(2);
  });

  it('are found by UID', () => {
    const tracker = new Tracker(present([3, 5, 9]));
    expect([2, 3, 4, 5, 9, 10].map((uid) => tracker.seq(uid))).toEqual([0, 1, 0, 2, 3, 0]);
    expect([1, 3, 4, 9, 10].map((uid) => tracker.atLeast(uid))).toEqual([1, 1, 2, 3, 4]);
    expect(tracker.lastUid).toBe(9);
    expect(new Tracker(present([])).lastUid).toBe(0);
    expect(new Tracker({ uids: Uint32Array.of(3, 5), count: 1, expunges: 0 }).seq(5)).toBe(0);
  });

  it('agree with a client that follows what it is told, whatever happens', () => {
    const step = fc.record({ come: fc.nat(3), go: fc.array(fc.nat(20), { maxLength: 3 }), told: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let uids: number[] = [];
        let next = 1;
        let expunges = 0;
        const tracker = new Tracker(present([]));
        const client: (number | undefined)[] = [];
        for (const { come, go, told } of steps) {
          for (let i = 0; i < come; i++) uids.push(next++);
          const left = uids.filter((_, i) => !go.includes(i));
          if (left.length < uids.length) expunges++;
          uids = left;
          const { expunged, firstNew } = tracker.advance(present(uids, expunges), told);
          for (const { seq, uid } of [...expunged].reverse()) expect(client.splice(seq - 1, 1)).toEqual([uid]);
          if (firstNew > 0) {
            expect(firstNew).toBe(client.length + 1);
            for (let seq = firstNew; seq <= tracker.size; seq++) client.push(tracker.uid(seq));
          }
          expect(client).toEqual(known(tracker));
          if (told) expect(client).toEqual(uids);
        }
      }),
    );
  });
});
