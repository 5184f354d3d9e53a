import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bytesOf } from './binary.js';
import { decodeStructure, encodeStructure } from './codec.js';
import { printEnvelope, printStructure } from '../imap/structure-print.js';
import { withPrefix } from './prefix.js';
import { parseStructure } from './structure-parser.js';
import type { Part } from './structure.js';
import { summarise } from './summary.js';
import { inChunks } from './testing.js';
import { partText, textParts } from './text-parts.js';

/** Pieces from which nearly every broken message can be put together. */
const piece = fc.constantFrom(
  '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n\r\n', '\r\n\r\n', ' ', '\t', '\0', '-', '--', '--a', '--a--', '\r\n--a\r\n', '\r\n--a\r\n', '\r\n--ab\r\n', '\r\n--a--\r\n', '\r\n--ab--', 'x', 'text',
  'Content-Type: multipart/mixed; boundary=a\r\n', 'Content-Type: multipart/mixed; boundary="ab"\r\n', 'Content-Type: message/rfc822\r\n', 'Content-Type: multipart/digest; boundary=ab\r\n',
  'Content-Type: text/html; charset=iso-2022-jp\r\n', 'content-type:TEXT/plain; name*0*=utf-8\'\'%41; name*1=b\r\n', 'Content-Transfer-Encoding: base64\r\n', 'Content-Transfer-Encoding: quoted-printable\r\n',
  'Content-Disposition: attachment; filename="=?iso-2022-jp?B?GyRCRnxLXBsoQg==?="\r\n', 'Content-Language: ja, en\r\n', 'Content-ID: <a@b>\r\n', 'Subject: =?utf-8?Q?=E3=81?= =?utf-8?Q?=82?=\r\n',
  'From: "A, \\"B" <a@b.test>, g: c@d;\r\n', 'To: \x1b$B;3EDB@O:\x1b(B <a@b>\r\n', 'References: <a@b> <c@d>\r\n', 'Date: Mon, 23 Nov 2026 10:00:00 +0900\r\n', ':', ': y\r\n', ' folded\r\n', '\x93\xfa\x96\x7b', '<p>&amp;', '=3D=\r\n', 'QUJD\r\n',
);
const message = fc.oneof(
  { weight: 4, arbitrary: fc.array(piece, { maxLength: 60 }).map((pieces) => bytesOf(pieces.join(''))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
);
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
const all = { numRuns: 1_000 };

/** Every part lies in the one around it, behind the one before it. */
function expectNested(part: Part, from: number, to: number): void {
  expect(part.headerStart).toBeGreaterThanOrEqual(from);
  expect(part.bodyStart).toBeGreaterThanOrEqual(part.headerStart);
  expect(part.bodyEnd).toBeGreaterThanOrEqual(part.bodyStart);
  expect(part.bodyEnd).toBeLessThanOrEqual(to);
  let next = part.bodyStart;
  for (const child of [...part.parts, ...(part.message ? [part.message.root] : [])]) {
    expectNested(child, next, part.bodyEnd);
    next = child.bodyEnd;
  }
}

function expectCounted(bytes: Uint8Array, part: Part): void {
  const count = (from: number, to: number): number => bytes.subarray(from, to).filter((byte) => byte === 10).length;
  expect(part.headerLines).toBe(count(part.headerStart, part.bodyStart));
  expect(part.bodyLines).toBe(count(part.bodyStart, part.bodyEnd));
  for (const child of [...part.parts, ...(part.message ? [part.message.root] : [])]) expectCounted(bytes, child);
}

describe('whatever bytes a message has', () => {
  it('its structure does not depend on how it was cut', () =>
    fc.assert(fc.property(message, sizes, (bytes, cut) => expect(inChunks(bytes, cut)).toEqual(parseStructure(bytes))), all));

  it('its parts lie within each other and within the message, and their lines are counted', () =>
    fc.assert(
      fc.property(message, (bytes) => {
        const { root, size } = parseStructure(bytes);
        expect(root.headerStart).toBe(0);
        expect(root.bodyEnd).toBe(size);
        expect(size).toBe(bytes.length);
        expectNested(root, 0, size);
        expectCounted(bytes, root);
      }),
      all,
    ));

  it('its structure is stored and read back, without a NUL', () =>
    fc.assert(
      fc.property(message, (bytes) => {
        const structure = parseStructure(bytes);
        const stored = encodeStructure(structure);
        expect(stored).not.toMatch(/\0|\\u0000/);
        expect(decodeStructure(stored)).toEqual(structure);
      }),
      all,
    ));

  it('its structure behind a prefix is that of both together', () =>
    fc.assert(
      fc.property(fc.constantFrom('', 'Return-Path: <a@b>\r\n', 'Delivered-To: a@b\r\nReceived: from x\r\n\tby y; z\r\n'), message, (prefix, bytes) => {
        fc.pre(!/^[ \t]/.test(String.fromCharCode(bytes[0] ?? 0)));
        const both = new Uint8Array(prefix.length + bytes.length);
        both.set(bytesOf(prefix));
        both.set(bytes, prefix.length);
        expect(withPrefix(parseStructure(bytes), bytesOf(prefix))).toEqual(parseStructure(both));
      }),
      all,
    ));

  it('it can be printed, summarised and read', () =>
    fc.assert(
      fc.property(message, fc.boolean(), (bytes, utf8) => {
        const structure = parseStructure(bytes);
        for (const text of [printEnvelope(structure.envelope, utf8), printStructure(structure.root, true, utf8), printStructure(structure.root, false, utf8)])
          expect(text).toMatch(/^\([^]*\)$/);
        expect(summarise(structure).subject).not.toMatch(/[\r\n\0]/);
        for (const { part, start, end } of textParts(structure)) expect(typeof partText(part, bytes.subarray(start, end))).toBe('string');
      }),
      all,
    ));
});
