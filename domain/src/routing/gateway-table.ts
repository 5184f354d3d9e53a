import { canonicalDomain } from '../mail/address.js';
import { canonicalIp } from '../mail/ip.js';
import { ANY, parsePattern, parseSenderPattern, type Pattern } from './pattern.js';

/** Mail to `target` (from `sender`) goes to that gateway. */
export interface GatewayRow {
  readonly target: Pattern;
  /** Envelope sender; absent = anyone. */
  readonly sender?: Pattern;
  /** Name in lower-case A-labels, IPv4, or IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte (`465*`). */
  readonly implicitTls: boolean;
  /** Name of credentials. */
  readonly credentials?: string;
}

/** A line of the table. A comment is kept as it was written, with its mark; a blank line is a comment. */
export type GatewayLine = { readonly comment: string } | GatewayRow;

export const isRow = (line: GatewayLine): line is GatewayRow => 'target' in line;

/** Why a line cannot be read. */
export type LineError = 'fields' | 'target' | 'sender' | 'gateway' | 'port' | 'credentials' | 'characters' | 'too-long' | 'too-many' | 'too-large';

/** `line` counts from 1; `detail` is the part at fault, at most 100 characters. */
export interface BadLine {
  readonly line: number;
  readonly error: LineError;
  readonly detail: string;
}

export const MOST_LINES = 10_000;
export const LONGEST_LINE = 1_000;
/** Characters of a whole table: every change is an event that carries all of it. */
export const LARGEST_TABLE = 2_000_000;

/** Words for administrators. */
export const LINE_ERRORS: Readonly<Record<LineError, string>> = {
  fields: 'expected target[|sender],gateway,port[*][,credentials]',
  target: 'the target is no domain, address or pattern with *',
  sender: 'the sender condition is no domain, address or pattern with *',
  gateway: 'the gateway is no host name, IPv4 address or [IPv6 address]',
  port: 'the port is no number from 1 to 65535, with a * behind it for implicit TLS',
  credentials: 'that is no name of credentials',
  characters: 'control characters',
  'too-long': `more than ${LONGEST_LINE} characters`,
  'too-many': `more than ${MOST_LINES} lines`,
  'too-large': `more than ${LARGEST_TABLE} characters in all`,
};

/** In stream names, tables and logs: 1 to 64 of a-z, 0-9, dot, hyphen and underscore. */
export const CREDENTIALS_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;

export interface Bad { readonly error: LineError; readonly detail: string }
const bad = (error: LineError, detail: string): Bad => ({ error, detail: detail.slice(0, 100) });

/** A row as a person gives it; nothing is checked yet. */
export interface RowWish {
  readonly target: string;
  readonly sender?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly implicitTls?: boolean | undefined;
  readonly credentials?: string | undefined;
}

