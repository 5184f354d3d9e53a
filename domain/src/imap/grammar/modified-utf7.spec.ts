import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mailboxFromWire, mailboxToWire } from './mailbox-name.js';
import { fromModifiedUtf7, toModifiedUtf7 } from './modified-utf7.js';

describe('modified UTF-7', () => {
  it.each([
    ['', ''],
    ['INBOX', 'INBOX'],
    ['R&D', 'R&-D'],
    ['&&', '&-&-'],
    ['~peter/mail/台北/日本語', '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
    ['Entwürfe', 'Entw&APw-rfe'],
    ['あ&あ', '&MEI-&-&MEI-'],
    ['😀', '&2D3eAA-'],
    ['\t', '&AAk-'],
    ['a-あ-', 'a-&MEI--'],
  ])('of %j is %j and back', (name, encoded) => {
    expect(toModifiedUtf7(name)).toBe(encoded);
    expect(fromModifiedUtf7(encoded)).toBe(name);
  });

  it.each([
    '&', 'a&', '&MEI', 'a&b', '&AGE-', '&AGEwQg-', '&MEI-&MEI-', '&M-', '&ME-', '&MEJ-', '&MEIA-', '&2D0-', '&3gA-', '&MEI/-', '&ME I-', 'é', '\x7f', '\t', '\0', '&é-',
  ])('%j is none', (text) => expect(fromModifiedUtf7(text)).toBeUndefined());

  it('makes U+FFFD of what is no Unicode', () => expect(fromModifiedUtf7(toModifiedUtf7('a\ud800b'))).toBe('a\ufffdb'));

  it('of every name reads back as the name', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (name) => {
        const encoded = toModifiedUtf7(name);
        expect(encoded).toMatch(/^[ -~]*$/);
        expect(fromModifiedUtf7(encoded)).toBe(name);
      }),
    ));

  it('has one spelling for each name', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'&-MEIJAGE,+/a2D3eA é'), maxLength: 20 }), (text) => {
        const name = fromModifiedUtf7(text);
        if (name !== undefined) expect(toModifiedUtf7(name)).toBe(text);
      }),
      { numRuns: 5_000 },
    ));
});

describe('a mailbox name', () => {
  it.each([
    ['INBOX', 'inbox'], ['INBOX/a', 'iNbOx/a'], ['inboxes', 'inboxes'], ['a/inbox', 'a/inbox'], ['ガ', '&MKswmQ-'],
  ])('is %j for %j', (name, wire) => expect(mailboxFromWire(wire, false)).toBe(name));

  it.each(['a\r\nb', 'a\0', '&AAk-', '&AIA-', '&ICg-', 'a\x7f'])('holds no control character: %j', (wire) => {
    expect(mailboxFromWire(wire, false)).toBeUndefined();
  });

  it.each(['a\tb', '\xe2\x80\xa9', '\xc2\x85', '\xff', '\xed\xa0\x80', '\xc0\xaf'])('holds neither control characters nor what is no UTF-8: %j', (wire) => {
    expect(mailboxFromWire(wire, true)).toBeUndefined();
  });

  it('comes back as it was sent, in either form', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        const name = text.normalize('NFC');
        fc.pre(!/[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(name) && !/^inbox(\/|$)/i.test(name));
        expect(mailboxFromWire(mailboxToWire(name, false), false)).toBe(name);
        expect(mailboxFromWire(String.fromCharCode(...new TextEncoder().encode(mailboxToWire(name, true))), true)).toBe(name);
      }),
    ));
});
