import { describe, expect, it } from '@jest/globals';
import { binary, bytesOf } from './binary.js';
import { parseStructure } from './structure-parser.js';
import { MOST_DEPTH, MOST_PARTS, type Part } from './structure.js';
import { inChunks, lines, outline, structureOf } from './testing.js';

const outlineOf = (...texts: string[]): unknown => outline(lines(...texts), structureOf(...texts).root);
const MIXED = 'Content-Type: multipart/mixed; boundary=b';

describe('a plain message', () => {
  const { root, size } = structureOf('Subject: x', 'To: y', '', 'one', 'two', '');

  it('has exact offsets and lines', () =>
    expect(root).toMatchObject({ headerStart: 0, bodyStart: 21, bodyEnd: 31, headerLines: 3, bodyLines: 2 }));

  it('is text/plain in 7bit', () => expect(root).toMatchObject({ type: 'text', subtype: 'plain', parameters: [], encoding: '7bit' }));

  it('has its size', () => expect(size).toBe(31));

  it.each<[string, string, Partial<Part>]>([
    ['nothing at all', '', { bodyStart: 0, bodyEnd: 0, headerLines: 0 }],
    ['only an empty line', '\r\n', { bodyStart: 2, bodyEnd: 2, headerLines: 1 }],
    ['a header without its empty line', 'a: b\r\n', { bodyStart: 6, bodyEnd: 6, headerLines: 1, bodyLines: 0 }],
    ['a header that breaks off', 'a: b', { bodyStart: 4, bodyEnd: 4, headerLines: 0 }],
    ['bare LF', 'a: b\n\nx\ny', { bodyStart: 6, bodyEnd: 9, headerLines: 2, bodyLines: 1 }],
    ['bare CR, which is no line end', 'a: b\r\rx\r\n\r\ny', { bodyStart: 11, bodyEnd: 12, headerLines: 2 }],
    ['CR CR LF, which is no empty line', 'a: b\r\n\r\r\n\r\ny', { bodyStart: 11, bodyEnd: 12, headerLines: 3 }],
    ['text where a header should be', 'Hello you\r\nthere\r\n\r\nx', { bodyStart: 20, bodyEnd: 21, headerLines: 3 }],
    ['NULs', 'a: b\0\r\n\r\n\0\0\n', { bodyStart: 9, bodyEnd: 12, bodyLines: 1 }],
    ['an mbox separator first', 'From x\r\na: b\r\n\r\ny', { bodyStart: 16, bodyEnd: 17 }],
  ])('of %s is read', (_, text, expected) => expect(parseStructure(bytesOf(text)).root).toMatchObject(expected));
});

