import { parseHours } from '../delivery/hours.js';
import { NO_STYLES, noticeStyleProblemsOf, type NoticeStyles } from '../delivery/notice-styles.js';
import { DEFAULT_PRIORITY, priorityProblemsOf, type PrioritySettings } from '../delivery/priority.js';
import { DEFAULT_RETRY_SETTINGS, retryProblemsOf, type RetrySettings } from '../delivery/retry-settings.js';
import { NO_POOLS, poolProblemsOf, type SourcePools } from '../delivery/source-pools.js';
import { canonicalDomain, parseAddress } from '../mail/address.js';
import { canonicalIp, parseBlock } from '../mail/ip.js';

/** Everything an administrator can set for the whole server. Milliseconds, bytes and counts; 0 = no limit unless said otherwise. */
export interface Settings {
  /** Name in greetings, Received and Message-ID; '' = the machine's host name. */
  readonly hostname: string;
  /** Domain for bare login names; '' = none. */
  readonly defaultDomain: string;
  /** Bytes of one message (SIZE, RFC 1870). */
  readonly messageSize: number;
  readonly recipientsPerMessage: number;
  /** Received fields a message may arrive with before it is a loop (E-Post: 20; PMail: 25). */
  readonly hops: number;
  readonly sessionsPerService: number;
  readonly sessionsPerIp: number;
  /** ms that a session may last in all. */
  readonly sessionTime: number;
  /** ms of silence, at least 1000 (RFC 5321 §4.5.3.2.7 asks SMTP for 5 minutes, RFC 1939 §3 POP3 for 10). */
  readonly smtpIdleTime: number;
  readonly pop3IdleTime: number;
  /** Once logged in; before that 5 minutes at most (RFC 9051 §5.4 asks for 30 minutes or more). */
  readonly imapIdleTime: number;
  /** Bytes of one message that APPEND takes (RFC 7889). */
  readonly imapAppendLimit: number;
  /** Messages that one IMAP command may work on (RFC 9738), 0 or at least 1000. */
  readonly imapMessageLimit: number;
  /** Command errors before the connection is closed. */
  readonly commandErrors: number;
  /** ms before the greeting on port mx, 0 = none, at most 5 minutes; who talks first is refused. */
  readonly greetingPause: number;
  readonly vrfy: boolean;
  /** Product name and version in greeting and Received. */
  readonly showVersion: boolean;
  /** PLAIN, LOGIN and USER/PASS without TLS. */
  readonly plainAuthWithoutTls: boolean;
  /**
   * How far a login must match the sender (E-Post's sender trust): `login`: any login may send as anyone local;
   * `envelope`: login = envelope sender; `header`: login = envelope sender = header From. Own aliases count as own.
   */
  readonly senderTrust: 'login' | 'envelope' | 'header';
  /** Addresses, CIDR blocks and `192.0.2.*` that may relay without AUTH. */
  readonly trustedIps: readonly string[];
  /** Addresses and CIDR blocks from which a PROXY protocol header is required. */
  readonly proxyIps: readonly string[];
  /** Separators of extended addresses (`user+tag`), each one ASCII character. */
  readonly tagSeparators: string;
  /** Received template, see docs/operations.md; '' = the built-in one. */
  readonly receivedTemplate: string;
  /** Leave the client's address out of Received for authenticated mail. */
  readonly hideClientIp: boolean;
  /** Failed logins within `lockoutWindow` ms from one address before it is locked out for `lockoutTime` ms. 0 failures = off. */
  readonly lockoutFailures: number;
  readonly lockoutWindow: number;
  readonly lockoutTime: number;
  /** SMTP connections from one address within `connectionWindow` ms before it is locked out for `connectionLockTime` ms. 0 = off. */
  readonly connectionLimit: number;
  readonly connectionWindow: number;
  readonly connectionLockTime: number;
  /** Never locked out; and always refused. Addresses and CIDR blocks. */
  readonly allowIps: readonly string[];
  readonly blockIps: readonly string[];
  /** ms after the last reference is gone before a body's space is won back. */
  readonly bodyGrace: number;
  /** ms that facts about sessions are kept; facts about mail and decisions are kept for ever in this version. */
  readonly sessionRetention: number;
  /** Does mail leave for other servers? When not, it waits. */
  readonly outboundDelivery: boolean;
  /** Hours in which it leaves, e.g. `09:00-18:00,22:00-02:00` in the server's time zone; '' = always. */
  readonly outboundHours: string;
  /** Connections to one destination at the same time, and in all; each at least 1. */
  readonly outboundConcurrency: number;
  readonly outboundSessions: number;
  /** Messages per minute to one destination. */
  readonly outboundRate: number;
  /** Which addresses of other servers are used, and in which order. */
  readonly outboundFamily: 'both' | 'ipv4' | 'ipv6' | 'prefer-ipv4' | 'prefer-ipv6';
  /** Local addresses that connections come from where no pool fits; of each family the first that can be used. [] = the system's choice. */
  readonly outboundSources: readonly string[];
  /** Local addresses by sender and destination. */
  readonly outboundPools: SourcePools;
  /** May MX records lead to loopback addresses? For tests, and for servers on the same machine. */
  readonly outboundLoopback: boolean;
  /** What becomes of 8-bit mail at a server that takes 7 bits only: made 7-bit (refused under a signature), refused, or sent as it is. */
  readonly outboundEightBit: 'downgrade' | 'bounce' | 'send';
  /** Which mail goes first. Parts that are missing have their default. */
  readonly outboundPriority: Partial<PrioritySettings>;
  /** When and how long mail that could not be delivered is tried again, and when its sender hears of it. */
  readonly retry: RetrySettings;
  /** Believe the resolver when it says that it validated an answer (DNSSEC), although it is not on this machine: DANE needs it. */
  readonly trustResolver: boolean;
  /** ms that MX answers may be kept, whatever their TTL says (E-Post: 10 days); 0 = asked each time. */
  readonly mxCache: number;
  /** Recipients that may wait for other servers before mail for more of them is refused for the time being. 0 = no limit. */
  readonly queueLimit: number;
  /** Bytes that must be free on the disk of the bodies; below, mail is refused for the time being. */
  readonly diskReserve: number;
  /** Local part of the sender of reports about undelivered mail. */
  readonly noticeSender: string;
  /** Which words reports use. */
  readonly noticeLanguage: 'both' | 'ja' | 'en';
  /** Sender, subject and language of notices by the domain that they go to. */
  readonly noticeStyles: NoticeStyles;
  /** Addresses that get a copy of every report of failure, with the header of the message only. */
  readonly postmasterCopy: readonly string[];
  /** Reports per hour to one address about mail from strangers, whose sender may be forged. */
  readonly noticesPerHour: number;
  /** ms that rows for reports about TLS (RFC 8460) are kept; at least a day. */
  readonly tlsReportRetention: number;
  /** Send reports about TLS to the domains that ask for them. */
  readonly tlsReports: boolean;
  /** Who reports; empty = this server's name. */
  readonly tlsReportOrganization: string;
  /** Mail address in reports, and their From; empty = postmaster at this server. */
  readonly tlsReportContact: string;
  /** Rewrite the sender of forwarded mail from strangers (SRS), so that the next server's SPF check passes. */
  readonly srs: boolean;
}

