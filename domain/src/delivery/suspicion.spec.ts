import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { afterEnd, ENDS, ENDS_WITHIN, EVERYBODY, half, judge, type Left, passed, type Suspicion, taking } from './suspicion.js';

const NOON = Date.UTC(2026, 0, 5, 12);
const one: Suspicion = { partition: 3, from: 100, messages: 1, ends: 0, since: 0, others: true };
const left = (inHand: Left['inHand'], suspicion: Suspicion = one): Left => ({ suspicion, inHand });

describe('an abnormal end', () => {
  it('counts against a message that was alone in hand', () => {
    const first = afterEnd(left('alone'), NOON);
    expect(first).toEqual({ ...one, ends: 1, since: NOON });
    expect(afterEnd(left('alone', first), NOON + 5)).toEqual({ ...one, ends: 2, since: NOON });
  });
  it('counts against nobody while other work was under way, while nothing was in hand, and while it may have been any of several', () => {
    expect(afterEnd(left('yes'), NOON)).toEqual(one);
    expect(afterEnd(left('no'), NOON)).toEqual(one);
    expect(afterEnd(left('alone', { ...one, messages: 2 }), NOON)).toEqual({ ...one, messages: 2 });
    expect(afterEnd({ inHand: 'no' }, NOON)).toBeUndefined();
  });
});

describe('a message suspected', () => {
  const dead: Suspicion = { ...one, ends: ENDS, since: NOON };
  it('is tried until it has been alone at three ends within at least half a minute', () => {
    expect(judge({ ...dead, ends: ENDS - 1 }, NOON + EVERYBODY)).toBe('try');
    expect(judge(dead, NOON + ENDS_WITHIN - 1)).toBe('try');
    expect(judge(dead, NOON + ENDS_WITHIN)).toBe('set-aside');
  });
  it('waits while nothing shows that others fare better, ten minutes at most', () => {
    const lonely = { ...dead, others: false };
    expect(judge(lonely, NOON + ENDS_WITHIN)).toBe('wait');
    expect(judge(lonely, NOON + EVERYBODY - 1)).toBe('wait');
    expect(judge(lonely, NOON + EVERYBODY)).toBe('set-aside');
    expect(judge(passed(lonely, 0, 1, 9) as Suspicion, NOON + ENDS_WITHIN)).toBe('set-aside');
  });
  it('is never one of several', () => expect(judge({ ...dead, messages: 2 }, NOON + EVERYBODY)).toBe('try'));
  it('is free of it as soon as it went through', () => {
    expect(passed(dead, 3, 1, 101)).toBeUndefined();
    expect(passed({ ...dead, messages: 4, ends: 0 }, 3, 2, 105)).toEqual({ ...one, from: 105, messages: 2 });
  });
  it('stays the same message when only other events went through before it', () => expect(passed(dead, 3, 0, 104)).toEqual({ ...dead, from: 104 }));
  it('keeps its ends for as long as it is the same one', () => {
    expect(taking(dead, { partition: 3, from: 100, messages: 1 })).toEqual(dead);
    for (const other of [{ partition: 4, from: 100, messages: 1 }, { partition: 3, from: 101, messages: 1 }, { partition: 3, from: 100, messages: 2 }])
      expect(taking(dead, other)).toEqual({ ...other, ends: 0, since: 0, others: true });
  });
});

/** Processes that die whenever they take the poison, each leaving what it knew. @returns how many died, and what was delivered before. */
function search(messages: number, poison: number): { readonly ends: number; readonly delivered: number } {
  let [known, delivered, now]: [Suspicion | undefined, number, number] = [undefined, 0, NOON];
  for (let ends = 0; ; ends++, now += 10_000)
    for (;;) {
      if (known && judge(known, now) === 'set-aside') return { ends, delivered };
      const n = Math.min(known ? half(known) : messages, messages - delivered);
      const step = taking(known, { partition: 0, from: delivered, messages: n });
      if (poison < delivered + n) {
        known = afterEnd({ suspicion: step, inHand: 'alone' }, now);
        break;
      }
      delivered += n;
      known = known && passed({ ...step, messages: known.messages, others: true }, 0, n, delivered);
    }
}

describe('the search for a message that ends the process', () => {
  it('finds it among any number, at the cost of few processes, with all before it delivered', () =>
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 2_000 }), fc.nat(), (messages, n) => {
        const poison = n % messages;
        const { ends, delivered } = search(messages, poison);
        // The very first has nothing delivered before it in its partition that shows that others fare better: that takes its time.
        expect(delivered).toBe(poison);
        expect(ends).toBeLessThanOrEqual(Math.ceil(Math.log2(messages)) + (poison === 0 ? EVERYBODY / 10_000 + 2 : ENDS + 3));
      }),
    ));
});
