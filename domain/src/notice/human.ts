import { mailDate } from '../mail/received.js';
import type { Returned } from './original.js';
import type { Owed } from './report.js';
import { replyText, statusOf, troubleOf } from './status.js';
import { oneLine } from './wire-text.js';
import { fill, type Language, type Words, WORDS } from './words.js';

export interface HumanInput {
  readonly hostname: string;
  readonly notices: readonly [Owed, ...Owed[]];
  /** Recipients beyond those. */
  readonly more: number;
  readonly subject: string;
  readonly returned: Returned;
  readonly offset: (at: number) => number;
  /** In place of the built-in words for what happened. */
  readonly intro?: string | undefined;
}

/** The part for people, in one language: what happened, to whom, the other server's words, what one can do. Lines end with CRLF. */
export function humanText(language: Language, input: HumanInput): string {
  const { hostname, notices, more, subject, returned, offset, intro } = input;
  const words = WORDS[language];
  const date = (at: number): string => (language === 'ja' ? japaneseDate(at, offset(at)) : mailDate(at, offset(at)));
  const { kind, message, messageId } = notices[0];
  const about = [
    ...(subject === '' ? [] : [`  ${words.messageSubject}: ${subject}`]),
    `  ${words.acceptedAt}: ${date(message.acceptedAt)}`,
    `  ${words.queueId}: ${messageId}`,
  ];
  const lines = [
    fill(words.greeting, hostname), '',
    ...paragraph(intro === undefined || intro === '' ? words.what[kind] : intro), '',
    ...about, '',
    ...notices.flatMap((owed) => [...recipientLines(owed, words, date), '']),
    ...(more > 0 ? [fill(words.more, String(more)), ''] : []),
    words.attached[returned],
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

/** An administrator's own words: lines stay lines, each bounded. */
const paragraph = (text: string): readonly string[] => text.slice(0, 10_000).split(/\r\n|\r|\n/).map((line) => oneLine(line, 500));

function recipientLines(owed: Owed, words: Words, date: (at: number) => string): readonly string[] {
  const { kind, address, recipient, reply, host, lastAttemptAt, until } = owed;
  const status = statusOf(kind, reply);
  const [why, advice] = words.trouble[troubleOf(status)];
  const said = replyText(reply);
  const bad = kind === 'failed' || kind === 'delayed';
  const label = (name: string, value: string): string => `  ${name}: ${value}`;
  return [
    `${words.recipient}: <${oneLine(address, 300)}>`,
    // An address that somebody gave as alias of another is what the sender knows.
    ...(recipient.toLowerCase() === address.toLowerCase() ? [] : [`  (${fill(words.by, `<${oneLine(recipient, 300)}>`)})`]),
    ...(bad ? [label(words.why, why)] : []),
    ...(kind === 'failed' && status.startsWith('4') ? [`  ${words.gaveUp}`] : []),
    ...(said === '' ? [] : [`  ${host === undefined ? words.saidHere : fill(words.said, oneLine(host, 255))}:`, `    ${said}`]),
    ...(bad && lastAttemptAt !== undefined ? [label(words.lastTry, date(lastAttemptAt))] : []),
    ...(kind === 'delayed' && until !== undefined ? [label(words.until, date(until))] : []),
    ...(kind === 'failed' ? [label(words.advice, advice)] : []),
  ];
}

/** `2026年1月5日 09:00 (+0900)`. @param offset minutes east of UTC. */
function japaneseDate(at: number, offset: number): string {
  const local = new Date(at + offset * 60_000);
  const zone = mailDate(at, offset).slice(-5);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${local.getUTCFullYear()}年${local.getUTCMonth() + 1}月${local.getUTCDate()}日 ${two(local.getUTCHours())}:${two(local.getUTCMinutes())} (${zone})`;
}
