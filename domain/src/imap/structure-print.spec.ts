import { describe, expect, it } from '@jest/globals';
import { binary } from '../mime/binary.js';
import { lines, structureOf } from '../mime/testing.js';
import { parseStructure } from '../mime/structure-parser.js';
import { nstring, printEnvelope, printStructure } from './structure-print.js';

describe('a string', () => {
  it.each([
    [undefined, 'NIL'],
    ['', '""'],
    ['a b', '"a b"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['a\tb', '"a\tb"'],
    ['a\r\nb', '{4}\r\na\r\nb'],
    ['\xe3\x81\x82', '{3}\r\n\xe3\x81\x82'],
    ['a\0b', '{2}\r\nab'],
    ['x'.repeat(1_001), `{1001}\r\n${'x'.repeat(1_001)}`],
  ])('%j is printed', (text, expected) => expect(nstring(text)).toBe(expected));

  it.each([
    ['\xe3\x81\x82"', '"\xe3\x81\x82\\""'],
    ['\xe3\x81', '{2}\r\n\xe3\x81'],
    ['\xe9', '{1}\r\n\xe9'],
    ['\xe3\x81\x82\r', '{4}\r\n\xe3\x81\x82\r'],
  ])('%j is printed for a client that reads UTF-8', (text, expected) => expect(nstring(text, true)).toBe(expected));
});

describe('an envelope', () => {
  it('is printed as RFC 9051 has it', () =>
    expect(
      printEnvelope(
        structureOf(
          'Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)',
          'Subject: IMAP4rev2 WG mtg summary and minutes',
          'From: Terry Gray <gray@cac.washington.edu>',
          'To: imap@cac.washington.edu',
          'Cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>',
          'Message-ID: <B27397-0100000@cac.washington.edu>',
          '',
          '',
        ).envelope,
      ),
    ).toBe(
      '("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) ' +
        '(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ' +
        '((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")',
    ));

  it('of nothing is all NIL', () => expect(printEnvelope(structureOf('', '').envelope)).toBe('(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)'));

  it.each([
    ['To: friends: a@x;', '((NIL NIL "friends" NIL)(NIL NIL "a" "x")(NIL NIL NIL NIL))'],
    ['To: root', '((NIL NIL "root" "MISSING_DOMAIN"))'],
    ['To: Ann', '((NIL NIL "Ann" "MISSING_DOMAIN"))'],
    ['To: "Ann"', '(("Ann" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))'],
    ['To: <@a:b@c>', '((NIL "@a" "b" "c"))'],
    ['To: \xe9 <a@b>', '(({1}\r\n\xe9 NIL "a" "b"))'],
  ])('with %j has %j', (field, expected) => expect(printEnvelope(structureOf(field, '', '').envelope)).toBe(`(NIL NIL NIL NIL NIL ${expected} NIL NIL NIL NIL)`));

  it('has Sender and Reply-To where they are given', () =>
    expect(printEnvelope(structureOf('From: a@x', 'Sender: b@x', 'Reply-To: c@x', '', '').envelope)).toBe(
      '(NIL NIL ((NIL NIL "a" "x")) ((NIL NIL "b" "x")) ((NIL NIL "c" "x")) NIL NIL NIL NIL NIL)',
    ));
});

describe('a body structure', () => {
  it.each<[string, string[], string, string]>([
    ['a plain text', ['', 'a', 'b', ''], '("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2)', '("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2 NIL NIL NIL NIL)'],
    [
      'a part with everything',
      ['Content-Type: Image/PNG; Name="a b"', 'Content-ID: <i@x>', 'Content-Description: d', 'Content-Transfer-Encoding: BASE64', 'Content-MD5: m==', 'Content-Disposition: attachment; filename="f"', 'Content-Language: ja', 'Content-Location: http://x/', '', 'QQ=='],
      '("image" "png" ("name" "a b") "<i@x>" "d" "base64" 4)',
      '("image" "png" ("name" "a b") "<i@x>" "d" "base64" 4 "m==" ("attachment" ("filename" "f")) "ja" "http://x/")',
    ],
    ['two languages', ['Content-Type: a/b', 'Content-Disposition: inline', 'Content-Language: ja, en-US', '', ''], '("a" "b" NIL NIL NIL "7bit" 0)', '("a" "b" NIL NIL NIL "7bit" 0 NIL ("inline" NIL) ("ja" "en-US") NIL)'],
    [
      'a multipart',
      ['Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'x', '--b', 'Content-Type: a/b', '', '--b--'],
      '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0)("a" "b" NIL NIL NIL "7bit" 0) "mixed")',
      '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)("a" "b" NIL NIL NIL "7bit" 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)',
    ],
    [
      'a multipart without parts',
      ['Content-Type: multipart/mixed', '', 'x'],
      '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")',
      '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)',
    ],
    [
      'a message within',
      ['Content-Type: message/rfc822', '', 'Subject: s', '', 'x', ''],
      '("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) 3)',
      '("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)',
    ],
    [
      'an encoded message within',
      ['Content-Type: message/global', 'Content-Transfer-Encoding: base64', '', 'QQ=='],
      '("message" "global" NIL NIL NIL "base64" 4 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) 0)',
      '("message" "global" NIL NIL NIL "base64" 4 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) 0 NIL NIL NIL NIL)',
    ],
  ])('of %s is printed, short and extended', (_, texts, short, extended) => {
    const { root } = parseStructure(lines(...texts));
    expect(printStructure(root, false)).toBe(short);
    expect(printStructure(root, true)).toBe(extended);
  });

  it('keeps RFC 2231 as it came, so that clients decode it', () =>
    expect(printStructure(structureOf("Content-Type: a/b; name*0*=utf-8''%E3%81; name*1*=%82", '', '').root, false)).toContain('("name*" "utf-8\'\'%E3%81%82")'));

  it('has UTF-8 in quotes only for clients that read it', () => {
    const { root } = structureOf(`Content-Type: a/b; name="${binary(new TextEncoder().encode('日'))}"`, '', '');
    expect(printStructure(root, false)).toContain('("name" {3}\r\n\xe6\x97\xa5)');
    expect(printStructure(root, false, true)).toContain('("name" "\xe6\x97\xa5")');
  });
});
