import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addressesIn } from './mailbox-list.js';

describe('a From field', () => {
  it.each([
    ['ann@x.test', ['ann@x.test']],
    ['<ann@x.test>', ['ann@x.test']],
    ['Ann <ann@x.test>', ['ann@x.test']],
    ['"Ann, of X" <ann@x.test>', ['ann@x.test']],
    ['"Eve <eve@far.test>" <ann@x.test>', ['ann@x.test']],
    ['eve@far.test <ann@x.test>', ['ann@x.test']],
    ['ann@x.test (Ann (of X))', ['ann@x.test']],
    ['(a \\) b) ann@x.test', ['ann@x.test']],
    ['=?utf-8?B?5bGx55Sw?= <yamada@x.test>', ['yamada@x.test']],
    ['山田 太郎 <yamada@x.test>', ['yamada@x.test']],
    ['John Q. Public <john@x.test>', ['john@x.test']],
    ['ann@x.test, Bob <bob@x.test>', ['ann@x.test', 'bob@x.test']],
    [', ann@x.test,', ['ann@x.test']],
    ['Group: ann@x.test, <bob@x.test>;', ['ann@x.test', 'bob@x.test']],
    ['Nobody:;', []],
    ['"ann b"@x.test', ['"ann b"@x.test']],
    ['ann @ x . test', ['ann@x.test']],
    ['<@relay.test:ann@x.test>', ['ann@x.test']],
    ['ann@[192.0.2.1]', ['ann@[192.0.2.1]']],
    ['', []],
  ])('%j has %j', (text, addresses) => expect(addressesIn(text)).toEqual(addresses));

  it.each([
    'Ann', 'ann@', '@x.test', 'Ann ann@x.test', '<ann@x.test', 'ann@x.test>', '<ann@x.test> <eve@far.test>', '<ann@x.test> eve@far.test', '<>', 'Ann <>',
    '"Ann <ann@x.test>', '(Ann ann@x.test', 'ann@x.test)', 'a: b: ann@x.test;;', 'a: ann@x.test', 'ann@x.test;', '<ann@x.test,eve@far.test>', 'a@b@c', 'ann\0@x.test', 'ann@x.test\rb',
    `${'('.repeat(30)}${')'.repeat(30)} ann@x.test`,
  ])('%j cannot be read', (text) => expect(addressesIn(text)).toBeUndefined());

  it('never makes the reader throw or hang', () => {
    const parts = fc.array(fc.constantFrom('"', '(', ')', '<', '>', ',', ';', ':', '@', '\\', ' ', 'a', '.', '[', ']'), { maxLength: 60 });
    fc.assert(fc.property(parts, (given) => void addressesIn(given.join(''))), { numRuns: 1000 });
    expect(addressesIn('('.repeat(16_000))).toBeUndefined();
  });
});
