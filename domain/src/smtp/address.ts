import { parseIp } from '../mail/ip.js';

/**
 * RFC 5321 §4.1.2 and §4.1.3, with RFC 6531 §3.3: paths and addresses.
 * More generous than the RFC in two points, because such addresses exist and answer: dots may stand anywhere in a local part
 * (Japanese mobile carriers issued `a..b@` and `a.@`), and a domain label may hold an underscore.
 */
export interface Address {
  /** As sent, without angle brackets and source route; '' is the null path. */
  readonly text: string;
  readonly local: string;
  /** '' when there is none: `postmaster`. */
  readonly domain: string;
  /** Holds characters beyond ASCII: only with SMTPUTF8. */
  readonly utf8: boolean;
  /** The domain is an address literal such as `[192.0.2.1]`. */
  readonly literal: boolean;
}

export const NULL_PATH: Address = { text: '', local: '', domain: '', utf8: false, literal: false };

// C1 controls are excluded: they are control characters to terminals and log readers.
const HIGH = '\\u{a0}-\\u{10ffff}';
const LOCAL = new RegExp(`[A-Za-z0-9!#$%&'*+\\-/=?^_\`{|}~.${HIGH}]+|"(?:[ !#-\\[\\]-~${HIGH}]|\\\\[ -~])*"`, 'uy');
const LABEL = `[A-Za-z0-9_${HIGH}](?:[A-Za-z0-9_\\-${HIGH}]{0,61}[A-Za-z0-9_${HIGH}])?`;
const DOMAIN = new RegExp(`${LABEL}(?:\\.${LABEL})*`, 'uy');
const LITERAL = /\[([A-Za-z0-9:.-]{1,64})\]/y;
const SOURCE_ROUTE = new RegExp(`@${LABEL}(?:\\.${LABEL})*(?:,@${LABEL}(?:\\.${LABEL})*)*:`, 'uy');

const encoder = new TextEncoder();
/** Octets in UTF-8: the limits of RFC 5321 §4.5.3.1 count octets. */
const octets = (text: string): number => (isAscii(text) ? text.length : encoder.encode(text).length);

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function literalAt(text: string, at: number): string | undefined {
  const found = match(LITERAL, text, at);
  if (found === undefined) return undefined;
  const inside = found.slice(1, -1);
  const ip = /^IPv6:/i.test(inside) ? inside.slice(5) : inside;
  // IPv6 needs its tag, IPv4 has none (RFC 5321 §4.1.3)
  return parseIp(ip) !== undefined && ip.includes(':') === (ip !== inside) ? found : undefined;
}

/**
 * The path that starts at `at`, angle brackets included; a source route is dropped (RFC 5321 appendix F.2).
 * @param bare whether an address without a domain will do: `<postmaster>`.
 * @returns the address and where the text goes on, or undefined when it is not a path or too long
 *   (local part 64 octets, domain 255, path 256 with its brackets; RFC 5321 §4.5.3.1).
 */
export function parsePath(text: string, at: number, bare: 'bare' | 'null'): { readonly address: Address; readonly next: number } | undefined {
  if (text[at] !== '<') return undefined;
  let here = at + 1;
  if (text[here] === '>') return bare === 'null' ? { address: NULL_PATH, next: here + 1 } : undefined;
  here += match(SOURCE_ROUTE, text, here)?.length ?? 0;
  const address = addressAt(text, here, bare === 'bare');
  if (address === undefined) return undefined;
  const next = here + address.text.length;
  if (text[next] !== '>' || octets(address.text) > 254) return undefined;
  return { address, next: next + 1 };
}

function addressAt(text: string, at: number, bare: boolean): Address | undefined {
  const local = match(LOCAL, text, at);
  if (local === undefined || octets(local) > 64) return undefined;
  const here = at + local.length;
  if (text[here] !== '@') return bare ? { text: local, local, domain: '', utf8: !isAscii(local), literal: false } : undefined;
  const literal = literalAt(text, here + 1);
  const domain = literal ?? match(DOMAIN, text, here + 1);
  if (domain === undefined || octets(domain) > 255) return undefined;
  const whole = `${local}@${domain}`;
  return { text: whole, local, domain, utf8: !isAscii(whole), literal: literal !== undefined };
}

/** A whole text as an address without brackets, as VRFY takes it. */
export function parseAddress(text: string): Address | undefined {
  const address = addressAt(text, 0, true);
  return address?.text.length === text.length && octets(text) <= 254 ? address : undefined;
}
