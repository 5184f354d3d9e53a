import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bytesOf } from './binary.js';
import { guessCharset } from './charset-guess.js';
import { decodeText, knownCharset, TextStream } from './charsets.js';

const JAPANESE = {
  'iso-2022-jp': '\x1b$BF|K\\8l$N7oL>\x1b(B',
  shift_jis: '\x93\xfa\x96{\x8c\xea\x82\xcc\x8c\x8f\x96\xbc',
  'euc-jp': '\xc6\xfc\xcb\xdc\xb8\xec\xa4\xce\xb7\xef\xcc\xbe',
  'utf-8': '\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe4\xbb\xb6\xe5\x90\x8d',
};

describe('a charset name', () => {
  it.each([
    ['UTF-8', 'utf-8'],
    [' utf8 ', 'utf-8'],
    ['CP932', 'shift_jis'],
    ['Windows-31J', 'shift_jis'],
    ['x-sjis', 'shift_jis'],
    ['cp50221', 'iso-2022-jp'],
    ['ISO-2022-JP-2', 'iso-2022-jp'],
    ['eucJP-ms', 'euc-jp'],
    ['x-windows-949', 'euc-kr'],
    ['gb18030', 'gb18030'],
    ['x-iso-8859-1', 'windows-1252'],
  ])('%j is %s', (label, expected) => expect(knownCharset(label)).toBe(expected));

  it.each(['', 'US-ASCII', 'unknown-8bit', 'no such thing', 'constructor', '__proto__', 'x'.repeat(10_000)])('%j says nothing', (label) =>
    expect(knownCharset(label)).toBeUndefined(),
  );
});

describe('a text', () => {
  it.each(Object.entries(JAPANESE))('in %s is read under its name, without a name, and under a wrong one', (charset, raw) => {
    for (const label of [charset, '', 'us-ascii', 'x-unknown', 'utf-8', 'iso-2022-jp']) expect(decodeText(bytesOf(raw), label)).toBe('日本語の件名');
  });

  it.each([
    ['half-width katakana in ISO-2022-JP', '\x1b(I12\x1b(B', 'iso-2022-jp', 'ｱｲ'],
    ['NEC special characters in ISO-2022-JP', '\x1b$B-!-j\x1b(B', 'iso-2022-jp', '①㈱'],
    ['ISO-2022-JP with escapes to nothing', '\x1b(B\x1b$BF|\x1b(B\x1b(B\x1b$BK\\\x1b(B', 'iso-2022-jp', '日本'],
    ['ISO-2022-JP that does not end', '\x1b$BF|', 'iso-2022-jp', '日'],
    ['Western European', 'caf\xe9', 'iso-8859-1', 'café'],
    ['UTF-8 with a byte order mark', '\xef\xbb\xbfa', 'utf-8', 'a'],
    ['UTF-8 with a character cut off', '\xe6\x97\xa5\xe6\x9c', 'utf-8', '日\ufffd'],
    ['nothing', '', 'utf-8', ''],
  ])('of %s is read', (_, raw, label, expected) => expect(decodeText(bytesOf(raw), label)).toBe(expected));

  it('never throws', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.constantFrom('', 'utf-8', 'iso-2022-jp', 'shift_jis', 'euc-jp', 'gb18030', 'utf-16', 'x'), (bytes, label) =>
        expect(typeof decodeText(bytes, label)).toBe('string'),
      ),
    ));
});

describe('a guess', () => {
  it.each([
    ['ASCII', 'plain text', 'ascii'],
    ['an escape that leads nowhere', '\x1b[31m', 'ascii'],
    ['UTF-8 cut within a character', '\xe6\x97\xa5\xe6\x9c', 'utf-8'],
    ['French', 'd\xe9sol\xe9, Ren\xe9 et No\xebl', 'windows-1252'],
    ['German', '\xfcber Stra\xdfen und M\xe4rkte', 'windows-1252'],
    ['one kanji in EUC-JP', '\xc6\xfc', 'euc-jp'],
    ['kana in Shift_JIS', '\x82\xa0\x82\xa2', 'shift_jis'],
    ['binary', '\xff\xd8\xff\xe0', 'windows-1252'],
  ])('of %s is right', (_, raw, expected) => expect(guessCharset(bytesOf(raw))).toBe(expected));
});

describe('a text in chunks', () => {
  const long = Object.fromEntries(Object.entries(JAPANESE).map(([charset, raw]) => [charset, bytesOf(`${raw}\n`.repeat(2_000))]));

  it.each(Object.keys(JAPANESE))('in %s is read wherever it was cut, with and without its name', (charset) => {
    const bytes = long[charset] ?? new Uint8Array(0);
    for (const label of [charset, ''])
      for (const size of [1, 7, 1_000, 20_000, 100_000]) {
        const stream = new TextStream(label);
        let text = '';
        for (let at = 0; at < bytes.length; at += size) text += stream.push(bytes.slice(at, at + size));
        expect(text + stream.end()).toBe('日本語の件名\n'.repeat(2_000));
      }
  });

  it('in ISO-2022-JP with escapes to nothing is read wherever it was cut', () => {
    const bytes = bytesOf('a\x1b(B\x1b$BF|\x1b(B\x1b(J\x1b$@K\\\x1b(Bb\x1b');
    for (let size = 1; size <= bytes.length; size++) {
      const stream = new TextStream('iso-2022-jp');
      let text = '';
      for (let at = 0; at < bytes.length; at += size) text += stream.push(bytes.subarray(at, at + size));
      expect(text + stream.end()).toBe('a日本b\ufffd');
    }
  });

  it('may be empty', () => expect(new TextStream('').end()).toBe(''));
});
