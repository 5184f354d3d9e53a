import type { NoticeKind } from '../delivery/queue-events.js';
import { oneLine } from './wire-text.js';

/** Characters of a reply that a report repeats. */
const LONGEST_REPLY = 1000;

/** What is wrong, as far as an enhanced status code (RFC 3463) tells. */
export type Trouble = 'address' | 'disabled' | 'full' | 'too-big' | 'domain' | 'no-answer' | 'loop' | 'format' | 'tls' | 'policy' | 'other';

const REPLY = /^([245])\d\d(?:[ -]+([245])\.(\d{1,3})\.(\d{1,3})(?!\S))?/;

/**
 * Status field of a report (RFC 3464 §2.3.4). Its class agrees with the action: 4 for what is delayed, 2 for what went well, and never 2
 * for what failed. A reply without an enhanced code gives `x.0.0`: the detail would be a guess.
 */
export function statusOf(kind: NoticeKind, reply: string): string {
  const [, code = '', enhanced = code, subject = '0', detail = '0'] = REPLY.exec(reply) ?? [];
  if (kind === 'delivered' || kind === 'relayed' || kind === 'expanded') return enhanced === '2' ? `2.${+subject}.${+detail}` : '2.0.0';
  if (enhanced !== '4' && enhanced !== '5') return kind === 'delayed' ? '4.0.0' : '5.0.0';
  return `${kind === 'delayed' ? '4' : enhanced}.${+subject}.${+detail}`;
}

/** A reply in one line, bounded. */
export const replyText = (reply: string): string => oneLine(reply, LONGEST_REPLY);

const EXACT: Readonly<Record<string, Trouble>> = {
  '1.2': 'domain', '1.10': 'domain', '2.1': 'disabled', '2.2': 'full', '2.3': 'too-big', '3.4': 'too-big', '4.6': 'loop', '7.30': 'tls', '7.10': 'tls',
};
const BY_SUBJECT: Readonly<Record<string, Trouble>> = { '1': 'address', '4': 'no-answer', '6': 'format', '7': 'policy' };

/** @param status as from `statusOf`. */
export function troubleOf(status: string): Trouble {
  const [kind, subject = '', detail = ''] = status.split('.');
  // For good, and about the way there: the name does not exist or has no server.
  if (kind === '5' && subject === '4' && detail === '4') return 'domain';
  return EXACT[`${subject}.${detail}`] ?? BY_SUBJECT[subject] ?? 'other';
}
