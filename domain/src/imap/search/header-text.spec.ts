import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bytesOf } from '../../mime/binary.js';
import { parseStructure } from '../../mime/structure-parser.js';
import { HEADER_LIMIT } from '../../mime/structure.js';
import { fieldValues, headerLines } from './header-text.js';
import { KEPT_FIELDS } from './index-row.js';

const piece = fc.constantFrom(
  '\r\n', '\r\n', '\n', '\r', '\r\n\r\n', ' ', '\t', '\0', '--', '--a', 'x', ':', ' folded\r\n', 'Subject: one\r\n', 'subject : two\r\n', 'SUBJECT:=?utf-8?Q?=E3=81=82?=\r\n', 'From: a@b\r\n', 'To: a\r\n , b\r\n',
  'Cc:\r\n', 'Content-Type: multipart/mixed; boundary=a\r\n', '\x93\xfa', 'no field\r\n',
);
const message = fc.array(piece, { maxLength: 40 }).map((pieces) => bytesOf(pieces.join('')));

describe('the values of some fields', () => {
  it('are those that all lines of the header give', () =>
    fc.assert(fc.property(message, (bytes) => {
      const lines = headerLines(bytes.subarray(0, Math.min(parseStructure(bytes).root.bodyStart, HEADER_LIMIT)));
      const values = fieldValues(bytes, new Set(KEPT_FIELDS));
      for (const field of KEPT_FIELDS) {
        const wanted = lines.filter(({ name }) => name === field).map(({ value }) => value);
        expect(values.get(field)).toBe(wanted.length === 0 ? undefined : wanted.join('\n'));
      }
    }), { numRuns: 2_000 }));

  it('are not looked for behind the header', () =>
    expect(fieldValues(bytesOf('Subject: a\r\n\r\nSubject: b\r\n'), new Set(['subject'])).get('subject')).toBe('A'));

  it('are found in time that grows with the header, whatever it holds', () => {
    const lines = bytesOf(`${'x\n'.repeat(100_000)}Subject: last\n\n`);
    const since = performance.now();
    expect(fieldValues(lines, new Set(['subject'])).get('subject')).toBe('LAST');
    expect(performance.now() - since).toBeLessThan(5_000);
  });
});
