import type { DeliveryEvent } from '@kiroku/domain/delivery/delivery.js';
import type { Expansion } from '@kiroku/domain/delivery/expand.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { EnvelopeRecipient } from '@kiroku/domain/mail/events.js';
import { appendMessage, type Incoming, type MailboxHead } from '@kiroku/domain/mailbox/mailbox.js';
import type { Accepted } from './pieces.js';

type Local = Expansion['local'][number];

export function incoming({ data, at }: Accepted, { recipient, deliveredTo, via }: Local, overQuota: boolean): Incoming {
  const prefix = `Return-Path: <${data.sender}>\r\nDelivered-To: ${deliveredTo}\r\n${data.trace}`;
  return {
    messageId: data.messageId, sha256: data.sha256, bodySize: data.size, ...(data.at !== undefined && { at: data.at }),
    prefix, size: utf8Length(prefix) + data.size, receivedAt: at, recipient, via, deliveredTo,
    ...(data.smtputf8 && { smtputf8: true as const }), ...(overQuota && { overQuota: true as const }),
  };
}

const utf8Length = (text: string): number => Buffer.byteLength(text, 'utf8');

/** @returns undefined when the mailbox has no UID left: it would stop the mail of everybody else in its partition. */
export function entered(mailboxId: string, head: MailboxHead, mail: Incoming): ReturnType<typeof appendMessage> | undefined {
  try {
    return appendMessage(mailboxId, head, mail);
  } catch (no) {
    if (no instanceof Refusal) return undefined;
    throw no;
  }
}

export function routed({ data }: Accepted, recipient: string, address: string, via: readonly string[], asked?: EnvelopeRecipient): DeliveryEvent {
  const { notify, orcpt } = asked ?? {};
  return {
    type: 'RecipientRouted',
    data: { messageId: data.messageId, recipient, address, via, route: 'remote', ...(notify && { notify }), ...(orcpt !== undefined && { orcpt }) },
  };
}

/** What a server would have said at RCPT, had it known then. */
const REPLIES: Readonly<Record<string, string>> = {
  unknown: '550 5.1.1 User unknown',
  disabled: '550 5.2.1 Mailbox disabled',
  loop: '554 5.4.6 Alias loop',
  'too-many': '554 5.4.6 Alias expands to too many addresses',
  'mailbox-gone': '550 5.1.1 User unknown',
  'mailbox-used-up': '554 5.2.0 Mailbox takes no more messages',
};

export const bounced = ({ data }: Accepted, recipient: string, address: string, via: readonly string[], rule: string): DeliveryEvent => ({
  type: 'RecipientBounced',
  data: { messageId: data.messageId, recipient, address, via, rule, reply: REPLIES[rule] ?? '554 5.0.0 Undeliverable' },
});
