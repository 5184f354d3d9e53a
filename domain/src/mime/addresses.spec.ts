import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MOST_ADDRESSES, readAddresses } from './addresses.js';
import { binary } from './binary.js';
import { summarise } from './summary.js';
import { structureOf } from './testing.js';
import type { Address } from './structure.js';

/** `name|mailbox|host`, a route in front in braces; a group's marks in square brackets. */
const short = ({ name, route, mailbox, host }: Address): string =>
  host === undefined ? `[${mailbox ?? ''}]` : `${route === undefined ? '' : `{${route}}`}${name ?? ''}|${mailbox}|${host}`;

describe('an address list', () => {
  it.each([
    ['', []],
    ['   ', []],
    ['ann@x.test', ['|ann|x.test']],
    ['<ann@x.test>', ['|ann|x.test']],
    ['Ann <ann@x.test>', ['Ann|ann|x.test']],
    ['Ann Lee<ann@x.test>', ['Ann Lee|ann|x.test']],
    ['a@x, b@y', ['|a|x', '|b|y']],
    ['a@x,, ,b@y,', ['|a|x', '|b|y']],
    ['"Lee, Ann" <ann@x.test>', ['Lee, Ann|ann|x.test']],
    ['"Ann \\"A\\\\B\\" Lee" <ann@x.test>', ['Ann "A\\B" Lee|ann|x.test']],
    ['"Ann" Lee "of X" <ann@x.test>', ['Ann Lee of X|ann|x.test']],
    ['"ann lee"@x.test', ['|ann lee|x.test']],
    ['<"ann@home"@x.test>', ['|ann@home|x.test']],
    ['ann@[192.0.2.1]', ['|ann|[192.0.2.1]']],
    ['ann@[IPv6:2001:db8::1]', ['|ann|[IPv6:2001:db8::1]']],
    ['ann@x.test (Ann Lee)', ['Ann Lee|ann|x.test']],
    ['(Ann (of X) \\) Lee) ann@x.test', ['Ann (of X) ) Lee|ann|x.test']],
    ['Ann (of X) <ann@x.test>', ['Ann|ann|x.test']],
    ['<ann@x.test> (Ann)', ['Ann|ann|x.test']],
    ['a@x (A), b@y (B)', ['A|a|x', 'B|b|y']],
    ['friends: ann@x, Bob <bob@y>;', ['[friends]', '|ann|x', 'Bob|bob|y', '[]']],
    ['undisclosed-recipients:;', ['[undisclosed-recipients]', '[]']],
    ['Our "good" friends:ann@x;, c@z', ['[Our good friends]', '|ann|x', '[]', '|c|z']],
    ['friends: ann@x', ['[friends]', '|ann|x', '[]']],
    ['a:b@x; c:d@y;', ['[a]', '|b|x', '[]', '[c]', '|d|y', '[]']],
  ])('%j is read as RFC 5322 has it', (text, expected) => expect(readAddresses(text).map(short)).toEqual(expected));

  it.each([
    ['ann . lee @ x . test', ['|ann.lee|x.test']],
    ['<@a.test,@b.test:ann@x.test>', ['{@a.test,@b.test}|ann|x.test']],
    ['ann(home)@(x)x.test', ['x|ann|x.test']],
    ['J. P. Lee <ann@x.test>', ['J. P. Lee|ann|x.test']],
    ['ann..lee.@x.test', ['|ann..lee.|x.test']],
  ])('%j is read in its obsolete form', (text, expected) => expect(readAddresses(text).map(short)).toEqual(expected));

  it.each([
    ['ann@x.test <ann@x.test>', ['ann@x.test|ann|x.test']],
    ['"ann@x.test" <ann@x.test>', ['ann@x.test|ann|x.test']],
    ['Ann Lee ann@x.test', ['Ann Lee|ann|x.test']],
    ['Ann <ann@x.test', ['Ann|ann|x.test']],
    ['Ann <ann@x.test, Bob <bob@y>', ['Ann|ann|x.test', 'Bob|bob|y']],
    ['Ann <<ann@x.test>>', ['Ann|ann|x.test']],
    ['ann@x.test>', ['|ann|x.test']],
    ['Ann <ann@x.test> Lee', ['Ann Lee|ann|x.test']],
    ['<ann@x.test> Ann', ['Ann|ann|x.test']],
    ['a@x; b@y', ['|a|x', '|b|y']],
    ['root', ['|root|']],
    ['<root>', ['|root|']],
    ['<>', ['||']],
    ['Ann Lee', ['Ann Lee||']],
    ['"Ann"', ['Ann||']],
    ['(nobody)', ['nobody||']],
    ['@x.test', ['||x.test']],
    ['ann@', ['|ann|']],
    ['a@b@x.test', ['|a@b|x.test']],
    ['<mailto:ann@x.test>', ['|ann|x.test']],
    ['"Ann <ann@x.test>', ['Ann <ann@x.test>||']],
    ['Ann (of X <ann@x.test>', ['of X <ann@x.test>|Ann|']],
    ['Lee, Ann <ann@x.test>', ['|Lee|', 'Ann|ann|x.test']],
    ["'Ann' <ann@x.test>", ["'Ann'|ann|x.test"]],
    ['[Ann] <ann@x.test>', ['[Ann]|ann|x.test']],
    ['=?utf-8?Q?Lee,_Ann_(X)?= <ann@x.test>', ['=?utf-8?Q?Lee,_Ann_(X)?=|ann|x.test']],
    ['=?utf-8?Q?Lee; Ann?= <ann@x.test>', ['=?utf-8?Q?Lee; Ann?=|ann|x.test']],
    ['=?utf-8?B?QQ==?= =?utf-8?B?Qg==?= <ann@x.test>', ['=?utf-8?B?QQ==?= =?utf-8?B?Qg==?=|ann|x.test']],
    ['=?utf-8?B?QQ==?=<ann@x.test>', ['=?utf-8?B?QQ==?=|ann|x.test']],
  ])('%j is read, though it is broken', (text, expected) => expect(readAddresses(text).map(short)).toEqual(expected));

  it.each([
    ['ISO-2022-JP with an at sign and a semicolon in its bytes', '\x1b$B;3EDB@O:\x1b(B <taro@x.test>', '山田太郎'],
    ['ISO-2022-JP that never returns to ASCII, in quotes', '"\x1b$B;3EDB@O:\x1b(B" <taro@x.test>', '山田太郎'],
    ['Shift_JIS with a backslash in its bytes', '"\x97\\\x92\xe8\x95\\\x83\\\x83t\x83g" <taro@x.test>', '予定表ソフト'],
    ['EUC-JP', '\xbb\xb3\xc5\xc4\xc2\xc0\xcf\xba <taro@x.test>', '山田太郎'],
    ['UTF-8', '\xe5\xb1\xb1\xe7\x94\xb0 <taro@x.test>', '山田'],
    ['Latin-1', 'Andr\xe9 Fran\xe7ois <taro@x.test>', 'André François'],
  ])('with a name in raw %s is read', (_, text, name) =>
    expect(summarise(structureOf(`From: ${text}, b@y`, '', '')).from).toEqual([{ name, mailbox: 'taro', host: 'x.test' }, { name: '', mailbox: 'b', host: 'y' }]));

  it('with an international address is read', () =>
    expect(summarise(structureOf(`From: ${binary(new TextEncoder().encode('山田 <太郎@例え.test>'))}`, '', '')).from).toEqual([{ name: '山田', mailbox: '太郎', host: '例え.test' }]));

  it('is not read without end', () => expect(readAddresses('a@b,'.repeat(MOST_ADDRESSES + 10))).toHaveLength(MOST_ADDRESSES));

  it('never throws', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab@.,;:<>()[]"\\ \t\x1b$B\xe3\x81\x82\x95='), maxLength: 60 }), (text) => {
        for (const { mailbox, host, name } of readAddresses(text)) {
          expect(host === undefined || mailbox !== undefined).toBe(true);
          expect(name).not.toBe('');
        }
      }),
      { numRuns: 2_000 },
    ));
});
