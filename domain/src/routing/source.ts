import { parseIp } from '../mail/ip.js';
import type { Host } from './hosts.js';
import { matches, parseSenderPattern, type Pattern, subjectOf } from './pattern.js';

/** Own addresses from which mail of some senders goes out, so that its reputation and its SPF record are its own. */
export interface SourcePool {
  readonly name: string;
  /** Any of them fits; `*` for all, `<>` for the null sender. */
  readonly senders: readonly Pattern[];
  /** Canonical addresses of this machine, of both families or one. */
  readonly addresses: readonly string[];
}

/** The first pool that fits a sender ('' is the null sender); undefined: the system chooses the address. */
export function poolOf(pools: readonly SourcePool[], sender: string): SourcePool | undefined {
  if (pools.length === 0) return undefined;
  const subject = subjectOf(sender);
  return pools.find(({ senders }) => senders.some((pattern) => matches(pattern, subject)));
}

/**
 * The local address for a connection to `ip`: one of the pool, of the same family, by chance.
 * @param chance 0 ≤ chance < 1.
 * @returns undefined when the system is to choose. Leave out what `reachableFrom` leaves out first: it would go by an address
 * that is not the sender's.
 */
export function sourceOf(pool: SourcePool | undefined, ip: string, chance: number): string | undefined {
  const own = pool?.addresses.filter((address) => isV6(address) === isV6(ip)) ?? [];
  return own[Math.floor(chance * own.length)];
}

/** The places that a pool has an address for: with IPv4 addresses alone, nothing goes out by IPv6. */
export const reachableFrom = (pool: SourcePool | undefined, hosts: readonly Host[]): readonly Host[] =>
  pool === undefined ? hosts : hosts.filter(({ ip }) => pool.addresses.some((address) => isV6(address) === isV6(ip)));

const isV6 = (ip: string): boolean => ip.includes(':');

/** What is wrong with pools that somebody wants, in words; [] when all is well. Whether the machine has the addresses shows when it binds them. */
export function poolProblems(pools: readonly SourcePool[]): readonly string[] {
  return pools.flatMap(({ name, senders, addresses }, i) => {
    const called = `pool ${JSON.stringify(name.slice(0, 100))}`;
    return [
      ...(name === '' || pools.findIndex((pool) => pool.name === name) !== i ? [`${called}: expected a name of its own`] : []),
      ...(senders.length === 0 || senders.some((sender) => parseSenderPattern(sender) !== sender) ? [`${called}: expected senders such as x.test, *.x.test, ann@x.test, <> or *`] : []),
      ...(addresses.length === 0 || !addresses.every((address) => parseIp(address)) ? [`${called}: expected IP addresses of this machine`] : []),
    ];
  });
}
