import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeName, encodeName, hintOf, namedAt, Names, objectOf, OFFSET_LIMIT, offsetOf, placeIn, placeOf } from './s3-name.js';

const object = fc.record({ segment: fc.maxSafeNat(), writer: fc.nat(36 ** 5 - 1) });
const offset = fc.nat(OFFSET_LIMIT - 1);

describe('the name of a stored object', () => {
  it('is 16 letters and digits and is read back', () =>
    fc.assert(
      fc.property(object, (name) => {
        expect(encodeName(name)).toMatch(/^[0-9a-z]{16}$/);
        expect(decodeName(encodeName(name))).toEqual(name);
      }),
    ));

  it('sorts as its number does', () =>
    fc.assert(fc.property(object, object, (a, b) => a.segment === b.segment || encodeName(a) < encodeName(b) === a.segment < b.segment)));

  it.each(['', 'bodies', '0000000000000000.', 'ABCDEFGHIJKLMNOP', 'zzzzzzzzzzzzzzzz'])('is not %j', (name) =>
    expect(decodeName(name)).toBeUndefined());

  it('and an offset make a place, exact to the byte', () =>
    fc.assert(
      fc.property(object, offset, (name, at) => {
        const place = placeIn(name, at);
        expect(Number.isSafeInteger(place.offset)).toBe(true);
        expect([objectOf(place), offsetOf(place)]).toEqual([name, at]);
        expect(placeOf(hintOf(place))).toEqual(place);
      }),
    ));

  it.each([undefined, '', '7:0', 'L:1', '1:2:3', '-1:5', '0000000000000000:134217728', '0000000000000000:-1', '../../etc/passwd'])('is not hinted at by %j', (hint) =>
    expect(placeOf(hint)).toBeUndefined());
});

describe('names', () => {
  const NOW = Date.UTC(2026, 5, 1);
  it('tell when they were given', () => expect(namedAt(new Names({ now: () => NOW }).next())).toBe(NOW));

  it('rise, also when the clock stands still or goes back', () => {
    let now = NOW;
    const names = new Names({ now: () => now });
    const given = Array.from({ length: 10_000 }, (_, i) => {
      if (i % 100 === 0) now -= 5;
      return names.next().segment;
    });
    expect(given.every((segment, i) => i === 0 || segment > given[i - 1]!)).toBe(true);
    expect(new Names({ now: () => 0 }).next().segment).toBeGreaterThanOrEqual(0);
  });

  it('of two writers differ, even of the same millisecond and the same number in it', () => {
    let writer = 1;
    const random = (below: number) => (below > 5000 ? writer++ : 0);
    const [a, b] = [new Names({ now: () => NOW }, random), new Names({ now: () => NOW }, random)];
    expect(encodeName(a.next())).not.toBe(encodeName(b.next()));
  });
});
