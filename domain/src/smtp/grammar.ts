import { type Address, isAscii, parsePath } from './address.js';
import { mailParameters, type MailParameters, type ParameterFault, rcptParameters, type RcptParameters } from './parameters.js';

/** One command of RFC 5321 §4.1.1, RFC 3030 (BDAT), RFC 3207 (STARTTLS), RFC 4954 (AUTH). */
export type Command =
  | { readonly verb: 'EHLO' | 'HELO'; readonly domain: string }
  | { readonly verb: 'MAIL'; readonly from: Address; readonly parameters: MailParameters }
  | { readonly verb: 'RCPT'; readonly to: Address; readonly parameters: RcptParameters }
  | { readonly verb: 'BDAT'; readonly size: number; readonly last: boolean }
  | { readonly verb: 'VRFY' | 'EXPN'; readonly who: string }
  /** `initial` in base64, '=' for an empty one (RFC 4954 §4). */
  | { readonly verb: 'AUTH'; readonly mechanism: string; readonly initial?: string }
  | { readonly verb: 'DATA' | 'RSET' | 'NOOP' | 'HELP' | 'QUIT' | 'STARTTLS' };

export type Verb = Command['verb'];

/** A line that is no command. `verb` is for the record: one of ours, or `?`. */
export interface Fault {
  readonly fault: ParameterFault | 'unknown-command' | 'bad-character' | 'line-too-long' | 'bad-sender' | 'bad-recipient' | 'not-smtp';
  readonly verb: string;
}

/** Octets of an AUTH command or response line with CRLF (RFC 4954 §4). Longer lines need not be read at all. */
export const LONGEST_LINE = 12_288;
/** RFC 5321 §4.5.3.1.4, with CRLF. */
const LINE = 512;
/** The allowances of SIZE, 8BITMIME, SMTPUTF8, AUTH, DSN and REQUIRETLS add up to 1,184; rounded up. */
const LINE_WITH_PARAMETERS = 2048;

const HTTP: ReadonlySet<string> = new Set(['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECT', 'TRACE', 'PRI']);
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The line as text, or undefined when it holds a control character (bare CR, bare LF, NUL, TAB …) or is not UTF-8. */
function textOf(line: Uint8Array): string | undefined {
  for (let i = 0; i < line.length; i++) {
    const byte = line[i] ?? 0;
    if (byte < 0x20 || byte === 0x7f) return undefined;
  }
  try {
    return decoder.decode(line);
  } catch {
    return undefined;
  }
}

/**
 * Bytes of one line, without its CRLF, to a command. Never throws, whatever the bytes.
 * Verbs and keywords in any case; blanks at the end of the line are ignored.
 */
export function parse(line: Uint8Array): Command | Fault {
  if (line.length > LONGEST_LINE - 2) return { fault: 'line-too-long', verb: '?' };
  const raw = textOf(line);
  if (raw === undefined) return { fault: 'bad-character', verb: '?' };
  const text = raw.endsWith(' ') ? raw.trimEnd() : raw;
  const blank = text.indexOf(' ');
  const verb = (blank < 0 ? text : text.slice(0, blank)).toUpperCase();
  const rest = blank < 0 ? '' : text.slice(blank + 1);
  const parser = Object.hasOwn(PARSERS, verb) ? PARSERS[verb as Verb] : undefined;
  if (!parser) {
    if (HTTP.has(verb)) return { fault: 'not-smtp', verb: '?' };
    return { fault: line.length > LINE - 2 ? 'line-too-long' : 'unknown-command', verb: '?' };
  }
  if (line.length > limitOf(verb as Verb) - 2) return { fault: 'line-too-long', verb };
  const result = parser(rest);
  return typeof result === 'string' ? { fault: result, verb } : result;
}

const limitOf = (verb: Verb): number => (verb === 'AUTH' ? LONGEST_LINE : verb === 'MAIL' || verb === 'RCPT' ? LINE_WITH_PARAMETERS : LINE);

type Parser = (rest: string) => Command | Fault['fault'];

const plain =
  (verb: 'DATA' | 'RSET' | 'QUIT' | 'STARTTLS'): Parser =>
  (rest) =>
    rest === '' ? { verb } : 'syntax';

/** RFC 5321 §4.1.1.1, but any printable name passes: §4.1.4 forbids refusing mail because of it. */
const hello =
  (verb: 'EHLO' | 'HELO'): Parser =>
  (rest) => {
    const domain = rest.trim();
    return domain !== '' && domain.length <= 255 && !domain.includes(' ') && isAscii(domain) ? { verb, domain } : 'syntax';
  };

const who =
  (verb: 'VRFY' | 'EXPN'): Parser =>
  (rest) =>
    rest === '' ? 'syntax' : { verb, who: rest.trim() };

/** Where the path starts after `FROM:` or `TO:`; blanks after the colon are common and harmless. */
function pathStart(rest: string, keyword: 'FROM:' | 'TO:'): number | undefined {
  if (rest.slice(0, keyword.length).toUpperCase() !== keyword) return undefined;
  let at = keyword.length;
  while (rest[at] === ' ') at++;
  return at;
}

/** What follows the path, or undefined when something is glued to it. */
const after = (rest: string, next: number): string | undefined => (next === rest.length || rest[next] === ' ' ? rest.slice(next) : undefined);

const PARSERS: { readonly [V in Verb]: Parser } = {
  EHLO: hello('EHLO'),
  HELO: hello('HELO'),
  MAIL(rest) {
    const start = pathStart(rest, 'FROM:');
    const path = start === undefined ? undefined : parsePath(rest, start, 'null');
    const tail = path && after(rest, path.next);
    if (path === undefined || tail === undefined) return 'bad-sender';
    const parameters = mailParameters(tail);
    return typeof parameters === 'string' ? parameters : { verb: 'MAIL', from: path.address, parameters };
  },
  RCPT(rest) {
    const start = pathStart(rest, 'TO:');
    const path = start === undefined ? undefined : parsePath(rest, start, 'bare');
    const tail = path && after(rest, path.next);
    if (path === undefined || tail === undefined) return 'bad-recipient';
    // RFC 5321 §4.1.1.3: the only recipient without a domain
    if (path.address.domain === '' && path.address.local.toLowerCase() !== 'postmaster') return 'bad-recipient';
    const parameters = rcptParameters(tail);
    return typeof parameters === 'string' ? parameters : { verb: 'RCPT', to: path.address, parameters };
  },
  DATA: plain('DATA'),
  BDAT(rest) {
    const parts = /^(\d{1,15})(?: +(LAST))?$/i.exec(rest);
    return parts ? { verb: 'BDAT', size: Number(parts[1]), last: parts[2] !== undefined } : 'syntax';
  },
  RSET: plain('RSET'),
  NOOP: () => ({ verb: 'NOOP' }),
  VRFY: who('VRFY'),
  EXPN: who('EXPN'),
  HELP: () => ({ verb: 'HELP' }),
  QUIT: plain('QUIT'),
  STARTTLS: plain('STARTTLS'),
  AUTH(rest) {
    const [mechanism = '', initial, ...more] = rest.split(' ').filter((word) => word !== '');
    if (!/^[A-Za-z0-9_-]{1,20}$/.test(mechanism) || more.length > 0) return 'syntax';
    return { verb: 'AUTH', mechanism: mechanism.toUpperCase(), ...(initial === undefined ? {} : { initial }) };
  },
};
