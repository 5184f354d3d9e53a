import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataReader } from '../smtp/data-reader.js';
import { ContentLook } from './content-look.js';
import { TextOutput } from './text-output.js';

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const text = (data: Uint8Array) => Array.from(data, (byte) => String.fromCharCode(byte)).join('');

function sent(chunks: readonly string[]): string {
  const output = new TextOutput();
  return chunks.map((chunk) => text(output.push(bytes(chunk)))).join('') + text(output.end());
}

function cut(message: string, places: readonly number[]): string[] {
  const all = [0, ...places.map((p) => p % (message.length + 1)).sort((a, b) => a - b), message.length];
  return all.slice(1).map((end, i) => message.slice(all[i], end));
}

/** What SMTP can carry of it: every line end is CRLF, the last line has one. */
function asText(message: string): string {
  const lines = message.replace(/\r\n|\r|\n/g, '\r\n');
  return lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`;
}

const message = fc.oneof(
  fc.string({ unit: fc.constantFrom('.', '\r', '\n', 'a', '\r\n', '\r\n.', '\r.', '\n.'), maxLength: 40 }),
  fc.uint8Array({ maxLength: 80 }).map((data) => text(data).replaceAll('\0', '')),
);
const places = fc.array(fc.nat(100), { maxLength: 12 });

describe('a message on its way out', () => {
  it.each([
    ['', '.\r\n'],
    ['a\r\n', 'a\r\n.\r\n'],
    ['a', 'a\r\n.\r\n'],
    ['.', '..\r\n.\r\n'],
    ['a\r\n.\r\nb\r\n', 'a\r\n..\r\nb\r\n.\r\n'],
    ['a\n.\nb\n', 'a\r\n..\r\nb\r\n.\r\n'],
    ['a\r.\rb', 'a\r\n..\r\nb\r\n.\r\n'],
    ['a\r\r\nb', 'a\r\n\r\nb\r\n.\r\n'],
    ['a\n\rb', 'a\r\n\r\nb\r\n.\r\n'],
    ['a\r', 'a\r\n.\r\n'],
    ['a\n', 'a\r\n.\r\n'],
    ['a\r\n\r', 'a\r\n\r\n.\r\n'],
    ['\n.\r\nMAIL FROM:<>\r\n', '\r\n..\r\nMAIL FROM:<>\r\n.\r\n'],
    ['a\r\n.\rMAIL FROM:<>', 'a\r\n..\r\nMAIL FROM:<>\r\n.\r\n'],
  ])('%j is sent as %j', (body, wire) => {
    expect(sent([body])).toBe(wire);
    expect(sent([...body])).toBe(wire);
  });

  it('arrives as the same text, ends where it ends, and never holds a bare CR or LF', () =>
    fc.assert(
      fc.property(message, places, (body, at) => {
        const wire = sent(cut(body, at));
        const reader = new DataReader('dot-stuffed');
        expect(reader.push(bytes(wire))).toBe(wire.length);
        expect({ body: text(reader.slice), violation: reader.violation }).toEqual({ body: asText(body), violation: undefined });
      }),
      { numRuns: 1000 },
    ));

  it('goes out the same however it is cut', () =>
    fc.assert(fc.property(message, places, (body, at) => expect(sent(cut(body, at))).toBe(sent([body]))), { numRuns: 500 }));

  it('costs no copy when there is nothing to insert', () => {
    const output = new TextOutput();
    for (const chunk of [bytes('no dot at the start\r\nof any line\r'), bytes('\nand so on.\r\n')]) expect(output.push(chunk)).toBe(chunk);
  });
});

describe('a look at a message', () => {
  function look(chunks: readonly string[]) {
    const seen = new ContentLook();
    for (const chunk of chunks) seen.push(bytes(chunk));
    return { eightBit: seen.eightBit, eightBitHeader: seen.eightBitHeader, binary: seen.binary };
  }

  it.each([
    ['A: b\r\n\r\nc\r\n', false, false, false],
    ['A: b\r\n\r\n\xe6\r\n', true, false, false],
    ['A: \xe6\r\n\r\nc\r\n', true, true, false],
    ['A: b\r\n\r\nc\0\r\n', false, false, true],
    ['A: b\r\n\r\nc\n', false, false, true],
    ['A: b\r\n\r\nc\rd\r\n', false, false, true],
    ['A: b\r\n\r\nc', false, false, true],
    ['A: b\r\n\r\nc\r', false, false, true],
    [`\r\n${'x'.repeat(998)}\r\n`, false, false, false],
    [`\r\n${'x'.repeat(999)}\r\n`, false, false, true],
  ])('at %j: 8-bit %s, in the header %s, binary %s', (body, eightBit, eightBitHeader, binary) => {
    expect(look([body])).toEqual({ eightBit, eightBitHeader, binary });
    expect(look([...body])).toEqual({ eightBit, eightBitHeader, binary });
  });
});
