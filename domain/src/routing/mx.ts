import { canonicalDomain, isLiteral } from '../mail/address.js';
import { canonicalIp } from '../mail/ip.js';
import { type Addresses, addressesOf, type Family, isUsable, orTrouble } from './addresses.js';
import type { Dns, Mx } from './dns.js';
import type { Host, Hosts, Route } from './hosts.js';
import { alternate, type Candidate, type Place, shuffled } from './spread.js';

/** How this server is reached. */
export interface Self {
  /** Lower case, A-labels. */
  readonly names: readonly string[];
  /** Canonical. Addresses that only a router in front has belong here too. */
  readonly ips: readonly string[];
  /** On which it takes mail, as others see it: 25 among them where it is an MX. Another port of the same machine is another server. */
  readonly ports: readonly number[];
}

export interface HostOptions {
  readonly self: Self;
  readonly family: Family;
  /** 0 ≤ chance() < 1. */
  readonly chance: () => number;
  /** Addresses returned at most. */
  readonly maxHosts: number;
  /** Of servers found by MX; 25. */
  readonly port?: number;
  /** Send to 127.0.0.0/8 and ::1 by MX or address literal: for servers of a test. */
  readonly allowLoopback?: boolean;
}

/** MX records looked at, the best ones: each costs questions. */
const MOST_MX = 20;

const refused = (reply: string): Hosts => ({ kind: 'refused', reply });
const deferred = (reply: string): Hosts => ({ kind: 'deferred', reply });

/**
 * Finds where mail for a route can be tried, best place first (RFC 5321 §5.1): MX records in order of preference, equal ones in random
 * order; the domain's own address where there are none; an address literal; or a gateway's addresses.
 *
 * Refused: a domain that does not exist (5.1.2), null MX (5.1.10, RFC 7505), no usable address (5.4.4), this server itself (5.4.6).
 * Deferred: no answer from the DNS (4.4.3), and all that is wrong with a gateway (4.3.5): that is this server's setting, so
 * mail waits for its correction.
 *
 * At most 20 MX records and 5 addresses of each host are considered.
 */
export async function hostsOf(route: Route, dns: Dns, options: HostOptions): Promise<Hosts> {
  if (route.kind === 'gateway') return gatewayHosts(route.host, route.port, dns, options);
  const { domain } = route;
  if (isLiteral(domain)) return literalHosts(domain, options);
  if (canonicalDomain(domain) !== domain) return refused('550 5.1.2 Not a domain name');
  const answer = await orTrouble(dns.mx(domain));
  if (answer.kind === 'trouble') return deferred(`451 4.4.3 No mail servers found for ${domain} yet: ${answer.why}`);
  if (answer.kind === 'none' && answer.nxdomain) return refused(`550 5.1.2 Domain ${domain} does not exist`);
  // RFC 5321 §5.1: a domain without MX is its own, of preference 0.
  if (answer.kind === 'none') return mxHosts(domain, [{ preference: 0, host: domain }], answer.secure, dns, options);
  if (answer.records.every(({ host }) => host === '.')) return refused(`556 5.1.10 Domain ${domain} does not accept mail (null MX)`);
  return mxHosts(domain, answer.records, answer.secure, dns, options);
}

const MX_PORT = 25;

async function mxHosts(domain: string, records: readonly Mx[], secure: boolean, dns: Dns, options: HostOptions): Promise<Hosts> {
  const { self, port = MX_PORT, family, allowLoopback = false } = options;
  const own = (preference: number): Hosts | undefined =>
    records.every((record) => record.preference >= preference) ? refused(`554 5.4.6 Mail for ${domain} loops back to this server`) : undefined;
  const byName = self.ports.includes(port) ? best(records.filter(({ host }) => self.names.includes(host))) : Infinity;
  const loop = own(byName);
  if (loop) return loop;
  const ranked = rank(records.filter(({ preference }) => preference < byName), options);
  const found = await Promise.all(ranked.map(async (mx) => ({ ...mx, addresses: await addressesOf(dns, mx.host, family) })));
  const byAddress = best(found.filter(({ addresses }) => [...addresses.v4, ...addresses.v6].some((ip) => isSelf(self, ip, port))));
  // RFC 5321 §5.1: what is no better than this server would only give the mail back.
  const better = found.filter(({ preference }) => preference < byAddress);
  const places = Map.groupBy(better, ({ preference }) => preference);
  const hosts = [...places.values()].flatMap((equal) =>
    alternate(equal.map(({ host, preference, addresses }) => candidate(host, preference, addresses, secure, allowLoopback, options)), leading(options)),
  );
  if (hosts.length > 0) return withPort(hosts, port, options.maxHosts);
  const trouble = better.find(({ addresses }) => addresses.trouble !== undefined)?.addresses.trouble;
  if (trouble !== undefined) return deferred(`451 4.4.3 No address found for the mail servers of ${domain} yet: ${trouble}`);
  return own(byAddress) ?? refused(`550 5.4.4 No mail server of ${domain} has a usable address`);
}

