import { describe, expect, it } from '@jest/globals';
import { forward, reverse } from '@kiroku/domain/srs/srs.js';
import { srsKeys } from './keys.js';

const NOW = Date.UTC(2026, 0, 5);
const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

describe('an address rewritten with the server key', () => {
  const there = forward('ann@y.test', 'fw.test', NOW, srsKeys(one)) ?? '';

  it('is known to every node that has the key, in any case of letters', () => {
    for (const written of [there, there.toLowerCase()])
      expect(reverse(written, NOW, srsKeys(one))).toEqual({ kind: 'address', address: 'ann@y.test' });
  });

  it('is still known after the key was changed, while the old key is named', () => {
    expect(reverse(there, NOW, srsKeys(two, [one]))).toEqual({ kind: 'address', address: 'ann@y.test' });
    expect(reverse(there, NOW, srsKeys(two))).toEqual({ kind: 'refused', reason: 'wrong-hash' });
  });

  it('is signed with the present key only', () => {
    expect(forward('ann@y.test', 'fw.test', NOW, srsKeys(one, [two]))).toBe(there);
  });

  it('matches no empty, overlong or other hash', () => {
    const keys = srsKeys(one);
    const whole = keys.sign('text');
    expect([whole, whole.slice(0, 6), whole.toUpperCase()].map((h) => keys.matches('text', h))).toEqual([true, true, true]);
    expect(['', `${whole}x`, '日本語', whole.slice(1, 7)].map((h) => keys.matches('text', h))).toEqual([false, false, false, false]);
  });
});
