import { describe, expect, it } from '@jest/globals';
import { Politeness } from './politeness.js';

/** A machine of two processors that has been idle for that share (0 to 1) of each half second. */
function machine(pace: [usual: number, longest: number]) {
  const times = { idle: 0, all: 0 };
  let now = 0;
  const politeness = new Politeness(...pace, 0.15, () => ({ ...times }), () => now);
  return (idle: number): number => {
    times.all += 1_000;
    times.idle += 1_000 * idle;
    now += 500;
    return politeness.pace();
  };
}

describe('work that nobody waits for', () => {
  it('takes larger steps once less than 15 % of the machine is idle', () => {
    const after = machine([20, 200]);
    expect([0.9, 0.16, 0.14, 0.05].map(after)).toEqual([20, 20, 200, 200]);
  });

  it('does not take a gap in a burst for its end: twice as much must be idle', () => {
    const after = machine([20, 200]);
    expect([0.1, 0.2, 0.29, 0.31, 0.2].map(after)).toEqual([200, 200, 200, 20, 20]);
  });

  it('looks at the machine twice a second at most', () => {
    let looks = 0;
    let now = 0;
    const politeness = new Politeness(20, 200, 0.15, () => ({ idle: 0, all: 100 * looks++ }), () => now);
    for (now = 0; now < 1_000; now += 100) politeness.pace();
    expect(looks).toBe(2);
  });
});
