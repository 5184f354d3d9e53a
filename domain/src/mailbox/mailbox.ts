import { Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import type { MessageBatch } from './batch.js';

/**
 * A mailbox stream, `mailbox-<uuid>`. Never read whole to decide: every event carries, in `head`, what the next decision needs.
 * UID, UIDVALIDITY and MODSEQ are decided here and nowhere else (RFC 9051 §2.3.1, RFC 7162 §3.1).
 */
export interface MailboxHead {
  readonly accountId: string;
  /** As it was made; the account's folders say what it is called now. */
  readonly name: string;
  readonly uidValidity: number;
  readonly uidNext: number;
  /** Grows by one for each message that enters, whether alone or with others, and by one for any other change: `highestModSeq - uidNext`
   * stands still as long as nothing happens to what is there. */
  readonly highestModSeq: number;
  /** Messages and the sum of their sizes in bytes (body and prefix): quota counts these. */
  readonly messages: number;
  readonly bytes: number;
}

/** One message's place in a mailbox. */
export interface MailboxEntry {
  readonly uid: number;
  readonly modSeq: number;
  /** Queue id of the message; '' for one that a client put there (APPEND). */
  readonly messageId: string;
  readonly sha256: string;
  /** Bytes of the body alone. */
  readonly bodySize: number;
  readonly at?: string;
  /** Return-Path, Delivered-To and the message's trace: what stands before the body for this recipient. CRLF-ended lines. */
  readonly prefix: string;
  /** RFC822.SIZE: UTF-8 bytes of the prefix and the body. */
  readonly size: number;
  /** Accepted with SMTPUTF8: its header may not be ASCII (RFC 6856 §2, RFC 9051 §5.1.2). */
  readonly smtputf8?: true;
  /** INTERNALDATE, epoch ms: when the message was accepted. */
  readonly receivedAt: number;
}

/** Messages that have the same flags: a sorted list, and UIDs as text (`1:5000,5003`). */
export interface FlagGroup {
  readonly flags: readonly string[];
  readonly uids: string;
}

export type MailboxEvent =
  | Fact<'MailboxCreated', { readonly mailboxId: string; readonly head: MailboxHead }>
  | Fact<
      'MessageAppended',
      MailboxEntry & {
        readonly mailboxId: string;
        /** Envelope recipient and the aliases it went through, in order. */
        readonly recipient: string;
        readonly via: readonly string[];
        /** The address it was delivered to. */
        readonly deliveredTo: string;
        /** The mailbox was already over its quota: acceptance had promised delivery. */
        readonly overQuota?: true;
        readonly head: MailboxHead;
      }
    >
  | Fact<
      'MessageExpunged',
      { readonly mailboxId: string; readonly uid: number; readonly modSeq: number; readonly messageId: string; readonly sha256: string; readonly size: number; readonly head: MailboxHead }
    >
  /** IMAP's APPEND, COPY and MOVE. */
  | Fact<'MessagesAppended', MessageBatch>
  /** The flags that these messages have from now on; one MODSEQ for all (RFC 7162 §3.1). */
  | Fact<'FlagsChanged', { readonly mailboxId: string; readonly modSeq: number; readonly groups: readonly FlagGroup[]; readonly head: MailboxHead }>
  /** IMAP's EXPUNGE and MOVE. `messageIds` in the order of the UIDs. */
  | Fact<
      'MessagesExpunged',
      { readonly mailboxId: string; readonly modSeq: number; readonly uids: string; readonly messageIds: readonly string[]; readonly bytes: number; readonly head: MailboxHead }
    >
  | Fact<'MailboxDeleted', { readonly mailboxId: string; readonly head: MailboxHead }>;

/** UIDs are 32 bit (RFC 9051 §2.3.1.1). */
export const LAST_UID = 0xffff_ffff;

export const mailboxStream = (mailboxId: string): string => `mailbox-${mailboxId}`;

/** A new, empty mailbox. `uidValidity` is the second of its creation, so a name used again gets a greater one. */
export function createMailbox(mailboxId: string, accountId: string, name: string, now: number): MailboxEvent {
  return {
    type: 'MailboxCreated',
    data: { mailboxId, head: { accountId, name, uidValidity: Math.floor(now / 1000), uidNext: 1, highestModSeq: 1, messages: 0, bytes: 0 } },
  };
}

/** What delivery or APPEND knows about a message that is to enter a mailbox. */
export type Incoming = Omit<MailboxEntry, 'uid' | 'modSeq'> & {
  readonly recipient: string;
  readonly via: readonly string[];
  readonly deliveredTo: string;
  readonly overQuota?: true;
};

/** The message gets its UID. @throws Refusal `uids-used-up` at 2^32 - 1. */
export function appendMessage(mailboxId: string, head: MailboxHead, incoming: Incoming): Extract<MailboxEvent, { type: 'MessageAppended' }> {
  if (head.uidNext > LAST_UID) throw new Refusal('uids-used-up', mailboxId);
  const modSeq = head.highestModSeq + 1;
  return {
    type: 'MessageAppended',
    data: {
      mailboxId,
      uid: head.uidNext,
      modSeq,
      ...incoming,
      head: { ...head, uidNext: head.uidNext + 1, highestModSeq: modSeq, messages: head.messages + 1, bytes: head.bytes + incoming.size },
    },
  };
}

/** Removes messages for good, one event each; the entries must be the mailbox's own, read at the head's version. */
export function expungeMessages(
  mailboxId: string,
  head: MailboxHead,
  entries: readonly Pick<MailboxEntry, 'uid' | 'messageId' | 'sha256' | 'size'>[],
): readonly Extract<MailboxEvent, { type: 'MessageExpunged' }>[] {
  let now = head;
  return entries.map(({ uid, messageId, sha256, size }) => {
    const modSeq = now.highestModSeq + 1;
    now = { ...now, highestModSeq: modSeq, messages: now.messages - 1, bytes: now.bytes - size };
    return { type: 'MessageExpunged', data: { mailboxId, uid, modSeq, messageId, sha256, size, head: now } };
  });
}
