import { canonicalIp } from './ip.js';

/** A mailbox address taken apart (RFC 5321 §4.1.2, RFC 6531 §3.3). */
export interface Address {
  /** Without quotes and backslashes, in the case it was written. */
  readonly local: string;
  /** Lower case, A-labels (RFC 5891), or an address literal with its brackets. */
  readonly domain: string;
}

/** Octets of UTF-8: RFC 5321 §4.5.3.1.1, §4.5.3.1.2; a path of 256 less its angle brackets, §4.5.3.1.3. */
const LOCAL_OCTETS = 64;
const DOMAIN_OCTETS = 255;
const ADDRESS_OCTETS = 254;
/** RFC 1035 §2.3.4: 255 octets on the wire are 253 in text. */
const HOST_LENGTH = 253;

const ASCII = /^[\x20-\x7e]*$/;
/** Letters, marks and symbols beyond ASCII; no controls, no spaces, no halves of surrogate pairs. */
const BEYOND = '[^\\x00-\\x7f\\p{Cc}\\p{Z}\\p{Cs}]';
const ATEXT = "[A-Za-z0-9!#$%&'*+\\-/=?^_`{|}~]";
/** Dots anywhere: mobile carriers gave out `a..b@` and `a.@` for years. Their canonical form is quoted, as RFC 5321 wants it. */
const UNQUOTED = new RegExp(`^(?:${ATEXT}|\\.|${BEYOND})+$`, 'u');
const DOT_STRING = new RegExp(`^(?:${ATEXT}|${BEYOND})+(?:\\.(?:${ATEXT}|${BEYOND})+)*$`, 'u');
const QUOTED = new RegExp(`^"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\x20-\\x7e]|${BEYOND})+"$`, 'u');
/** Underscores are no host name's (RFC 952), but such mail domains exist and answer. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

const encoder = new TextEncoder();
const octets = (text: string): number => (ASCII.test(text) ? text.length : encoder.encode(text).length);

/**
 * Takes an address apart. No comments, no display name, no source route.
 * @param text at most 64 octets of local part and 255 of domain.
 * @returns undefined for anything that is not an address; never throws.
 */
export function parseAddress(text: string): Address | undefined {
  const split = text.lastIndexOf('@');
  if (split < 1 || split > LOCAL_OCTETS || text.length - split - 1 > DOMAIN_OCTETS) return undefined;
  const written = text.slice(0, split);
  const local = written.startsWith('"') ? unquote(written) : UNQUOTED.test(written) ? written : undefined;
  if (local === undefined || octets(written) > LOCAL_OCTETS) return undefined;
  const domain = text[split + 1] === '[' ? literal(text.slice(split + 1)) : canonicalDomain(text.slice(split + 1));
  return domain === undefined ? undefined : { local, domain };
}

const unquote = (quoted: string): string | undefined =>
  QUOTED.test(quoted) ? quoted.slice(1, -1).replace(/\\(.)/g, '$1') : undefined;

/** The address as text, its local part in quotes only where it must be. */
export const formatAddress = ({ local, domain }: Address): string =>
  `${DOT_STRING.test(local) ? local : `"${local.replace(/["\\]/g, '\\$&')}"`}@${domain}`;

/**
 * The form in which addresses are compared and kept: local part in NFC and Unicode lower case, quotes only where they must be,
 * domain in lower-case A-labels. A canonical address is its own canonical form.
 * @returns undefined for anything that is not an address or longer than 254 octets; never throws.
 */
export function canonical(text: string): string | undefined {
  const parts = parseAddress(text);
  return parts && canonicalOf(parts);
}

function canonicalOf({ local, domain }: Address): string | undefined {
  const folded = fold(local);
  const whole = formatAddress({ local: folded, domain });
  if (octets(whole) > ADDRESS_OCTETS || octets(whole) - domain.length - 1 > LOCAL_OCTETS) return undefined;
  return whole;
}

/** Lower-casing turns a capital sigma at the end of a word into ς: the only letter that would depend on its neighbours. */
const fold = (local: string): string =>
  ASCII.test(local) ? local.toLowerCase() : local.normalize('NFC').toLowerCase().replaceAll('ς', 'σ').normalize('NFC');

/**
 * A domain in lower case and A-labels.
 * @returns undefined unless every label is letters, digits, hyphens and underscores after conversion, 63 at most, 253 in all,
 * and the last label is no number (that would be an IPv4 address).
 */
export function canonicalDomain(text: string): string | undefined {
  if (text.length > DOMAIN_OCTETS) return undefined;
  const lower = ASCII.test(text) ? text.toLowerCase() : text;
  const host = ASCII.test(lower) && !/(^|\.)xn--/.test(lower) ? lower : aLabels(lower);
  if (host === undefined || host.length > HOST_LENGTH) return undefined;
  const labels = host.split('.');
  return labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '') ? host : undefined;
}

/** UTS #46 by the URL parser, which drops tabs and reads `%`, `/`, `:`, `@`, `?`, `#` in its own way: only letters, digits, `-`, `_` and `.` get there. */
function aLabels(text: string): string | undefined {
  // All of ASCII but letters, digits, hyphen, underscore and dot.
  if (/[\x00-\x2c\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]/.test(text) || !text.isWellFormed() || octets(text) > DOMAIN_OCTETS) return undefined;
  try {
    return new URL(`http://${text}/`).hostname;
  } catch {
    return undefined;
  }
}

/** RFC 5321 §4.1.3: `[192.0.2.1]`, `[IPv6:2001:db8::1]`; other tags are unknown to us. An IPv4-mapped address is IPv4. */
function literal(text: string): string | undefined {
  const [, tag, ip] = /^\[(ipv6:)?([0-9a-f:.]+)\]$/i.exec(text) ?? [];
  if (ip === undefined || ip.includes(':') !== (tag !== undefined)) return undefined;
  const short = canonicalIp(ip);
  return short && (short.includes(':') ? `[ipv6:${short}]` : `[${short}]`);
}

export const isLiteral = (domain: string): boolean => domain.startsWith('[');

/** The domain of a canonical address. */
export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);

/**
 * The canonical address without its tag: `ann+news@x.test` → `ann@x.test` (RFC 5233).
 * @param separators each character is one; the leftmost that is not the first character counts.
 * @returns undefined when there is no tag.
 */
export function splitTag(address: string, separators: string): string | undefined {
  if (separators === '') return undefined;
  const at = address.lastIndexOf('@');
  const quoted = address.startsWith('"');
  const local = quoted ? (unquote(address.slice(0, at)) ?? '') : address.slice(0, at);
  for (let i = 1; i < local.length; i++)
    if (separators.includes(local[i] ?? '')) return formatAddress({ local: local.slice(0, i), domain: address.slice(at + 1) });
  return undefined;
}

/** `*@x.test` or `sales*@x.test`: all addresses whose local part begins with `prefix`. */
export interface Wildcard {
  readonly prefix: string;
  readonly domain: string;
}

export const isWildcard = (address: string): boolean => address[address.lastIndexOf('@') - 1] === '*';

/** @param address canonical. @returns undefined unless its one `*` ends the local part. */
export function parseWildcard(address: string): Wildcard | undefined {
  const at = address.lastIndexOf('@');
  return address.indexOf('*') === at - 1 && at > 0 && !address.startsWith('"') ? { prefix: address.slice(0, at - 1), domain: address.slice(at + 1) } : undefined;
}
