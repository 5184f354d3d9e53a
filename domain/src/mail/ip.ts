/** An IP address as its bytes: 4 for IPv4 (also when it came IPv4-mapped, RFC 4291 §2.5.5.2), 16 for IPv6. */
export type IpBytes = Uint8Array;

/** All addresses that share the first `bits` bits of `bytes`. */
export interface IpBlock {
  readonly bytes: IpBytes;
  readonly bits: number;
}

const LONGEST = 64; // an IPv6 address with embedded IPv4 has 45 characters; the rest is a zone

/**
 * Reads one address: dotted decimal without leading zeros (some read those as octal), or RFC 4291 §2.2 text.
 * A zone (`fe80::1%eth0`) is dropped.
 * @returns undefined when it is not an address.
 */
export function parseIp(text: string): IpBytes | undefined {
  if (text.length > LONGEST) return undefined;
  if (!text.includes(':')) return parseV4(text);
  const bytes = parseV6(text.replace(/%[\w.-]+$/, ''));
  return bytes !== undefined && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** Canonical text: IPv4 dotted decimal, IPv6 as in RFC 5952. @throws RangeError unless there are 4 or 16 bytes. */
export function formatIp(bytes: IpBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  if (isMapped(bytes)) return bytes.slice(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const { start, length } = longestZeros(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** The canonical text of an address, so that equal addresses are equal strings; undefined when it is not an address. */
export function canonicalIp(text: string): string | undefined {
  const bytes = parseIp(text);
  return bytes && formatIp(bytes);
}

/**
 * Reads an address, a CIDR block (`192.0.2.0/24`, `2001:db8::/32`) or an IPv4 pattern whose last parts are stars
 * (`192.168.1.*`, `10.*`). Bits after the prefix are ignored.
 * @returns undefined when it is none of these.
 */
export function parseBlock(text: string): IpBlock | undefined {
  const pattern = /^((?:\d{1,3}\.){1,3})\*(?:\.\*){0,2}$/.exec(text);
  if (pattern) return parsePattern(text, pattern[1] ?? '');
  const [address = '', prefix, ...more] = text.split('/');
  const bytes = parseIp(address);
  if (!bytes || more.length > 0) return undefined;
  const width = bytes.length * 8;
  if (prefix === undefined) return { bytes, bits: width };
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix)) return undefined;
  // The prefix of an IPv4-mapped block counts the 96 bits before the IPv4 part.
  const bits = Number(prefix) - (width === 32 && address.includes(':') ? 96 : 0);
  return bits >= 0 && bits <= width ? { bytes, bits } : undefined;
}

/** Whether the address lies in the block. IPv4 and IPv6 never meet, mapped addresses being IPv4. */
export function contains({ bytes, bits }: IpBlock, ip: IpBytes): boolean {
  if (ip.length !== bytes.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (ip[i] !== bytes[i]) return false;
  const rest = bits & 7;
  return rest === 0 || (((ip[whole] ?? 0) ^ (bytes[whole] ?? 0)) & (0xff00 >> rest) & 0xff) === 0;
}

/**
 * Reads a list once and answers often whether an address (text) is in one of its blocks.
 * Entries that are no blocks match nothing: settings refuse them with `parseBlock`.
 */
export function ipMatcher(list: readonly string[]): (ip: string) => boolean {
  const blocks = list.map(parseBlock).filter((block) => block !== undefined);
  if (blocks.length === 0) return () => false;
  return (text) => {
    const ip = parseIp(text);
    return ip !== undefined && blocks.some((block) => contains(block, ip));
  };
}

function parsePattern(text: string, start: string): IpBlock | undefined {
  const parts = start.slice(0, -1).split('.');
  const stars = text.split('.').length - parts.length;
  if (parts.length + stars > 4 || (stars > 1 && parts.length + stars < 4)) return undefined;
  const bytes = parseV4([...parts, '0', '0', '0'].slice(0, 4).join('.'));
  return bytes && { bytes, bits: parts.length * 8 };
}

function parseV4(text: string): IpBytes | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseV6(text: string): IpBytes | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 1 ? [] : parseGroups(halves[1] ?? '', true);
  if (!head || !tail) return undefined;
  const gap = 16 - head.length - tail.length;
  // `::` stands for at least one group of zeros.
  if (halves.length === 1 ? gap !== 0 : gap < 2) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Bytes of colon-separated groups; the last may be dotted decimal where the address ends there. */
function parseGroups(text: string, last: boolean): readonly number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    const v4 = last && i === groups.length - 1 && group.includes('.') ? parseV4(group) : undefined;
    if (v4) bytes.push(...v4);
    else if (/^[0-9a-f]{1,4}$/i.test(group)) bytes.push(parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff);
    else return undefined;
  }
  return bytes.length <= 16 ? bytes : undefined;
}

const isMapped = (bytes: IpBytes): boolean =>
  bytes.length === 16 && bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);

/** The first of the longest runs of zero groups (RFC 5952 §4.2.3). */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (groups[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
    i = end;
  }
  return best;
}
