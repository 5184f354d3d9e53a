import type { NoticeKind } from '../delivery/queue-events.js';
import { isLiteral, parseAddress } from '../mail/address.js';
import { mailDate, received } from '../mail/received.js';
import { humanText } from './human.js';
import { concat, headerOf, isSevenBit, returnedOf, subjectOf } from './original.js';
import { originalAddress, type Owed, reportText } from './report.js';
import { base64Lines, bytesOf, encodedText, isAscii, oneLine } from './wire-text.js';
import { type Language, LANGUAGES, WORDS } from './words.js';

/** Recipients that a report lists; the others are counted. */
export const MOST_LISTED = 1_000;

/** What an administrator may say about reports. All optional. */
export interface NoticeStyle {
  /** From address, in ASCII; default `MAILER-DAEMON@` and the domain. */
  readonly from?: string;
  readonly name?: string;
  /** In this order in one report; default Japanese, then English. */
  readonly languages?: readonly Language[];
  /** `{subject}`, `{recipient}` (the first) and `{id}` (queue id) stand for those of the message that it is about. */
  readonly subjects?: Partial<Record<NoticeKind, string>>;
  /** In place of the built-in sentence for what happened. */
  readonly texts?: Partial<Record<Language, Partial<Record<NoticeKind, string>>>>;
  /** Bytes up to which a message that failed goes back whole: unasked (default 50,000), and with RET=FULL (default 10 MiB). */
  readonly wholeUpTo?: number;
  readonly fullUpTo?: number;
}

export interface NoticeInput {
  /** Of one message and one kind. Those beyond `MOST_LISTED` count only. */
  readonly notices: readonly [Owed, ...Owed[]];
  /** Recipients beyond `notices`. Default 0. */
  readonly more?: number;
  /** Queue id of the report itself. */
  readonly noticeId: string;
  readonly hostname: string;
  /** Domain of MAILER-DAEMON. */
  readonly domain: string;
  /** Epoch ms. */
  readonly now: number;
  /** Minutes east of UTC at that time. */
  readonly offset: (at: number) => number;
  readonly style: NoticeStyle;
  /** For the boundary: letters and digits that nobody can guess, at least 20. */
  readonly chance: string;
  /** The first bytes of the original's body, `START` (original.ts) or all of it when it is smaller; null when it cannot be read. */
  readonly start: Uint8Array | null;
  /** A copy for these addresses instead, with the header of the original only. */
  readonly copyTo?: readonly string[];
}

export interface ComposedNotice {
  /** The report's bytes in order; `original` stands for the whole body of the original, which is too big to be held here. */
  readonly pieces: readonly (Uint8Array | 'original')[];
  /** For the report's own journey. */
  readonly trace: string;
  readonly headerMessageId: string;
  readonly body: '7BIT' | '8BITMIME';
  readonly smtputf8: boolean;
  readonly requireTls: boolean;
}

/**
 * The report that a sender gets: multipart/report (RFC 6522) of a text for people, the fields of RFC 3464 (RFC 6533 where the message was
 * internationalised) and the original or its header. Whatever stands in replies, addresses and the original, each part stays what it is.
 */
export function composeNotice(input: NoticeInput): ComposedNotice {
  const { hostname, style, offset } = input;
  const [first, ...others] = input.notices.slice(0, MOST_LISTED) as [Owed, ...Owed[]];
  const notices: readonly [Owed, ...Owed[]] = [first, ...others];
  const { message, kind } = first;
  const returned = input.copyTo && input.start ? 'header' : returnedOf(kind, message, input.start !== null, style.wholeUpTo ?? 50_000, style.fullUpTo ?? 10_485_760);
  const start = input.start ?? EMPTY;
  const header = input.start === null ? EMPTY : headerOf(message.trace, start);
  const global = message.smtputf8 && !(isSevenBit(header) && notices.every((n) => isAscii(n.address + (n.orcpt === undefined ? '' : originalAddress(n.orcpt)))));

  const languages = style.languages?.length ? [...new Set(style.languages)] : LANGUAGES;
  const subject = subjectOf(header);
  const more = input.notices.length - notices.length + (input.more ?? 0);
  const human = bytesOf(languages.map((language) =>
    humanText(language, { hostname, notices, more, subject, returned, offset, intro: style.texts?.[language]?.[kind] })).join(`\r\n${'-'.repeat(40)}\r\n\r\n`));
  const report = bytesOf(reportText({ hostname, notices, global, offset }));
  const streamed = returned === 'whole' && message.size > start.length;
  const content = returned === 'whole' ? concat([bytesOf(message.trace), start]) : header;
  const third = returned === 'none' ? [] : streamed ? [bytesOf(message.trace), 'original' as const] : [content];
  const eightBit = !isSevenBit(report) || (returned !== 'none' && (streamed || !isSevenBit(content)));

  const boundary = boundaryFor(input.chance, [human, report, content]);
  const type = TYPES[global ? 'global' : 'plain'];
  const top = headerFields(input, languages, first, subject, boundary, eightBit);
  const open = (contentType: string, encoding: string, description: string): string =>
    `--${boundary}\r\nContent-Type: ${contentType}\r\nContent-Transfer-Encoding: ${encoding}\r\nContent-Description: ${description}\r\n\r\n`;
  const before = bytesOf(
    `${top.text}\r\nThis is a multi-part message in MIME format.\r\n\r\n${open('text/plain; charset=utf-8', 'base64', 'Notification')}${base64Lines(human)}\r\n` +
      open(type.report, isSevenBit(report) ? '7bit' : '8bit', 'Delivery report'));
  const opening = returned === 'none' ? '' : `\r\n${open(type[returned], streamed || !isSevenBit(content) ? '8bit' : '7bit', 'Undelivered message')}`;
  return {
    pieces: [concat([before, report, bytesOf(opening)]), ...third, bytesOf(`\r\n--${boundary}--\r\n`)],
    trace: received({ helo: '', ip: '', host: hostname, product: '', protocol: '', id: input.noticeId, at: input.now, offset: offset(input.now), hideClient: true }, OWN_TRACE),
    headerMessageId: top.messageId, body: eightBit ? '8BITMIME' : '7BIT', smtputf8: top.utf8, requireTls: message.requireTls,
  };
}

