import type { Recorded } from '../kernel/event.js';
import type { EnvelopeRecipient, MessageAccepted, Notify } from '../mail/events.js';
import type { Expansion } from './expand.js';
import type { NoticeKind, QueuedMessage, QueuedRecipient, QueueEvent, QueueFact } from './queue-events.js';

type NoticeOwed = Extract<QueueEvent, { type: 'NoticeOwed' }>;
type MessageQueued = Extract<QueueEvent, { type: 'MessageQueued' }>;

/** Whom a report is about. */
export type About = Pick<QueuedRecipient, 'address' | 'recipient' | 'notify' | 'orcpt'>;
/** What a report says beside that. */
export type Said = Pick<QueueFact<'NoticeOwed'>, 'reply' | 'host' | 'rule' | 'lastAttemptAt' | 'until'>;

/** RFC 3461 §4.1: what the sender asked to hear. Without NOTIFY that is failures, and delays as this server sees fit. */
export function wants(kind: NoticeKind, notify: readonly Notify[] | undefined): boolean {
  switch (kind) {
    case 'failed':
      return notify === undefined || notify.includes('FAILURE');
    case 'delayed':
      return notify === undefined || notify.includes('DELAY');
    case 'relayed':
    case 'delivered':
    case 'expanded':
      return notify?.includes('SUCCESS') === true;
  }
}

/** A report that the sender is owed; [] when they did not ask for it, or when there is nobody to tell (null sender: RFC 5321 §6.1). */
export function noticeOwed(kind: NoticeKind, messageId: string, message: QueuedMessage, about: About, said: Said): readonly NoticeOwed[] {
  if (message.sender === '' || !wants(kind, about.notify)) return [];
  const { address, recipient, orcpt } = about;
  return [{ type: 'NoticeOwed', data: { messageId, address, kind, recipient, ...(orcpt !== undefined && { orcpt }), ...said, message } }];
}

/** What the queue and reports need to know of an accepted message. */
export function messageOf({ at, data }: Recorded<'MessageAccepted', MessageAccepted['data']>): QueuedMessage {
  const { sender, sha256, size, trace, body, smtputf8, requireTls, ret, envid, hops, deliveredTo, headerMessageId, login, bulk, tlsOptional } = data;
  return {
    sender, sha256, size, ...(data.at !== undefined && { at: data.at }), trace, body, smtputf8, requireTls,
    ...(ret !== undefined && { ret }), ...(envid !== undefined && { envid }), hops, ...(deliveredTo && { deliveredTo }), acceptedAt: at,
    ...(headerMessageId !== undefined && { headerMessageId }), ...(login !== undefined && { login }), ...(bulk && { bulk }),
    ...(tlsOptional && { tlsOptional }),
  };
}

type Asked = Pick<EnvelopeRecipient, 'notify' | 'orcpt'>;
const asOf = (recipients: readonly EnvelopeRecipient[]): ReadonlyMap<string, Asked> => new Map(recipients.map((r) => [r.address, r]));

/** RFC 3461 §5.2.7: behind an alias of several targets success is reported once, as `expanded`; the targets are asked for the rest. */
const withoutSuccess = (notify: readonly Notify[]): readonly Notify[] => {
  const rest = notify.filter((n) => n !== 'SUCCESS');
  return rest.length === 0 ? ['NEVER'] : rest;
};

/** How many ways each envelope recipient's mail went. */
function waysOf({ local, remote, failures }: Expansion): ReadonlyMap<string, number> {
  const ways = new Map<string, number>();
  for (const { recipient } of [...local, ...remote, ...failures]) ways.set(recipient, (ways.get(recipient) ?? 0) + 1);
  return ways;
}

/**
 * Puts a message's remote recipients into the queue; undefined when there are none. To be the last event of its append: then the
 * rows of the queue know the stream's version.
 * @param recipients of the envelope; what was asked of notices comes from there.
 * @param priorityOf of an address, lower first.
 */
export function queued(
  messageId: string, message: QueuedMessage, recipients: readonly EnvelopeRecipient[], expansion: Expansion, priorityOf: (address: string) => number = () => 0,
): MessageQueued | undefined {
  const { remote } = expansion;
  if (remote.length === 0) return undefined;
  const asked = asOf(recipients);
  const ways = waysOf(expansion);
  const priorities = remote.map(({ address }) => priorityOf(address));
  const [priority = 0] = priorities;
  const queuedRecipients = remote.map(({ recipient, address, via, sender }, i): QueuedRecipient => {
    const { notify, orcpt } = asked.get(recipient) ?? {};
    const several = via.length > 0 && (ways.get(recipient) ?? 0) > 1;
    return {
      address, recipient, via, ...(sender !== undefined && { sender }),
      ...(notify && { notify: several && notify.includes('SUCCESS') ? withoutSuccess(notify) : notify }),
      ...(orcpt !== undefined && { orcpt }), ...(priorities[i] !== priority && { priority: priorities[i] as number }),
    };
  });
  return { type: 'MessageQueued', data: { messageId, message, recipients: queuedRecipients, priority } };
}

/**
 * The report about a recipient that failed here at once. It names the envelope recipient alone: what an alias leads to is nobody's
 * business outside, and two recipients may fail at the same target.
 * @param failed as in its `RecipientBounced`.
 */
export function failedNotice(
  messageId: string, message: QueuedMessage, recipients: readonly EnvelopeRecipient[],
  { recipient, rule, reply }: { readonly recipient: string; readonly rule: string; readonly reply: string },
): readonly NoticeOwed[] {
  if (message.sender === '') return [];
  const { notify, orcpt } = recipients.find((r) => r.address === recipient) ?? {};
  return noticeOwed('failed', messageId, message, { address: recipient, recipient, ...(notify && { notify }), ...(orcpt !== undefined && { orcpt }) }, { reply, rule });
}

/**
 * Reports of success that this server owes itself (RFC 3461 §5.2.2, §5.2.7): `delivered` where the one target is a mailbox here,
 * `expanded` where an alias led to several. Of one target elsewhere the queue reports.
 * @param expansion its `local` less what could not be delivered after all.
 */
export function successNotices(messageId: string, message: QueuedMessage, recipients: readonly EnvelopeRecipient[], expansion: Expansion): readonly NoticeOwed[] {
  if (message.sender === '') return [];
  const asking = recipients.filter((r) => wants('delivered', r.notify));
  if (asking.length === 0) return [];
  const ways = waysOf(expansion);
  const here = new Set(expansion.local.map((l) => l.recipient));
  return asking.flatMap(({ address: recipient, notify, orcpt }) => {
    const about = { recipient, address: recipient, ...(notify && { notify }), ...(orcpt !== undefined && { orcpt }) };
    const several = ways.get(recipient) !== 1; // none: its targets were reached through another recipient
    if (several) return noticeOwed('expanded', messageId, message, about, { reply: '250 2.1.5 Alias expanded' });
    return here.has(recipient) ? noticeOwed('delivered', messageId, message, about, { reply: '250 2.1.5 Delivered' }) : [];
  });
}