describe('a multipart', () => {
  it('has its parts without the line end before the boundary', () =>
    expect(outlineOf(MIXED, '', 'preamble', '--b', '', 'one', '', '--b', 'Content-Type: text/html', '', 'two', '--b--', 'epilogue', '')).toEqual([
      'multipart/mixed',
      'text/plain: one\r\n',
      'text/html: two',
    ]));

  it('counts the lines of its parts and of itself', () => {
    const { root } = structureOf(MIXED, '', 'preamble', '--b', '', 'one', 'two', '--b--', 'epilogue', '');
    expect(root).toMatchObject({ headerLines: 2, bodyLines: 7 });
    expect(root.parts).toMatchObject([{ headerLines: 1, bodyLines: 1 }]);
  });

  it.each<[string, string[], unknown]>([
    ['whose end is missing', [MIXED, '', '--b', '', 'one', '--b', '', 'two', ''], ['multipart/mixed', 'text/plain: one', 'text/plain: two\r\n']],
    ['that has no boundary parameter', ['Content-Type: multipart/mixed', '', '--b', '', 'x'], 'multipart/mixed: --b\r\n\r\nx'],
    ['with an empty boundary parameter', ['Content-Type: multipart/mixed; boundary=""', '', '--', '', 'x'], 'multipart/mixed: --\r\n\r\nx'],
    ['whose boundary never comes', [MIXED, '', 'x', ''], 'multipart/mixed: x\r\n'],
    ['that is closed before it begins', [MIXED, '', '--b--', 'x'], 'multipart/mixed: --b--\r\nx'],
    ['with a boundary behind the end', [MIXED, '', '--b', '', 'one', '--b--', '--b', '', 'two'], ['multipart/mixed', 'text/plain: one']],
    ['with words behind the boundary', [MIXED, '', '--b  \t', '', 'one', '--bcd', '', 'two', '--b-- x'], ['multipart/mixed', 'text/plain: one', 'text/plain: two']],
    ['with dashes that are no boundary', [MIXED, '', '--b', '', '-- ', '--', '---b', '- -b', ' --b', '--b--'], ['multipart/mixed', 'text/plain: -- \r\n--\r\n---b\r\n- -b\r\n --b']],
    ['with a part without body', [MIXED, '', '--b', 'Content-Type: image/png', '', '--b--'], ['multipart/mixed', 'image/png: ']],
    ['with a part whose header has no empty line', [MIXED, '', '--b', 'Content-Type: image/png', '--b', '', 'x', '--b--'], ['multipart/mixed', 'image/png: ', 'text/plain: x']],
    ['with a part of nothing', [MIXED, '', '--b', '--b', '', 'x', '--b--'], ['multipart/mixed', 'text/plain: ', 'text/plain: x']],
    ['with a boundary as last line', [MIXED, '', '--b', '', 'x', '--b'], ['multipart/mixed', 'text/plain: x', 'text/plain: ']],
    ['whose parts are joined by bare LF', ['Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n\n--b\n\ntwo\n--b--\n'], ['multipart/mixed', 'text/plain: one\n', 'text/plain: two']],
    ['with a bare CR before a boundary, which is none then', [MIXED, '', '--b', '', 'one\r--b--', '--b--'], ['multipart/mixed', 'text/plain: one\r--b--']],
  ])('%s is read', (_, texts, expected) => expect(outlineOf(...texts)).toEqual(expected));

  it('takes the longest of two boundaries that begin alike', () =>
    expect(
      outlineOf(MIXED, '', '--b', 'Content-Type: multipart/alternative; boundary=b2', '', '--b2', '', 'one', '--b2', '', 'two', '--b2--', '--b', '', 'three', '--b--'),
    ).toEqual(['multipart/mixed', ['multipart/alternative', 'text/plain: one', 'text/plain: two'], 'text/plain: three']));

  it('takes the innermost of two boundaries that are the same', () =>
    expect(outlineOf(MIXED, '', '--b', 'Content-Type: multipart/alternative; boundary=b', '', '--b', '', 'one', '--b--', '--b', '', 'two', '--b--')).toEqual([
      'multipart/mixed',
      ['multipart/alternative', 'text/plain: one'],
      'text/plain: two',
    ]));

  it('ends an inner one that is not closed', () =>
    expect(outlineOf(MIXED, '', '--b', 'Content-Type: multipart/alternative; boundary=c', '', '--c', '', 'one', '--b', '', 'two', '--b--')).toEqual([
      'multipart/mixed',
      ['multipart/alternative', 'text/plain: one'],
      'text/plain: two',
    ]));

  it('compares the first 200 bytes of a boundary', () => {
    const long = 'x'.repeat(300);
    expect(outlineOf(`Content-Type: multipart/mixed; boundary=${long}`, '', `--${long}`, '', 'one', `--${'x'.repeat(200)}`, '', 'two')).toEqual([
      'multipart/mixed',
      'text/plain: one',
      'text/plain: two',
    ]);
  });

  it('has messages for parts when it is a digest', () =>
    expect(outlineOf('Content-Type: multipart/digest; boundary=b', '', '--b', '', 'Subject: x', '', 'y', '--b', 'Content-Type: text/plain', '', 'z', '--b--')).toEqual([
      'multipart/digest',
      ['message/rfc822', 'text/plain: y'],
      'text/plain: z',
    ]));
});

describe('a nested message', () => {
  const texts = [MIXED, '', '--b', 'Content-Type: message/rfc822', '', 'Subject: inner', MIXED.replace('=b', '=c'), '', '--c', '', 'x', '--c--', '', '--b--'];

  it('is read with its envelope', () => {
    const { root } = structureOf(...texts);
    expect(root.parts[0]?.message).toMatchObject({ envelope: { subject: 'inner' }, root: { type: 'multipart', headerLines: 3 } });
    expect(outlineOf(...texts)).toEqual(['multipart/mixed', ['message/rfc822', ['multipart/mixed', 'text/plain: x']]]);
  });

  it.each<[string, string[], unknown]>([
    ['without anything', ['Content-Type: message/rfc822', ''], ['message/rfc822', 'text/plain: ']],
    ['cut off in its header by a boundary', [MIXED, '', '--b', 'Content-Type: message/rfc822', '', 'Subject: x', '--b', '', 'y'], ['multipart/mixed', ['message/rfc822', 'text/plain: '], 'text/plain: y']],
    ['whose part header is cut off', [MIXED, '', '--b', 'Content-Type: message/rfc822', '--b', '', 'y'], ['multipart/mixed', ['message/rfc822', 'text/plain: '], 'text/plain: y']],
    ['with an international header', ['Content-Type: message/global', '', 'Subject: x', '', 'y'], ['message/global', 'text/plain: y']],
    ['that is encoded, which cannot be looked into', ['Content-Type: message/global', 'Content-Transfer-Encoding: base64', '', 'U3ViamVjdDogeA=='], 'message/global: U3ViamVjdDogeA==']
  ])('%s is read', (_, given, expected) => expect(outlineOf(...given)).toEqual(expected));
});

