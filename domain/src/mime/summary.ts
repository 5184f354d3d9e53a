import { type Binary, bytesOf, isAscii } from './binary.js';
import { decodeGuessed } from './charsets.js';
import { type SentDate, parseDate } from './date.js';
import { decodeHeader } from './encoded-words.js';
import { messageIds } from './envelope.js';
import type { Address, Structure } from './structure.js';

/** An address to be read, searched and sorted by. Not for sending to: it is what stands in the message. */
export interface ReadableAddress {
  /** '' if there is none. */
  readonly name: string;
  /** Without quotes; '' if it was left out. */
  readonly mailbox: string;
  readonly host: string;
}

/** What SORT, SEARCH and THREAD ask of a message, decoded. */
export interface Summary {
  readonly subject: string;
  readonly from: readonly ReadableAddress[];
  readonly to: readonly ReadableAddress[];
  readonly cc: readonly ReadableAddress[];
  readonly bcc: readonly ReadableAddress[];
  /** Absent without a readable Date field: SORT takes INTERNALDATE then. */
  readonly sent?: SentDate;
  /** Without angle brackets. */
  readonly messageId?: string;
  readonly inReplyTo: readonly string[];
  readonly references: readonly string[];
}

export function summarise({ envelope, references }: Structure): Summary {
  const sent = parseDate(envelope.date ?? '');
  const messageId = messageIds(envelope.messageId ?? '')[0];
  return {
    subject: decodeHeader(envelope.subject ?? ''),
    from: readableAddresses(envelope.from),
    to: readableAddresses(envelope.to),
    cc: readableAddresses(envelope.cc),
    bcc: readableAddresses(envelope.bcc),
    ...(sent && { sent }),
    ...(messageId !== undefined && { messageId: readable(messageId) }),
    inReplyTo: messageIds(envelope.inReplyTo ?? '').map(readable),
    references: references.map(readable),
  };
}

/** Without the markers of groups. */
export const readableAddresses = (addresses: readonly Address[]): readonly ReadableAddress[] =>
  addresses.flatMap(({ name, mailbox, host }) =>
    mailbox === undefined || host === undefined ? [] : [{ name: name === undefined ? '' : decodeHeader(name), mailbox: readable(mailbox), host: readable(host) }],
  );

const readable = (text: Binary): string => (isAscii(text) ? text : decodeGuessed(bytesOf(text)));
