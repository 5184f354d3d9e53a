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
  /** ms of silence (RFC 5321 §4.5.3.2.7 asks SMTP for 5 minutes, RFC 1939 §3 POP3 for 10). */
  readonly smtpIdleTime: number;
  readonly pop3IdleTime: number;
  /** Command errors before the connection is closed. */
  readonly commandErrors: number;
  /** ms before the greeting on port mx, 0 = none; who talks first is refused. */
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
  /** Addresses and CIDR blocks that may relay without AUTH. */
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

/** What is wrong with proposed settings, in words; [] when all is well. */
export function problemsOf(changes: Partial<Settings>): readonly string[] {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(changes) as [keyof Settings, unknown][]) {
    const model = DEFAULTS[name] as unknown;
    if (!Object.hasOwn(DEFAULTS, name)) problems.push(`${name}: there is no such setting`);
    else if (Array.isArray(model) ? !(Array.isArray(value) && value.every((v) => typeof v === 'string')) : typeof value !== typeof model)
      problems.push(`${name}: expected ${Array.isArray(model) ? 'a list of strings' : typeof model}`);
    else if (typeof value === 'number' && !(Number.isSafeInteger(value) && value >= 0)) problems.push(`${name}: expected a whole number, 0 or more`);
    else if (name === 'senderTrust' && !['login', 'envelope', 'header'].includes(value as string)) problems.push(`${name}: expected login, envelope or header`);
    else if (name === 'tagSeparators' && !/^[!#$%&'*+\-/=?^_`{|}~]{0,4}$/.test(value as string)) problems.push(`${name}: expected up to four of !#$%&'*+-/=?^_\`{|}~`);
  }
  return problems;
}
