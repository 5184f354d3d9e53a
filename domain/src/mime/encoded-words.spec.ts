import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeHeader } from './encoded-words.js';
import { binary } from './binary.js';

describe('a header text', () => {
  it.each([
    ['plain', 'plain'],
    ['=?ISO-8859-1?Q?a?=', 'a'],
    ['=?ISO-8859-1?Q?a?= b', 'a b'],
    ['=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=', 'ab'],
    ['=?ISO-8859-1?Q?a?=\t  =?ISO-8859-1?Q?b?=', 'ab'],
    ['=?ISO-8859-1?Q?a_b?=', 'a b'],
    ['=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=', 'a b'],
    ['=?iso-8859-1?q?this=20is=20some=20t=E9xt?=', 'this is some téxt'],
    ['=?UTF-8*ja?B?5pel?=', '日'],
    ['Re: =?ISO-2022-JP?B?GyRCRnxLXDhsJE43b0w+GyhC?= (2)', 'Re: 日本語の件名 (2)'],
    ['=?Shift_JIS?B?k/qWe4zqgsyMj5a8?=', '日本語の件名'],
    ['=?EUC-JP?B?xvzL3LjspM6378y+?=', '日本語の件名'],
    ['=?utf-8?Q?=E6=97=A5=E6=9C=AC?=', '日本'],
    ['=?iso-2022-jp?Q?=1B$BF|K=5C8l=1B(B?=', '日本語'],
    ['=?cp932?B?h0CHig==?=', '①㈱'],
    ['=?windows-31j?B?7uCLtO2V?=', '髙橋﨑'],
    ['=?GB2312?B?1tDOxA==?=', '中文'],
    ['=?ks_c_5601-1987?B?x9GxuQ==?=', '한국'],
  ])('%j is decoded as RFC 2047 has it', (value, expected) => expect(decodeHeader(value)).toBe(expected));

  it.each([
    ['a character split between two words', '=?utf-8?B?5pel5pw=?= =?utf-8?B?rOiqng==?=', '日本語'],
    ['a character split between Q words', '=?UTF-8?Q?=E6=97?=\t=?utf-8?Q?=A5?=', '日'],
    ['ISO-2022-JP split without returning to ASCII', '=?ISO-2022-JP?B?GyRCRnxL?= =?ISO-2022-JP?B?XDhsGyhC?=', '日本語'],
    ['base64 cut anywhere', '=?utf-8?B?5pel5?= =?utf-8?B?pys6Kqe?=', '日本語'],
    ['one character split between B and Q', '=?utf-8?B?5pc=?= =?utf-8?Q?=A5?=', '日'],
    ['blanks in the text', '=?utf-8?Q?two words here?=', 'two words here'],
    ['question marks in the text', '=?utf-8?Q?what?_and=20why??=', 'what? and why?'],
    ['a question mark before an encoded blank', '=?utf-8?Q?what?=20ok?=', 'what? ok'],
    ['no blank before and behind', 'a=?utf-8?B?5pel?=b', 'a日b'],
    ['words in quotes', '"=?utf-8?B?5pel?="', '"日"'],
    ['missing padding', '=?utf-8?B?5pelYQ?=', '日a'],
    ['a word that is cut off', 'x =?utf-8?B?5pel5pys', 'x 日本'],
    ['a word that lacks its last character', '=?utf-8?B?5pel?', '日'],
    ['a charset that is wrong', '=?utf-8?B?k/qWe4zqgsyMj5a8?=', '日本語の件名'],
    ['ISO-2022-JP that is UTF-8 in truth', '=?iso-2022-jp?B?5pel5pys6Kqe?=', '日本語'],
    ['a charset that nobody knows', '=?x-unknown?B?xvzL3LjspM6378y+?=', '日本語の件名'],
    ['US-ASCII with raw bytes', '=?us-ascii?B?GyRCRnxLXDhsGyhC?=', '日本語'],
    ['an unknown encoding', '=?utf-8?X?abc?=', '=?utf-8?X?abc?='],
    ['no charset', '=??Q?abc?=', '=??Q?abc?='],
    ['an equals sign without digits', '=?utf-8?Q?a=zz=4?=', 'a=zz=4'],
    ['a word within a broken word', '=?utf-8?Q?broken =?utf-8?B?5pel?=', '=?utf-8?Q?broken 日'],
    ['line ends and NULs hidden in it', '=?utf-8?Q?a=0D=0ABcc:_x=00?=', 'a Bcc: x '],
  ])('with %s is decoded', (_, value, expected) => expect(decodeHeader(value)).toBe(expected));

  it.each([
    ['ISO-2022-JP', '\x1b$BF|K\\8l$N7oL>\x1b(B'],
    ['Shift_JIS', '\x93\xfa\x96{\x8c\xea\x82\xcc\x8c\x8f\x96\xbc'],
    ['EUC-JP', '\xc6\xfc\xcb\xdc\xb8\xec\xa4\xce\xb7\xef\xcc\xbe'],
    ['UTF-8', '\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe4\xbb\xb6\xe5\x90\x8d'],
  ])('in raw %s is guessed, also beside words', (_, raw) => {
    expect(decodeHeader(raw)).toBe('日本語の件名');
    expect(decodeHeader(`Re: ${raw} =?utf-8?B?5pel?=`)).toBe('Re: 日本語の件名 日');
  });

  it('in raw Latin-1 is not taken for Japanese', () => {
    expect(decodeHeader('R\xe9union \xe0 la caf\xe9t\xe9ria, pr\xe9vue jeudi')).toBe('Réunion à la cafétéria, prévue jeudi');
    expect(decodeHeader('M\xfcller Gr\xfc\xdfe')).toBe('Müller Grüße');
  });

  it('without anything to decode is itself', () =>
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'abc =?:;,<>') }).filter((text) => !text.includes('=?')), (text) => expect(decodeHeader(text)).toBe(text))));

  it('that was encoded is what it was, wherever its bytes were cut', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 20 }), fc.constantFrom('b', 'q'), (text, length, encoding) => {
        fc.pre(!/[\x00-\x1f\x7f]/.test(text) && text.isWellFormed());
        const bytes = new TextEncoder().encode(text);
        const words: string[] = [];
        for (let at = 0; at < bytes.length; at += length) {
          const piece = bytes.subarray(at, at + length);
          const hex = Array.from(piece, (byte) => `=${byte.toString(16).padStart(2, '0')}`).join('');
          words.push(`=?utf-8?${encoding}?${encoding === 'q' ? hex : btoa(binary(piece))}?=`);
        }
        expect(decodeHeader(words.join(' '))).toBe(text);
      }),
    ));

  it('of any bytes never throws and has no control characters', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.oneof(fc.constantFrom('=?utf-8?', '=?iso-2022-jp?B?', 'Q?', '?=', '=', '=E3', '_', ' ', 'GyRC', '\x1b$B'), fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))), maxLength: 40 }), (text) =>
        expect(decodeHeader(text)).not.toMatch(/[\x00-\x1f]/),
      ),
      { numRuns: 2_000 },
    ));
});
