import { example, type Examples } from '../kernel/examples.js';
import type { MailboxEvent, MailboxHead } from './mailbox.js';

const mailboxId = '019b8b3a-0c00-7000-8000-0000000000b1';
const head: MailboxHead = {
  accountId: '019b8b3a-0c00-7000-8000-0000000000a1', name: 'INBOX', uidValidity: 1_767_571_200, uidNext: 2, highestModSeq: 2, messages: 1, bytes: 1234,
};
const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export const mailboxExamples: Examples<MailboxEvent> = {
  MailboxCreated: [example('MailboxCreated', { mailboxId, head: { ...head, uidNext: 1, highestModSeq: 1, messages: 0, bytes: 0 } })],
  MessageAppended: [
    example('MessageAppended', {
      mailboxId, uid: 1, modSeq: 2, messageId: '01KE5V1W0000001', sha256, bodySize: 1134, at: 's/1/0',
      prefix: 'Return-Path: <bob@y.test>\r\nDelivered-To: ann@x.test\r\n', size: 1234, smtputf8: true, receivedAt: 1_767_571_200_000,
      recipient: 'sales@x.test', via: ['sales@x.test'], deliveredTo: 'ann@x.test', overQuota: true, head,
    }),
  ],
  MessageExpunged: [
    example('MessageExpunged', {
      mailboxId, uid: 1, modSeq: 3, messageId: '01KE5V1W0000001', sha256, size: 1234, head: { ...head, highestModSeq: 3, messages: 0, bytes: 0 },
    }),
  ],
  MailboxDeleted: [example('MailboxDeleted', { mailboxId, head })],
};
