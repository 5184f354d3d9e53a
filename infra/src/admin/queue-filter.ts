import type { QueueRow } from '@kiroku/domain/delivery/queue-view.js';
import { canonical, canonicalDomain } from '@kiroku/domain/mail/address.js';
import { base32 } from '../ids/ids.js';

export const QUEUE_STATES = ['waiting', 'held', 'unread'] as const satisfies readonly QueueRow['state'][];
export type QueueState = (typeof QUEUE_STATES)[number];
/** Of the last attempt; `untried` = there was none. */
export const QUEUE_OUTCOMES = ['deferred', 'refused', 'unknown', 'untried'] as const;

/** Which recipients of the queue are meant; all that is named must fit. Case does not matter. */
export interface QueueFilter {
  /** Queue id, or Message-ID. */
  readonly messageId?: string | undefined;
  /** Envelope sender, as accepted or as rewritten for a forward; `*` for any characters; '' or `<>` = the null sender. */
  readonly sender?: string | undefined;
  /** As it waits or as it was accepted, `*` for any characters. */
  readonly recipient?: string | undefined;
  /** Domain of the address or its literal, `*` for any characters. */
  readonly destination?: string | undefined;
  readonly state?: QueueState | undefined;
  readonly outcome?: (typeof QUEUE_OUTCOMES)[number] | undefined;
  /** Part of the last reply. */
  readonly reply?: string | undefined;
  /** Server of the last attempt, `*` for any characters. */
  readonly host?: string | undefined;
  /** Where an administrator sent it; '' = nowhere else. */
  readonly route?: string | undefined;
  /** Tried so often, at least. */
  readonly attempts?: number | undefined;
  /** Accepted then or later, and before (epoch ms). */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Due before then (epoch ms); waiting ones only. */
  readonly nextBefore?: number | undefined;
}

/** Queue ids bear the time of MAIL, acceptance is at most a day later; a clock that was put back may have left ids as much ahead. */
const APART = 24 * 60 * 60_000;

/** Puts a value into a statement's list and names its place. */
export type Place = (value: unknown) => string;

/** Conditions on rows of `view.queue_1 q`. */
export function conditionsOf(filter: QueueFilter, the: Place): readonly string[] {
  const { messageId, sender, recipient, destination, state, outcome, reply, host, route, attempts, since, until, nextBefore } = filter;
  return [
    messageId !== undefined && named(messageId, the),
    sender !== undefined && (sender === '' || sender === '<>' ? `q.sender = '' AND q.state <> 'unread'` : `(${like('q.sender', sender, the)} OR ${like('q.envelope_sender', sender, the)})`),
    recipient !== undefined && `(${[recipient, canonical(recipient) ?? recipient].flatMap((r) => [like('q.address', r, the), like('q.recipient', r, the)]).join(' OR ')})`,
    destination !== undefined && (destination.includes('*') ? like('q.destination', destination, the) : `q.destination = ${the(canonicalDomain(destination) ?? destination.toLowerCase())}`),
    state !== undefined && `q.state = ${the(state)}`,
    outcome !== undefined && (outcome === 'untried' ? 'q.last_outcome IS NULL' : `q.last_outcome = ${the(outcome)}`),
    reply !== undefined && `strpos(lower(q.last_reply), lower(${the(reply)})) > 0`,
    host !== undefined && like('q.last_host', host, the),
    route !== undefined && `q.route = ${the(route)}`,
    attempts !== undefined && `q.attempts >= ${the(attempts)}`,
    // The primary key bounds the search; the exact times are compared too.
    since !== undefined && `q.accepted_at >= ${the(since)} AND q.message_id >= ${the(base32(Math.max(0, since - APART), 9))}`,
    until !== undefined && `q.accepted_at < ${the(until)} AND q.message_id < ${the(base32(until + APART, 9))}`,
    nextBefore !== undefined && `q.state = 'waiting' AND q.next_at < ${the(nextBefore)}`,
  ].filter((condition) => condition !== false);
}

/** Nothing named is everything: too much to be meant by mistake. */
export const isEverything = (filter: QueueFilter): boolean => Object.values(filter).every((value) => value === undefined);

const named = (id: string, the: Place): string =>
  id.includes('@') || id.startsWith('<')
    ? `q.message_id IN (SELECT m.message_id FROM view.message_2 m WHERE m.header_message_id = ${the(id.trim().replace(/^<(.*)>$/, '$1'))})`
    : `q.message_id = ${the(id.trim().toUpperCase())}`;

function like(column: string, pattern: string, the: Place): string {
  if (!pattern.includes('*')) return `lower(${column}) = lower(${the(pattern)})`;
  return `lower(${column}) LIKE lower(${the(pattern.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%'))})`;
}
