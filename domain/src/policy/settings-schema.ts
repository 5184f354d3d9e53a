import { canonicalDomain } from '../mail/address.js';
import { parseBlock } from '../mail/ip.js';

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
};

const LONGEST_TEXT = 1000;
const LONGEST_LIST = 10_000;

const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= LONGEST_TEXT && value.isWellFormed() && !/\p{Cc}/u.test(value);

/** Each setting's rule, where its type is not rule enough, and the words for what was expected. */
const RULES: { readonly [K in keyof Settings]?: readonly [expected: string, rule: (value: Settings[K]) => boolean] } = {
  // The name goes out as it is, to servers that know nothing but ASCII.
  hostname: ['a host name in letters, digits and hyphens, or nothing', (value) => value === '' || canonicalDomain(value) === value.toLowerCase()],
  defaultDomain: ['a domain, or nothing', (value) => value === '' || canonicalDomain(value) !== undefined],
  // 0 would cut off everybody at once.
  smtpIdleTime: ['at least 1000 (ms)', (value) => value >= 1000],
  pop3IdleTime: ['at least 1000 (ms)', (value) => value >= 1000],
  // Clients wait no longer (RFC 5321 §4.5.3.2.1).
  greetingPause: ['at most 300000 (ms)', (value) => value <= 5 * MINUTE],
  senderTrust: ['login, envelope or header', (value) => ['login', 'envelope', 'header'].includes(value)],
  tagSeparators: ["up to four of !#$%&'*+-/=?^_`{|}~", (value) => /^[!#$%&'*+\-/=?^_`{|}~]{0,4}$/.test(value)],
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
  if (Array.isArray(model)) return problemOfList(value);
  if (typeof value !== typeof model) return `a ${typeof model}`;
  if (typeof model === 'number' && !isWhole(value)) return 'a whole number, 0 or more';
  if (typeof model === 'string' && !isText(value)) return `at most ${LONGEST_TEXT} characters, no control characters`;
  const [expected, rule] = (RULES[name] ?? []) as readonly [string?, ((value: unknown) => boolean)?];
  return rule === undefined || rule(value) ? undefined : expected;
}

function problemOfList(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length > LONGEST_LIST) return `a list of at most ${LONGEST_LIST} addresses or CIDR blocks`;
  const bad = (value as unknown[]).findIndex((entry) => typeof entry !== 'string' || parseBlock(entry) === undefined);
  // An entry that matches nothing would be a lock that does not lock.
  return bad === -1 ? undefined : `addresses or CIDR blocks; number ${bad + 1} is neither`;
}
