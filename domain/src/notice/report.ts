import type { QueueFact } from '../delivery/queue-events.js';
import { mailDate } from '../mail/received.js';
import { clientOf } from './original.js';
import { replyText, statusOf } from './status.js';
import { asciiOnly, foldedField, fromUnitext, fromXtext, isAscii, oneLine, toUnitext } from './wire-text.js';

export type Owed = QueueFact<'NoticeOwed'>;

/** An address or name in a field that is never folded. */
const LONGEST_VALUE = 600;

export interface ReportInput {
  readonly hostname: string;
  readonly notices: readonly [Owed, ...Owed[]];
  /** RFC 6533: message/global-delivery-status, with addresses and replies as they are; else ASCII. */
  readonly global: boolean;
  /** Minutes east of UTC at that time. */
  readonly offset: (at: number) => number;
}

/** The part for machines (RFC 3464): fields about the message, then a group of fields per recipient, each after an empty line. */
export function reportText({ hostname, notices, global, offset }: ReportInput): string {
  const date = (at: number): string => mailDate(at, offset(at));
  const { message, messageId } = notices[0];
  const client = message.login === undefined ? clientOf(message.trace) : undefined;
  const groups = [
    (message.envid === undefined ? '' : field('Original-Envelope-Id', words(fromXtext(message.envid), global))) +
      field('Reporting-MTA', `dns; ${words(hostname, false)}`) +
      (client === undefined ? '' : field('Received-From-MTA', `dns; ${client}`)) +
      field('Arrival-Date', date(message.acceptedAt)) +
      field('X-Kiroku-Queue-Id', words(messageId, false)),
    ...notices.map((owed) => recipientText(owed, global, date)),
  ];
  return groups.join('\r\n');
}

function recipientText(owed: Owed, global: boolean, date: (at: number) => string): string {
  const { kind, address, orcpt, reply, host, lastAttemptAt, until } = owed;
  const text = replyText(reply);
  return (
    // RFC 3461 §6.3: only when the sender gave one
    (orcpt === undefined ? '' : field('Original-Recipient', originalOf(orcpt, global))) +
    field('Final-Recipient', typed(address, global)) +
    field('Action', kind) +
    field('Status', statusOf(kind, reply)) +
    (host === undefined ? '' : field('Remote-MTA', `dns; ${words(host, false)}`)) +
    (text === '' ? '' : foldedField('Diagnostic-Code', `smtp; ${global ? text : asciiOnly(text)}`)) +
    (lastAttemptAt === undefined ? '' : field('Last-Attempt-Date', date(lastAttemptAt))) +
    (kind === 'delayed' && until !== undefined ? field('Will-Retry-Until', date(until)) : '')
  );
}

const field = (name: string, value: string): string => `${name}: ${value}\r\n`;
const words = (text: string, global: boolean): string => (global ? oneLine(text, LONGEST_VALUE) : asciiOnly(oneLine(text, LONGEST_VALUE)));

/** An address with its type: rfc822, or utf-8 (RFC 6533 §3), which in an ASCII report has a form of its own. */
function typed(address: string, global: boolean): string {
  const one = oneLine(address, LONGEST_VALUE);
  if (isAscii(one)) return `rfc822; ${one}`;
  return `utf-8; ${global ? one : toUnitext(one)}`;
}

/** ORCPT as the sender gave it, type and all, decoded. */
function originalOf(orcpt: string, global: boolean): string {
  const split = orcpt.indexOf(';');
  const type = orcpt.slice(0, split).toLowerCase();
  const value = oneLine(originalAddress(orcpt), LONGEST_VALUE);
  if (type === 'utf-8' && !global) return `utf-8; ${toUnitext(value)}`;
  return /^[a-z0-9-]{1,40}$/.test(type) ? `${type}; ${global ? value : asciiOnly(value)}` : `unknown; ${asciiOnly(value)}`;
}

/** The address in an ORCPT, decoded (RFC 3461 §4.2, RFC 6533 §3). */
export function originalAddress(orcpt: string): string {
  const split = orcpt.indexOf(';');
  const address = fromXtext(orcpt.slice(split + 1));
  return orcpt.slice(0, split).toLowerCase() === 'utf-8' ? fromUnitext(address) : address;
}
