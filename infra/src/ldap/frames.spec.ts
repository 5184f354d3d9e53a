import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { messageLength, reduced } from './frames.js';
import { isLoopback, startTlsResult } from './open-socket.js';

describe('the length of an LDAP message', () => {
  it.each([
    ['', undefined], ['30', undefined], ['3000', 2], ['307f', 129], ['3081', undefined], ['308180', 131], ['30820100', 260], ['3084000000', undefined], ['308400000100', 262],
  ] as const)('that begins with %s is %s', (hex, length) => expect(messageLength(Buffer.from(hex, 'hex'))).toBe(length));

  it.each(['48', '0a', '3080', '3085', '30ff', '30830fffff', '3084ffffffff'])('is none of %s', (hex) => expect(() => messageLength(Buffer.from(hex, 'hex'))).toThrow(RangeError));

  it('is never more than is kept', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 10 }), (bytes) => {
      let length: number | undefined = 0;
      try {
        length = messageLength(Buffer.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
      expect(length ?? 0).toBeLessThanOrEqual(64 * 1024);
    }));
  });
});

describe('an answer to STARTTLS', () => {
  it.each([
    ['300c02010178070a010004000400', 0], ['30840000000c02010178070a010004000400', 0], ['300c02010178840000000a0a010204000400', 2], ['300c02010278070a010004000400', undefined],
    ['300c02010161070a010004000400', undefined], ['3000', undefined], ['300502010178', undefined],
  ] as const)('%s is %s', (hex, code) => expect(startTlsResult(Buffer.from(hex, 'hex'))).toBe(code));
});

describe('a loopback address', () => {
  it.each([['127.0.0.1', true], ['127.9.9.9', true], ['::1', true], ['::ffff:127.0.0.1', true], ['10.0.0.1', false], ['::2', false], ['', false], ['1127.0.0.1', false]] as const)('is %s: %s', (ip, is) =>
    expect(isLoopback(ip)).toBe(is));
});

describe('a message of a server', () => {
  it.each([
    ['an entry', '3018020103641304046f753d78300b3009040173310404027979', '3009020103640404003000'],
    ['a reference', '300e0201037309040764633d782c6464', undefined],
    ['a result with words', '3011020103650c0a01310400040562616421210000', '3011020103650c0a0131040004056261642121'],
  ])('is reduced to what is asked for: %s', (_, hex, expected) => {
    const bytes = Buffer.from(hex, 'hex');
    const whole = bytes.subarray(0, messageLength(bytes));
    expect(reduced(whole)?.toString('hex')).toBe(expected);
  });

  it('is refused, or short, whatever its bytes', () => {
    const broken = fc.tuple(fc.constantFrom(0x61, 0x64, 0x65, 0x73, 0x78, 0x04), fc.uint8Array({ maxLength: 40 }), fc.nat(60))
      .map(([operation, content, length]) => Buffer.from([0x30, 5 + content.length, 0x02, 0x01, 0x03, operation, length, ...content]));
    fc.assert(fc.property(broken, (message) => {
      let made: Buffer | undefined;
      try {
        made = reduced(message);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
      expect(made?.length ?? 0).toBeLessThan(128);
      if (made) expect(messageLength(made)).toBe(made.length);
    }));
  });
});
