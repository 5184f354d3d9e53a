import { describe, expect, it } from '@jest/globals';
import { base32, fixedClock, fixedIds, systemClock, systemIds } from './ids.js';

const NOON = Date.UTC(2026, 5, 1, 12);
const sortedAndUnique = (ids: readonly string[]) => {
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort()).toEqual(ids);
};
const many = (n: number, make: () => string) => Array.from({ length: n }, make);

describe('a UUID', () => {
  it('is version 7, variant 1, and starts with the time', () => {
    const uuid = systemIds(fixedClock(NOON)).uuid();
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(parseInt(uuid.replace('-', '').slice(0, 12), 16)).toBe(NOON);
  });

  it('is unique and later than the one before, ten thousand in one millisecond', () => {
    const ids = systemIds(fixedClock(NOON));
    sortedAndUnique(many(10_000, () => ids.uuid()));
  });

  it('is later than the one before although the clock went back', () => {
    const clock = fixedClock(NOON);
    const ids = systemIds(clock);
    const before = ids.uuid();
    clock.advance(-60_000);
    expect(ids.uuid() > before).toBe(true);
  });
});

describe('a queue id', () => {
  it('has 15 characters of which the first nine are the time', () => {
    const id = systemIds(fixedClock(NOON)).queueId();
    expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{15}$/);
    expect(id.slice(0, 9)).toBe(base32(NOON, 9));
  });

  it('is unique and later than the one before when 1024 are used up within a millisecond', () => {
    const ids = systemIds(fixedClock(NOON));
    const made = many(3000, () => ids.queueId());
    sortedAndUnique(made);
    expect(made[1023]!.slice(0, 9)).toBe(base32(NOON, 9));
    expect(made[1024]!.slice(0, 9)).toBe(base32(NOON + 1, 9));
  });

  it('sorts by the millisecond', () => {
    const clock = fixedClock(NOON);
    const ids = systemIds(clock);
    sortedAndUnique(
      many(100, () => {
        clock.advance(1);
        return ids.queueId();
      }),
    );
  });

  it('sorts for a thousand years', () => {
    expect(base32(32 ** 9 - 1, 9)).toBe('ZZZZZZZZZ');
    expect(base32(Date.UTC(3000, 0, 1), 9) > base32(NOON, 9)).toBe(true);
  });
});

describe('fixed ids', () => {
  it('are the same at every run and differ by seed', () => {
    const [a, b, c] = [fixedIds(7), fixedIds(7), fixedIds(8)];
    const first = [a.uuid(), a.queueId(), a.uuid()];
    expect([b.uuid(), b.queueId(), b.uuid()]).toEqual(first);
    expect(c.uuid()).not.toBe(first[0]);
    sortedAndUnique(many(5000, () => a.uuid()));
  });
});

describe('the system clock', () => {
  it('tells epoch milliseconds', () => expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000));
});
