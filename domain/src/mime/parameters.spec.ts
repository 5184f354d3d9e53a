import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fileName, parameterText } from './parameter-text.js';
import { readContentType, readDisposition, readToken } from './parameters.js';
import { structureOf } from './testing.js';

const flat = (value: string): string | undefined => {
  const read = readContentType(value);
  return read && [`${read.type}/${read.subtype}`, ...read.parameters.map(([name, text]) => `${name}=${text}`)].join(' | ');
};

describe('a content type', () => {
  it.each([
    ['text/plain', 'text/plain'],
    ['TEXT/Html; Charset="UTF-8"', 'text/html | charset=UTF-8'],
    ['text/plain; charset=us-ascii (Plain text); format=flowed', 'text/plain | charset=us-ascii | format=flowed'],
    ['(what) text / plain ; a = b', 'text/plain | a=b'],
    ['multipart/mixed; boundary="a b; c=\\"d\\""', 'multipart/mixed | boundary=a b; c="d"'],
    ['multipart/mixed; boundary="----=_Part_1.2"', 'multipart/mixed | boundary=----=_Part_1.2'],
    ['application/x; a=""; b=', 'application/x | a= | b='],
    ['image/svg+xml', 'image/svg+xml'],
  ])('%j is read as RFC 2045 has it', (value, expected) => expect(flat(value)).toBe(expected));

  it.each([
    ['text', 'text/plain'],
    ['multipart; boundary=b', 'multipart/mixed | boundary=b'],
    ['application/', 'application/octet-stream'],
    ['"text/html"; charset=x', 'text/html | charset=x'],
    ['text/plain charset=utf-8', 'text/plain | charset=utf-8'],
    ['text/plain;; charset=utf-8;', 'text/plain | charset=utf-8'],
    ['text/plain; charset=utf-8 format=flowed', 'text/plain | charset=utf-8 | format=flowed'],
    ['application/pdf; name=my own file.pdf', 'application/pdf | name=my own file.pdf'],
    ['application/pdf; name="a.pdf', 'application/pdf | name=a.pdf'],
    ['application/pdf; name="a.pdf"; "x=y"; z', 'application/pdf | name=a.pdf'],
    ['multipart/mixed; boundary=----=_Part=1', 'multipart/mixed | boundary=----=_Part=1'],
    ['text/plain; charset="utf-8"format="flowed"', 'text/plain | charset=utf-8 | format=flowed'],
    ['application/pdf; name="\x1b$B8+@Q=q\x1b(B.pdf"', 'application/pdf | name=\x1b$B8+@Q=q\x1b(B.pdf'],
    ['application/pdf; name="\x95\\\x8e\xa6.pdf"; x=y', 'application/pdf | name=\x95\\\x8e\xa6.pdf | x=y'],
  ])('%j is read, though it is broken', (value, expected) => expect(flat(value)).toBe(expected));

  it.each(['', ' ', ';', '/', '()', '=x'])('%j is none', (value) => expect(flat(value)).toBeUndefined());

  it.each(['constructor', '__proto__', 'toString'])('%s has no subtype of its own', (value) => expect(flat(value)).toBe(`${value.toLowerCase()}/octet-stream`));
});

describe('a parameter in pieces (RFC 2231)', () => {
  it.each([
    ["x/y; name*=utf-8''%E8%A6%8B.pdf", "name*=utf-8''%E8%A6%8B.pdf"],
    ['x/y; name*0=ab; name*1=cd; z=1', 'name=abcd | z=1'],
    ['x/y; name*1=cd; name*0=ab', 'name=abcd'],
    ["x/y; name*0*=utf-8''%E8; name*1*=%A6%8B; name*2=.p%f", "name*=utf-8''%E8%A6%8B.p%25f"],
    ['x/y; name*1=ab; name*2=cd', 'name=abcd'],
    ['x/y; name*0=ab; name*2=ef', 'name=ab'],
    ['x/y; name*0=ab; name*0=cd', 'name=ab'],
    ['x/y; name*5000=ab', 'name*5000=ab'],
    ["x/y; name=plain; name*=utf-8''full", "name=plain | name*=utf-8''full"],
  ])('%j is joined', (value, expected) => expect(flat(value)).toBe(`x/y | ${expected}`));
});

