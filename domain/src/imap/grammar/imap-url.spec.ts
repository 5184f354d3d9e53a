import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseImapUrl } from './imap-url.js';

describe('the URL of a message', () => {
  it.each([
    ['/INBOX/;UID=20', { mailbox: 'INBOX', uid: 20, section: '' }],
    ['/inbox;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2.MIME', { mailbox: 'INBOX', uidValidity: 385759045, uid: 20, section: '1.2.MIME' }],
    ['/a%2Fb%20c/%E6%97%A5/;uid=1/;section=HEADER.FIELDS%20(From)', { mailbox: 'a/b c/日', uid: 1, section: 'HEADER.FIELDS (From)' }],
    [';UID=7/;SECTION=TEXT/;PARTIAL=0.1024', { uid: 7, section: 'TEXT', partial: { from: 0, count: 1024 } }],
    ['/;UID=7', { uid: 7, section: '' }],
    ['/a/;UID=7/;PARTIAL=5', { mailbox: 'a', uid: 7, section: '', partial: { from: 5 } }],
  ])('%j is read', (url, message) => expect(parseImapUrl(url)).toEqual(message));

  it.each([
    '', '/', '/INBOX', '/INBOX/;UID=0', '/INBOX/;UID=x', 'INBOX/;UID=1', 'imap://ann@x.test/INBOX/;UID=1', '//x.test/INBOX/;UID=1', '/INBOX;UIDVALIDITY=0/;UID=1', '/INBOX/;UID=1/;SECTION=', '/INBOX/;UID=1;URLAUTH=anonymous', '/a%2/;UID=1',
    '/a%FF/;UID=1', '/a%00/;UID=1', '/a?SUBJECT/;UID=1', '/INBOX/;UID=1/;PARTIAL=1.0', `/${'a'.repeat(2_000)}/;UID=1`,
  ])('%j is none', (url) => expect(parseImapUrl(url)).toBeUndefined());

  it('of any mailbox is read', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (text) => {
        const name = text.normalize('NFC');
        fc.pre(!/[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(name) && !/^inbox/i.test(name) && !name.startsWith('/') && name.isWellFormed());
        expect(parseImapUrl(`/${encodeURIComponent(name)}/;UID=1`)).toMatchObject({ mailbox: name });
      }),
    ));
});
