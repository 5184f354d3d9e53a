import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parse } from './grammar.js';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a POP3 command', () => {
  it.each([
    ['QUIT', { verb: 'QUIT' }],
    ['quit', { verb: 'QUIT' }],
    ['StAt ', { verb: 'STAT' }],
    ['NOOP   ', { verb: 'NOOP' }],
    ['CAPA', { verb: 'CAPA' }],
    ['STLS', { verb: 'STLS' }],
    ['UTF8', { verb: 'UTF8' }],
    ['RSET', { verb: 'RSET' }],
    ['USER ann@x.test', { verb: 'USER', user: 'ann@x.test' }],
    ['USER ann%x.test ', { verb: 'USER', user: 'ann%x.test' }],
    ['USER 山田@x.test', { verb: 'USER', user: '山田@x.test' }],
    ['PASS pencil', { verb: 'PASS', password: 'pencil' }],
    ['PASS  two words ', { verb: 'PASS', password: ' two words ' }],
    ['PASS 鉛筆', { verb: 'PASS', password: '鉛筆' }],
    ['APOP mrose c4c9334bac560ecc979e58001b3e22fb', { verb: 'APOP', user: 'mrose', digest: 'c4c9334bac560ecc979e58001b3e22fb' }],
    ['APOP mrose C4C9334BAC560ECC979E58001B3E22FB', { verb: 'APOP', user: 'mrose', digest: 'c4c9334bac560ecc979e58001b3e22fb' }],
    ['AUTH', { verb: 'AUTH' }],
    ['AUTH plain', { verb: 'AUTH', mechanism: 'PLAIN' }],
    ['AUTH PLAIN =', { verb: 'AUTH', mechanism: 'PLAIN', initial: '=' }],
    ['AUTH PLAIN AGFubgBwZW5jaWw=', { verb: 'AUTH', mechanism: 'PLAIN', initial: 'AGFubgBwZW5jaWw=' }],
    ['AUTH SCRAM-SHA-256', { verb: 'AUTH', mechanism: 'SCRAM-SHA-256' }],
    ['LANG', { verb: 'LANG' }],
    ['LANG *', { verb: 'LANG', range: '*' }],
    ['LANG ja-JP', { verb: 'LANG', range: 'ja-JP' }],
    ['LIST', { verb: 'LIST' }],
    ['LIST 2', { verb: 'LIST', message: 2 }],
    ['UIDL 0000000001', { verb: 'UIDL', message: 1 }],
    ['RETR 0', { verb: 'RETR', message: 0 }],
    ['DELE 4294967295', { verb: 'DELE', message: 4294967295 }],
    ['TOP 1 0', { verb: 'TOP', message: 1, lines: 0 }],
  ])('%j is read', (line, command) => expect(parse(bytes(line))).toEqual(command));

  it.each([
    ['USER', 'USER'],
    ['USER ', 'USER'],
    ['PASS', 'PASS'],
    ['PASS ', 'PASS'],
    ['APOP mrose', 'APOP'],
    ['APOP mrose c4c9', 'APOP'],
    ['APOP c4c9334bac560ecc979e58001b3e22fb', 'APOP'],
    ['AUTH PLAIN !', 'AUTH'],
    ['AUTH PLAIN a b', 'AUTH'],
    ['AUTH PLA.IN', 'AUTH'],
    ['STAT 1', 'STAT'],
    ['QUIT now', 'QUIT'],
    ['LIST -1', 'LIST'],
    ['LIST 1 2', 'LIST'],
    ['RETR', 'RETR'],
    ['RETR 1x', 'RETR'],
    ['RETR 12345678901', 'RETR'],
    ['DELE  1', 'DELE'],
    ['TOP 1', 'TOP'],
    ['TOP 1 -1', 'TOP'],
    ['LANG ja_JP', 'LANG'],
  ])('%j has wrong arguments', (line, verb) => expect(parse(bytes(line))).toEqual({ verb, problem: 'syntax' }));

  it.each(['', ' ', ' STAT', 'LAST', 'XTND XMIT', 'STATS', '__proto__', 'constructor x', '山'])('%j is unknown', (line) =>
    expect(parse(bytes(line))).toEqual({ verb: '', problem: 'unknown-command' }));

  it.each(['GET / HTTP/1.1', 'post /x HTTP/1.0', 'CONNECT a:1 HTTP/1.1', 'PRI * HTTP/2.0', 'SSH-2.0-x', 'EHLO x.test', 'HTTP/1.1 200'])(
    '%j belongs to another protocol',
    (line) => expect(parse(bytes(line))).toEqual({ verb: '', problem: 'not-pop3' }),
  );

  it('is told from a TLS hello', () => {
    expect(parse(Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00))).toEqual({ verb: '', problem: 'not-pop3' });
  });

  it.each(['USER a\0b', 'STAT\r', 'RETR 1\nDELE 1', '\0', 'PASS a\tb', 'NOOP\x7f'])('with a control character (%j) is no command', (line) =>
    expect(parse(bytes(line))).toEqual({ verb: '', problem: 'syntax' }));

  it('in broken UTF-8 is no command', () => {
    expect(parse(Uint8Array.of(...bytes('USER '), 0xff, 0xfe))).toEqual({ verb: '', problem: 'syntax' });
  });

  it('never makes the parser throw, whatever the bytes', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (line) => {
        const read = parse(line);
        expect(typeof read.verb).toBe('string');
      }),
    ));

  it('keeps any password as it was typed', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }).filter((text) => !/[\0-\x1f\x7f]/.test(text)),
        (password) => expect(parse(bytes(`pass ${password}`))).toEqual({ verb: 'PASS', password }),
      ),
    ));

  it('of a megabyte of spaces is read in linear time', () => {
    expect(parse(bytes(`USER ${'a' + ' '.repeat(1_000_000)}b`))).toMatchObject({ verb: 'USER' });
  });
});
