import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HEADER_LIMIT, type HeaderFacts, HeaderScan } from './header-scan.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function scan(...pieces: readonly Uint8Array[]): HeaderFacts {
  const header = new HeaderScan();
  for (const piece of pieces) header.push(piece);
  return header.finish();
}
const of = (text: string): HeaderFacts => scan(bytes(text));

const MAIL = [
  'Received: from a by b;', ' Mon, 2 Mar 2026 12:00:00 +0900', 'received : from c by d', 'Return-Path: <x@y.test>', 'MESSAGE-ID:', ' <1@far.test>',
  'Date: Mon, 2 Mar 2026 12:00:00 +0900', 'From: 山田 <yamada@far.test>,', '\tann@x.test', 'Sender: ann@x.test', 'X-Received: no', 'Dated: no', '',
  'Date: not a header', 'Received: neither', '',
].join('\r\n');

const FACTS: HeaderFacts = { startsWithHeader: true, received: 2, messageId: '1@far.test', date: true, sender: true, from: ['山田 <yamada@far.test>,\tann@x.test'] };

describe('a header', () => {
  it('is read up to its empty line', () => expect(of(MAIL)).toEqual(FACTS));

  it('is read the same in whatever pieces it comes', () => {
    const all = bytes(MAIL);
    for (let at = 0; at <= all.length; at++) expect(scan(all.subarray(0, at), all.subarray(at))).toEqual(FACTS);
    expect(scan(...Array.from(all, (byte) => Uint8Array.of(byte)))).toEqual(FACTS);
  });

  it('may be all there is', () => expect(of('Date: today')).toMatchObject({ date: true, startsWithHeader: true }));

  it('may lack everything', () =>
    expect(of('Subject: hello\r\n\r\nDate: x\r\n')).toEqual({ startsWithHeader: true, received: 0, date: false, sender: false, from: [] }));

  it('is not looked at beyond its limit', () => {
    const long = `Subject: ${'a'.repeat(70)}\r\n`.repeat(Math.ceil(HEADER_LIMIT / 81));
    expect(of(`${long}Date: x\r\n\r\n`).date).toBe(false);
    expect(scan(bytes(long), bytes('Date: x\r\n\r\n')).date).toBe(false);
  });

  it('hides no field behind a bare LF, which BINARYMIME allows', () => expect(of('Subject: a\nReceived: from b\r\n\r\n').received).toBe(1));

  it('counts two From fields as two', () => expect(of('From: a@x.test\r\nFROM: b@x.test\r\n\r\n').from).toEqual(['a@x.test', 'b@x.test']));

  it('takes the first Message-ID, and none that is no id', () => {
    expect(of('Message-ID: <1@a>\r\nMessage-ID: <2@a>\r\n\r\n').messageId).toBe('1@a');
    expect(of('Message-ID: 1@a\r\n\r\n').messageId).toBe('1@a');
    expect(of('Message-ID: <a b>\r\n\r\n').messageId).toBe('');
    expect(of(`Message-ID: <${'a'.repeat(901)}>\r\n\r\n`).messageId).toBe('');
  });

  it('names the mailboxes that the message was in, as many as matter', () => {
    expect(of('Delivered-To: Ann@x.test\r\nDelivered-To:\r\n\t<b@x.test>\r\nDelivered-Too: c@x.test\r\n\r\n').deliveredTo).toEqual(['Ann@x.test', '<b@x.test>']);
    expect(of('Delivered-To: a@x.test\r\n'.repeat(1000)).deliveredTo).toHaveLength(100);
  });

  it('says of mailings and lists that they are', () => {
    for (const word of ['bulk', 'List', ' junk ']) expect(of(`Precedence: ${word}\r\n\r\n`).bulk).toBe(true);
    for (const header of ['Precedence: first-class\r\n\r\n', 'X-Precedence: bulk\r\n\r\n', 'Subject: x\r\n\r\nPrecedence: bulk\r\n']) expect(of(header).bulk).toBeUndefined();
  });

  it('says where TLS is not asked for', () => {
    for (const word of ['No', 'no', ' NO\t']) expect(of(`TLS-Required: ${word}\r\n\r\n`).tlsOptional).toBe(true);
    for (const header of ['TLS-Required: Yes\r\n\r\n', 'TLS-Required: No, not today\r\n\r\n', 'X-TLS-Required: No\r\n\r\n', 'Subject: x\r\n\r\nTLS-Required: No\r\n'])
      expect(of(header).tlsOptional).toBeUndefined();
  });

  it('is never too strange to be read', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (pieces) => void scan(...pieces)));
  });
});

describe('the start of a message', () => {
  it.each([
    ['Subject: a\r\n\r\nb', true],
    ['Subject : a\r\n', true],
    ['\r\nbody', true], // an empty header
    ['', false],
    ['Hello, Ann\r\n', false],
    ['Hello Ann: how are you\r\n', false],
    [' folded: a\r\n', false],
    [': a\r\n', false],
    ['From ann@x.test Mon Mar  2 12:00:00 2026\r\nSubject: a\r\n', false],
    ['名前: a\r\n', false],
  ])('%j begins with a header: %s', (text, startsWithHeader) => expect(of(text)).toMatchObject({ startsWithHeader }));
});
