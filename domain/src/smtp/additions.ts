import type { HeaderFacts } from '../mail/header-scan.js';
import { addressesIn } from '../mail/mailbox-list.js';
import { mailDate } from '../mail/received.js';
import { sameAddress } from './sender.js';
import type { Login } from './session.js';

export interface Submission {
  readonly id: string;
  readonly sender: string;
  readonly login: Login;
  readonly host: string;
  /** Epoch ms, and minutes east of UTC. */
  readonly at: number;
  readonly offset: number;
}

/**
 * Fields that a submitted message lacks (RFC 6409 §8): Date and Message-ID, From out of the envelope, and Sender where From does not
 * say who logged in. CRLF-ended lines. Never for mail from other servers: it is passed on as it came.
 */
export function additions(header: HeaderFacts, { id, sender, login, host, at, offset }: Submission): { readonly lines: string; readonly messageId?: string } {
  let lines = '';
  const added = header.messageId === undefined ? `${id}@${host.replace(/[^A-Za-z0-9.-]/g, '-')}` : undefined;
  if (!header.date) lines += `Date: ${mailDate(at, offset)}\r\n`;
  if (added !== undefined) lines += `Message-ID: <${added}>\r\n`;
  if (header.from.length === 0) lines += `From: <${sender === '' ? login.address : sender}>\r\n`;
  if (!header.sender && needsSender(header, sender, login)) lines += `Sender: <${login.address}>\r\n`;
  return added === undefined ? { lines } : { lines, messageId: added };
}

/** RFC 5322 §3.6.2: with several authors always; else when the only one is somebody else. */
function needsSender({ from }: HeaderFacts, sender: string, { address }: Login): boolean {
  const authors = from.length === 0 ? [sender === '' ? address : sender] : from.length === 1 ? addressesIn(from[0] ?? '') : undefined;
  return authors?.length !== 1 || !sameAddress(authors[0] ?? '', address);
}
