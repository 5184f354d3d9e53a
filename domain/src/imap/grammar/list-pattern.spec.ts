import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { joinPattern, listMatcher } from './list-pattern.js';

/** The definition, which may take for ever on long input. */
function matches(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  const [first, rest] = [pattern[0], pattern.slice(1)];
  if (first !== '*' && first !== '%') return name[0] === first && matches(rest, name.slice(1));
  if (matches(rest, name)) return true;
  return name !== '' && (first === '*' || name[0] !== '/') && matches(pattern, name.slice(1));
}

describe('a LIST pattern', () => {
  it.each([
    ['*', 'a/b', true], ['%', 'a', true], ['%', 'a/b', false], ['', '', true], ['', 'a', false], ['a', 'a', true], ['a', 'A', false], ['a/*', 'a', false], ['a/*', 'a/', true], ['a*', 'a/b/c', true], ['a/%', 'a/b', true], ['a/%', 'a/b/c', false],
    ['%/b', 'a/b', true], ['%/b', 'a/a/b', false], ['*/b', 'a/a/b', true], ['a%c', 'abbc', true], ['a%c', 'a/c', false], ['%a%', 'bab', true], ['*%', 'a/b', true], ['%%', 'a/b', false], ['日%', '日本', true], ['%/%/%', 'a/b/c', true],
  ])('%j and %j: %s', (pattern, name, matched) => expect(listMatcher(pattern)(name)).toBe(matched));

  it('means what the RFC says', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '%'), maxLength: 8 }), fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 }), (pattern, name) => {
        expect(listMatcher(pattern)(name)).toBe(matches(pattern, name));
      }),
      { numRuns: 5_000 },
    ));

  it('means the same when it is longer than a machine word', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '/', '*'), maxLength: 4 }), fc.string({ unit: fc.constantFrom('a', '/'), maxLength: 6 }), fc.integer({ min: 25, max: 70 }), (pattern, name, more) => {
        const head = 'x'.repeat(more);
        expect(listMatcher(`%${head}${pattern}`)(head + name)).toBe(matches(`${pattern}`, name));
      }),
    ));

  it('of the worst kind takes no longer than another', () => {
    const match = listMatcher(`${'*a'.repeat(400)}%b`);
    for (let i = 0; i < 100; i++) expect(match('a'.repeat(1_000))).toBe(false);
  });

  it.each([
    ['', 'a', 'a'], ['a', '%', 'a/%'], ['a/', '%', 'a/%'], ['a', '/b', 'a/b'], ['a', '#Shared/%', '#Shared/%'], ['', 'inbox', 'INBOX'], ['inbox', '%', 'INBOX/%'], ['', 'inbox*', 'inbox*'],
  ])('%j and %j together are %j', (reference, pattern, whole) => expect(joinPattern(reference, pattern)).toBe(whole));
});