const EMPTY = new Uint8Array(0);
const OWN_TRACE = 'by {host} id {id}; {date}';
const TYPES = {
  plain: { report: 'message/delivery-status', whole: 'message/rfc822', header: 'text/rfc822-headers' },
  global: { report: 'message/global-delivery-status', whole: 'message/global', header: 'message/global-headers' },
} as const;

/** Not a part of anything that is already known; what is streamed later could not have guessed it. */
function boundaryFor(chance: string, parts: readonly Uint8Array[]): string {
  const texts = parts.map((part) => new TextDecoder('latin1').decode(part));
  for (let n = 0; ; n++) {
    const boundary = `=_kiroku_${chance.replace(/[^A-Za-z0-9]/g, '').slice(0, 40)}${n === 0 ? '' : `_${n}`}`;
    if (!texts.some((text) => text.includes(boundary))) return boundary;
  }
}

function headerFields(input: NoticeInput, languages: readonly Language[], owed: Owed, aboutSubject: string, boundary: string, eightBit: boolean) {
  const { kind, message, messageId, recipient } = owed;
  const { style, now, noticeId, copyTo } = input;
  const to = (copyTo ?? [message.sender]).map((address) => oneLine(address, 300)).filter((address) => address !== '' && !/[<>]/.test(address));
  const name = oneLine(style.name ?? languages.map((l) => WORDS[l].name).join(' / '), 200);
  const values: Readonly<Record<string, string>> = { subject: oneLine(aboutSubject, 200), recipient: oneLine(recipient, 200), id: messageId };
  const subject = style.subjects?.[kind]?.replace(/\{(subject|recipient|id)\}/g, (_, value: string) => values[value] ?? '') ?? languages.map((l) => WORDS[l].subject[kind]).join(' / ');
  const about = message.headerMessageId !== undefined && /^[!-;=?-~]{1,900}$/.test(message.headerMessageId) ? message.headerMessageId : undefined;
  const host = isAscii(input.hostname) && input.hostname !== '' ? oneLine(input.hostname, 255) : 'localhost';
  const id = `${noticeId}.notice.${messageId.replace(/[^A-Za-z0-9]/g, '').slice(0, 64)}@${host}`;
  const copied = copyTo ? `${languages.map((l) => WORDS[l].copy).join(' / ')}: ` : '';
  const text =
    `From: ${displayName(name)} <${fromAddress(input)}>\r\n` +
    `To: ${to.length === 0 ? 'undisclosed-recipients:;' : to.map((address) => `<${address}>`).join(',\r\n ')}\r\n` +
    `Subject: ${encodedText(copied + subject)}\r\n` +
    `Date: ${mailDate(now, input.offset(now))}\r\n` +
    `Message-ID: <${id}>\r\n` +
    (about === undefined ? '' : `In-Reply-To: <${about}>\r\nReferences: <${about}>\r\n`) +
    'Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n' +
    `Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"\r\n` +
    `Content-Transfer-Encoding: ${eightBit ? '8bit' : '7bit'}\r\n`;
  return { text, messageId: id, utf8: !isAscii(text) };
}

/** An atom-like phrase as it is, else quoted, else encoded (RFC 5322 §3.2.5, RFC 2047 §5). */
const displayName = (name: string): string =>
  /^[A-Za-z0-9 _-]+$/.test(name) ? name : isAscii(name) && !name.includes('=?') ? `"${name.replace(/["\\]/g, '\\$&')}"` : encodedText(name);

function fromAddress({ style, domain, hostname }: NoticeInput): string {
  const { from } = style;
  if (from !== undefined && isAscii(from) && parseAddress(from) !== undefined && !/[<>]/.test(from)) return from;
  const address = `MAILER-DAEMON@${domain}`;
  return isAscii(address) && (isLiteral(domain) || parseAddress(address) !== undefined) ? address : `MAILER-DAEMON@${oneLine(hostname, 255) || 'localhost'}`;
}
