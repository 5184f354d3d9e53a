import { describe, expect, it } from '@jest/globals';
import { Pace } from './pace.js';

const NOON = Date.UTC(2026, 0, 5, 3);
const MINUTE = 60_000;
const successes = (pace: Pace<string>, count: number, most = 20): void => {
  for (let i = 0; i < count; i++) pace.succeeded(most);
};

describe('the pace of a route', () => {
  it('starts with two connections and gains one per round of successes, up to what is set', () => {
    const pace = new Pace<string>();
    expect(pace.allowed(20)).toBe(2);
    successes(pace, 2);
    expect(pace.allowed(20)).toBe(3);
    successes(pace, 2);
    expect(pace.allowed(20)).toBe(3);
    successes(pace, 1);
    expect(pace.allowed(20)).toBe(4);
    successes(pace, 1_000, 5);
    expect(pace.allowed(20)).toBe(5);
    expect(pace.allowed(3)).toBe(3);
  });

  it('is halved, once for all that was under way, and never below one', () => {
    const pace = new Pace<string>();
    successes(pace, 1_000);
    const tickets = Array.from({ length: 20 }, () => pace.begin());
    for (const ticket of tickets) pace.slowed(ticket);
    expect(pace.allowed(20)).toBe(10);
    for (let i = 0; i < 10; i++) pace.slowed(pace.begin());
    expect(pace.allowed(20)).toBeLessThanOrEqual(10);
    for (let i = 0; i < 50; i++) {
      pace.begin();
      pace.slowed(pace.begin());
    }
    expect(pace.allowed(20)).toBe(1);
  });

  it('stops for one minute, then for twice as long each time, up to fifteen', () => {
    const pace = new Pace<string>();
    let now = NOON;
    for (const minutes of [1, 2, 4, 8, 15, 15]) {
      pace.unreachable(now, 'away');
      pace.unreachable(now, 'tried side by side');
      expect(pace.down(now + minutes * MINUTE - 1)).toBe('away');
      now += minutes * MINUTE;
      expect(pace.down(now)).toBeUndefined();
      expect(pace.allowed(20)).toBe(1);
    }
    pace.succeeded(20);
    pace.unreachable(now, 'away');
    expect(pace.down(now + MINUTE)).toBeUndefined();
  });

  it('may be tried at once when somebody asks', () => {
    const pace = new Pace<string>();
    pace.unreachable(NOON, 'away');
    pace.pauseOpening(NOON + 5_000);
    pace.probe();
    expect(pace.down(NOON)).toBeUndefined();
    expect(pace.mayOpen(NOON)).toBe(true);
  });

  it('lets through what the rate allows: a second’s worth at once, no more than set per minute', () => {
    const pace = new Pace<string>();
    const taken = (from: number, ms: number, perMinute: number): number => {
      let count = 0;
      for (let at = from; at < from + ms; at += 10) while (pace.take(at, perMinute)) count++;
      return count;
    };
    expect(taken(NOON, 10, 600)).toBe(10);
    expect(taken(NOON + 10, MINUTE, 600)).toBeLessThanOrEqual(600);
    expect(taken(NOON + MINUTE + 10, MINUTE, 600)).toBeGreaterThanOrEqual(598);
    expect(pace.take(NOON, 0)).toBe(true);
  });

  it('is worth remembering only when something was learnt', () => {
    const pace = new Pace<string>();
    expect(pace.forgettable(NOON)).toBe(true);
    pace.unreachable(NOON, 'away');
    expect(pace.forgettable(NOON + 60 * MINUTE)).toBe(false);
  });
});
