import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseStructure } from '../../mime/structure-parser.js';
import { partText, textParts } from '../../mime/text-parts.js';
import { fold } from './fold.js';
import { headerLines, textOf } from './header-text.js';
import { QuickLook } from './quick-look.js';

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
const crlf = (text: string): Uint8Array => octets(text.replaceAll('\n', '\r\n'));

/** By reading everything. */
function holds(message: Uint8Array, prefix: string, needle: string): { readonly body: boolean; readonly all: boolean } {
  const structure = parseStructure(message);
  const headers = [octets(prefix), message.subarray(0, structure.root.bodyStart)].map((header) => textOf(headerLines(header)));
  const texts = textParts(structure).map(({ kind, part, start, end }) => {
    const bytes = message.subarray(start, end);
    return kind === 'header' ? textOf(headerLines(bytes)) : fold(partText(part, bytes));
  });
  const body = texts.some((text) => text.includes(needle));
  return { body, all: body || headers.some((text) => text.includes(needle)) };
}

function lacks(message: Uint8Array, needle: string, prefix = ''): { readonly body: boolean; readonly all: boolean } {
  return { body: new QuickLook([fold(needle)], []).rulesOut(message, prefix), all: new QuickLook([], [fold(needle)]).rulesOut(message, prefix) };
}

const MIXED = crlf(`From: ann@x.test
Subject: monthly
 report
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

the hay
--b
Content-Type: application/pdf; name="needle.pdf"
Content-Transfer-Encoding: base64

bmVlZGxl
--b--
`);

describe('a quick look at a message', () => {
  it('rules out a text that is nowhere in it', () => {
    expect(lacks(MIXED, 'haystack')).toEqual({ body: true, all: true });
    expect(lacks(MIXED, '会議')).toEqual({ body: true, all: true });
    expect(lacks(MIXED, 'monthly hay', 'Received: by hay\r\n')).toEqual({ body: true, all: true });
  });

  it('leaves open what is there', () => {
    expect(lacks(MIXED, 'The Hay')).toEqual({ body: false, all: false });
    expect(lacks(MIXED, 'y report')).toEqual({ body: true, all: false });
    expect(lacks(MIXED, 'by hay', 'Received: from a\r\n by hay\r\n')).toEqual({ body: true, all: false });
    expect(lacks(MIXED, 'anything', 'To: =?utf-8?q?x?=\r\n')).toEqual({ body: true, all: false });
  });

  it.each([
    ['an encoded word', 'Subject: =?utf-8?q?x?=\n\nhay\n'],
    ['octets that are not ASCII', 'Subject: é\n\nhay\n'],
    ['ISO-2022-JP', 'Subject: x\n\n\x1b$B2q5D\x1b(B\n'],
    ['HTML', 'Content-Type: text/html\n\nnee<b>dle</b>\n'],
    ['a text in base64', 'Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nbmVlZGxl\n'],
    ['a text in base64 without a type', 'Content-Transfer-Encoding: BASE64\n\nbmVlZGxl\n'],
    ['a text in base64 with the type of the part before', 'Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/x\n--b\nContent-Transfer-Encoding: base64\n\nbmVlZGxl\n--b--\n'],
    ['a text in base64 with something like a boundary in its header', 'Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n--c: d\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\nbmVlZGxl\n--b--\n'],
    ['a text in a charset of two octets', 'Content-Type: text/plain; charset=utf-16le\n\nhay\n'],
    ['a message within', 'Content-Type: message/rfc822\n\nSubject: =\n\nhay\n'],
    ['a digest', 'Content-Type: multipart/digest; boundary=b\n\n--b\n\nContent-Transfer-Encoding: base64\n\nbmVlZGxl\n--b--\n'],
  ])('does not judge %s', (_, text) => expect(lacks(crlf(text), 'needle')).toEqual({ body: false, all: false }));

  it('asks for each of several texts, and passes over what it cannot look for', () => {
    expect(new QuickLook(['HAY', 'STACK'], []).rulesOut(MIXED, '')).toBe(true);
    expect(new QuickLook(['HAY'], ['REPORT']).rulesOut(MIXED, '')).toBe(false);
    expect([new QuickLook(['A\nB'], []).idle, new QuickLook(['A'], []).idle]).toEqual([true, false]);
    expect(new QuickLook(['A\nB'], []).rulesOut(MIXED, '')).toBe(false);
  });

  it('never rules out what reading everything finds: hostile mail of all shapes', () => {
    const line = fc.constantFrom(
      'Content-Type: text/plain', 'Content-Type: text/plain; charset=utf-8', 'Content-Type: text/plain; charset="UTF-16BE"', 'Content-Type: text/html', 'Content-Type: application/x', 'CONTENT-TYPE: image/png; name=a',
      'Content-Type: multipart/mixed; boundary=b', 'Content-Type: multipart/alternative; boundary="c"', 'Content-Type: multipart/digest; boundary=b', 'Content-Type: message/rfc822', 'Content-Type : application/x', 'Content-Type:\n text/html',
      'Content-Transfer-Encoding: base64', 'Content-Transfer-Encoding: quoted-printable', 'content-transfer-encoding: 7bit', 'Content-Transfer-Encoding: x-own', ' continued', '\tneedle', ' needle 5', 'Subject: nee', 'Subject: needle', 'Subject : x\n needle',
      '--b', '--c', '--b--', '--c--', '--d', '', '', '', 'needle', 'bmVlZGxl', 'nee=\ndle', 'n=65edle', 'nee<b>dle</b>', '=?utf-8?b?bmVlZGxl?=', 'no colon', 'nee\rdle', 'nee\0dle', 'Ｎeedle', 'X-A: 5', '12 needle 5 x',
    );
    const message = fc.tuple(fc.array(line, { maxLength: 22 }), fc.constantFrom('\n', '\r\n'), fc.boolean()).map(([lines, end, multipart]) =>
      octets((multipart ? ['Content-Type: multipart/mixed; boundary=b', ...lines] : lines).join('\n').replaceAll('\n', end) + end));
    const needle = fc.constantFrom('needle', 'needle 5', 'dle', 'e', 'x needle', 'subject: needle', '5', 'nee dle', 'a: 5', 'continued', ' ', ':');
    const prefix = fc.constantFrom('', 'X-A: 5\r\n', 'Received: from\r\n needle 5\r\n');
    fc.assert(fc.property(message, needle, prefix, (bytes, text, before) => {
      const [there, ruledOut] = [holds(bytes, before, fold(text)), lacks(bytes, text, before)];
      expect([there.body && ruledOut.body, there.all && ruledOut.all]).toEqual([false, false]);
    }), { numRuns: 4_000 });
  });
});
