import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalIp, contains, formatIp, ipMatcher, parseBlock, parseIp } from './ip.js';

const address = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }));

describe('an IP address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:C000:0201', '192.0.2.1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('%s is written %s', (text, canonical) => expect(canonicalIp(text)).toBe(canonical));

  it.each(['', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', '1.2.3.4 ', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9'])(
    'is not %j',
    (text) => expect(parseIp(text)).toBeUndefined(),
  );
  it.each(['1:2:3:4:5:6:7::8', '::12345', '1.2.3.4::', '::1.2.3', '[::1]', '::ffff:1.2.3.4.5', '::1%'])('is not %j', (text) =>
    expect(parseIp(text)).toBeUndefined(),
  );

  it('survives writing and reading', () =>
    fc.assert(
      fc.property(address, (bytes) => {
        const text = formatIp(bytes);
        expect(canonicalIp(text)).toBe(text);
        expect([...(parseIp(text) ?? [])]).toEqual([...(bytes.length === 16 && text.includes('.') ? bytes.slice(12) : bytes)]);
      }),
    ));

  it('is never found in arbitrary text by accident of an exception', () =>
    fc.assert(fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:./%*]{0,50}$/)), (text) => void [parseIp(text), parseBlock(text)])));
});

describe('a block', () => {
  const inside = (block: string, ip: string) => ipMatcher([block])(ip);

  it.each([
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['192.0.2.77/25', '192.0.2.1', true],
    ['192.0.2.77/25', '192.0.2.128', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '203.0.113.9', false],
    ['::ffff:192.0.2.0/120', '192.0.2.9', true],
    ['192.0.2.9', '::ffff:192.0.2.9', true],
    ['2001:db8::/33', '2001:db8:7fff::', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['192.168.1.*', '192.168.1.200', true],
    ['192.168.1.*', '192.168.2.200', false],
    ['10.*', '10.255.0.1', true],
    ['10.*.*.*', '10.255.0.1', true],
  ])('%s with %s: %s', (block, ip, expected) => expect(inside(block, ip)).toBe(expected));

  it.each(['', '1.2.3.4/33', '1.2.3.4/', '1.2.3.4/-1', '1.2.3.4/01', '::/129', '::ffff:1.2.3.4/95', '*', '1.*.3.4', '1.*.*', '256.*', '1.2.3.4.*', 'localhost'])(
    'is not %j',
    (text) => expect(parseBlock(text)).toBeUndefined(),
  );

  it('contains exactly the addresses with its first bits', () =>
    fc.assert(
      fc.property(address, address, fc.nat(128), (a, b, n) => {
        fc.pre(a.length === b.length);
        const bits = Math.min(n, a.length * 8);
        const prefix = (bytes: Uint8Array) =>
          [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('').slice(0, bits);
        expect(contains({ bytes: a, bits }, b)).toBe(prefix(a) === prefix(b));
        expect(contains({ bytes: a, bits }, a)).toBe(true);
      }),
    ));
});

describe('a list of blocks', () => {
  it('matches nothing when empty, and ignores what is no block', () => {
    expect(ipMatcher([])('127.0.0.1')).toBe(false);
    expect(ipMatcher(['nonsense', '127.0.0.0/8'])('127.0.0.1')).toBe(true);
    expect(ipMatcher(['127.0.0.0/8'])('nonsense')).toBe(false);
  });
});
