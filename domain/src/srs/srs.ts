import { domainOf, formatAddress, isLiteral, parseAddress } from '../mail/address.js';

/** The secret part, given in from outside. Both work on any text. */
export interface SrsKeys {
  /** HMAC of the text with the present key, in base64url: at least 6 characters. */
  sign(text: string): string;
  /** Whether `hash` is how the HMAC of the text begins, by the present key or a previous one; without regard to case, in constant time. */
  matches(text: string, hash: string): boolean;
}

export type Separator = '=' | '-' | '+';

/** What became of an address that looks like a rewritten one. */
export type Reversal =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'refused'; readonly reason: 'malformed' | 'wrong-hash' | 'expired' };

/** Characters of the hash: 6 of 38 letters that survive a change of case are some 3 × 10^9 guesses. */
const HASH = 6;
/** Days for which other servers may still send reports to a rewritten address: well above the 5 days that mail waits in queues. */
const LIFETIME = 21;
/** Days that the two digits of a timestamp can tell apart. */
const CYCLE = 1024;
const DAY = 86_400_000;
/** Octets, RFC 5321 §4.5.3.1.1. Longer addresses are refused by many servers, ours among them. */
const LOCAL_OCTETS = 64;

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const timestamp = (now: number): string => {
  const day = Math.floor(now / DAY) % CYCLE;
  return `${BASE32[day >> 5]}${BASE32[day & 31]}`;
};

const isCurrent = (stamp: string, now: number): boolean => {
  const day = BASE32.indexOf(stamp[0]?.toUpperCase() ?? '?') * 32 + BASE32.indexOf(stamp[1]?.toUpperCase() ?? '?');
  const age = (Math.floor(now / DAY) - day + 2 * CYCLE) % CYCLE;
  // A day ahead: another node's clock may be past midnight already.
  return age <= LIFETIME || age === CYCLE - 1;
};

/** Local parts change case on their way through other people's servers. Of ASCII only: the Kelvin sign is no k. */
const lower = (text: string): string => text.replace(/[A-Z]/g, (c) => c.toLowerCase());
/** What the hash of each form covers. */
const signed0 = (stamp: string, domain: string, local: string): string => lower(`srs0=${stamp}=${domain}=${local}`);
const signed1 = (host: string, rest: string): string => lower(`srs1=${host}=${rest}`);

/** `SRS0=hash=stamp=domain=local`; the character behind the tag may be one of three, all others are `=`. */
const SRS0 = /^srs0[=+-]([a-z0-9_-]+)=([a-z2-7]{2})=([^=]+)=(.+)$/is;
/** `SRS1=hash=host=…`: the rest is the first forwarder's own business. */
const SRS1 = /^srs1[=+-]([a-z0-9_-]+)=([^=]+)=([=+-].+)$/is;
const TAGGED = /^srs[01][=+-]/i;

/**
 * Whether the sender must be rewritten: mail from outside that an alias here sends on to another server. SPF there would ask whether
 * this server may send for the sender's domain, and it may not.
 * @param ours whether that domain (canonical) is served here.
 */
export function needsSrs({ sender, via, ours }: { readonly sender: string; readonly via: readonly string[]; readonly ours: (domain: string) => boolean }): boolean {
  if (sender === '' || via.length === 0) return false;
  const parts = parseAddress(sender);
  return parts !== undefined && !isLiteral(parts.domain) && !ours(parts.domain);
}

/** The domain that rewrites: the last alias on the way is the one that sends it on. */
export const srsDomain = (via: readonly string[]): string | undefined => (via.length === 0 ? undefined : domainOf(via.at(-1) ?? ''));

/**
 * The envelope sender for forwarded mail (Sender Rewriting Scheme): reports of failure come back to `domain`, which can tell from the
 * hash that the address is one of its own. An address that another forwarder has rewritten before becomes SRS1.
 * @param domain of the forwarder, canonical; served here, so that `reverse` gets to see what comes back.
 * @param now epoch ms.
 * @returns undefined when it cannot be: not an address, an address literal, or longer than 64 octets of local part afterwards. Then
 * the caller keeps the sender, or puts an address of its own in its place.
 */
export function forward(sender: string, domain: string, now: number, keys: SrsKeys, separator: Separator = '='): string | undefined {
  const parts = parseAddress(sender);
  if (parts === undefined || isLiteral(parts.domain)) return undefined;
  const { local, domain: host } = parts;
  const [, , firstHost, oldRest] = SRS1.exec(local) ?? [];
  const again = firstHost !== undefined && oldRest !== undefined && isDomain(firstHost);
  if (again || /^srs0[=+-]/i.test(local)) {
    const [first, rest] = again ? [firstHost, oldRest] : [host, local.slice(4)];
    return fitting(`SRS1${separator}${keys.sign(signed1(first, rest)).slice(0, HASH)}=${first}=${rest}`, domain);
  }
  const stamp = timestamp(now);
  return fitting(`SRS0${separator}${keys.sign(signed0(stamp, host, local)).slice(0, HASH)}=${stamp}=${host}=${local}`, domain);
}

const isDomain = (text: string): boolean => {
  const domain = parseAddress(`a@${text}`)?.domain;
  return domain !== undefined && !isLiteral(domain);
};

/** Whatever comes out must be an address to others as it is to us. */
function fitting(local: string, domain: string): string | undefined {
  const address = formatAddress({ local, domain });
  const written = address.slice(0, address.lastIndexOf('@'));
  return new TextEncoder().encode(written).length <= LOCAL_OCTETS && parseAddress(address) !== undefined ? address : undefined;
}

export const looksRewritten = (address: string): boolean => TAGGED.test(address.replace(/^"/, ''));

/**
 * The address behind a rewritten one, for mail that comes to it: reports, so the null sender. To be asked before tags are split off
 * and before the directory is.
 * @returns undefined when the address is no rewritten one; it may still be somebody's own.
 */
export function reverse(address: string, now: number, keys: SrsKeys): Reversal | undefined {
  if (!looksRewritten(address)) return undefined;
  const local = parseAddress(address)?.local ?? '';
  const [, hash0 = '', stamp = '', domain = '', inner = ''] = SRS0.exec(local) ?? [];
  if (hash0 !== '') {
    if (hash0.length !== HASH || !keys.matches(signed0(stamp, domain, inner), hash0)) return REFUSED['wrong-hash'];
    return isCurrent(stamp, now) ? found(inner, domain) : REFUSED.expired;
  }
  const [, hash1 = '', host = '', rest = ''] = SRS1.exec(local) ?? [];
  if (hash1 === '') return REFUSED.malformed;
  // The age is the first forwarder's to check.
  return hash1.length === HASH && keys.matches(signed1(host, rest), hash1) ? found(`SRS0${rest}`, host) : REFUSED['wrong-hash'];
}

const REFUSED = {
  malformed: { kind: 'refused', reason: 'malformed' }, 'wrong-hash': { kind: 'refused', reason: 'wrong-hash' }, expired: { kind: 'refused', reason: 'expired' },
} as const satisfies Record<string, Reversal>;

function found(local: string, domain: string): Reversal {
  const address = formatAddress({ local, domain });
  const parts = parseAddress(address);
  return parts === undefined ? REFUSED.malformed : { kind: 'address', address: formatAddress(parts) };
}