/** The wish as a row in canonical form. What the table's text could not say is refused. */
export function rowOf({ target, sender, host, port, implicitTls = false, credentials }: RowWish): GatewayRow | Bad {
  const to = parsePattern(target.trim());
  // Commas and bars part fields; a quote, semicolon or hash in front makes a comment.
  if (to === undefined || /[,|]|^[';#]/.test(to)) return bad('target', target);
  const from = sender === undefined ? ANY : parseSenderPattern(sender.trim());
  if (from === undefined || /[,|]/.test(from)) return bad('sender', sender ?? '');
  const gateway = hostOf(host.trim());
  if (gateway === undefined) return bad('gateway', host);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return bad('port', String(port));
  const name = credentials?.trim().toLowerCase();
  if (name !== undefined && !CREDENTIALS_NAME.test(name)) return bad('credentials', credentials ?? '');
  return { target: to, ...(from !== ANY && { sender: from }), host: gateway, port, implicitTls, ...(name !== undefined && { credentials: name }) };
}

function hostOf(text: string): string | undefined {
  const inside = /^\[(?:ipv6:)?([0-9a-f:.]+)\]$/i.exec(text)?.[1] ?? text;
  if (/^[0-9a-f:.]*:[0-9a-f:.]*$|^[0-9.]+$/i.test(inside)) return canonicalIp(inside);
  return inside === text ? canonicalDomain(text) : undefined;
}

/** One line that is no comment. */
export function parseRow(text: string): GatewayRow | Bad {
  const fields = text.split(',').map((field) => field.trim());
  const [to = '', host = '', port = '', name = ''] = fields;
  if (fields.length < 3 || fields.length > 4) return bad('fields', text);
  const bar = to.indexOf('|');
  const [, digits, star] = /^([1-9]\d{0,4}) ?(\*?)$/.exec(port) ?? [];
  if (digits === undefined) return bad('port', port);
  return rowOf({
    target: bar < 0 ? to : to.slice(0, bar), ...(bar >= 0 && { sender: to.slice(bar + 1) }), host, port: Number(digits), implicitTls: star === '*',
    ...(name !== '' && { credentials: name }),
  });
}

export const isBad = (row: GatewayRow | Bad): row is Bad => 'error' in row;

/** A comment begins with `'`, `;`, `#`, a blank or a tab, or is empty. */
const COMMENT = /^(?:[';# \t]|$)/;
/** All of them but the tab. */
const CONTROLS = /[^\P{Cc}\t]/u;

/**
 * Reads a gateway table (E-Post's gateway.dat, seed-details A8.1). Lines end in LF, CRLF or CR; order and comments are kept.
 * @returns the lines when `errors` is empty; else nothing of it may be used: a rule left out would send mail elsewhere.
 */
export function parseTable(text: string): { readonly lines: readonly GatewayLine[]; readonly errors: readonly BadLine[] } {
  if (text.length > LARGEST_TABLE) return { lines: [], errors: [{ line: 1, ...bad('too-large', '') }] };
  const texts = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/, MOST_LINES + 2);
  if (texts.at(-1) === '') texts.pop();
  if (texts.length > MOST_LINES) return { lines: [], errors: [{ line: MOST_LINES + 1, ...bad('too-many', '') }] };
  const lines: GatewayLine[] = [];
  const errors: BadLine[] = [];
  for (const [i, line] of texts.entries()) {
    const read = parseLine(line);
    if ('error' in read) errors.push({ line: i + 1, ...read });
    else lines.push(read);
  }
  return { lines, errors };
}

/** A comment or a row. */
export function parseLine(line: string): GatewayLine | Bad {
  if (line.length > LONGEST_LINE) return bad('too-long', '');
  // Half of a surrogate pair would not come back from the database.
  if (CONTROLS.test(line) || !line.isWellFormed()) return bad('characters', '');
  return COMMENT.test(line) ? { comment: line } : parseRow(line);
}

/** Canonical text of a line, without its end. */
export function printLine(line: GatewayLine): string {
  if (!isRow(line)) return line.comment;
  const { target, sender, host, port, implicitTls, credentials } = line;
  const gateway = host.includes(':') ? `[${host}]` : host;
  return `${target}${sender === undefined ? '' : `|${sender}`},${gateway},${port}${implicitTls ? '*' : ''}${credentials === undefined ? '' : `,${credentials}`}`;
}

/** The table as text that `parseTable` reads to the same lines. */
export const printTable = (lines: readonly GatewayLine[]): string => lines.map((line) => `${printLine(line)}\n`).join('');

/** What is wrong, for administrators: at most the first 20 lines. */
export function wordsOf(errors: readonly BadLine[]): string {
  const told = errors.slice(0, 20).map(({ line, error, detail }) => `line ${line}: ${LINE_ERRORS[error]}${detail === '' ? '' : ` (${detail})`}`);
  return [...told, ...(errors.length > 20 ? [`and ${errors.length - 20} more`] : [])].join('; ');
}
