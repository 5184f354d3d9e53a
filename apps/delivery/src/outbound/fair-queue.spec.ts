import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FairQueue, type InTurn } from './fair-queue.js';

let n = 0;
const entry = (destination: string, sender: string, priority = 0, together = `M${++n}`): InTurn => ({ together, destination, sender, priority });
const order = (queue: FairQueue<InTurn>): readonly string[] => {
  const names: string[] = [];
  for (let taken = queue.take(100); taken.length > 0; taken = queue.take(100)) names.push(...taken.map((e) => `${e.destination}/${e.sender}`));
  return names;
};

describe('a fair queue', () => {
  it('gives turns to destinations, and within them to senders', () => {
    const queue = new FairQueue<InTurn>();
    for (const [d, s] of [['a', 'x'], ['a', 'x'], ['a', 'x'], ['a', 'y'], ['b', 'x'], ['b', 'x']] as const) queue.add(entry(d, s));
    expect(order(queue)).toEqual(['a/x', 'b/x', 'a/y', 'b/x', 'a/x', 'a/x']);
  });

  it('lets a better priority go first, whoever waits longer', () => {
    const queue = new FairQueue<InTurn>();
    for (const p of [5, 0, -3, 0]) queue.add(entry('a', `s${p}`, p));
    expect(order(queue)).toEqual(['a/s-3', 'a/s0', 'a/s0', 'a/s5']);
  });

  it('takes the recipients of a message together, up to the limit', () => {
    const queue = new FairQueue<InTurn>();
    for (let i = 0; i < 5; i++) queue.add(entry(`d${i}`, 'x', 0, 'M'));
    expect(queue.take(3)).toHaveLength(3);
    expect(queue.take(3)).toHaveLength(2);
    expect(queue.take(3)).toEqual([]);
  });

  it('forgets who is removed, also when they come back', () => {
    const queue = new FairQueue<InTurn>();
    const one = entry('a', 'x');
    queue.add(one);
    queue.add(one);
    expect(queue.size).toBe(1);
    expect(queue.remove(one)).toBe(true);
    expect(queue.remove(one)).toBe(false);
    queue.add(one);
    expect(queue.take(1)).toEqual([one]);
    expect(queue.take(1)).toEqual([]);
  });

  it('gives out everybody once, whatever is added and taken in between', () => {
    const step = fc.oneof(fc.record({ d: fc.nat(3), s: fc.nat(2), p: fc.nat(2), m: fc.nat(5) }), fc.constant('take' as const), fc.constant('remove' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 4 }), (steps, most) => {
        const queue = new FairQueue<InTurn>();
        const inside = new Set<InTurn>();
        const out = (taken: readonly InTurn[]): void => {
          for (const e of taken) {
            expect(inside.delete(e)).toBe(true);
            expect(e.together).toBe(taken[0]?.together);
          }
        };
        for (const s of steps) {
          if (s === 'take') {
            const taken = queue.take(most);
            expect(taken.length).toBeLessThanOrEqual(most);
            expect(taken.length > 0).toBe(inside.size > 0);
            out(taken);
          } else if (s === 'remove') {
            const [first] = inside;
            if (first) expect(queue.remove(first) && inside.delete(first)).toBe(true);
          } else {
            const e = entry(`d${s.d}`, `s${s.s}`, s.p, `m${s.m}`);
            queue.add(e);
            inside.add(e);
          }
          expect(queue.size).toBe(inside.size);
          expect(new Set(queue)).toEqual(inside);
        }
        while (inside.size > 0) out(queue.take(most));
        expect(queue.take(most)).toEqual([]);
      }),
    );
  });
});
