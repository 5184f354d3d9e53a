import type { Recorded } from '../kernel/event.js';
import { type Detail, DETAILS, type Tongue } from './details.js';
import { type End, type LastTry, outcomesOf } from './outcomes.js';
import { HAPPENED, LABELS, type Language, type StoryEvent, UNKNOWN, WORDS } from './texts.js';

export interface Telling {
  readonly language: Language;
  /** Minutes east of UTC at that instant (epoch ms). */
  readonly offset: (at: number) => number;
}

/** By time, then by id: events of one millisecond keep the order in which they were made. */
export const inOrder = (events: readonly Recorded[]): readonly Recorded[] =>
  [...events].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));

/**
 * One message's or session's events as lines for people: a line per event, its particulars indented below, then what became of each
 * recipient. Control characters that came from the network are written as `\u{…}`, so a story can be shown on a terminal.
 */
export function tell(events: readonly Recorded[], telling: Telling): readonly string[] {
  const ordered = inOrder(events);
  return [...ordered.flatMap((event) => linesOf(event, telling)), ...endOf(ordered, telling)];
}

function linesOf(event: Recorded, telling: Telling): readonly string[] {
  const { language } = telling;
  const known = Object.hasOwn(HAPPENED, event.type);
  const what = known ? HAPPENED[event.type as StoryEvent['type']][language] : UNKNOWN[language];
  const details: readonly Detail[] = known
    ? (DETAILS[event.type as StoryEvent['type']] as (data: unknown, tongue: Tongue) => readonly Detail[])(event.data, tongueOf(telling))
    : [['event', `${event.type} ${JSON.stringify(event.data)}`]];
  return [
    `${tongueOf(telling).when(event.at)}  ${what}`,
    ...[...details, ['actor', event.actor] as const].flatMap(([label, value]) =>
      value === undefined || value === '' ? [] : [`    ${LABELS[label][language]}: ${printable(String(value))}`],
    ),
  ];
}

const tongueOf = ({ language, offset }: Telling): Tongue => ({ language, when: (at) => localTime(at, offset(at)) });

function endOf(events: readonly Recorded[], telling: Telling): readonly string[] {
  const outcomes = outcomesOf(events);
  if (outcomes.length === 0) return [];
  const tongue = tongueOf(telling);
  const { language } = telling;
  return [
    `${WORDS.outcome[language]}:`,
    ...outcomes.flatMap(({ recipient, ends }) =>
      ends.length === 0
        ? [`    ${printable(recipient)} → ${WORDS.underWay[language]}`]
        : ends.map((end) => `    ${printable([recipient, ...end.via.filter((alias, i) => i > 0 || alias !== recipient)].join(' → '))} → ${printable(wordsOf(end, tongue))}`),
    ),
  ];
}

function wordsOf(end: End, { language, when }: Tongue): string {
  const said = ({ attempts, reply, host }: LastTry): string => `; ${WORDS.tries[language]} ${attempts}: ${reply}${host === undefined ? '' : ` (${host})`}`;
  switch (end.kind) {
    case 'mailbox':
      return `${WORDS.inMailbox[language]} ${end.address} ${end.mailbox} UID ${end.uid}${end.removed ? ` (${WORDS.removed[language]})` : ''}`;
    case 'waiting': {
      const next = end.nextAt === undefined ? '' : `; ${WORDS.next[language]} ${when(end.nextAt)}${end.why === undefined ? '' : ` (${end.why})`}`;
      return `${end.address} ${WORDS.waiting[language]}${end.last ? said(end.last) : ''}${next}`;
    }
    case 'held':
      return `${end.address} ${WORDS.held[language]} (${end.reason})${end.last ? said(end.last) : ''}`;
    case 'sent':
      return `${end.address} ${WORDS.sent[language]} ${end.host ?? WORDS.anotherServer[language]}, ${WORDS.at[language]} ${when(end.at)}: ${end.reply}`;
    case 'failed':
      return `${end.address} ${WORDS.failed[language]}: ${end.reply} (${end.rule})`;
    case 'expired':
      return `${end.address} ${WORDS.expired[language]}: ${end.reply} (${end.rule})`;
    case 'removed':
      return `${end.address} ${WORDS.takenOut[language]} (${end.reason})`;
    case 'discarded':
      return `${WORDS.discarded[language]} (${end.reason})`;
  }
}

/** ISO 8601 in local time with its offset, e.g. `2026-01-05T09:00:00.000+09:00`. @param offset minutes east of UTC. */
export function localTime(at: number, offset: number): string {
  const minutes = Math.abs(offset);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${new Date(at + offset * 60_000).toISOString().slice(0, -1)}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** Terminals obey control characters and reorder text after bidi controls; what a stranger sent must do neither. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
