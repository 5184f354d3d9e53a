import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { binary, bytesOf } from './binary.js';
import { decodeTransfer, transferDecoder } from './transfer.js';

const decode = (text: string, encoding: string): string => binary(decodeTransfer(bytesOf(text), encoding));

function inPieces(bytes: Uint8Array, encoding: string, sizes: readonly number[]): string {
  const decoder = transferDecoder(encoding);
  let out = '';
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    out += binary(decoder?.push(bytes.subarray(at, at + size)) ?? bytes);
    at += size;
  }
  return out + binary(decoder?.end() ?? bytes);
}

describe('base64', () => {
  it.each([
    ['', ''],
    ['YQ==', 'a'],
    ['YWI=', 'ab'],
    ['YWJj', 'abc'],
    ['YWJj\r\nZGVm\r\n', 'abcdef'],
    ['YQ', 'a'],
    ['YWI', 'ab'],
    ['Y', ''],
    ['Y W\tJ!j', 'abc'],
    ['YQ==YWI=', 'aab'],
    ['YQ=YWI=', 'aab'],
    ['====YWJj', 'abc'],
    ['YWJj\0\xff', 'abc'],
  ])('%j is decoded', (text, expected) => expect(decode(text, 'base64')).toBe(expected));

  it('gives back what was encoded, however it was cut', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (bytes, sizes) => {
        const text = btoa(binary(bytes)).replace(/.{19}/g, '$&\r\n');
        expect(inPieces(bytesOf(text), 'base64', sizes)).toBe(binary(bytes));
      }),
    ));
});

describe('quoted-printable', () => {
  it.each([
    ['', ''],
    ['a=3Db', 'a=b'],
    ['=e3=81=82', '\xe3\x81\x82'],
    ['a=\r\nb', 'ab'],
    ['a=\nb', 'ab'],
    ['a= \t\r\nb', 'ab'],
    ['a \t\r\nb', 'a\r\nb'],
    ['a \nb', 'a\nb'],
    ['a b', 'a b'],
    ['a  b', 'a  b'],
    ['a \rb', 'a \rb'],
    ['a \r\r\nb', 'a \r\r\nb'],
    ['a ', 'a'],
    ['a=', 'a'],
    ['a=4', 'a=4'],
    ['a=zz', 'a=zz'],
    ['a==3D', 'a=='],
    ['a=4=3D', 'a=4='],
    ['a= b', 'a= b'],
    ['a=\rb', 'a=\rb'],
    ['a =3D', 'a ='],
    ['a\r\n\r\nb', 'a\r\n\r\nb'],
    ['=C0=', '\xc0'],
  ])('%j is decoded', (text, expected) => expect(decode(text, 'quoted-printable')).toBe(expected));

  it('holds few blanks', () => expect(decode(`a${' '.repeat(5_000)}\r\nb`, 'quoted-printable').length).toBeGreaterThan(3_000));
});

describe('an encoding', () => {
  it.each(['7bit', '8bit', 'binary'])('of %s changes nothing', (encoding) => expect(decode('a=3D\0', encoding)).toBe('a=3D\0'));

  it('that nobody knows has no decoder, and its bytes stay as they are', () => {
    expect(transferDecoder('x-uuencode')).toBeUndefined();
    expect(decode('a=3D', 'x-uuencode')).toBe('a=3D');
  });

  it('is undone in the same way however the bytes were cut', () =>
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('=', '=3D', '\r', '\n', '\r\n', ' ', '\t', 'A', 'YWJj', '4', '\xe3', '!'), { maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
        fc.constantFrom('base64', 'quoted-printable'),
        (pieces, sizes, encoding) => expect(inPieces(bytesOf(pieces.join('')), encoding, sizes)).toBe(decode(pieces.join(''), encoding)),
      ),
      { numRuns: 2_000 },
    ));
});
