import { parseAddress } from '../mail/address.js';
import type { Capabilities } from './capabilities.js';
import type { OutboundMessage, OutboundRecipient, TlsDemand } from './types.js';
import { words } from './words.js';

/** What the bytes of a message really are. */
export interface Content {
  /** A byte above 127 anywhere, or in the header. */
  readonly eightBit: boolean;
  readonly eightBitHeader: boolean;
  /** Something that text cannot carry: NUL, bare CR, bare LF, a line over 998 bytes, no CRLF at the end (RFC 3030 §3). */
  readonly binary: boolean;
}

/** The other server, as far as it matters to what it can be sent. */
export interface Hop {
  readonly offers: Capabilities;
  /** What its certificate was checked by; undefined without encryption. */
  readonly verified: TlsDemand['verify'] | undefined;
}

/** How a message goes to this server, or why it never can. */
export type Plan =
  | { readonly kind: 'never'; readonly reply: string }
  | {
      readonly kind: 'send';
      /** The MAIL command. */
      readonly mail: string;
      readonly binary: boolean;
      /** Commands may hold non-ASCII. */
      readonly utf8: boolean;
    };

const NON_ASCII = /[^\x00-\x7f]/;
/** Nearly all addresses; the others are parsed. */
const PLAIN = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]{1,64}@[A-Za-z0-9._-]{1,255}$/;
/** What may stand in a parameter: printable ASCII without `=`; `;` and xtext included. */
const VALUE = /^[!-<>-~]+$/;

const sound = (address: string): boolean => PLAIN.test(address) || parseAddress(address) !== undefined;

/** Whether the plan depends on what the bytes really are, because the server lacks what the message was declared to need. */
export const mustLook = (message: OutboundMessage, { offers }: Hop): boolean =>
  (message.body === '8BITMIME' && !offers.eightBit) ||
  (message.body === 'BINARYMIME' && !(offers.binary && offers.chunking)) ||
  (message.smtputf8 && !offers.utf8);

/** @param content needed where `mustLook` says so. */
export function plan(message: OutboundMessage, hop: Hop, content?: Content): Plan {
  const { offers, verified } = hop;
  const never = (reply: string): Plan => ({ kind: 'never', reply });
  if (message.sender !== '' && !sound(message.sender)) return never(words('bad-sender'));
  if (message.requireTls) {
    // RFC 8689 §4.2: both, and for good
    if (verified === undefined || verified === 'no') return never(words('require-tls-verified'));
    if (!offers.requireTls) return never(words('require-tls'));
  }
  if (offers.size > 0 && message.size > offers.size) return never(words('too-big', `${message.size} bytes, limit ${offers.size}`));
  const utf8 = message.smtputf8 || NON_ASCII.test(message.sender) || message.recipients.some(({ address }) => NON_ASCII.test(address));
  // RFC 6531 §3.4: what turns out to need nothing of the extension can go without it.
  if (utf8 && !offers.utf8) {
    if (NON_ASCII.test(message.sender)) return never(words('utf8-address'));
    if (message.smtputf8 && content?.eightBitHeader !== false) return never(words('utf8-message'));
  }
  const body = bodyOf(message, offers, content);
  if (body === 'binary' || body === 'eight-bit') return never(words(body));
  return { kind: 'send', mail: mailCommand(message, offers, body, utf8), binary: body === 'BINARYMIME', utf8: utf8 && offers.utf8 };
}

function bodyOf({ body }: OutboundMessage, offers: Capabilities, content: Content | undefined): OutboundMessage['body'] | 'binary' | 'eight-bit' {
  if (body === '7BIT') return '7BIT';
  if (body === 'BINARYMIME') {
    if (offers.binary && offers.chunking) return 'BINARYMIME';
    if (content?.binary !== false) return 'binary';
  }
  if (offers.eightBit) return '8BITMIME';
  return content?.eightBit === false ? '7BIT' : 'eight-bit';
}

function mailCommand(message: OutboundMessage, offers: Capabilities, body: OutboundMessage['body'], utf8: boolean): string {
  let command = `MAIL FROM:<${message.sender}>`;
  if (offers.sizeOffered) command += ` SIZE=${message.size}`;
  if (body !== '7BIT') command += ` BODY=${body}`;
  if (utf8 && offers.utf8) command += ' SMTPUTF8';
  if (message.requireTls) command += ' REQUIRETLS';
  if (offers.dsn) {
    if (message.ret) command += ` RET=${message.ret}`;
    if (message.envid !== undefined && VALUE.test(message.envid)) command += ` ENVID=${message.envid}`;
  }
  return `${command}\r\n`;
}

/** The RCPT command, or why this recipient can never be sent to this server. */
export function rcptCommand({ address, notify, orcpt }: OutboundRecipient, offers: Capabilities): { readonly command: string } | { readonly never: string } {
  if (!sound(address)) return { never: words('bad-recipient') };
  if (!offers.utf8 && NON_ASCII.test(address)) return { never: words('utf8-address') };
  let command = `RCPT TO:<${address}>`;
  if (offers.dsn) {
    if (notify && notify.length > 0) command += ` NOTIFY=${notify.join(',')}`;
    const original = orcpt === undefined ? '' : ascii(orcpt);
    if (VALUE.test(original)) command += ` ORCPT=${original}`;
  }
  return { command: `${command}\r\n` };
}

/** RFC 6533 §3: characters beyond ASCII in an address of type utf-8 as `\x{…}`, which every server with DSN can carry. */
const ascii = (orcpt: string): string =>
  NON_ASCII.test(orcpt) ? orcpt.replace(/[^\x00-\x7f]/gu, (char) => `\\x{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`) : orcpt;
