import { type Binary, bytesOf, utf8Text } from '../mime/binary.js';
import { EMPTY_ENVELOPE } from '../mime/draft.js';
import { emptyPart } from '../mime/sections.js';
import type { Address, Envelope, Parameters, Part } from '../mime/structure.js';

/** Longer ones are literals: some clients read lines into a buffer. */
const LONGEST_QUOTED = 1_000;

/**
 * Printed structures are binary strings: each character is one byte on the wire, to be written as latin1. Nearly all of them are ASCII,
 * which V8 keeps, joins and writes with one byte a character.
 * @param utf8 the client reads UTF-8 in quoted strings (IMAP4rev2 or UTF8=ACCEPT enabled, RFC 6855 §3); otherwise bytes above 127 make a literal.
 */
export function printEnvelope(envelope: Envelope, utf8 = false): Binary {
  const { date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageId } = envelope;
  // RFC 9051 §7.5.2: without Sender or Reply-To it is From.
  const author = printAddresses(from, utf8);
  const sent = sender.length > 0 ? printAddresses(sender, utf8) : author;
  const reply = replyTo.length > 0 ? printAddresses(replyTo, utf8) : author;
  const others = `${printAddresses(to, utf8)} ${printAddresses(cc, utf8)} ${printAddresses(bcc, utf8)}`;
  return `(${nstring(date, utf8)} ${nstring(subject, utf8)} ${author} ${sent} ${reply} ${others} ${nstring(inReplyTo, utf8)} ${nstring(messageId, utf8)})`;
}

function printAddresses(addresses: readonly Address[], utf8: boolean): Binary {
  if (addresses.length === 0) return 'NIL';
  let text = '(';
  for (const address of addresses) text += printAddress(address, utf8);
  return `${text})`;
}

/** Clients take NIL, and many '', as host for a group's beginning: what the sender left out needs some text. */
function printAddress({ name, route, mailbox, host }: Address, utf8: boolean): Binary {
  const isGroup = host === undefined;
  const box = isGroup ? mailbox : mailbox || 'MISSING_MAILBOX';
  return `(${nstring(name, utf8)} ${nstring(route, utf8)} ${nstring(box, utf8)} ${nstring(isGroup ? undefined : host || 'MISSING_DOMAIN', utf8)})`;
}

/** BODYSTRUCTURE, or with `extended` false BODY (RFC 9051 §7.5.2). */
export function printStructure(part: Part, extended: boolean, utf8 = false): Binary {
  if (part.type === 'multipart') {
    const parts = part.parts.length > 0 ? part.parts : [emptyPart(part)];
    const inner = parts.map((child) => printStructure(child, extended, utf8)).join('');
    const rest = extended ? ` ${printParameters(part.parameters, utf8)}${printRest(part, utf8)}` : '';
    return `(${inner} ${string(part.subtype, utf8)}${rest})`;
  }
  const parameters = part.type === 'text' && !part.parameters.some(([name]) => name === 'charset') ? [...part.parameters, ASCII] : part.parameters;
  const head = `${string(part.type, utf8)} ${string(part.subtype, utf8)} ${printParameters(parameters, utf8)} ${nstring(part.id, utf8)} ${nstring(part.description, utf8)}`;
  const size = `${string(part.encoding, utf8)} ${part.bodyEnd - part.bodyStart}`;
  const rest = extended ? ` ${nstring(part.md5, utf8)}${printRest(part, utf8)}` : '';
  return `(${head} ${size}${printLines(part, extended, utf8)}${rest})`;
}

/** RFC 2045 §5.2. */
const ASCII = ['charset', 'us-ascii'] as const;

function printLines(part: Part, extended: boolean, utf8: boolean): Binary {
  if (part.type === 'text') return ` ${part.bodyLines}`;
  if (part.type !== 'message' || (part.subtype !== 'rfc822' && part.subtype !== 'global')) return '';
  // The grammar wants a message here even where it is encoded and was not read.
  const { envelope, root } = part.message ?? { envelope: EMPTY_ENVELOPE, root: emptyPart(part) };
  return ` ${printEnvelope(envelope, utf8)} ${printStructure(root, extended, utf8)} ${part.bodyLines}`;
}

/** Disposition, language, location. */
function printRest({ disposition, languages, location }: Part, utf8: boolean): Binary {
  const where = disposition ? `(${string(disposition.type, utf8)} ${printParameters(disposition.parameters, utf8)})` : 'NIL';
  const [first, ...others] = languages ?? [];
  const spoken = others.length > 0 ? `(${(languages ?? []).map((tag) => string(tag, utf8)).join(' ')})` : nstring(first, utf8);
  return ` ${where} ${spoken} ${nstring(location, utf8)}`;
}

function printParameters(parameters: Parameters, utf8: boolean): Binary {
  if (parameters.length === 0) return 'NIL';
  let text = '';
  for (const [name, value] of parameters) text += `${text === '' ? '(' : ' '}${string(name, utf8)} ${string(value, utf8)}`;
  return `${text})`;
}

/** RFC 9051 §9, nstring, of bytes without NUL. */
export const nstring = (text: Binary | undefined, utf8 = false): Binary => (text === undefined ? 'NIL' : string(text, utf8));

/** Nothing in it needs a backslash or a literal. A loop is twice as fast as a regular expression here, and a listing prints 100,000 strings. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code > 126 || code === 34 || code === 92) return false;
  }
  return true;
}

function string(text: Binary, utf8: boolean): Binary {
  if (text.length <= LONGEST_QUOTED) {
    if (isPlain(text)) return `"${text}"`;
    const quotable = utf8 ? !/[\r\n\0]/.test(text) && utf8Text(bytesOf(text)) !== undefined : /^[\x01-\x09\x0b\x0c\x0e-\x7f]*$/.test(text);
    if (quotable) return `"${text.replace(/["\\]/g, '\\$&')}"`;
  }
  const bytes = text.replaceAll('\0', '');
  return `{${bytes.length}}\r\n${bytes}`;
}
