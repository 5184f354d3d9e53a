import { describe, expect, it } from '@jest/globals';
import { PartText, partText, textParts } from './text-parts.js';
import { bytesOf } from './binary.js';
import { lines, structureOf } from './testing.js';
import { parseStructure } from './structure-parser.js';

describe('the text of a part', () => {
  it.each([
    ['plain in ISO-2022-JP', { subtype: 'plain', parameters: [['charset', 'ISO-2022-JP']], encoding: '7bit' }, '\x1b$BF|K\\8l\x1b(B'],
    ['plain in Shift_JIS, base64', { subtype: 'plain', parameters: [['charset', 'Shift_JIS']], encoding: 'base64' }, 'k/qWe4zq'],
    ['plain in EUC-JP without a charset', { subtype: 'plain', parameters: [], encoding: '8bit' }, '\xc6\xfc\xcb\xdc\xb8\xec'],
    ['plain in UTF-8, quoted-printable', { subtype: 'plain', parameters: [['charset', 'utf-8']], encoding: 'quoted-printable' }, '=E6=97=A5=E6=9C=\r\n=AC=E8=AA=9E'],
    ['HTML', { subtype: 'html', parameters: [['charset', 'utf-8']], encoding: '8bit' }, '<style>x</style><p>\xe6\x97\xa5&#26412;<b>\xe8\xaa\x9e</b></p>'],
    ['plain in an unknown encoding', { subtype: 'plain', parameters: [['charset', 'utf-8']], encoding: 'x-none' }, '\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e'],
  ] as const)('%s is read, whole and byte by byte', (_, content, body) => {
    const whole = { type: 'text', ...content };
    expect(partText(whole, bytesOf(body))).toBe('日本語');
    const reader = new PartText(whole);
    expect(Array.from(bytesOf(body), (byte) => reader.push(Uint8Array.of(byte))).join('') + reader.end()).toBe('日本語');
  });
});

describe('the text parts of a message', () => {
  it('are its texts and the headers of the messages in it, with their numbers', () => {
    const message = lines(
      ...['Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'one', '--b', 'Content-Type: image/png', '', 'no', '--b', 'Content-Type: text/csv', 'Content-Disposition: attachment', '', 'two'],
      ...['--b', 'Content-Type: message/rfc822', '', 'Subject: x', '', 'three', '--b', 'Content-Type: message/rfc822', '', 'Content-Type: multipart/mixed; boundary=c', '', '--c', '', 'four', '--c--', '--b--'],
    );
    const found = textParts(parseStructure(message)).map(({ path, kind, start, end }) => `${path.join('.')} ${kind} ${String.fromCharCode(...message.subarray(start, end))}`);
    expect(found).toEqual(['1 text one', '3 text two', '4 header Subject: x\r\n\r\n', '4.1 text three', '5 header Content-Type: multipart/mixed; boundary=c\r\n\r\n', '5.1 text four']);
  });

  it('are also what a bounce says, which no other part repeats', () =>
    expect(textParts(structureOf('Content-Type: message/delivery-status\r\n', 'Action: failed\r\n'))).toMatchObject([{ path: [1], kind: 'text' }]));

  it('is one, numbered 1, where there is only one', () => expect(textParts(structureOf('', 'x'))).toMatchObject([{ path: [1], kind: 'text', start: 2, end: 3 }]));
});

describe('a preview', () => {
  it.each<[string, string[], string]>([
    ['its text in one line', ['', 'Dear  Ann,', '', 'hello', ''], 'Dear Ann, hello'],
    ['without what is quoted', ['', 'Yes.', '> Really?', '>> Well?', 'Bye'], 'Yes. Bye'],
    ['with what is quoted where there is nothing else', ['', '> Really?'], '> Really?'],
    ['HTML without tags', ['Content-Type: text/html', '', '<style>x</style><p>Dear&nbsp;Ann</p>'], 'Dear Ann'],
    ['its plain text rather than its HTML', ['Content-Type: multipart/alternative; boundary=b', '', '--b', 'Content-Type: text/html', '', 'html', '--b', '', 'plain', '--b--'], 'plain'],
    ['its HTML where the plain text is empty', ['Content-Type: multipart/alternative; boundary=b', '', '--b', '', ' ', '--b', 'Content-Type: text/html', '', 'html', '--b--'], 'html'],
    ['no attachment', ['Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Disposition: attachment', '', 'no', '--b', '', 'yes', '--b--'], 'yes'],
    ['nothing of a message within', ['Content-Type: message/rfc822', '', '', 'x'], ''],
    ['nothing of a picture', ['Content-Type: image/png', '', 'x'], ''],
    ['decoded text', ['Content-Type: text/plain; charset=iso-2022-jp', '', '\x1b$BF|K\\8l\x1b(B'], '日本語'],
  ])('is %s', (_, texts, expected) => expect(structureOf(...texts).preview).toBe(expected));

  it('has 200 characters, of which none is cut', () => {
    const { preview } = structureOf('Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: base64', '', btoa(String.fromCharCode(...new TextEncoder().encode('x' + '😀'.repeat(300)))));
    expect(Array.from(preview)).toHaveLength(200);
    expect(preview.isWellFormed()).toBe(true);
  });
});
