import type { DeliveryEvent } from '@kiroku/domain/delivery/delivery.js';
import type { Expansion } from '@kiroku/domain/delivery/expand.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { appendMessage, type Incoming, type MailboxHead } from '@kiroku/domain/mailbox/mailbox.js';
import type { Mail } from './placement.js';

type Local = Expansion['local'][number];

export function incoming({ messageId, message }: Mail, { recipient, deliveredTo, via }: Local, overQuota: boolean): Incoming {
  const { sender, trace, sha256, size, at, smtputf8, acceptedAt } = message;
  const prefix = `Return-Path: <${sender}>\r\nDelivered-To: ${deliveredTo}\r\n${trace}`;
  return {
    messageId, sha256, bodySize: size, ...(at !== undefined && { at }),
    prefix, size: utf8Length(prefix) + size, receivedAt: acceptedAt, recipient, via, deliveredTo,
    ...(smtputf8 && { smtputf8: true as const }), ...(overQuota && { overQuota: true as const }),
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

/** What a server would have said at RCPT, had it known then. */
const REPLIES: Readonly<Record<string, string>> = {
  unknown: '550 5.1.1 User unknown',
  disabled: '550 5.2.1 Mailbox disabled',
  loop: '554 5.4.6 Alias loop',
  'too-many': '554 5.4.6 Alias expands to too many addresses',
  'mailbox-gone': '550 5.1.1 User unknown',
  'mailbox-used-up': '554 5.2.0 Mailbox takes no more messages',
};

export const bounced = ({ messageId }: Mail, recipient: string, address: string, via: readonly string[], rule: string): DeliveryEvent => ({
  type: 'RecipientBounced',
  data: { messageId, recipient, address, via, rule, reply: REPLIES[rule] ?? '554 5.0.0 Undeliverable' },
});