describe('a hostile message', () => {
  it('is not followed deeper than the limit', () => {
    const { root } = parseStructure(bytesOf('Content-Type: message/rfc822\r\n\r\n'.repeat(MOST_DEPTH + 50)));
    let depth = 1;
    for (let part: Part | undefined = root; part?.message; part = part.message.root) depth++;
    expect(depth).toBe(MOST_DEPTH);
  });

  it('has no more parts than the limit; the last one holds the rest', () => {
    const message = lines(MIXED, '', ...Array.from({ length: MOST_PARTS + 50 }, () => '--b\r\n\r\nx'), '--b--');
    const { root } = parseStructure(message);
    expect(root.parts.length).toBe(MOST_PARTS - 1);
    expect(root.parts.at(-1)?.bodyEnd).toBe(message.length);
  });

  it('with a long header has exact offsets, but only the fields at its beginning count', () => {
    const filler = 'X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(6_000);
    const message = bytesOf(`Subject: first\r\n${filler}To: late@x.test\r\n\r\nbody`);
    for (const structure of [parseStructure(message), inChunks(message, [1_000])]) {
      expect(structure.root).toMatchObject({ bodyStart: message.length - 4, bodyEnd: message.length, headerLines: 6_003 });
      expect(structure.envelope).toMatchObject({ subject: 'first', to: [] });
    }
  });

  it('with many long headers keeps a bounded part of them', () => {
    const part = `--b\r\nContent-Description: ${'d'.repeat(200_000)}\r\n\r\n`;
    const { root } = parseStructure(bytesOf(`${MIXED}\r\n\r\n${part.repeat(20)}`));
    expect(root.parts.length).toBe(20);
    expect(root.parts.reduce((sum, { description = '' }) => sum + description.length, 0)).toBeLessThan(1_048_576);
  });

  it.each([
    ['boundaries at every level', Array.from({ length: 60 }, (_, i) => `Content-Type: multipart/mixed; boundary=${'x'.repeat(100)}${i}\r\n\r\n--${'x'.repeat(100)}${i}`).join('\r\n') + `\r\n--${'x'.repeat(100)}`.repeat(20_000)],
    ['lines without a colon', `${'a\n'.repeat(120_000)}x:y\n\n`],
    ['words without a comma', `To: ${'a '.repeat(120_000)}\n\n`],
    ['quotes, brackets and comments that never end', `To: ${'<"(['.repeat(60_000)}\nCc: ${'(<'.repeat(60_000)}\nContent-Type: ${'a/b;"('.repeat(20_000)}\n\n`],
    ['parameters without an end', `Content-Type: text/plain; ${'a = '.repeat(30_000)}${'x y='.repeat(30_000)}\n\n`],
    ['references without an end', `References: ${'<'.repeat(100_000)}${'<a'.repeat(50_000)}\n\n`],
    ['escapes to two-byte characters', `Subject: ${'\x1b$B'.repeat(80_000)}\nFrom: ${'\x1b$B"'.repeat(60_000)}\n\n`],
  ])('with %s is read in good time', (_, text) => {
    const message = bytesOf(text);
    const before = process.cpuUsage();
    expect(parseStructure(message).size).toBe(message.length);
    // Time that grows with the square of the length would be minutes.
    expect(process.cpuUsage(before).user).toBeLessThan(3_000_000);
  });
});

describe('a chunk', () => {
  const message = lines(MIXED, '', 'pre', '--b', 'Content-Type: text/plain', '', '--', '--bo', '', 'two', '-', '--b--', '', '-');

  it('may end anywhere', () => {
    const whole = parseStructure(message);
    expect(binary(message.subarray(whole.root.parts[1]?.bodyStart, whole.root.parts[1]?.bodyEnd))).toBe('two\r\n-');
    for (let size = 1; size < message.length; size++) expect(inChunks(message, [size])).toEqual(whole);
  });
});
