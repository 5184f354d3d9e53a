import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { enhancedCode, printable, type Reply, REPLY_LINE, REPLY_LINES, ReplyReader, replyText } from './reply.js';

function read(...pieces: readonly string[]): { readonly replies: readonly Reply[]; readonly garbled: string | undefined; readonly empty: boolean } {
  const reader = new ReplyReader();
  const replies = pieces.flatMap((piece) => [...reader.push(piece)]);
  return { replies, garbled: reader.garbled, empty: reader.empty };
}

const pieces = (text: string, places: readonly number[]): string[] => {
  const at = [0, ...places.map((p) => p % (text.length + 1)).sort((a, b) => a - b), text.length];
  return at.slice(1).map((end, i) => text.slice(at[i], end));
};

describe('a reply', () => {
  it.each([
    ['250 2.1.0 Ok\r\n', 250, ['2.1.0 Ok']],
    ['250\r\n', 250, ['']],
    ['250 \r\n', 250, ['']],
    ['250-one\r\n250-two\r\n250 three\r\n', 250, ['one', 'two', 'three']],
    ['250-one\n250 two\n', 250, ['one', 'two']],
    ['250-\r\n250 x\r\n', 250, ['', 'x']],
    ['450 tab\there\r\n', 450, ['tab here']],
    ['550 \xe6\x97\xa5\x00\x1b[2J\r\n', 550, ['?????[2J']],
    ['550 a\rb\r\n', 550, ['a b']],
  ])('%j is understood', (wire, code, lines) => {
    expect(read(wire)).toEqual({ replies: [{ code, lines }], garbled: undefined, empty: true });
  });

  it('counts by its last line when its lines have different codes', () => {
    expect(read('250-yes\r\n550 no\r\n').replies).toEqual([{ code: 550, lines: ['yes', 'no'] }]);
  });

  it('is not there before its last line has ended', () => {
    expect(read('250-a\r\n250 b\r')).toMatchObject({ replies: [], empty: false });
  });

  it.each(['HTTP/1.1 400 Bad Request\r\n', '\r\n', '25\r\n', '2500 x\r\n', '100 x\r\n', '650 x\r\n', '250_x\r\n', 'x'.repeat(REPLY_LINE + 1)])(
    'is not seen in %j, nor anything after it',
    (wire) => {
      expect(read(wire, '250 ok\r\n')).toMatchObject({ replies: [], garbled: expect.any(String) });
    },
  );

  it('is refused where a line is too long or there are too many', () => {
    expect(read(`250 ${'x'.repeat(REPLY_LINE - 4)}\r\n`).replies).toHaveLength(1);
    expect(read(`250 ${'x'.repeat(REPLY_LINE - 3)}\r\n`).garbled).toMatch(/^250 xxx/);
    expect(read(`${'250-x\r\n'.repeat(REPLY_LINES - 1)}250 x\r\n`).replies).toHaveLength(1);
    expect(read(`${'250-x\r\n'.repeat(REPLY_LINES)}250 x\r\n`).replies).toHaveLength(0);
  });

  const wire = fc.oneof(
    fc.string({ unit: fc.constantFrom('2', '5', '0', '-', ' ', '\r', '\n', '\r\n', 'x', '250 ', '550-'), maxLength: 60 }),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => String.fromCharCode(...bytes)),
  );

  it('is the same however it was cut, and bounded and printable whatever was sent', () =>
    fc.assert(
      fc.property(wire, fc.array(fc.nat(100), { maxLength: 12 }), (text, places) => {
        const whole = read(text);
        expect(read(...pieces(text, places))).toEqual(whole);
        for (const reply of whole.replies) expect(replyText(reply)).toMatch(/^[2-5]\d\d(?: [\x20-\x7e]*[\x21-\x7e])?$/);
      }),
      { numRuns: 500 },
    ));

  it('is read back as it was written', () =>
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.array(fc.stringMatching(/^[ -~]{0,50}$/), { minLength: 1, maxLength: 9 }), (code, lines) => {
        const text = lines.map((line, i) => `${code}${i === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join('');
        expect(read(text).replies).toEqual([{ code, lines }]);
      }),
    ));
});

describe('a reply as one line of text', () => {
  const text = (code: number, ...lines: readonly string[]) => replyText({ code, lines });

  it('says the enhanced code once', () => {
    expect(text(550, '5.7.1 No', '5.7.1 because of this', '5.7.1', ' and that ', '')).toBe('550 5.7.1 No because of this and that');
    expect(text(550, 'No', '5.7.1 here')).toBe('550 No 5.7.1 here');
    expect(text(250, '')).toBe('250');
  });

  it('is never longer than 1,000 characters', () => {
    expect(text(250, ...Array.from({ length: 100 }, () => 'x'.repeat(90)))).toHaveLength(1000);
    expect(text(250, 'x'.repeat(1990))).toHaveLength(1000);
  });
});

describe('an enhanced code', () => {
  it.each([
    [250, '2.1.5 Ok', '2.1.5'],
    [550, '5.1.1', '5.1.1'],
    [550, '5.1.1x', undefined],
    [550, '4.1.1 disagrees', undefined],
    [550, 'No 5.1.1', undefined],
    [550, '5.1234.1 x', undefined],
  ])('of %d %j is %j', (code, line, expected) => {
    expect(enhancedCode({ code, lines: [line] })).toBe(expected);
  });
});

describe('text of a stranger', () => {
  it('becomes printable and short', () => {
    expect(printable('a\r\n\tb\u0000\u00ff日', 7)).toBe('a b??');
  });
});
