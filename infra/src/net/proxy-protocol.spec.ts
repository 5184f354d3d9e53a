import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseProxyHeader } from './proxy-protocol.js';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const v2 = (command: number, family: number, body: Buffer) =>
  Buffer.concat([SIGNATURE, Buffer.from([command, family, body.length >> 8, body.length & 255]), body]);
const V4 = Buffer.from('c0000201cb007109ea6000 19'.replace(' ', ''), 'hex');
const V6 = Buffer.from('20010db8000000000000000000000001' + '20010db8000000000000000000000002' + 'ea600019', 'hex');
const v4Facts = { source: { ip: '192.0.2.1', port: 60_000 }, target: { ip: '203.0.113.9', port: 25 } };

describe('a PROXY version 1 header', () => {
  it('names both ends, and leaves the rest alone', () => {
    const line = 'PROXY TCP4 192.0.2.1 203.0.113.9 60000 25\r\n';
    expect(parseProxyHeader(Buffer.from(`${line}EHLO x\r\n`))).toEqual({ kind: 'header', length: line.length, ...v4Facts });
    expect(parseProxyHeader(Buffer.from('PROXY TCP6 2001:db8::1 2001:db8::2 60000 25\r\n'))).toMatchObject({ source: { ip: '2001:db8::1', port: 60_000 } });
  });

  it('of unknown kind leaves the real addresses, whatever else it says', () => {
    expect(parseProxyHeader(Buffer.from('PROXY UNKNOWN\r\n'))).toEqual({ kind: 'header', length: 15 });
    expect(parseProxyHeader(Buffer.from('PROXY UNKNOWN ff:: :: 1 2\r\n'))).toEqual({ kind: 'header', length: 27 });
  });

  it('may have 107 bytes and no more', () => {
    const line = (length: number) => Buffer.from(`PROXY UNKNOWN ${'x'.repeat(length - 16)}\r\n`);
    expect(parseProxyHeader(line(107))).toEqual({ kind: 'header', length: 107 });
    expect(parseProxyHeader(line(108))).toMatchObject({ kind: 'bad' });
    expect(parseProxyHeader(Buffer.alloc(1e6, 'PROXY '))).toMatchObject({ kind: 'bad' });
  });

  it.each([
    'EHLO x\r\n', 'P\r\n', 'PROXY\r\n', 'PROXY \r\n', 'PROXY TCP4\r\n', 'PROXY TCP4 192.0.2.1 203.0.113.9 60000\r\n',
    'PROXY TCP4 192.0.2.1 203.0.113.9 60000 65536\r\n', 'PROXY TCP4 192.0.2.1 203.0.113.9 060 25\r\n',
    'PROXY TCP4 192.0.2.1 203.0.113.9 60000 25 \r\n', 'PROXY TCP4 2001:db8::1 2001:db8::2 60000 25\r\n',
    'PROXY TCP6 192.0.2.1 203.0.113.9 60000 25\r\n', 'PROXY TCP4  192.0.2.1 203.0.113.9 60000 25\r\n', 'PROXY UDP4 192.0.2.1 203.0.113.9 60000 25\r\n',
  ])('is not %j', (text) => expect(parseProxyHeader(Buffer.from(text))).toMatchObject({ kind: 'bad' }));
});

describe('a PROXY version 2 header', () => {
  it('names both ends, IPv4 and IPv6', () => {
    expect(parseProxyHeader(v2(0x21, 0x11, V4))).toEqual({ kind: 'header', length: 28, ...v4Facts });
    expect(parseProxyHeader(v2(0x21, 0x21, V6))).toMatchObject({ length: 52, source: { ip: '2001:db8::1', port: 60_000 }, target: { ip: '2001:db8::2', port: 25 } });
  });

  it('may carry TLVs that fill it exactly', () => {
    const with_ = (hex: string) => parseProxyHeader(v2(0x21, 0x11, Buffer.concat([V4, Buffer.from(hex, 'hex')])));
    expect(with_('04000100' + '050000')).toMatchObject({ kind: 'header', ...v4Facts });
    for (const wrong of ['04', '0400', '040002ff', '04ffff00']) expect(with_(wrong)).toMatchObject({ kind: 'bad' });
  });

  it.each([
    ['LOCAL', v2(0x20, 0x00, Buffer.alloc(0))],
    ['LOCAL with addresses', v2(0x20, 0x11, V4)],
    ['UNSPEC', v2(0x21, 0x00, Buffer.alloc(5))],
    ['UDP', v2(0x21, 0x12, V4)],
    ['a Unix socket', v2(0x21, 0x31, Buffer.alloc(216))],
  ])('of kind %s leaves the real addresses', (_, header) => expect(parseProxyHeader(header)).toEqual({ kind: 'header', length: header.length }));

  it.each([
    ['another version', v2(0x11, 0x11, V4)],
    ['an unknown command', v2(0x22, 0x11, V4)],
    ['too few bytes for its addresses', v2(0x21, 0x11, V4.subarray(1))],
    ['more than 4096 bytes', v2(0x21, 0x11, Buffer.alloc(4081))],
    ['another signature', Buffer.from('\r\n\r\n\0\r\nQUIX\n\x21\x11\0\0')],
  ])('with %s is bad', (_, header) => expect(parseProxyHeader(header)).toMatchObject({ kind: 'bad' }));
});

describe('any PROXY header', () => {
  it('is the same however slowly it comes', () => {
    for (const header of [Buffer.from('PROXY TCP4 192.0.2.1 203.0.113.9 60000 25\r\n'), v2(0x21, 0x11, V4)]) {
      for (let n = 0; n < header.length; n++) expect(parseProxyHeader(header.subarray(0, n))).toEqual({ kind: 'more' });
      expect(parseProxyHeader(header)).toMatchObject(v4Facts);
    }
  });

  it('never throws, and never asks for more without end', () =>
    fc.assert(
      fc.property(fc.constantFrom(Buffer.alloc(0), SIGNATURE, Buffer.from('PROXY ')), fc.uint8Array({ maxLength: 300 }), (start, junk) => {
        const { kind } = parseProxyHeader(Buffer.concat([start, junk, Buffer.alloc(5000)]));
        expect(kind).not.toBe('more');
      }),
    ));
});
