import { describe, expect, it } from '@jest/globals';
import { Backoff } from './backoff.js';

describe('the wait before a restart', () => {
  it('doubles up to its limit while processes die young', () => {
    const backoff = new Backoff();
    expect(Array.from({ length: 8 }, () => backoff.next(0))).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  it('begins anew after a life of half a minute, not a millisecond less', () => {
    const backoff = new Backoff();
    backoff.next(0);
    expect(backoff.next(29_999)).toBe(200);
    expect(backoff.next(30_000)).toBe(100);
  });
});
