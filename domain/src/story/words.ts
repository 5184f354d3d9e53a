import type { Fact, Recorded } from '../kernel/event.js';
import type { Peer, TlsFacts } from '../mail/events.js';
import { outcomesOf } from './outcomes.js';
import { HAPPENED, type Label, LABELS, type Language, type StoryEvent, UNKNOWN, WORDS } from './texts.js';

export interface Telling {
  readonly language: Language;
  /** Minutes east of UTC at that instant (epoch ms). */
  readonly offset: (at: number) => number;
}

type Detail = readonly [Label, string | number | undefined];
type Details = { readonly [T in StoryEvent['type']]: (data: Extract<StoryEvent, Fact<T>>['data'], language: Language) => readonly Detail[] };

const tlsOf = (tls: TlsFacts | undefined): string | undefined => tls && `${tls.version} ${tls.cipher}`;
const peerOf = ({ ip, port, helo }: Peer): readonly Detail[] => [['peer', ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`], ['helo', helo]];
const senderOf = (sender: string, language: Language): Detail => ['sender', sender === '' ? WORDS.nullSender[language] : sender];
const viaOf = (via: readonly string[]): Detail => ['via', via.length === 0 ? undefined : via.join(' → ')];
const bytesOf = (bytes: number, language: Language): string => `${grouped(bytes)} ${WORDS.bytes[language]}`;
/** 1234567 → 1,234,567: the same on every machine, whatever its locale. */
const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** What an administrator wants to know of each event, most telling first. Undefined values are left out. */
const DETAILS: Details = {
  SessionOpened: ({ protocol, listener, peer, local, tls }) =>
    [...peerOf(peer), ['protocol', protocol], ['listener', listener], ['local', local], ['tls', tlsOf(tls)]],
  TlsStarted: (tls) => [['tls', tlsOf(tls)]],
  LoginSucceeded: ({ protocol, peer, mechanism, login, account }) =>
    [['login', login], ['mechanism', mechanism], ['account', account], ['protocol', protocol], ...peerOf(peer)],
  LoginFailed: ({ protocol, peer, mechanism, login, rule }) =>
    [['login', login], ['rule', rule], ['mechanism', mechanism], ['protocol', protocol], ...peerOf(peer)],
  CommandRefused: ({ protocol, peer, verb, rule, reply }) =>
    [['verb', verb], ['rule', rule], ['reply', reply], ['protocol', protocol], ...peerOf(peer)],
  SessionClosed: ({ reason, seconds, commands, bytesIn, bytesOut }, language) => [
    ['reason', reason], ['duration', `${seconds} ${WORDS.seconds[language]}`], ['commands', commands],
    ['traffic', `${grouped(bytesIn)} / ${bytesOf(bytesOut, language)}`],
  ],
  MessageAccepted: (data, language) => [
    ['queueId', data.messageId], ['messageId', data.headerMessageId], senderOf(data.sender, language),
    ['recipients', data.recipients.map((r) => r.address).join(', ')],
    ['dsn', noticesOf(data.recipients)], ...peerOf(data.peer), ['login', data.login], ['tls', tlsOf(data.tls)],
    ['protocol', data.protocol], ['listener', data.listener], ['size', bytesOf(data.size, language)], ['sha256', data.sha256],
    ['body', [data.body, data.smtputf8 && 'SMTPUTF8', data.requireTls && 'REQUIRETLS'].filter(Boolean).join(' ')],
    ['hops', data.hops], ['reply', data.reply],
  ],
  MessageRefused: (data, language) => [
    ['queueId', data.messageId], ['rule', data.rule], ['reply', data.reply === '' ? WORDS.leftWithout[language] : data.reply],
    ['phase', data.phase], senderOf(data.sender, language),
    ['recipients', data.recipients.length === 0 ? WORDS.none[language] : data.recipients.join(', ')],
    ...peerOf(data.peer), ['login', data.login], ['tls', tlsOf(data.tls)], ['listener', data.listener], ['size', bytesOf(data.size, language)],
  ],
  RecipientRefused: ({ address, rule, reply }) => [['recipient', address], ['rule', rule], ['reply', reply]],
  RecipientRouted: ({ recipient, address, via, notify, orcpt }) => [
    ['recipient', recipient], ['address', address], viaOf(via),
    ['dsn', [notify?.join(','), orcpt && `ORCPT=${orcpt}`].filter(Boolean).join(' ') || undefined],
  ],
  RecipientBounced: ({ recipient, address, via, rule, reply }) =>
    [['recipient', recipient], ['address', address], viaOf(via), ['rule', rule], ['reply', reply]],
  MailboxCreated: ({ mailboxId, head }) => [['mailbox', `${head.name} (${mailboxId})`], ['account', head.accountId]],
  MessageAppended: (data, language) => [
    ['recipient', data.recipient], ['address', data.deliveredTo], viaOf(data.via), ['mailbox', `${data.head.name} (${data.mailboxId})`],
    ['uid', data.uid], ['size', bytesOf(data.size, language)], ['overQuota', data.overQuota && WORDS.overQuota[language]],
  ],
  MessageExpunged: ({ mailboxId, uid, size, head }, language) =>
    [['mailbox', `${head.name} (${mailboxId})`], ['uid', uid], ['size', bytesOf(size, language)]],
  MailboxDeleted: ({ mailboxId, head }) => [['mailbox', `${head.name} (${mailboxId})`], ['account', head.accountId]],
};

const noticesOf = (recipients: readonly { readonly address: string; readonly notify?: readonly string[]; readonly orcpt?: string }[]): string | undefined =>
  recipients
    .filter((r) => r.notify !== undefined || r.orcpt !== undefined)
    .map((r) => `${r.address} ${[r.notify && `NOTIFY=${r.notify.join(',')}`, r.orcpt !== undefined && `ORCPT=${r.orcpt}`].filter(Boolean).join(' ')}`)
    .join('; ') || undefined;

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

function linesOf(event: Recorded, { language, offset }: Telling): readonly string[] {
  const time = localTime(event.at, offset(event.at));
  const known = Object.hasOwn(HAPPENED, event.type);
  const what = known ? HAPPENED[event.type as StoryEvent['type']][language] : UNKNOWN[language];
  const details: readonly Detail[] = known
    ? (DETAILS[event.type as StoryEvent['type']] as (data: unknown, language: Language) => readonly Detail[])(event.data, language)
    : [['event', `${event.type} ${JSON.stringify(event.data)}`]];
  return [
    `${time}  ${what}`,
    ...[...details, ['actor', event.actor] as const].flatMap(([label, value]) =>
      value === undefined || value === '' ? [] : [`    ${LABELS[label][language]}: ${printable(String(value))}`],
    ),
  ];
}

function endOf(events: readonly Recorded[], { language }: Telling): readonly string[] {
  const outcomes = outcomesOf(events);
  if (outcomes.length === 0) return [];
  const words = (o: (typeof outcomes)[number]['ends'][number]): string => {
    switch (o.kind) {
      case 'mailbox':
        return `${WORDS.inMailbox[language]} ${o.address} ${o.mailbox} UID ${o.uid}${o.removed ? ` (${WORDS.removed[language]})` : ''}`;
      case 'remote':
        return `${o.address} ${WORDS.waiting[language]}`;
      case 'failed':
        return `${o.address} ${WORDS.failed[language]}: ${o.reply} (${o.rule})`;
    }
  };
  return [
    `${WORDS.outcome[language]}:`,
    ...outcomes.flatMap(({ recipient, ends }) =>
      ends.length === 0
        ? [`    ${printable(recipient)} → ${WORDS.underWay[language]}`]
        : ends.map((end) => `    ${printable([recipient, ...end.via.filter((alias, i) => i > 0 || alias !== recipient)].join(' → '))} → ${printable(words(end))}`),
    ),
  ];
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
