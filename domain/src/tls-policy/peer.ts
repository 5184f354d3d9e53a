import { canonicalDomain } from '../mail/address.js';
import { contains, parseBlock, parseIp } from '../mail/ip.js';
import type { Host, Route } from '../routing/hosts.js';
import type { TlsRow, TlsTable } from './row.js';

/**
 * Whom a row is about, in the form in which it is kept: `*`, a domain or host in lower-case A-labels, `*.` and a domain (all names
 * below it, not itself), or an address or CIDR block.
 * @returns undefined when it is none of these; never throws.
 */
export function canonicalPeer(text: string): string | undefined {
  if (text === '*') return text;
  if (text.length <= 100 && parseBlock(text)) return text.toLowerCase();
  const wild = text.startsWith('*.');
  const domain = canonicalDomain(wild ? text.slice(2) : text);
  return domain === undefined ? undefined : wild ? `*.${domain}` : domain;
}

type Matches = (names: readonly string[], ip: Uint8Array | undefined) => boolean;

function matcherOf(peer: string): Matches {
  if (peer === '*') return () => true;
  const block = parseBlock(peer);
  if (block) return (_, ip) => ip !== undefined && contains(block, ip);
  if (!peer.startsWith('*.')) return (names) => names.includes(peer);
  const end = peer.slice(1);
  return (names) => names.some((name) => name.length > end.length && name.endsWith(end));
}

/**
 * Reads the rows once and answers often which of them counts: the first that fits the destination domain or gateway, the host's
 * name or its address.
 */
export function rowFinder({ rows }: Pick<TlsTable, 'rows'>): (host: Host, route: Route) => TlsRow | undefined {
  const all = rows.map((row) => [matcherOf(row.peer), row] as const);
  return (host, route) => {
    if (all.length === 0) return undefined;
    const names = [route.kind === 'mx' ? route.domain : route.host.toLowerCase(), host.name];
    const ip = parseIp(host.ip);
    return all.find(([matches]) => matches(names, ip))?.[1];
  };
}