/** RFC 5321 §4.1.3. */
function literalHosts(domain: string, options: HostOptions): Hosts {
  const { self, port = MX_PORT, family, allowLoopback = false } = options;
  const ip = canonicalIp(domain.slice(1, -1).replace(/^ipv6:/i, ''));
  if (ip !== undefined && isSelf(self, ip, port)) return refused(`554 5.4.6 Mail for ${domain} loops back to this server`);
  if (ip === undefined || !isUsable(ip, allowLoopback) || !isWanted(ip, family)) return refused(`550 5.4.4 No mail can be sent to ${domain}`);
  return { kind: 'hosts', hosts: [{ name: ip, ip, port, preference: 0, secure: false }] };
}

async function gatewayHosts(host: string, port: number, dns: Dns, options: HostOptions): Promise<Hosts> {
  const { self, family } = options;
  const misled = (what: string): Hosts => deferred(`451 4.3.5 Gateway ${host} ${what}`);
  const ip = canonicalIp(host);
  const name = ip ?? canonicalDomain(host);
  if (name === undefined) return misled('is neither name nor address');
  if (self.ports.includes(port) && self.names.includes(name)) return misled('is this server');
  const addresses = ip === undefined ? await addressesOf(dns, name, family) : fixed(ip);
  if (addresses.trouble !== undefined) return deferred(`451 4.4.3 No address found for gateway ${host} yet: ${addresses.trouble}`);
  if ([...addresses.v4, ...addresses.v6].some((address) => isSelf(self, address, port))) return misled('is this server');
  const places = alternate([candidate(name, 0, addresses, true, true, options)], leading(options));
  return places.length > 0 ? withPort(places, port, options.maxHosts) : misled('has no usable address');
}

/** The address is the administrator's word, whatever family is preferred. */
const fixed = (ip: string): Addresses => ({ v4: ip.includes(':') ? [] : [ip], v6: ip.includes(':') ? [ip] : [], secure4: false, secure6: false });

const best = (list: readonly { readonly preference: number }[]): number => list.reduce((least, { preference }) => Math.min(least, preference), Infinity);

const isSelf = ({ ips, ports }: Self, ip: string, port: number): boolean => ports.includes(port) && ips.includes(ip);

const isWanted = (ip: string, family: Family): boolean => family !== (ip.includes(':') ? 'ipv4' : 'ipv6');

/** The family that goes first this time. */
function leading({ family, chance }: HostOptions): 'v4' | 'v6' {
  if (family === 'both') return chance() < 0.5 ? 'v4' : 'v6';
  return family.endsWith('4') ? 'v4' : 'v6';
}

/** In order of preference, equal ones in random order, each host once. An address instead of a name is no MX (RFC 5321 §5.1), nor is nonsense. */
function rank(records: readonly Mx[], { chance }: HostOptions): readonly Mx[] {
  const inOrder = shuffled(records, chance).sort((a, b) => a.preference - b.preference);
  const seen = new Set<string>();
  return inOrder.filter(({ host }) => canonicalDomain(host) === host && !seen.has(host) && seen.add(host)).slice(0, MOST_MX);
}

/** The usable addresses of a host. */
function candidate(name: string, preference: number, found: Addresses, secure: boolean, allowLoopback: boolean, { chance }: HostOptions): Candidate {
  const places = (ips: readonly string[], validated: boolean): Place[] =>
    shuffled(ips.filter((ip) => isUsable(ip, allowLoopback)), chance).map((ip) => ({ name, ip, preference, secure: secure && validated }));
  return { v4: places(found.v4, found.secure4), v6: places(found.v6, found.secure6) };
}

/** Two names of one address are one place. */
function withPort(places: readonly Place[], port: number, most: number): Hosts {
  const hosts = new Map<string, Host>();
  for (const place of places) if (!hosts.has(place.ip) && hosts.size < most) hosts.set(place.ip, { ...place, port });
  return { kind: 'hosts', hosts: [...hosts.values()] };
}
