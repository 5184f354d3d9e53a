import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataReader, TEXT_LINE } from './data-reader.js';

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const text = (bytes: Uint8Array): string => Array.from(bytes, (b) => String.fromCharCode(b)).join('');

/** Feeds the pieces one after the other until the data ends. */
function read(pieces: readonly Uint8Array[], form: 'dot-stuffed' | 'plain' = 'dot-stuffed') {
  const reader = new DataReader(form);
  let body = '';
  let rest: string | undefined;
  for (const piece of pieces) {
    const copy = Uint8Array.from(piece); // the reader owns what it gets
    if (rest !== undefined) {
      rest += text(copy);
      continue;
    }
    const end = reader.push(copy);
    body += text(reader.slice);
    if (end >= 0) rest = text(piece.subarray(end));
  }
  reader.finish();
  return { body, rest, violation: reader.violation, eightBit: reader.eightBit };
}

const splits = (whole: string): Uint8Array[][] =>
  Array.from({ length: whole.length + 1 }, (_, at) => [latin1(whole.slice(0, at)), latin1(whole.slice(at))]);
const bytewise = (whole: string): Uint8Array[] => Array.from(whole, latin1);

describe('the end of data', () => {
  it.each([
    ['an empty message', '.\r\n', ''],
    ['a line', 'a\r\n.\r\n', 'a\r\n'],
    ['a stuffed dot', '..\r\n.\r\n', '.\r\n'],
    ['a stuffed line', '..a\r\n.\r\n', '.a\r\n'],
    ['a dot that needed no stuffing', '.a\r\n.\r\n', 'a\r\n'],
    ['dots within lines', 'a.\r\nb..c\r\n.\r\n', 'a.\r\nb..c\r\n'],
    ['empty lines', '\r\n\r\n.\r\n', '\r\n\r\n'],
    ['three dots', '...\r\n.\r\n', '..\r\n'],
  ])('is found after %s, wherever the pieces are cut', (_, sent, body) => {
    for (const pieces of [...splits(`${sent}NEXT`), bytewise(`${sent}NEXT`)])
      expect(read(pieces)).toEqual({ body, rest: 'NEXT', violation: undefined, eightBit: false });
  });

  /** CVE-2023-51764 and kin: what other programs have taken for the end of data. */
  it.each([
    ['LF . LF', 'a\n.\n'],
    ['LF . CRLF', 'a\n.\r\n'],
    ['CRLF . LF', 'a\r\n.\n'],
    ['CR . CR', 'a\r.\r'],
    ['CR . CRLF', 'a\r.\r\n'],
    ['CRLF . CR', 'a\r\n.\r'],
    ['CR . LF', 'a\r.\n'],
    ['LF . CR', 'a\n.\r'],
    ['CRLF . CR CRLF', 'a\r\n.\r\r\n'],
    ['CR CRLF . CRLF without its LF', 'a\r\r\n.\rb'],
    ['CRLF NUL . CRLF', 'a\r\n\0.\r\n'],
    ['CRLF . NUL CRLF', 'a\r\n.\0\r\n'],
    ['LF LF . CRLF', '\n\n.\r\n'],
    ['LF CR . CRLF', 'a\n\r.\r\n'],
  ])('is not %s: nothing behind it becomes a command, and the message is refused', (_, smuggled) => {
    const sent = `${smuggled}MAIL FROM:<eve@far.test>\r\n.\r\nNEXT`;
    for (const pieces of [...splits(sent), bytewise(sent)]) {
      const { rest, violation } = read(pieces);
      expect(rest).toBe('NEXT');
      expect(violation).toMatch(/bare-cr|bare-lf|nul-in-text/);
    }
  });

  it('names what was wrong first', () => {
    expect(read([latin1('a\nb\rc\r\n.\r\n')]).violation).toBe('bare-lf');
    expect(read([latin1('a\rb\nc\r\n.\r\n')]).violation).toBe('bare-cr');
    expect(read([latin1('a\0b\nc\r\n.\r\n')]).violation).toBe('nul-in-text');
  });

  it('does not come before CR LF are there', () => expect(read([latin1('a\r\n.\r')]).rest).toBeUndefined());
});

describe('a text', () => {
  const lines = fc.array(fc.stringMatching(/^[.a-z\t é-ÿ]{0,12}$/), { maxLength: 12 });
  const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 12 });
  const cut = (whole: string, at: readonly number[]): Uint8Array[] => {
    const places = [0, ...at.filter((n) => n <= whole.length).sort((a, b) => a - b), whole.length];
    return places.slice(1).map((to, n) => latin1(whole.slice(places[n], to)));
  };

  it('comes out as it was before stuffing, in whatever pieces', () => {
    fc.assert(
      fc.property(lines, cuts, (given, at) => {
        const body = given.map((line) => `${line}\r\n`).join('');
        const stuffed = given.map((line) => `${line.startsWith('.') ? '.' : ''}${line}\r\n`).join('');
        expect(read(cut(`${stuffed}.\r\nREST`, at))).toEqual({ body, rest: 'REST', violation: undefined, eightBit: /[^\0-\x7f]/.test(body) });
      }),
      { numRuns: 500 },
    );
  });

  it('is judged the same however it is cut', () => {
    const anything = fc.array(fc.constantFrom('\r', '\n', '.', '\r\n', 'a', '\0', '\r\n.\r\n'), { maxLength: 30 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(anything, cuts, fc.constantFrom('dot-stuffed' as const, 'plain' as const), (sent, at, form) => {
        const whole = read([latin1(sent)], form);
        const pieces = read(cut(sent, at), form);
        expect(pieces.rest).toBe(whole.rest);
        expect(pieces.violation).toBe(whole.violation);
        if (!whole.violation) expect(pieces.body).toBe(whole.body);
      }),
      { numRuns: 500 },
    );
  });

  it('may have lines up to the limit, to the byte and across pieces', () => {
    const line = (length: number) => [latin1('a'.repeat(1000)), latin1(`${'a'.repeat(length - 1000)}\r\n.\r\n`)];
    expect(read(line(TEXT_LINE)).violation).toBeUndefined();
    expect(read(line(TEXT_LINE + 1)).violation).toBe('text-line-too-long');
    expect(read([latin1(`${'a'.repeat(TEXT_LINE + 1)}\r\n.\r\n`)]).violation).toBe('text-line-too-long');
    expect(read(Array.from({ length: 70 }, () => latin1('a'.repeat(1000)))).violation).toBe('text-line-too-long');
  });
});

describe('a chunk of BDAT', () => {
  it('keeps its dots', () => expect(read([latin1('..a\r\n.\r\nb\r\n')], 'plain')).toMatchObject({ body: '..a\r\n.\r\nb\r\n', rest: undefined }));
  it('may end anywhere', () => expect(read([latin1('a')], 'plain').violation).toBeUndefined());
  it('is held to CRLF as well', () => {
    expect(read([latin1('a\nb')], 'plain').violation).toBe('bare-lf');
    expect(read([latin1('a\rb')], 'plain').violation).toBe('bare-cr');
    expect(read([latin1('a\r')], 'plain').violation).toBe('bare-cr');
    expect(read([latin1('a\r'), latin1('\n')], 'plain').violation).toBeUndefined();
  });
});
