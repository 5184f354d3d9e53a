import { parseAddress } from '../mail/address.js';
import type { Capabilities } from './capabilities.js';
import type { Downgrade, NoDowngrade } from './downgrade.js';
import type { OutboundMessage, OutboundRecipient, TlsDemand } from './types.js';
import { words } from './words.js';

/** What the bytes of a message really are. */
export interface Content {
  /** A byte above 127 anywhere, or in the header. */
  readonly eightBit: boolean;
  readonly eightBitHeader: boolean;
  /** Something that text cannot carry: NUL, bare CR, bare LF, a line over 998 bytes, no CRLF at the end (RFC 3030 §3). */
  readonly binary: boolean;
  /** How it can be made 7-bit, or why not; absent when that is not wanted. */
  readonly sevenBit?: Downgrade | NoDowngrade;
}

/**
 * What becomes of an 8-bit message at a server without 8BITMIME: its parts are encoded (RFC 6152 §3), and it is refused where they
 * cannot be; it is refused; or it is sent as it is, which most servers bear and no standard allows.
 */
export type EightBit = 'downgrade' | 'bounce' | 'send';

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
      /** The content is to be made 7-bit in this way. */
      readonly downgrade?: Downgrade;
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

/** Whether the message needs 8BITMIME and the server lacks it. */
export const isTooManyBits = ({ body }: OutboundMessage, { offers }: Hop, { eightBit }: Content): boolean => body !== '7BIT' && eightBit && !offers.eightBit;

/** @param content needed where `mustLook` says so. */
export function plan(message: OutboundMessage, hop: Hop, content?: Content, eightBit: EightBit = 'bounce'): Plan {
  const { offers } = hop;
  const never = (reply: string): Plan => ({ kind: 'never', reply });
  if (message.sender !== '' && !sound(message.sender)) return never(words('bad-sender'));
  if (message.requireTls && !couldRequireTls(hop) && message.sender !== '') {
    // RFC 8689 §4.2: both, and for good
    return never(words(isVerified(hop) ? 'require-tls' : 'require-tls-verified'));
  }
  if (offers.size > 0 && message.size > offers.size) return never(words('too-big', `${message.size} bytes, limit ${offers.size}`));
  const utf8 = message.smtputf8 || NON_ASCII.test(message.sender) || message.recipients.some(({ address }) => NON_ASCII.test(address));
  // RFC 6531 §3.4: what turns out to need nothing of the extension can go without it.
  if (utf8 && !offers.utf8) {
    if (NON_ASCII.test(message.sender)) return never(words('utf8-address'));
    if (message.smtputf8 && content?.eightBitHeader !== false) return never(words('utf8-message'));
  }
  const body = bodyOf(message, offers, content);
  if (body === 'binary') return never(words(body));
  const how = { kind: 'send', binary: body === 'BINARYMIME', utf8: utf8 && offers.utf8 } as const;
  if (body !== 'eight-bit') return { ...how, mail: mailCommand(message, hop, body, utf8) };
  if (eightBit === 'send') return { ...how, mail: mailCommand(message, hop, '7BIT', utf8) };
  const { sevenBit = 'eight-bit' } = content ?? {};
  if (typeof sevenBit === 'string') return never(words(sevenBit));
  // How long it will be is not known, and need not be said (RFC 1870 §5).
  return { ...how, mail: mailCommand(message, { ...hop, offers: { ...offers, sizeOffered: false } }, '7BIT', utf8), downgrade: sevenBit };
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

const isVerified = ({ verified }: Hop): boolean => verified !== undefined && verified !== 'no';
/** A report about a message that required TLS is no reason to lose it where TLS cannot be required (RFC 8689 §5). */
const couldRequireTls = (hop: Hop): boolean => isVerified(hop) && hop.offers.requireTls;

function mailCommand(message: OutboundMessage, hop: Hop, body: OutboundMessage['body'], utf8: boolean): string {
  const { offers } = hop;
  let command = `MAIL FROM:<${message.sender}>`;
  if (offers.sizeOffered) command += ` SIZE=${message.size}`;
  if (body !== '7BIT') command += ` BODY=${body}`;
  if (utf8 && offers.utf8) command += ' SMTPUTF8';
  if (message.requireTls && couldRequireTls(hop)) command += ' REQUIRETLS';
  if (offers.dsn) {
    // RFC 8689 §5: RET=FULL does not hold for what requires TLS; a server that does not know that returns no more than the header.
    if (message.ret) command += ` RET=${message.requireTls ? 'HDRS' : message.ret}`;
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
