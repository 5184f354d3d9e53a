import { example, type Examples } from '../kernel/examples.js';
import type { FolderEvent } from './folders.js';
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
  MessagesAppended: [
    example('MessagesAppended', {
      mailboxId, modSeq: 5, firstUid: 2, messageIds: ['01KE5V1W0000001', '01KE5V1W0000002'], sha256: sha256 + sha256, bodySizes: [1134, 1134], sizes: [1234, 1134],
      receivedAt: [1_767_571_200_000, 1_767_571_201_000], at: ['s/1/0', null], prefixes: ['Return-Path: <bob@y.test>\r\nDelivered-To: ann@x.test\r\n', ''], smtputf8: '3',
      flags: [{ flags: ['$Forwarded', '\\Seen'], uids: '2:3' }], from: { mailboxId: '019b8b3a-0c00-7000-8000-0000000000b2', uids: '7,9' },
      head: { ...head, uidNext: 4, highestModSeq: 5, messages: 2, bytes: 2368 },
    }),
  ],
  FlagsChanged: [
    example('FlagsChanged', {
      mailboxId, modSeq: 6, groups: [{ flags: ['\\Deleted', '\\Seen'], uids: '2' }, { flags: [], uids: '3' }],
      head: { ...head, uidNext: 4, highestModSeq: 6, messages: 2, bytes: 2368 },
    }),
  ],
  MessagesExpunged: [
    example('MessagesExpunged', {
      mailboxId, modSeq: 7, uids: '2:3', messageIds: ['01KE5V1W0000001', '01KE5V1W0000002'], bytes: 2368, head: { ...head, uidNext: 4, highestModSeq: 7, messages: 0, bytes: 0 },
    }),
  ],
  MailboxDeleted: [example('MailboxDeleted', { mailboxId, head })],
};

const accountId = head.accountId;
const folderId = mailboxId;
const tree = { accountId, uidValidity: 1_767_571_201 };
const byAdministrator = { ...tree, address: 'ann@x.test', reason: 'the project is over' };

export const folderExamples: Examples<FolderEvent> = {
  FolderCreated: [example('FolderCreated', { ...byAdministrator, folderId, path: '仕事/2026', specialUse: ['\\Archive'], access: { anyone: 'lr' } })],
  FolderRenamed: [example('FolderRenamed', { ...byAdministrator, from: '仕事', to: 'Work', moved: [{ folderId, path: 'Work/2026' }] })],
  FolderDeleted: [example('FolderDeleted', { ...byAdministrator, folderId, path: 'Work/2026' })],
  FolderSubscribed: [example('FolderSubscribed', { ...tree, owner: accountId, path: 'Work/2026' })],
  FolderUnsubscribed: [example('FolderUnsubscribed', { ...tree, owner: accountId, path: 'Work/2026' })],
  FolderAccessChanged: [example('FolderAccessChanged', { ...byAdministrator, folderId, identifier: '-anyone', rights: 'r' })],
  FolderMetadataChanged: [example('FolderMetadataChanged', { ...tree, folderId, entries: [{ entry: '/shared/comment', value: '共有' }, { entry: '/private/comment', value: null }] })],
  FoldersDropped: [example('FoldersDropped', tree)],
};
