import type { TlsFacts } from './events.js';

/** What a Received field can tell (RFC 5321 §4.4). */
export interface Hop {
  /** HELO or EHLO argument. */
  readonly helo: string;
  readonly ip: string;
  /** Name of this server. */
  readonly host: string;
  /** Product with version, '' for none. */
  readonly product: string;
  /** RFC 3848 keyword. */
  readonly protocol: string;
  readonly id: string;
  /** Only when there is exactly one: else recipients would learn of each other. */
  readonly recipient?: string;
  readonly tls?: TlsFacts;
  readonly login?: string;
  /** Epoch ms, and minutes east of UTC to show it in. */
  readonly at: number;
  readonly offset: number;
  /** Leave out where the client is. */
  readonly hideClient: boolean;
}

/**
 * The built-in template. Variables stand in braces: `from` (helo and address, or `unknown` when the client is hidden), `helo`, `ip`,
 * `host`, `product`, `protocol`, `id`, `recipient`, `for` (`for <recipient>`), `tls` (`(TLSv1.3, cipher)`), `login`, `date`.
 * One without a value vanishes. The date is added where a template lacks it.
 */
export const RECEIVED_TEMPLATE = 'from {from} by {host} {product} with {protocol} {tls} id {id} {for}; {date}';

/** RFC 5322 §2.1.1 wants lines of at most 78 characters. */
const WIDTH = 78;
const INDENT = '    ';

/** The Received field, folded, with its last CRLF. No value can break out of it: what is no printable character becomes `?`. */
export function received(hop: Hop, template = RECEIVED_TEMPLATE): string {
  const values = valuesOf(hop);
  const words: string[] = [];
  for (const { word, variable, suffix } of partsOf(template)) {
    const value = values[variable];
    if (value) append(words, value, suffix);
    else words.push(clean(word.replace(/\{(\w+)\}/g, (_, name: string) => (values[name] ?? []).join(' '))));
  }
  return fold('Received:', words.filter((word) => word !== ''));
}

/** A word of a template; `variable` is '' unless the word is one variable with at most a `;` or `,` behind it. */
interface Part { readonly word: string; readonly variable: string; readonly suffix: string }

/** The last template taken apart: there is one per server. */
let known: { readonly template: string | undefined; readonly parts: readonly Part[] } = { template: undefined, parts: [] };

function partsOf(template: string): readonly Part[] {
  if (known.template === template) return known.parts;
  const parts = complete(template).split(/\s+/).map((word) => {
    const [, variable = '', suffix = ''] = /^\{(\w+)\}([;,]*)$/.exec(word) ?? [];
    return { word, variable, suffix };
  });
  known = { template, parts };
  return parts;
}

function append(words: string[], value: readonly string[], suffix: string): void {
  words.push(...value);
  const last = words.length - 1;
  if (suffix !== '' && last >= 0) words[last] += suffix;
}

const complete = (template: string): string => {
  const chosen = template.trim() === '' ? RECEIVED_TEMPLATE : template.slice(0, 2000).toWellFormed();
  return chosen.includes('{date}') ? chosen : `${chosen}; {date}`;
};

/** Each variable as words between which a line may be folded. */
function valuesOf(hop: Hop): Readonly<Record<string, readonly string[]>> {
  const helo = token(hop.helo);
  const ip = `[${hop.ip.includes(':') ? 'IPv6:' : ''}${token(hop.ip)}]`;
  const recipient = hop.recipient === undefined ? [] : [`<${clean(hop.recipient)}>`];
  return {
    from: hop.hideClient ? ['unknown'] : [helo, `(${ip})`],
    helo: hop.hideClient ? ['unknown'] : [helo],
    ip: hop.hideClient ? [] : [ip],
    host: [token(hop.host)],
    product: hop.product === '' ? [] : `(${comment(hop.product)})`.split(' '),
    protocol: [token(hop.protocol)],
    id: [token(hop.id)],
    recipient,
    for: recipient.length === 0 ? [] : ['for', ...recipient],
    tls: hop.tls ? [`(${comment(hop.tls.version)},`, `${comment(hop.tls.cipher)})`] : [],
    login: hop.login === undefined ? [] : [clean(hop.login)],
    date: mailDate(hop.at, hop.offset).split(' '),
  };
}

const token = (text: string): string => text.slice(0, 255).replace(/[^A-Za-z0-9._:[\]-]/g, '?');
const comment = (text: string): string => text.slice(0, 255).replace(/[^ A-Za-z0-9._:/-]/g, '?');
const clean = (text: string): string => text.slice(0, 500).replace(/[^ -~\u{a0}-\u{10ffff}]/gu, '?');

/** A header field of these words, folded between them, with its last CRLF. */
export function fold(name: string, words: readonly string[]): string {
  let text = name;
  let width = name.length;
  for (const word of words) {
    if (width + 1 + word.length > WIDTH && width > INDENT.length) {
      text += `\r\n${INDENT}${word}`;
      width = INDENT.length + word.length;
    } else {
      text += ` ${word}`;
      width += 1 + word.length;
    }
  }
  return `${text}\r\n`;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

/** RFC 5322 §3.3: `Mon, 2 Mar 2026 09:05:00 +0900`. @param offset minutes east of UTC. */
export function mailDate(at: number, offset: number): string {
  const local = new Date(at + offset * 60_000);
  const zone = Math.abs(offset);
  const time = `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())}`;
  const day = `${DAYS[local.getUTCDay()]}, ${local.getUTCDate()} ${MONTHS[local.getUTCMonth()]} ${local.getUTCFullYear()}`;
  return `${day} ${time} ${offset < 0 ? '-' : '+'}${two(Math.floor(zone / 60))}${two(zone % 60)}`;
}