const MINUTE = 60_000;

/** Lockout defaults follow seed-details A2.5; the connection limit is high because one gateway may carry a whole company. */
export const DEFAULTS: Settings = {
  hostname: '',
  defaultDomain: '',
  messageSize: 100 * 1024 * 1024,
  recipientsPerMessage: 1000,
  hops: 25,
  sessionsPerService: 12_000,
  sessionsPerIp: 0,
  sessionTime: 24 * 60 * MINUTE,
  smtpIdleTime: 5 * MINUTE,
  pop3IdleTime: 10 * MINUTE,
  imapIdleTime: 35 * MINUTE,
  imapAppendLimit: 100 * 1024 * 1024,
  imapMessageLimit: 1_000_000,
  commandErrors: 20,
  greetingPause: 0,
  vrfy: false,
  showVersion: false,
  plainAuthWithoutTls: false,
  senderTrust: 'envelope',
  trustedIps: [],
  proxyIps: [],
  tagSeparators: '+',
  receivedTemplate: '',
  hideClientIp: false,
  lockoutFailures: 10,
  lockoutWindow: 10 * MINUTE,
  lockoutTime: 60 * MINUTE,
  connectionLimit: 0,
  connectionWindow: MINUTE,
  connectionLockTime: 10 * MINUTE,
  allowIps: ['127.0.0.0/8', '::1'],
  blockIps: [],
  bodyGrace: 24 * 60 * MINUTE,
  sessionRetention: 90 * 24 * 60 * MINUTE,
  outboundDelivery: true,
  outboundHours: '',
  outboundConcurrency: 20,
  outboundSessions: 100,
  outboundRate: 0,
  outboundFamily: 'both',
  outboundSources: [],
  outboundPools: NO_POOLS,
  outboundLoopback: false,
  outboundEightBit: 'downgrade',
  outboundPriority: DEFAULT_PRIORITY,
  retry: DEFAULT_RETRY_SETTINGS,
  trustResolver: false,
  mxCache: 24 * 60 * MINUTE,
  queueLimit: 0,
  diskReserve: 100 * 1024 * 1024,
  noticeSender: 'MAILER-DAEMON',
  noticeLanguage: 'both',
  noticeStyles: NO_STYLES,
  postmasterCopy: [],
  noticesPerHour: 100,
  tlsReportRetention: 60 * 24 * 60 * MINUTE,
  tlsReports: false,
  tlsReportOrganization: '',
  tlsReportContact: '',
  srs: true,
};

const LONGEST_TEXT = 1000;
const LONGEST_LIST = 10_000;

const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= LONGEST_TEXT && value.isWellFormed() && !/\p{Cc}/u.test(value);

