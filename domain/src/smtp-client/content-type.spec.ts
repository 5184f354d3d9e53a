import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { contentType } from './content-type.js';

describe('a Content-Type', () => {
  it.each<[string, string, string | undefined]>([
    [' Multipart/Mixed; boundary="a b"', 'multipart/mixed', 'a b'],
    [' multipart/mixed;\r\n\tcharset=x;\r\n boundary=abc', 'multipart/mixed', 'abc'],
    [' multipart/mixed (a "comment; boundary=no") ; BOUNDARY = "q\\"\\\\x"', 'multipart/mixed', 'q"\\x'],
    [' multipart/mixed; name="x; boundary=no"; boundary=yes', 'multipart/mixed', 'yes'],
    [' text/plain; charset=utf-8', 'text/plain', undefined],
    [' multipart/mixed; boundary=', 'multipart/mixed', undefined],
    [' multipart/mixed; boundary="never closed', 'multipart/mixed', undefined],
    [' text', '', undefined],
    ['', '', undefined],
  ])('%j is read', (value, name, boundary) => expect(contentType(value)).toEqual({ name, boundary }));

  it('never makes the reader throw, or slow', () => {
    fc.assert(fc.property(fc.string({ maxLength: 2000, unit: fc.constantFrom(';', '"', '\\', '(', ')', '=', ' ', 'a', '\r\n ', 'boundary=') }), (value) => void contentType(value)));
  });
});
