import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { astring, mailboxName, nstring, octetsOf, string } from './strings.js';
import { bytes, read } from './testing.js';

const texts = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ unit: fc.constantFrom('"', '\\', ' ', 'a', '\r', '\n', '(', '{3}', 'NIL', 'é', '😀', ']', '%'), maxLength: 12 }));

describe('a string', () => {
  it.each([
    ['', '""', '""'],
    ['a b', '"a b"', '"a b"'],
    ['a"b\\', '"a\\"b\\\\"', '"a\\"b\\\\"'],
    ['NIL', '"NIL"', '"NIL"'],
    ['a\tb', '"a\tb"', '"a\tb"'],
    ['a\r\nb', '{4}\r\na\r\nb', '{4}\r\na\r\nb'],
    ['日本', '{6}\r\n日本', '"日本"'],
    ['é"', '{3}\r\né"', '"é\\""'],
    ['a\0b', '{5}\r\na\ufffdb', '{5}\r\na\ufffdb'],
  ])('%j is printed as %j, and as %j to who reads UTF-8', (text, plain, inUtf8) => {
    expect(string(text, false)).toBe(plain);
    expect(string(text, true)).toBe(inUtf8);
  });

  it('is a literal when it is long', () => expect(string('x'.repeat(1_025), true)).toBe(`{1025}\r\n${'x'.repeat(1_025)}`));

  it('reads back as it was printed', () =>
    fc.assert(
      fc.property(texts, fc.boolean(), (text, utf8) => {
        fc.pre(!text.includes('\0'));
        expect(read(`LOGIN ${string(text, utf8)} ${astring(text, utf8)}`)).toMatchObject({ user: text, password: text });
        expect(read(`SETMETADATA "" (/private/x ${nstring(text, utf8)})`)).toMatchObject({ entries: [['/private/x', text]] });
      }),
    ));

  it('holds nothing beyond ASCII between its quotes unless the client reads UTF-8', () =>
    fc.assert(fc.property(texts, (text) => expect(/^"[\x01-\x7f]*"$|^\{\d+\}\r\n/.test(string(text, false))).toBe(true))));

  it('is NIL where there is none', () => {
    expect(nstring(null, false)).toBe('NIL');
    expect(nstring(undefined, true)).toBe('NIL');
  });

  it('counts as many octets as it has', () =>
    fc.assert(fc.property(fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }), (text) => expect(octetsOf(text)).toBe(bytes(text).length))));
});

describe('an astring', () => {
  it.each([
    ['abc', 'abc'], ['a]b', 'a]b'], ['a b', '"a b"'], ['', '""'], ['nil', '"nil"'], ['NILS', 'NILS'], ['a%', '"a%"'], ['a*', '"a*"'], ['(a)', '"(a)"'], ['a{1}', '"a{1}"'], ['+1', '+1'], ['\\Seen', '"\\\\Seen"'],
  ])('%j is printed as %s', (text, printed) => expect(astring(text, false)).toBe(printed));
});

describe('a mailbox name', () => {
  it.each([
    ['INBOX', 'INBOX', 'INBOX'], ['R&D', 'R&-D', 'R&D'], ['日本', '&ZeVnLA-', '"日本"'], ['a b', '"a b"', '"a b"'], ['#Shared/ann@x.test/a', '#Shared/ann@x.test/a', '#Shared/ann@x.test/a'],
  ])('%j is printed as %s, and as %s to who reads UTF-8', (name, plain, inUtf8) => {
    expect(mailboxName(name, false)).toBe(plain);
    expect(mailboxName(name, true)).toBe(inUtf8);
  });

  it('reads back as it was printed', () =>
    fc.assert(
      fc.property(texts, fc.boolean(), (text, utf8) => {
        const name = text.normalize('NFC');
        fc.pre(!/[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(name));
        expect(read(`DELETE ${mailboxName(name, utf8)}`, { utf8 })).toMatchObject({ verb: 'DELETE', mailbox: name });
      }),
    ));
});
