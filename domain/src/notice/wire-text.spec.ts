import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { headerOf, subjectOf } from './original.js';
import { originalAddress } from './report.js';
import { statusOf, troubleOf } from './status.js';
import { decodedText, encodedText, foldedField, fromUnitext, fromXtext, oneLine, toUnitext } from './wire-text.js';
import { LANGUAGES, WORDS } from './words.js';

const text = fc.string({ unit: 'binary', maxLength: 300 });
const unfold = (field: string): string => field.replace(/\r\n(?=[ \t])/g, '');
const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);

describe('text for a header field', () => {
  it('is one line, whatever it was', () => {
    fc.assert(fc.property(text, fc.integer({ min: 1, max: 50 }), (t, most) => {
      const line = oneLine(t, most);
      expect(line.length).toBeLessThanOrEqual(most);
      expect(line.isWellFormed() && !/[\r\n\0\u2028\u0085\u202e]/.test(line)).toBe(true);
    }));
  });

  it('is encoded in lines of at most 76 characters, and reads as before', () => {
    fc.assert(fc.property(text, (t) => {
      const encoded = encodedText(t);
      expect(encoded).toMatch(/^[\x20-\x7e\r\n]*$/);
      expect(encoded.split('\r\n').every((l, i) => l.length <= 76 + (l.includes(' ') ? 0 : 170) && (i === 0 || /^ \S/.test(l)))).toBe(true);
      // Folding takes a blank for a line end: several in a row are one.
      const blanks = (s: string): string => s.replace(/ +/g, ' ');
      expect(blanks(decodedText(unfold(encoded)))).toBe(blanks(oneLine(t, 400)));
    }));
  });

  it('is folded between words, with no line of blanks', () => {
    expect(foldedField('Diagnostic-Code', `smtp; 550 ${'word '.repeat(40)}`).split('\r\n').every((l) => l.length <= 77 && l.trim() === l.trimEnd().replace(/^ /, ''))).toBe(true);
    expect(foldedField('X', '')).toBe('X:\r\n');
    expect(Math.max(...foldedField('X', 'y'.repeat(5_000)).split('\r\n').map((l) => l.length))).toBeLessThan(300);
  });

  it('is read in the charsets of Japanese mail, and left as it is in unknown ones', () => {
    expect(decodedText('=?ISO-2022-JP?B?GyRCQEE1YT1xGyhC?= =?utf-8?q?f=C3=BCr_Ann?=')).toBe('請求書für Ann');
    for (const odd of ['=?x-none?B?AAAA?=', '=?utf-8?B?%%%?=', '=?utf-8?X?a?=', '=?']) expect(decodedText(odd)).toBe(odd);
  });
});

describe('an address as the sender gave it', () => {
  it('is decoded from xtext and its international forms', () => {
    expect([fromXtext('a+2Bb+3D'), fromXtext('+E5+A4+AA'), fromXtext('a+2'), fromXtext('+zz')]).toEqual(['a+b=', '太', 'a+2', '+zz']);
    expect(originalAddress('utf-8;\\x{592A}+2B@y.test')).toBe('太+@y.test');
    expect(originalAddress('rfc822;\\x{592A}@y.test')).toBe('\\x{592A}@y.test');
    fc.assert(fc.property(text.map((t) => t.toWellFormed()), (t) => expect(fromUnitext(toUnitext(t))).toBe(t)));
    expect(fromUnitext('\\x{D800}\\x{110000}')).toBe('\\x{D800}\\x{110000}');
  });
});

describe('the status of a recipient', () => {
  it.each([
    ['failed', '550 5.1.1 User unknown', '5.1.1'], ['failed', '550-5.7.26 more', '5.7.26'], ['failed', '550 no such user', '5.0.0'], ['failed', '451 4.4.1 No answer', '4.4.1'],
    ['failed', '421 Busy', '4.0.0'], ['failed', '250 2.0.0 OK', '5.0.0'], ['failed', 'nonsense', '5.0.0'], ['failed', '550 5.1.1.1 x', '5.0.0'], ['failed', '550 5.01.010 x', '5.1.10'],
    ['delayed', '450 4.2.2 Full', '4.2.2'], ['delayed', '550 5.1.1 Retried all the same', '4.1.1'], ['delayed', '', '4.0.0'],
    ['relayed', '250 2.1.5 OK', '2.1.5'], ['delivered', '250 OK', '2.0.0'], ['expanded', '550 5.1.1 x', '2.0.0'],
  ] as const)('%s with %s is %s', (kind, reply, status) => expect(statusOf(kind, reply)).toBe(status));

  it('has words for people in every language', () => {
    const codes = ['5.1.1', '5.1.2', '5.1.10', '5.2.1', '5.2.2', '5.3.4', '4.4.1', '5.4.4', '5.4.6', '5.6.7', '5.7.1', '5.7.30', '5.0.0', '9.9.9'];
    expect(codes.map(troubleOf)).toEqual(['address', 'domain', 'domain', 'disabled', 'full', 'too-big', 'no-answer', 'domain', 'loop', 'format', 'policy', 'tls', 'other', 'other']);
    for (const language of LANGUAGES)
      for (const [why, advice] of Object.values(WORDS[language].trouble)) expect(why.length * advice.length).toBeGreaterThan(0);
    for (const name of ['greeting', 'by', 'said', 'more'] as const) for (const language of LANGUAGES) expect(WORDS[language][name].split('{}')).toHaveLength(2);
  });
});

describe('the header of the original', () => {
  const of = (start: string): string => new TextDecoder().decode(headerOf('T: 1\r\n', bytes(start)));
  it('ends at the empty line, whole lines only, each ended by CRLF', () => {
    expect(of('A: 1\r\nB: 2\r\n\r\nbody\r\n')).toBe('T: 1\r\nA: 1\r\nB: 2\r\n');
    expect(of('A: 1\nB: 2\n\nbody')).toBe('T: 1\r\nA: 1\r\nB: 2\r\n');
    expect(of('A: 1\r\nB: cut in the mid')).toBe('T: 1\r\nA: 1\r\n');
    expect(of('\r\nbody\r\n')).toBe('T: 1\r\n');
    expect(of('A: \0x\ry\r\n\r\n')).toBe('T: 1\r\nA: xy\r\n');
    expect(of(`A: ${'x'.repeat(2_000)}\r\nB: 2\r\n\r\n`).split('\r\n').map((l) => l.length)).toEqual([4, 998, 4, 0]);
  });

  it('tells the subject, folded and encoded or not', () => {
    expect(subjectOf(bytes('A: 1\r\nSUBJECT: =?UTF-8?B?6KuL?=\r\n =?UTF-8?B?5rGC?=\r\nSubject: second\r\n'))).toBe('請求');
    expect([subjectOf(bytes('X-Subject: a\r\n')), subjectOf(bytes('Subject:\r\nA: 1\r\n'))]).toEqual(['', '']);
    expect(subjectOf(bytes(`Subject: ${'x'.repeat(60_000)}\r\n`))).toHaveLength(200);
  });
});
