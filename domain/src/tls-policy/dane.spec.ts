import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { tlsaName, usableTlsa } from './dane.js';

const record = (usage: number, selector: number, matching: number, data: string) => ({ usage, selector, matching, data });
const sha256 = 'ab'.repeat(32);
const sha512 = 'cd'.repeat(64);

describe('TLSA records', () => {
  it('lie under port and protocol', () => expect(tlsaName('mx.x.test', 25)).toBe('_25._tcp.mx.x.test'));

  it.each([
    record(3, 1, 1, sha256), record(2, 0, 2, sha512), record(3, 0, 1, sha256), record(2, 1, 0, `3059${'00'.repeat(20)}`),
  ])('such as %j can be used', (good) => expect(usableTlsa([good])).toEqual([good]));

  it.each([
    record(0, 1, 1, sha256), record(1, 1, 1, sha256), record(4, 1, 1, sha256), record(255, 1, 1, sha256), record(3, 2, 1, sha256), record(3, 1, 3, sha256),
    record(3, 1, 1, sha512), record(3, 1, 2, sha256), record(3, 1, 1, ''), record(3, 1, 1, 'zz'.repeat(32)), record(3, 1, 1, sha256.toUpperCase()),
    record(3, 1, 0, ''), record(3, 1, 0, '3000'), record(3, 1, 0, 'ff'.repeat(100)), record(3, 1, 0, `30${'0'.repeat(99)}`), record(3, 1, 0, '30'.repeat(10_000)),
  ])('such as %j cannot', (bad) => expect(usableTlsa([bad])).toEqual([]));

  it('that are good stay when others are bad, and nothing throws', () =>
    fc.assert(fc.property(fc.array(fc.record({ usage: fc.nat(255), selector: fc.nat(255), matching: fc.nat(255), data: fc.string() })), (noise) => {
      const good = record(3, 1, 1, sha256);
      expect(usableTlsa([...noise, good]).at(-1)).toEqual(good);
    })));
});
