import type { Attempt, AttemptResult, QueuedMessage } from '../delivery/queue-events.js';
import type { Fact } from '../kernel/event.js';
import type { Peer, TlsFacts } from '../mail/events.js';
import { type Label, type Language, NOTICES, RESULTS, type StoryEvent, WORDS } from './texts.js';

/** How to say it. */
export interface Tongue {
  readonly language: Language;
  /** An instant in local time. @param at epoch ms */
  readonly when: (at: number) => string;
}

/** A label and its value; undefined values are left out. */
export type Detail = readonly [Label, string | number | undefined];
export type Details = { readonly [T in StoryEvent['type']]: (data: Extract<StoryEvent, Fact<T>>['data'], tongue: Tongue) => readonly Detail[] };

const tlsOf = (tls: TlsFacts | undefined): string | undefined => tls && `${tls.version} ${tls.cipher}`;
const peerOf = ({ ip, port, helo }: Peer): readonly Detail[] => [['peer', ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`], ['helo', helo]];
const senderOf = (sender: string, language: Language): Detail => ['sender', sender === '' ? WORDS.nullSender[language] : sender];
const viaOf = (via: readonly string[]): Detail => ['via', via.length === 0 ? undefined : via.join(' → ')];
const bytesOf = (bytes: number, language: Language): string => `${grouped(bytes)} ${WORDS.bytes[language]}`;
/** 1234567 → 1,234,567: the same on every machine, whatever its locale. */
const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** What an administrator wants to know of each event, most telling first. Undefined values are left out. */
export const DETAILS: Details = {
  SessionOpened: ({ protocol, listener, peer, local, tls }) =>
    [...peerOf(peer), ['protocol', protocol], ['listener', listener], ['local', local], ['tls', tlsOf(tls)]],
  TlsStarted: (tls) => [['tls', tlsOf(tls)]],
  LoginSucceeded: ({ protocol, peer, mechanism, login, account }) =>
    [['login', login], ['mechanism', mechanism], ['account', account], ['protocol', protocol], ...peerOf(peer)],
  LoginFailed: ({ protocol, peer, mechanism, login, rule }) =>
    [['login', login], ['rule', rule], ['mechanism', mechanism], ['protocol', protocol], ...peerOf(peer)],
  CommandRefused: ({ protocol, peer, verb, rule, reply }) =>
    [['verb', verb], ['rule', rule], ['reply', reply], ['protocol', protocol], ...peerOf(peer)],
  SessionClosed: ({ reason, seconds, commands, bytesIn, bytesOut }, { language }) => [
    ['reason', reason], ['duration', `${seconds} ${WORDS.seconds[language]}`], ['commands', commands],
    ['traffic', `${grouped(bytesIn)} / ${bytesOf(bytesOut, language)}`],
  ],
  MessageAccepted: (data, { language }) => [
    ['queueId', data.messageId], ['messageId', data.headerMessageId], senderOf(data.sender, language),
    ['recipients', data.recipients.map((r) => r.address).join(', ')],
    ['dsn', noticesOf(data.recipients)], ...peerOf(data.peer), ['login', data.login], ['tls', tlsOf(data.tls)],
    ['protocol', data.protocol], ['listener', data.listener], ['size', bytesOf(data.size, language)], ['sha256', data.sha256],
    ['body', [data.body, data.smtputf8 && 'SMTPUTF8', data.requireTls && 'REQUIRETLS'].filter(Boolean).join(' ')],
    ['hops', data.hops], ['reply', data.reply],
  ],
  MessageRefused: (data, { language }) => [
    ['queueId', data.messageId], ['rule', data.rule], ['reply', data.reply === '' ? WORDS.leftWithout[language] : data.reply],
    ['phase', data.phase], senderOf(data.sender, language),
    ['recipients', data.recipients.length === 0 ? WORDS.none[language] : data.recipients.join(', ')],
    ...peerOf(data.peer), ['login', data.login], ['tls', tlsOf(data.tls)], ['listener', data.listener], ['size', bytesOf(data.size, language)],
  ],
  RecipientRefused: ({ address, rule, reply }) => [['recipient', address], ['rule', rule], ['reply', reply]],
  MessageQuarantined: ({ error, tries, since }, { when }) => [['error', error], ['tries', `${tries} (${when(since)})`]],
  QuarantineRetried: ({ reason }) => [['reason', reason]],
  QuarantineDiscarded: ({ reason }) => [['reason', reason]],
  QuarantineEnded: () => [],
  RecipientRouted: ({ recipient, address, via, notify, orcpt }) => [
    ['recipient', recipient], ['address', address], viaOf(via),
    ['dsn', [notify?.join(','), orcpt && `ORCPT=${orcpt}`].filter(Boolean).join(' ') || undefined],
  ],
  RecipientBounced: ({ recipient, address, via, rule, reply, reason }) =>
    [['recipient', recipient], ['address', address], viaOf(via), ['rule', rule], ['reply', reply], ['reason', reason]],
  MessageSubmitted: ({ messageId, origin, about, recipients, message }, { language }) =>
    [['queueId', messageId], ['origin', origin], ['about', about], ['recipients', recipients.join(', ')], ...contentOf(message, language)],
  MessageQueued: ({ message, recipients, priority }, { language }) => [
    ['recipients', recipients.map((r) => [...r.via, r.address].join(' → ')).join(', ')], ['dsn', noticesOf(recipients)], senderOf(message.sender, language),
    ['priority', priority || undefined],
  ],
  DeliveryAttempted: (attempt, tongue) => [
    ['host', hostOf(attempt)], ['route', WORDS[attempt.route][tongue.language]], ['source', attempt.source], ['tls', secrecyOf(attempt, tongue.language)],
    ...attempt.results.map((result): Detail => ['result', resultOf(result, tongue)]), ['duration', `${attempt.duration} ms`],
  ],
  RecipientExpired: ({ recipient, address, rule, reply }) => [['recipient', recipient], ['address', address], ['rule', rule], ['reply', reply]],
  RecipientHeld: ({ address, reason }) => [['address', address], ['reason', reason]],
  RecipientReleased: ({ address, reason }) => [['address', address], ['reason', reason]],
  RetryRequested: ({ address, reason }) => [['address', address], ['reason', reason]],
  RecipientRerouted: ({ address, route, reason }, { language }) =>
    [['address', address], ['route', route === '' ? WORDS.usualRoute[language] : route], ['reason', reason]],
  RecipientPrioritized: ({ address, priority, reason }) => [['address', address], ['priority', priority], ['reason', reason]],
  RecipientChanged: ({ address, to, reason }) => [['address', address], ['to', to], ['reason', reason]],
  RecipientRemoved: ({ address, reason }) => [['address', address], ['reason', reason]],
  NoticeOwed: ({ kind, recipient, address, host, reply, rule, until, lastAttemptAt, message }, { language, when }) => [
    ['kind', NOTICES[kind][language]], ['recipient', recipient], ['address', address], ['host', host], ['reply', reply], ['rule', rule],
    ['lastAttempt', lastAttemptAt && when(lastAttemptAt)], ['until', until && when(until)], senderOf(message.sender, language),
  ],
  NoticeSent: ({ kind, addresses, noticeId, why }, { language }) =>
    [['kind', NOTICES[kind][language]], ['address', addresses.join(', ')], ['notice', noticeId ?? WORDS.noNotice[language]], ['why', why]],
  MailboxCreated: ({ mailboxId, head }) => [['mailbox', `${head.name} (${mailboxId})`], ['account', head.accountId]],
  MessageAppended: (data, { language }) => [
    ['recipient', data.recipient], ['address', data.deliveredTo], viaOf(data.via), ['mailbox', `${data.head.name} (${data.mailboxId})`],
    ['uid', data.uid], ['size', bytesOf(data.size, language)], ['overQuota', data.overQuota && WORDS.overQuota[language]],
  ],
  MessageExpunged: ({ mailboxId, uid, size, head }, { language }) =>
    [['mailbox', `${head.name} (${mailboxId})`], ['uid', uid], ['size', bytesOf(size, language)]],
  MessagesAppended: ({ mailboxId, firstUid, sizes, from, head }) =>
    [['mailbox', `${head.name} (${mailboxId})`], ['uid', `${firstUid}:${firstUid + sizes.length - 1}`], ['messages', sizes.length], ['copiedFrom', from?.mailboxId]],
  FlagsChanged: ({ mailboxId, groups, head }) =>
    [['mailbox', `${head.name} (${mailboxId})`], ...groups.slice(0, 10).map((g): Detail => ['flags', `${g.uids.slice(0, 200)}: ${g.flags.join(' ') || '-'}`])],
  MessagesExpunged: ({ mailboxId, uids, messageIds, bytes, head }, { language }) =>
    [['mailbox', `${head.name} (${mailboxId})`], ['uid', uids.slice(0, 200)], ['messages', messageIds.length], ['size', bytesOf(bytes, language)]],
  MailboxDeleted: ({ mailboxId, head }) => [['mailbox', `${head.name} (${mailboxId})`], ['account', head.accountId]],
};

const contentOf = (message: QueuedMessage, language: Language): readonly Detail[] =>
  [senderOf(message.sender, language), ['messageId', message.headerMessageId], ['size', bytesOf(message.size, language)], ['sha256', message.sha256]];

function hostOf({ host, ip, port }: Attempt): string | undefined {
  const place = ip === undefined ? undefined : `${ip.includes(':') ? `[${ip}]` : ip}${port === undefined ? '' : `:${port}`}`;
  return host === undefined ? place : place === undefined ? host : `${host} (${place})`;
}

function secrecyOf({ tls, ip }: Attempt, language: Language): string | undefined {
  if (!tls) return ip === undefined ? undefined : WORDS.plain[language];
  const checked = tls.verified === 'no' ? WORDS.unverified[language] : `${WORDS.verified[language]} ${tls.verified}`;
  return `${tls.version} ${tls.cipher}, ${checked}`;
}

function resultOf({ address, outcome, phase, reply, nextAt, why }: AttemptResult, { language, when }: Tongue): string {
  const next = nextAt === undefined ? '' : `; ${WORDS.next[language]} ${when(nextAt)}`;
  return `${address} ${RESULTS[outcome][language]} (${phase}): ${reply}${next}${why === undefined ? '' : ` (${why})`}`;
}

const noticesOf = (recipients: readonly { readonly address: string; readonly notify?: readonly string[]; readonly orcpt?: string }[]): string | undefined =>
  recipients
    .filter((r) => r.notify !== undefined || r.orcpt !== undefined)
    .map((r) => `${r.address} ${[r.notify && `NOTIFY=${r.notify.join(',')}`, r.orcpt !== undefined && `ORCPT=${r.orcpt}`].filter(Boolean).join(' ')}`)
    .join('; ') || undefined;
