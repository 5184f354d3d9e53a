import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { capabilities, NO_CAPABILITIES } from './capabilities.js';

const of = (...lines: readonly string[]) => capabilities({ code: 250, lines: ['mx.test', ...lines] });

describe('the answer to EHLO', () => {
  it('offers what it names, in any case', () => {
    expect(of('PIPELINING', 'Size 1000', '8bitmime', 'SMTPUTF8', 'STARTTLS', 'DSN', 'ENHANCEDSTATUSCODES', 'CHUNKING', 'BINARYMIME', 'REQUIRETLS')).toEqual({
      ...NO_CAPABILITIES, pipelining: true, size: 1000, sizeOffered: true, eightBit: true, utf8: true, startTls: true, dsn: true, enhancedCodes: true,
      chunking: true, binary: true, requireTls: true,
    });
  });

  it('offers nothing in its first line', () => {
    expect(capabilities({ code: 250, lines: ['PIPELINING'] })).toEqual(NO_CAPABILITIES);
  });

  it.each([[['SIZE'], 0], [['SIZE 0'], 0], [['SIZE many'], 0], [['SIZE 52428800'], 52_428_800]])('%j limits the size to %d', (lines, size) => {
    expect(of(...lines)).toMatchObject({ sizeOffered: true, size });
  });

  it('names login mechanisms in the new way and in the old one', () => {
    expect(of('AUTH PLAIN cram-md5', 'AUTH=LOGIN PLAIN').auth).toEqual(['PLAIN', 'CRAM-MD5', 'LOGIN']);
  });

  it('limits recipients and messages, unless the limit makes no sense', () => {
    expect(of('LIMITS RCPTMAX=100 MAILMAX=5 RCPTDOMAINMAX=1')).toMatchObject({ recipientsMax: 100, messagesMax: 5 });
    expect(of('LIMITS RCPTMAX=0 MAILMAX=x')).toMatchObject({ recipientsMax: Infinity, messagesMax: Infinity });
  });

  it('may hold anything', () =>
    fc.assert(fc.property(fc.array(fc.string()), (lines) => expect(Object.keys(of(...lines))).toEqual(Object.keys(NO_CAPABILITIES)))));
});
