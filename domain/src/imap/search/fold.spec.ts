import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { contains, fold, PiecewiseSearch } from './fold.js';

describe('folded text', () => {
  it.each([
    ['Hello', 'hELLO'],
    ['Ｋｉｒｏｋｕ　２', 'kiroku 2'],
    ['ｶﾞｷﾞｸﾞ', 'ガギグ'],
    ['ﾊﾟﾝﾌﾚｯﾄ', 'パンフレット'],
    ['Straße', 'STRASSE'],
    ['Éclair', 'e\u0301CLAIR'],
    ['㎏', 'KG'],
    ['ǆ', 'ǅ'],
    ['Σίσυφος', 'ΣΊΣΥΦΟΣ'],
  ])('is the same for %j and %j', (a, b) => expect(fold(a)).toBe(fold(b)));

  it.each([
    ['会議室', '会議', true],
    ['ひらがな', 'ヒラガナ', false],
    ['10時', '１０時', true],
    ['abc', '', true],
    ['', 'a', false],
  ])('of %j contains that of %j: %s', (text, needle, expected) => expect(contains(fold(text), fold(needle))).toBe(expected));

  it('does not change when folded again, whatever the character', () => {
    for (let code = 0; code < 0x110000; code++) {
      const once = fold(String.fromCodePoint(code));
      if (fold(once) !== once) throw new Error(`U+${code.toString(16)}`);
    }
  });
});

const text = fc.string({ unit: fc.constantFrom('a', 'B', ' ', '\r', '\n', 'ｶ', 'ﾞ', 'カ', 'か', '\u3099', '\u0301', 'é', '漢', '字', '😀', 'ß'), maxLength: 60 });

describe('a search in pieces', () => {
  it('finds what a search in the whole text finds, however it is cut', () =>
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), fc.array(fc.oneof(text, fc.constantFrom('a', 'カ', 'ガ', '漢字')), { minLength: 1, maxLength: 3 }), (pieces, wanted) => {
        const needles = wanted.map((n) => fold(n.slice(0, 4)));
        const search = new PiecewiseSearch(needles);
        for (const piece of pieces) search.write(piece);
        search.end();
        const whole = fold(pieces.join(''));
        expect([...search.missing].sort()).toEqual([...new Set(needles.filter((n) => n !== '' && !whole.includes(n)))].sort());
      }),
    ));

  it('finds nothing across the end of a text', () => {
    const search = new PiecewiseSearch(['AB']);
    search.write('xa');
    search.end();
    search.write('bx');
    search.end();
    expect(search.found).toBe(false);
  });
});
