import type { RecordedOf } from '../kernel/event.js';
import type { Projection } from '../kernel/projection.js';
import type { MailboxEvent } from './mailbox.js';

type MailboxRow = {
  id: string; account_id: string; name: string; uid_validity: number; uid_next: number; highest_mod_seq: number; messages: number; bytes: number;
};

/** One row per mailbox: STATUS and quota, straight from the head that every event carries. */
export const mailboxes: Projection<MailboxRow> = {
  name: 'mailbox_1',
  topics: ['decision'],
  inline: true,
  types: ['MailboxCreated', 'MessageAppended', 'MessageExpunged', 'MailboxDeleted'],
  blind: ['MailboxCreated', 'MessageAppended', 'MessageExpunged', 'MailboxDeleted'],
  key: ['id'],
  columns: {
    id: 'uuid', account_id: 'uuid', name: 'text', uid_validity: 'bigint', uid_next: 'bigint', highest_mod_seq: 'bigint', messages: 'bigint', bytes: 'bigint',
  },
  keysOf: ({ event }) => [{ id: (event as RecordedOf<MailboxEvent>).data.mailboxId }],
  apply(_, { event }) {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    if (type === 'MailboxDeleted') return null;
    const { accountId, name, uidValidity, uidNext, highestModSeq, messages, bytes } = data.head;
    return {
      id: data.mailboxId, account_id: accountId, name, uid_validity: uidValidity, uid_next: uidNext, highest_mod_seq: highestModSeq, messages, bytes,
    };
  },
};

type MailboxMessageRow = {
  mailbox_id: string; uid: number; mod_seq: number; message_id: string; sha256: string; body_size: number; at: string | null;
  prefix: string; size: number; smtputf8: boolean; received_at: number;
};

/** One row per message in a mailbox. Gone with its expunge, or with its mailbox. */
export const mailboxMessages: Projection<MailboxMessageRow> = {
  name: 'mailbox_message_1',
  topics: ['decision'],
  inline: true,
  types: ['MessageAppended', 'MessageExpunged', 'MailboxDeleted'],
  blind: ['MessageAppended', 'MessageExpunged'],
  key: ['mailbox_id', 'uid'],
  columns: {
    mailbox_id: 'uuid', uid: 'bigint', mod_seq: 'bigint', message_id: 'text', sha256: 'bytea', body_size: 'bigint', at: 'text',
    prefix: 'text', size: 'bigint', smtputf8: 'boolean', received_at: 'bigint',
  },
  keysOf: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    return type === 'MessageAppended' || type === 'MessageExpunged' ? [{ mailbox_id: data.mailboxId, uid: data.uid }] : [];
  },
  removes: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    return type === 'MailboxDeleted' ? { mailbox_id: data.mailboxId } : undefined;
  },
  apply(_, { event }) {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    if (type !== 'MessageAppended') return null;
    const { mailboxId, uid, modSeq, messageId, sha256, bodySize, at, prefix, size, smtputf8, receivedAt } = data;
    return {
      mailbox_id: mailboxId, uid, mod_seq: modSeq, message_id: messageId, sha256: `\\x${sha256}`, body_size: bodySize, at: at ?? null,
      prefix, size, smtputf8: smtputf8 === true, received_at: receivedAt,
    };
  },
};
