import { networkInterfaces } from 'node:os';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { canonicalIp } from '@kiroku/domain/mail/ip.js';
import type { Family } from '@kiroku/domain/routing/addresses.js';
import type { Dns } from '@kiroku/domain/routing/dns.js';
import type { Hosts, Route } from '@kiroku/domain/routing/hosts.js';
import { type HostOptions, hostsOf } from '@kiroku/domain/routing/mx.js';

/** Read again for each question, so that changes work at once. */
export interface HostSettings {
  /** Names that this server goes by. */
  readonly names: readonly string[];
  /** Its addresses as others see them, where a router in front has them. */
  readonly publicIps: readonly string[];
  /** Ports on which it takes mail from other servers, as they see them. */
  readonly ports: readonly number[];
  readonly family: Family;
  readonly maxHosts: number;
  /** For servers of a test: the port of MX hosts, and whether they may be on this machine. */
  readonly port?: number;
  readonly allowLoopback?: boolean;
}

export interface HostFinderOptions {
  readonly dns: Dns;
  readonly clock: Clock;
  readonly chance?: () => number;
  readonly settings: () => HostSettings;
}

/** ms; asking the system costs more than all else here. */
const INTERFACES_KEPT = 60_000;

/** Finds where mail can be tried, knowing the addresses of this machine. */
export function hostFinder({ dns, clock, chance = Math.random, settings }: HostFinderOptions): (route: Route) => Promise<Hosts> {
  let own: { readonly ips: readonly string[]; readonly until: number } = { ips: [], until: -Infinity };
  return (route) => {
    const now = clock.now();
    if (now >= own.until) own = { ips: ownIps(), until: now + INTERFACES_KEPT };
    const { names, publicIps, ports, ...rest } = settings();
    const self: HostOptions['self'] = { names: names.map((name) => name.toLowerCase()), ips: publicIps.length > 0 ? [...own.ips, ...publicIps] : own.ips, ports };
    return hostsOf(route, dns, { ...rest, self, chance });
  };
}

/** Canonical addresses of this machine's interfaces. */
export const ownIps = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((list = []) => list.flatMap(({ address }) => canonicalIp(address) ?? []));
