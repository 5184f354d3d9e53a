import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { storable } from './storable.js';

const kept = (value: unknown): unknown => JSON.parse(storable(JSON.stringify(value)));

describe('JSON for PostgreSQL', () => {
  it.each([
    ['a NUL', 'a\u0000b', 'a\ufffdb'],
    ['two NULs', '\u0000\u0000', '\ufffd\ufffd'],
    ['half a surrogate pair', 'x\ud83dy\udc00', 'x\ufffdy\ufffd'],
    ['a whole one', 'x\u{1f600}', 'x\u{1f600}'],
    ['the text \\u0000 behind a backslash', '\\u0000 and \\\\ud800', '\\u0000 and \\\\ud800'],
    ['a backslash before a NUL', '\\\u0000', '\\\ufffd'],
  ])('keeps what can be kept of %s', (_, text, expected) => expect(kept([{ text }])).toEqual([{ text: expected }]));

  it('changes nothing else, whatever the text', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(kept(text)).toBe(text.toWellFormed().replaceAll('\u0000', '\ufffd'));
      }),
    ));
});
