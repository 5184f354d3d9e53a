import type { RecordedOf } from '../kernel/event.js';
import type { Projection } from '../kernel/projection.js';
import { entryOf, keywordsIn, parsed, sourceUids } from './batch.js';
import type { MailboxEntry, MailboxEvent } from './mailbox.js';
import { uidsIn } from './uid-set.js';

type MailboxRow = {
  id: string; account_id: string; name: string; uid_validity: number; uid_next: number; highest_mod_seq: number; messages: number; bytes: number;
};

const MAILBOX_EVENTS = ['MailboxCreated', 'MessageAppended', 'MessageExpunged', 'MessagesAppended', 'FlagsChanged', 'MessagesExpunged', 'MailboxDeleted'] as const;

/** One row per mailbox: STATUS and quota, straight from the head that every event carries. */
export const mailboxes: Projection<MailboxRow> = {
  name: 'mailbox_1',
  topics: ['decision'],
  inline: true,
  types: MAILBOX_EVENTS,
  blind: MAILBOX_EVENTS,
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
  types: ['MessageAppended', 'MessageExpunged', 'MessagesAppended', 'MessagesExpunged', 'MailboxDeleted'],
  blind: ['MessageAppended', 'MessageExpunged', 'MessagesAppended', 'MessagesExpunged'],
  key: ['mailbox_id', 'uid'],
  columns: {
    mailbox_id: 'uuid', uid: 'bigint', mod_seq: 'bigint', message_id: 'text', sha256: 'bytea', body_size: 'bigint', at: 'text',
    prefix: 'text', size: 'bigint', smtputf8: 'boolean', received_at: 'bigint',
  },
  keysOf: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    if (type === 'MessageAppended' || type === 'MessageExpunged') return [{ mailbox_id: data.mailboxId, uid: data.uid }];
    return type === 'MessagesAppended' ? data.sizes.map((_, i) => ({ mailbox_id: data.mailboxId, uid: data.firstUid + i })) : [];
  },
  removes: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    return type === 'MailboxDeleted' ? { mailbox_id: data.mailboxId } : undefined;
  },
  removesRanges: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    return type === 'MessagesExpunged' ? { part: { mailbox_id: data.mailboxId }, column: 'uid', ranges: parsed(data, data.uids) } : undefined;
  },
  // A UID means the same message for ever, so a row that is still there is the one that was copied.
  copies: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    if (type !== 'MessagesAppended' || data.from === undefined) return undefined;
    const set = { mailbox_id: data.mailboxId, mod_seq: data.modSeq };
    return { part: { mailbox_id: data.from.mailboxId }, column: 'uid', from: sourceUids(data.from), first: data.firstUid, set };
  },
  apply(_, { event }, key) {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    if (type === 'MessagesAppended') return rowOf(data.mailboxId, entryOf(data, key['uid'] as number));
    return type === 'MessageAppended' ? rowOf(data.mailboxId, data) : null;
  },
};

const rowOf = (mailbox_id: string, { uid, modSeq, messageId, sha256, bodySize, at, prefix, size, smtputf8, receivedAt }: MailboxEntry): MailboxMessageRow => ({
  mailbox_id, uid, mod_seq: modSeq, message_id: messageId, sha256: `\\x${sha256}`, body_size: bodySize, at: at ?? null,
  prefix, size, smtputf8: smtputf8 === true, received_at: receivedAt,
});

type VanishedRow = { mailbox_id: string; mod_seq: number; first_uid: number; uids: string };

/** UIDs that were expunged, by MODSEQ: what QRESYNC tells a client that was away (RFC 7162 §3.2). */
export const mailboxVanished: Projection<VanishedRow> = {
  name: 'mailbox_vanished_1',
  topics: ['decision'],
  inline: true,
  types: ['MessageExpunged', 'MessagesExpunged', 'MailboxDeleted'],
  blind: ['MessageExpunged', 'MessagesExpunged'],
  key: ['mailbox_id', 'mod_seq', 'first_uid'],
  columns: { mailbox_id: 'uuid', mod_seq: 'bigint', first_uid: 'bigint', uids: 'text' },
  keysOf: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    if (type !== 'MessageExpunged' && type !== 'MessagesExpunged') return [];
    const first = type === 'MessageExpunged' ? data.uid : (uidsIn(parsed(data, data.uids).slice(0, 1))[0] ?? 0);
    return [{ mailbox_id: data.mailboxId, mod_seq: data.modSeq, first_uid: first }];
  },
  removes: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    return type === 'MailboxDeleted' ? { mailbox_id: data.mailboxId } : undefined;
  },
  apply(_, { event }, key) {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    if (type !== 'MessageExpunged' && type !== 'MessagesExpunged') return null;
    return { ...(key as Omit<VanishedRow, 'uids'>), uids: type === 'MessageExpunged' ? String(data.uid) : data.uids };
  },
};

type KeywordRow = { mailbox_id: string; name: string; keyword: string };

/** Keywords that a mailbox has ever had: `name` in lower case, `keyword` as stored first (keywords differ by more than case, RFC 9051 §2.3.2). */
export const mailboxKeywords: Projection<KeywordRow> = {
  name: 'mailbox_keyword_1',
  topics: ['decision'],
  inline: true,
  types: ['FlagsChanged', 'MessagesAppended', 'MailboxDeleted'],
  key: ['mailbox_id', 'name'],
  columns: { mailbox_id: 'uuid', name: 'text', keyword: 'text' },
  keysOf: ({ event }) => keywordsIn(event as RecordedOf<MailboxEvent>).map((k) => ({ mailbox_id: (event as RecordedOf<MailboxEvent>).data.mailboxId, name: k.toLowerCase() })),
  removes: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    return type === 'MailboxDeleted' ? { mailbox_id: data.mailboxId } : undefined;
  },
  apply(row, { event }, key) {
    if (row) return row;
    const keyword = keywordsIn(event as RecordedOf<MailboxEvent>).find((k) => k.toLowerCase() === key['name']) ?? '';
    return { ...(key as Omit<KeywordRow, 'keyword'>), keyword };
  },
};