describe('a file name', () => {
  it.each([
    ['RFC 2231 in UTF-8', "filename*=UTF-8'ja'%E8%A6%8B%E7%A9%8D%E6%9B%B8.pdf"],
    ['RFC 2231 in ISO-2022-JP, in pieces cut anywhere', "filename*0*=iso-2022-jp''%1B$B8+@Q; filename*1*=%3Dq%1B%28B; filename*2=.pdf"],
    ['RFC 2231 in Shift_JIS', "filename*=Shift_JIS''%8C%A9%90%CF%8F%91.pdf"],
    ['RFC 2231 in EUC-JP', "filename*=EUC-JP''%B8%AB%C0%D1%BD%F1.pdf"],
    ['RFC 2231 without a charset', "filename*=''%8C%A9%90%CF%8F%91.pdf"],
    ['RFC 2231 with a wrong charset', "filename*=utf-8''%B8%AB%C0%D1%BD%F1.pdf"],
    ['RFC 2231 without the quotes', 'filename*=%E8%A6%8B%E7%A9%8D%E6%9B%B8.pdf'],
    ['RFC 2231 beside a plain one', "filename=mitsumori.pdf; filename*=UTF-8''%E8%A6%8B%E7%A9%8D%E6%9B%B8.pdf"],
    ['RFC 2047 in quotes', 'filename="=?ISO-2022-JP?B?GyRCOCtAUT1xGyhCLnBkZg==?="'],
    ['RFC 2047 without quotes', 'filename==?utf-8?B?6KaL56mN5pu4LnBkZg==?='],
    ['RFC 2047 in two folded words', 'filename="=?utf-8?B?6KaL56mN?=\r\n =?utf-8?B?5pu4LnBkZg==?="'],
    ['RFC 2047 in pieces of RFC 2231', 'filename*0="=?utf-8?B?6KaL56mN5p"; filename*1="u4LnBkZg==?="'],
    ['raw ISO-2022-JP', 'filename="\x1b$B8+@Q=q\x1b(B.pdf"'],
    ['raw Shift_JIS', 'filename="\x8c\xa9\x90\xcf\x8f\x91.pdf"'],
    ['raw EUC-JP', 'filename=\xb8\xab\xc0\xd1\xbd\xf1.pdf'],
    ['raw UTF-8', 'filename="\xe8\xa6\x8b\xe7\xa9\x8d\xe6\x9b\xb8.pdf"'],
  ])('as %s is read', (_, parameter) =>
    expect(fileName(structureOf('Content-Type: application/pdf; name=other', `Content-Disposition: attachment; ${parameter}`, '', '').root)).toBe('見積書.pdf'));

  it('is the name of the type where the disposition has none', () =>
    expect(fileName(structureOf('Content-Type: application/pdf; name="a.pdf"', 'Content-Disposition: inline', '', '').root)).toBe('a.pdf'));

  it('may be absent', () => expect(fileName(structureOf('', '').root)).toBeUndefined());
});

describe('a disposition', () => {
  it.each([
    ['attachment', { type: 'attachment', parameters: [] }],
    ['INLINE; filename="a"', { type: 'inline', parameters: [['filename', 'a']] }],
    ['filename="a.pdf"', { type: 'attachment', parameters: [['filename', 'a.pdf']] }],
    ['', undefined],
    [';', undefined],
  ])('%j is read', (value, expected) => expect(readDisposition(value)).toEqual(expected));
});

describe('a transfer encoding', () => {
  it.each([
    ['Base64', 'base64'],
    [' "quoted-printable" ', 'quoted-printable'],
    ['(x) 8bit; y', '8bit'],
    ['', undefined],
    [';', undefined],
  ])('%j is read', (value, expected) => expect(readToken(value)).toBe(expected));
});

it('no field makes the readers throw', () =>
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab*0123=;"\'()\\/ \t%?\x1b$B\x95\xe3'), maxLength: 80 }), (value) => {
      for (const [name] of readContentType(value)?.parameters ?? []) {
        expect(name).not.toBe('');
        expect(typeof parameterText(readContentType(value)?.parameters ?? [], name.replace(/\*$/, ''))).toBe('string');
      }
    }),
    { numRuns: 2_000 },
  ));
