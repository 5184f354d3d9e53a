import type { Fact } from '../kernel/event.js';
import type { Notify } from '../mail/events.js';
import type { DeliveryEvent } from './delivery.js';
import { noticeOwed } from './notices.js';
import type { Attempt, AttemptResult, QueuedMessage, QueuedRecipient, QueueEvent } from './queue-events.js';
import { causeOf, type QueueRow } from './queue-view.js';
import { delayNoticeDue, type RetryState, schedule, senderClassOf } from './retry.js';
import { policyFor, type RetrySettings } from './retry-settings.js';

/** A recipient that was tried, as the queue knows it. */
export interface Tried extends QueuedRecipient {
  readonly destination: string;
  readonly retry: RetryState;
  readonly delayed: boolean;
}

/** From a row of the queue. */
export const triedOf = (row: Pick<QueueRow, 'address' | 'recipient' | 'via' | 'notify' | 'orcpt' | 'destination' | 'retry' | 'delayed'>): Tried => ({
  address: row.address, recipient: row.recipient, via: JSON.parse(row.via) as string[],
  ...(row.notify !== null && { notify: JSON.parse(row.notify) as Notify[] }), ...(row.orcpt !== null && { orcpt: row.orcpt }),
  destination: row.destination, retry: JSON.parse(row.retry) as RetryState, delayed: row.delayed,
});

export interface Attempting {
  readonly settings: RetrySettings;
  /** Epoch ms. */
  readonly now: number;
  /** 0 to 1. */
  readonly chance: number;
}

/** Replies of these phases are this server's own words. */
const OURS = ['dns', 'connect', 'policy'];

/**
 * What follows from an attempt, in order, for one append: the attempt with the next times filled in, who is given up, and what
 * their sender is to hear.
 * @param attempt its results as the conversation gave them, one per recipient, without `nextAt`.
 * @param tried at least those that were not delivered or asked for a notice of success; of others only the result is recorded.
 */
export function attemptFacts(
  attempt: Attempt, message: QueuedMessage, tried: Iterable<Tried>, { settings, now, chance }: Attempting,
): readonly (QueueEvent | DeliveryEvent)[] {
  const { messageId, host } = attempt;
  const known = new Map<string, Tried>();
  for (const one of tried) known.set(one.address, one);
  const consequences: (QueueEvent | DeliveryEvent)[] = [];
  const results = attempt.results.map((result): AttemptResult => {
    const about = known.get(result.address);
    const { reply, phase } = result;
    const said = { reply, ...(host !== undefined && !OURS.includes(phase) && result.outcome !== 'unknown' && { host }), lastAttemptAt: now };
    if (!about) return result;
    if (result.outcome === 'delivered') {
      if (result.relayed) consequences.push(...noticeOwed('relayed', messageId, message, about, said));
      return result;
    }
    const policy = policyFor(settings, about.destination, senderClassOf(message));
    const when = { now, acceptedAt: message.acceptedAt, chance };
    const next = schedule(policy, about.retry, causeOf(result), when);
    if ('giveUp' in next) {
      const { address, recipient, via } = about;
      consequences.push(
        next.giveUp === 'refused'
          ? { type: 'RecipientBounced', data: { messageId, recipient, address, via, rule: next.giveUp, reply } }
          : { type: 'RecipientExpired', data: { messageId, address, recipient, rule: next.giveUp, reply } },
        ...noticeOwed('failed', messageId, message, about, { ...said, rule: next.giveUp }),
      );
      return { ...result, why: next.why };
    }
    if (!about.delayed && delayNoticeDue(policy, about.retry, when))
      consequences.push(...noticeOwed('delayed', messageId, message, about, { ...said, until: next.until }));
    return { ...result, nextAt: next.nextAt, why: next.why };
  });
  return [{ type: 'DeliveryAttempted', data: { ...attempt, results } }, ...consequences];
}

/**
 * The same facts after somebody else was faster: what was tried was tried, but a recipient that no longer waits (removed, bounced,
 * readdressed meanwhile) has no next time, is not given up a second time and its sender hears nothing more.
 * @param waits is the recipient still in the queue?
 */
export function stillTrue<E extends Fact>(facts: readonly E[], waits: (address: string) => boolean): readonly E[] {
  return facts.flatMap((fact): readonly E[] => {
    const event = fact as unknown as QueueEvent | DeliveryEvent;
    switch (event.type) {
      case 'DeliveryAttempted': {
        const results = event.data.results.map(({ nextAt, why, ...result }): AttemptResult =>
          waits(result.address) ? { ...result, ...(nextAt !== undefined && { nextAt }), ...(why !== undefined && { why }) } : result);
        return [{ ...event, data: { ...event.data, results } } as unknown as E];
      }
      case 'RecipientBounced':
      case 'RecipientExpired':
      case 'NoticeOwed':
        return waits(event.data.address) ? [fact] : [];
      default:
        return [fact];
    }
  });
}
