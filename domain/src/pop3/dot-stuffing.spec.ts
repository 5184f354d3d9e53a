import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DotStuffing, Top } from './dot-stuffing.js';

const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const text = (bytes: Uint8Array) => Array.from(bytes, (b) => String.fromCharCode(b)).join('');

function stuffed(chunks: readonly string[]): string {
  const stuffing = new DotStuffing();
  return chunks.map((chunk) => text(stuffing.push(latin1(chunk)))).join('') + text(stuffing.end());
}

/** What a client makes of it, by the letter of RFC 1939 §3: lines end at CRLF. Undefined: it saw no end, or one too early. */
function received(wire: string): string | undefined {
  if (!wire.endsWith('\r\n.\r\n') && wire !== '.\r\n') return undefined;
  const lines = wire.split('\r\n').slice(0, -2);
  if (lines.includes('.')) return undefined;
  return lines.map((line) => `${line.startsWith('.') ? line.slice(1) : line}\r\n`).join('');
}

/** The message as a line-based protocol can show it. */
function asLines(message: string): string {
  const lines = message.replace(/(?<!\r)\n/g, '\r\n');
  return lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`;
}

function cut(message: string, places: readonly number[]): string[] {
  const all = [0, ...places.map((p) => p % (message.length + 1)).sort((a, b) => a - b), message.length];
  return all.slice(1).map((end, i) => message.slice(all[i], end));
}

/** Mostly what matters here: dots, CRs and LFs. */
const message = fc.oneof(
  fc.string({ unit: fc.constantFrom('.', '\r', '\n', 'a', '\r\n', '\r\n.'), maxLength: 40 }),
  fc.uint8Array({ maxLength: 60 }).map(text),
);
const places = fc.array(fc.nat(100), { maxLength: 12 });

describe('a message as a multi-line reply', () => {
  it.each([
    ['', '.\r\n'],
    ['a\r\n', 'a\r\n.\r\n'],
    ['a', 'a\r\n.\r\n'],
    ['.\r\n', '..\r\n.\r\n'],
    ['a\r\n.\r\nb\r\n', 'a\r\n..\r\nb\r\n.\r\n'],
    ['a\r\n..b', 'a\r\n...b\r\n.\r\n'],
    ['a.\r\n', 'a.\r\n.\r\n'],
    ['a\n.\nb\n', 'a\r\n..\r\nb\r\n.\r\n'],
    ['\n', '\r\n.\r\n'],
    ['a\r', 'a\r\r\n.\r\n'],
    ['a\r.\r\n', 'a\r.\r\n.\r\n'],
    ['a\r\n\r', 'a\r\n\r\r\n.\r\n'],
  ])('%j goes out as %j', (body, wire) => {
    expect(stuffed([body])).toBe(wire);
    expect(stuffed([...body])).toBe(wire);
  });

  it('is read back unchanged, whatever its bytes and however it is cut', () =>
    fc.assert(fc.property(message, places, (body, at) => expect(received(stuffed(cut(body, at)))).toBe(asLines(body))), { numRuns: 500 }));

  it('goes out the same however it is cut', () =>
    fc.assert(fc.property(message, places, (body, at) => expect(stuffed(cut(body, at))).toBe(stuffed([body]))), { numRuns: 500 }));

  it('costs no copy when there is nothing to insert', () => {
    const chunk = latin1('no dot at the start\r\nof any line\r\n');
    expect(new DotStuffing().push(chunk)).toBe(chunk);
  });
});

describe('the top of a message', () => {
  const mail = 'Subject: x\r\nFrom: y\r\n\r\none\r\ntwo\r\n\r\nfour';
  const header = 'Subject: x\r\nFrom: y\r\n\r\n';

  function top(lines: number, chunks: readonly string[]): string {
    const cutter = new Top(lines);
    let all = '';
    for (const chunk of chunks) {
      const { part, done } = cutter.take(latin1(chunk));
      all += text(part);
      if (done) break;
    }
    return all;
  }

  it.each([
    [0, header],
    [1, `${header}one\r\n`],
    [3, `${header}one\r\ntwo\r\n\r\n`],
    [4, mail],
    [9_999_999_999, mail],
  ])('of %d lines is the header, the empty line and those lines', (lines, expected) => {
    expect(top(lines, [mail])).toBe(expected);
    expect(top(lines, [...mail])).toBe(expected);
  });

  it('of a message without a body is all of it', () => {
    expect(top(0, ['A: b\r\nC: d\r\n'])).toBe('A: b\r\nC: d\r\n');
  });

  it('with bare LFs counts them as they go out: as line ends', () => {
    expect(top(1, ['A: b\n\none\ntwo\n'])).toBe('A: b\n\none\n');
  });

  it('is not ended by a line that holds only CR and something else', () => {
    expect(top(0, ['A: b\r\n\r\r\nC: d\r\n\r\nbody'])).toBe('A: b\r\n\r\r\nC: d\r\n\r\n');
  });

  it('is the same however the message is cut', () =>
    fc.assert(fc.property(message, places, fc.nat(5), (body, at, lines) => expect(top(lines, cut(body, at))).toBe(top(lines, [body])))));
});
