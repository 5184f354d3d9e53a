import { mailboxToWire } from './mailbox-name.js';

const ASTRING = /^[!#$&'+,\-./0-9:;<=>?@A-Z[\]^_`a-z|~]+$/;
const NIL = /^nil$/i;
const QUOTABLE = /^[\x01-\x09\x0b\x0c\x0e-\x7f]*$/;
const QUOTABLE_IN_UTF8 = /^[^\0\r\n]*$/;
/** Longer ones go as literals: clients read those without looking at each octet. */
const QUOTED_LIMIT = 1_024;

/** Octets of the text in UTF-8; halves of surrogate pairs count as the U+FFFD that they become. */
export function octetsOf(text: string): number {
  let octets = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    octets += code < 0x800 ? 1 : 2;
    // A pair is 4 octets: two characters already counted, and two more.
    if (code >= 0xd800 && code < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++;
  }
  return octets;
}

/**
 * Quoted where a quoted string can hold it, else a literal in UTF-8 (RFC 9051 §4.3). A NUL, which neither can hold, becomes U+FFFD.
 * @param utf8 the client has enabled UTF8=ACCEPT or IMAP4rev2: text beyond ASCII may be quoted.
 */
export function string(text: string, utf8: boolean): string {
  if (text.length <= QUOTED_LIMIT && (utf8 ? QUOTABLE_IN_UTF8 : QUOTABLE).test(text)) return quoted(text);
  const whole = text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text;
  return `{${octetsOf(whole)}}\r\n${whole}`;
}

/** Of text that is known to fit: ASCII without CR, LF and NUL. */
export const quoted = (text: string): string => (text.includes('"') || text.includes('\\') ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`);

/** `string`, or NIL for what is not there. */
export const nstring = (text: string | null | undefined, utf8: boolean): string => (text == null ? 'NIL' : string(text, utf8));

/** An atom where it is one, else a string. */
export const astring = (text: string, utf8: boolean): string => (ASTRING.test(text) && !NIL.test(text) ? text : string(text, utf8));

/** A mailbox's name: modified UTF-7 for clients that have not enabled UTF-8. */
export const mailboxName = (name: string, utf8: boolean): string => astring(mailboxToWire(name, utf8), utf8);
