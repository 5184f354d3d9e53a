/**
 * Every reply of the SMTP server, by its reason: the only place with codes. Reply code and enhanced code (RFC 2034, RFC 3463)
 * stand in one string, so they cannot disagree. `{name}` is filled in by `reply`. A stranger sees this text and nothing else;
 * the reason itself goes into the record. Greeting, EHLO and HELO carry no enhanced code (RFC 2034 §4).
 */
export const REPLIES = {
  'greeting': '220 {host} ESMTP{product}',
  'hello': '250 {host}',
  'reset': '250 2.0.0 Reset state',
  'nothing-done': '250 2.0.0 Ok',
  'sender-ok': '250 2.1.0 Sender ok',
  'recipient-ok': '250 2.1.5 Recipient ok',
  'chunk-received': '250 2.0.0 {size} octets received',
  'accepted': '250 2.0.0 Message accepted; id <{id}>',
  'verified': '250 2.1.5 <{address}>',
  'cannot-verify': '252 2.1.5 Cannot verify, but will take mail for it',
  'start-mail': '354 Start mail input; id <{id}>; end with <CRLF>.<CRLF>',
  'tls-ready': '220 2.0.0 Ready to start TLS',
  'auth-challenge': '334 {challenge}',
  'auth-ok': '235 2.7.0 Authentication successful',
  'help': '214 2.0.0 {text}',
  'bye': '221 2.0.0 {host} closing connection',

  'unknown-command': '500 5.5.1 Command not recognized',
  'bad-character': '500 5.5.2 Syntax error: control character or bad UTF-8',
  'line-too-long': '500 5.5.2 Syntax error: line too long',
  'syntax': '501 5.5.4 Syntax error in parameters',
  'bad-sender': '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]',
  'bad-recipient': '501 5.1.3 Syntax: RCPT TO:<address> [parameters]',
  'bad-parameter': '501 5.5.4 Bad value of a parameter',
  'duplicate-parameter': '501 5.5.4 Parameter given twice',
  'unknown-parameter': '555 5.5.4 Parameter not recognized or not implemented',
  'not-offered': '502 5.5.1 Command not implemented',
  'out-of-order': '503 5.5.1 Bad sequence of commands',
  'tls-active': '503 5.5.1 TLS is already active',
  'authenticated-already': '503 5.5.1 Already authenticated',
  'binary-needs-bdat': '503 5.5.1 BODY=BINARYMIME needs BDAT',
  'utf8-not-requested': '553 5.6.7 Non-ASCII address without SMTPUTF8',

  'tls-failed': '454 4.7.0 TLS not available now',
  'unknown-mechanism': '504 5.5.4 Authentication mechanism not supported',
  'encryption-required': '538 5.7.11 Encryption required for this authentication mechanism',
  'auth-cancelled': '501 5.7.0 Authentication cancelled',
  'auth-malformed': '501 5.5.2 Authentication exchange is malformed',
  'auth-line-too-long': '500 5.5.6 Authentication exchange line is too long',
  'auth-failed': '535 5.7.8 Authentication credentials invalid',
  'auth-unavailable': '454 4.7.0 Temporary authentication failure',
  'auth-required': '530 5.7.0 Authentication required',

  'sender-not-local': '550 5.7.1 Sender address not permitted for this login',
  'sender-not-yours': '550 5.7.1 Sender address not permitted for this login',
  'header-from-not-yours': '550 5.7.1 From header field not permitted for this login',
  'unknown-recipient': '550 5.1.1 No such mailbox here',
  'address-literal': '550 5.1.2 Address literals are not accepted',
  'account-disabled': '550 5.2.1 Mailbox disabled',
  'domain-disabled': '550 5.2.1 Mailbox disabled',
  'mailbox-full': '450 4.2.2 Mailbox is full',
  'recipient-unverified': '450 4.1.1 Recipient cannot be verified now, try again later',
  'queue-full': '452 4.3.1 Too many recipients wait, try again later',
  'relay-denied': '550 5.7.1 Relaying denied',
  'local-sender-unauthenticated': '550 5.7.1 Relaying denied: authenticate first',
  'too-many-recipients': '452 4.5.3 Too many recipients',

  'message-too-big': '552 5.3.4 Message too big',
  'message-far-too-big': '421 4.3.4 {host} Message too big, closing connection',
  'bare-cr': '550 5.6.11 Bare CR in message: lines must end with CRLF',
  'bare-lf': '550 5.6.11 Bare LF in message: lines must end with CRLF',
  'nul-in-text': '550 5.6.0 NUL in message text',
  'text-line-too-long': '550 5.6.0 Line in message text is too long',
  'too-many-hops': '554 5.4.6 Too many hops: mail loop',
  'disk-low': '452 4.3.1 Insufficient system storage',
  'store-unavailable': '452 4.3.1 Insufficient system storage',
  'store-away': '451 4.3.0 Temporary failure, try again later',
  'log-unavailable': '451 4.3.0 Temporary failure, try again later',
  'temporary-failure': '451 4.3.0 Temporary failure, try again later',

  'blocked': '554 5.7.1 {host} No service for this address',
  'locked-out': '421 4.7.0 {host} Try again later',
  'early-talker': '554 5.5.1 {host} Input before the greeting',
  'not-smtp': '421 4.7.0 {host} This is not a client of SMTP',
  'too-many-errors': '421 4.7.0 {host} Too many errors, closing connection',
  'unavailable': '421 4.3.0 {host} Service not available now',
  'busy': '421 4.3.2 {host} Too many connections, try again later',
  'shutdown': '421 4.3.2 {host} Service shutting down',
  'timeout': '421 4.4.2 {host} Time is up, closing connection',
} as const satisfies Record<string, string>;

export type Reason = keyof typeof REPLIES;

export const isReason = (text: string): text is Reason => Object.hasOwn(REPLIES, text);

/** The reply line without CRLF. A placeholder without a value becomes empty. */
export function reply(reason: Reason, values: Readonly<Record<string, string | number>> = {}): string {
  const text = REPLIES[reason];
  return text.includes('{') ? text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? '')) : text;
}

/** One reply over several lines (RFC 5321 §4.2.1), CRLF between them, without the last CRLF. `code` may include the enhanced code. */
export function multiline(code: string, lines: readonly string[]): string {
  const [number = '', ...enhanced] = code.split(' ');
  const rest = enhanced.length === 0 ? '' : `${enhanced.join(' ')} `;
  return lines.map((line, n) => `${number}${n === lines.length - 1 ? ' ' : '-'}${rest}${line}`).join('\r\n');
}

/** The client did something wrong with a command: these count against the limit of command errors. */
export const isCommandError = (text: string): boolean => /^(?:50[0-4]|535|538|555)/.test(text);

/** 4xx and 5xx. */
export const isRefusal = (text: string): boolean => text.charCodeAt(0) >= 0x34;
