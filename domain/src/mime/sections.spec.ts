import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { binary, bytesOf } from './binary.js';
import { filterHeader } from './header-filter.js';
import { sectionRange, type SectionPath } from './sections.js';
import { parseStructure } from './structure-parser.js';
import { lines } from './testing.js';

/** `1.2.HEADER` and so on. */
function section(text: string): SectionPath {
  const words = text === '' ? [] : text.split('.');
  const last = words.at(-1) ?? '';
  const kind = ({ HEADER: 'header', TEXT: 'text', MIME: 'mime' } as const)[last] ?? 'all';
  return { part: (kind === 'all' ? words : words.slice(0, -1)).map(Number), kind };
}

function read(message: Uint8Array, path: string): string | undefined {
  const range = sectionRange(parseStructure(message), section(path));
  return range && binary(message.subarray(range.start, range.end));
}

describe('a section of a message that is no multipart', () => {
  const message = lines('Subject: x', '', 'text');
  it.each([
    ['', 'Subject: x\r\n\r\ntext'],
    ['HEADER', 'Subject: x\r\n\r\n'],
    ['TEXT', 'text'],
    ['1', 'text'],
    ['1.MIME', 'Subject: x\r\n\r\n'],
    ['1.HEADER', undefined],
    ['1.TEXT', undefined],
    ['1.1', undefined],
    ['2', undefined],
    ['0', undefined],
  ])('[%s] is %j', (path, expected) => expect(read(message, path)).toBe(expected));
});

describe('a section of a multipart', () => {
  const inner = ['Subject: inner', 'Content-Type: multipart/mixed; boundary=c', '', '--c', 'X-One: 1', '', 'one', '--c', '', 'two', '--c--'];
  const message = lines(
    ...['Content-Type: multipart/mixed; boundary=b', '', '--b', 'X-First: y', '', 'first'],
    ...['--b', 'Content-Type: message/rfc822', '', ...inner],
    ...['--b', 'Content-Type: message/rfc822', '', 'Subject: plain', '', 'body'],
    ...['--b', 'Content-Type: multipart/alternative; boundary=d', '', '--d', '', 'alt', '--d--', '--b', 'Content-Type: multipart/mixed', '', 'lost', '--b--'],
  );
  it.each([
    ['1', 'first'],
    ['1.MIME', 'X-First: y\r\n\r\n'],
    ['1.TEXT', undefined],
    ['1.1', undefined],
    ['2', inner.join('\r\n')],
    ['2.MIME', 'Content-Type: message/rfc822\r\n\r\n'],
    ['2.HEADER', 'Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n'],
    ['2.TEXT', inner.slice(3).join('\r\n')],
    ['2.1', 'one'],
    ['2.1.MIME', 'X-One: 1\r\n\r\n'],
    ['2.2', 'two'],
    ['2.3', undefined],
    ['3.1', 'body'],
    ['3.1.MIME', 'Subject: plain\r\n\r\n'],
    ['3.HEADER', 'Subject: plain\r\n\r\n'],
    ['3.2', undefined],
    ['4', '--d\r\n\r\nalt\r\n--d--'],
    ['4.1', 'alt'],
    ['4.HEADER', undefined],
    ['5.1', ''],
    ['5.2', undefined],
    ['6', undefined],
    ['1.2.3.4.5', undefined],
  ])('[%s] is %j', (path, expected) => expect(read(message, path)).toBe(expected));

  it('[TEXT] is all of its body', () => expect(read(message, 'TEXT')).toBe(binary(message).slice(binary(message).indexOf('\r\n\r\n') + 4)));
});

describe('a section of a message within a message', () => {
  const message = lines('Content-Type: message/rfc822', '', 'Subject: inner', '', 'text');
  it.each([
    ['1', 'Subject: inner\r\n\r\ntext'],
    ['1.HEADER', 'Subject: inner\r\n\r\n'],
    ['1.TEXT', 'text'],
    ['1.1', 'text'],
    ['1.1.1', undefined],
    ['1.MIME', 'Content-Type: message/rfc822\r\n\r\n'],
  ])('[%s] is %j', (path, expected) => expect(read(message, path)).toBe(expected));
});

describe('chosen header fields', () => {
  const header = 'Received: a\r\n\tb\r\nSubject:x\r\nSUBJECT : y\r\n z\r\njunk\r\nTo: t\r\n\r\n';
  it.each<[string[], boolean, string]>([
    [['subject'], false, 'Subject:x\r\nSUBJECT : y\r\n z\r\n\r\n'],
    [['RECEIVED'], false, 'Received: a\r\n\tb\r\n\r\n'],
    [['To', 'Received'], false, 'Received: a\r\n\tb\r\nTo: t\r\n\r\n'],
    [['X'], false, '\r\n'],
    [['junk'], false, '\r\n'],
    [['subject'], true, 'Received: a\r\n\tb\r\njunk\r\nTo: t\r\n\r\n'],
    [[], true, header],
  ])('%j (all others: %s) keep their bytes', (names, not, expected) =>
    expect(binary(filterHeader(bytesOf(header), names, not))).toBe(expected));

  it('have no empty line where the header has none', () => expect(binary(filterHeader(bytesOf('a: b\r\nc: d'), ['C']))).toBe('c: d'));

  it('and all others together are the header', () =>
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a: 1\r\n', 'B:2\n', ' c\r\n', 'd', ':', '\r', '\r\n'), { maxLength: 20 }), (pieces) => {
        const bytes = bytesOf(pieces.join(''));
        const [some, others] = [filterHeader(bytes, ['a']), filterHeader(bytes, ['a'], true)];
        const empty = filterHeader(bytes, []);
        expect(some.length + others.length).toBe(bytes.length + empty.length);
      }),
    ));
});
