import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { partitionOf } from './event-log.js';

describe('a key', () => {
  it.each([
    ['', 1, 0],
    ['', 16, 0x811c9dc5 % 16],
    ['a', 1000, 0xe40c292c % 1000],
    ['foobar', 1000, 0xbf9cf968 % 1000],
  ])('%j of %d partitions belongs to %d (FNV-1a test vectors)', (key, partitions, expected) => expect(partitionOf(key, partitions)).toBe(expected));

  it('always belongs to the same partition, and to one that exists', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 1024 }), (key, partitions) => {
        const partition = partitionOf(key, partitions);
        expect(partition).toBe(partitionOf(key, partitions));
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    ));

  it('of many spreads evenly', () => {
    const counts = Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) counts[partitionOf(`01JH${i.toString(32).toUpperCase().padStart(11, '0')}`, 16)]!++;
    expect(Math.min(...counts)).toBeGreaterThan(700);
    expect(Math.max(...counts)).toBeLessThan(1300);
  });
});
