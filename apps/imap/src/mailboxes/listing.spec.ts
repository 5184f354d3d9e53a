import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { matcher } from './listing.js';

describe('a pattern', () => {
  it.each([
    ['', '*', ['INBOX', 'a', 'a/b'], []],
    ['', '%', ['INBOX', 'a'], ['a/b']],
    ['', 'a/%', ['a/b', 'a/'], ['a', 'a/b/c']],
    ['', 'a*', ['a', 'ab', 'a/b/c'], ['ba']],
    ['', '%b', ['b', 'ab'], ['a/b']],
    ['', '*b', ['b', 'a/b'], ['ba']],
    ['', 'a%c*e', ['ace', 'abcde', 'ac/e'], ['a/ce']],
    ['', 'inbox', ['INBOX'], ['inbox']],
    ['', 'inbox/%', ['INBOX/a'], ['inbox/a']],
    ['a', '%', ['a/b'], ['a', 'b']],
    ['a/', 'b', ['a/b'], ['b']],
    ['a/', '#Shared/%', ['#Shared/x'], ['a/#Shared/x']],
  ])('%j %j', (reference, pattern, yes, no) => {
    const matches = matcher(reference, pattern);
    expect(yes.filter((name) => !matches(name))).toEqual([]);
    expect(no.filter(matches)).toEqual([]);
  });

  it('matches as a regular expression would', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '%'), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
    fc.assert(
      fc.property(text, name, (pattern, candidate) => {
        const expected = new RegExp(`^${pattern.replace(/\*/g, '.*').replace(/%/g, '[^/]*')}$`).test(candidate);
        expect(matcher('', pattern)(candidate)).toBe(expected);
      }),
    );
  });
});