const isTextList = (value: unknown): value is readonly string[] => Array.isArray(value) && value.length <= LONGEST_LIST && value.every(isText);

/** Each setting's rule, where its type is not rule enough, and the words for what was expected. */
const RULES: { readonly [K in keyof Settings]?: readonly [expected: string, rule: (value: Settings[K]) => boolean] } = {
  // The name goes out as it is, to servers that know nothing but ASCII.
  hostname: ['a host name in letters, digits and hyphens, or nothing', (value) => value === '' || canonicalDomain(value) === value.toLowerCase()],
  defaultDomain: ['a domain, or nothing', (value) => value === '' || canonicalDomain(value) !== undefined],
  // 0 would cut off everybody at once.
  smtpIdleTime: ['at least 1000 (ms)', (value) => value >= 1000],
  pop3IdleTime: ['at least 1000 (ms)', (value) => value >= 1000],
  imapIdleTime: ['at least 1000 (ms)', (value) => value >= 1000],
  imapMessageLimit: ['0, or at least 1000', (value) => value === 0 || value >= 1000],
  // Clients wait no longer (RFC 5321 §4.5.3.2.1).
  greetingPause: ['at most 300000 (ms)', (value) => value <= 5 * MINUTE],
  senderTrust: ['login, envelope or header', (value) => ['login', 'envelope', 'header'].includes(value)],
  outboundHours: ['hours like 09:00-18:00, with commas', (value) => parseHours(value) !== undefined],
  outboundConcurrency: ['from 1 to 1000', (value) => value >= 1 && value <= 1000],
  outboundSessions: ['from 1 to 10000', (value) => value >= 1 && value <= 10_000],
  outboundFamily: ['both, ipv4, ipv6, prefer-ipv4 or prefer-ipv6', (value) => ['both', 'ipv4', 'ipv6', 'prefer-ipv4', 'prefer-ipv6'].includes(value)],
  outboundEightBit: ['downgrade, bounce or send', (value) => ['downgrade', 'bounce', 'send'].includes(value)],
  outboundSources: ['IP addresses', (value) => value.every((ip) => canonicalIp(ip) !== undefined)],
  noticeSender: ['a local part in letters, digits, . - and _', (value) => /^[\w.-]{1,64}$/.test(value)],
  tlsReportRetention: ['at least 86400000 (ms)', (value) => value >= 24 * 60 * MINUTE],
  tlsReportContact: ['a mail address in ASCII, or nothing', (value) => value === '' || (/^[!-~]+$/.test(value) && parseAddress(value) !== undefined)],
  noticeLanguage: ['both, ja or en', (value) => ['both', 'ja', 'en'].includes(value)],
  postmasterCopy: ['mail addresses', (value) => value.every((address) => parseAddress(address) !== undefined)],
  tagSeparators: ["up to four of !#$%&'*+-/=?^_`{|}~", (value) => /^[!#$%&'*+\-/=?^_`{|}~]{0,4}$/.test(value)],
};

/** Settings that are JSON objects: what is wrong with them. */
const OBJECTS: { readonly [K in keyof Settings]?: (value: unknown) => readonly string[] } = {
  retry: retryProblemsOf, outboundPriority: priorityProblemsOf, outboundPools: poolProblemsOf, noticeStyles: noticeStyleProblemsOf,
};

/** What is wrong with proposed settings, in words; [] when all is well. */
export function problemsOf(changes: Partial<Settings>): readonly string[] {
  return Object.entries(changes).flatMap(([name, value]) => {
    if (!Object.hasOwn(DEFAULTS, name)) return [`${name.slice(0, 100)}: there is no such setting`];
    const expected = expectedOf(name as keyof Settings, value);
    return expected === undefined ? [] : [`${name}: expected ${expected}`];
  });
}

/** What was expected instead, undefined when the value will do. */
function expectedOf(name: keyof Settings, value: unknown): string | undefined {
  const model: unknown = DEFAULTS[name];
  const [expected, rule] = (RULES[name] ?? []) as readonly [string?, ((value: unknown) => boolean)?];
  const problems = OBJECTS[name];
  if (problems) return problems(value).join(', ') || undefined;
  if (Array.isArray(model)) return rule ? (isTextList(value) && rule(value) ? undefined : `a list of ${expected}`) : problemOfList(value);
  if (typeof value !== typeof model) return `a ${typeof model}`;
  if (typeof model === 'number' && !isWhole(value)) return 'a whole number, 0 or more';
  if (typeof model === 'string' && !isText(value)) return `at most ${LONGEST_TEXT} characters, no control characters`;
  return rule === undefined || rule(value) ? undefined : expected;
}

function problemOfList(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length > LONGEST_LIST) return `a list of at most ${LONGEST_LIST} addresses or CIDR blocks`;
  const bad = (value as unknown[]).findIndex((entry) => typeof entry !== 'string' || parseBlock(entry) === undefined);
  // An entry that matches nothing would be a lock that does not lock.
  return bad === -1 ? undefined : `addresses or CIDR blocks; number ${bad + 1} is neither`;
}
