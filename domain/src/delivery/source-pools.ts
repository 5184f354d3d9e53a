import { canonicalIp } from '../mail/ip.js';
import { isDomainPattern, isRecord, matchingDomain, PATTERN_EXPECTED } from './domain-pattern.js';

/** Local addresses that some mail leaves from. */
export interface SourcePool {
  /** Domain of the envelope sender as the next server is told it: `x.test`, `*.x.test`, `*`, or `<>` for the null sender. Absent: any. */
  readonly sender?: string;
  /** `y.test`, `*.y.test` (all domains below it), `*`. Absent: any. */
  readonly destination?: string;
  /** Of each family as many as you like; hosts of a family that has none are not called. */
  readonly addresses: readonly string[];
}

/** The first pool that fits counts. */
export interface SourcePools {
  readonly pools: readonly SourcePool[];
}
export const NO_POOLS: SourcePools = { pools: [] };

const fits = (pattern: string | undefined, domain: string): boolean => pattern === undefined || pattern === domain || matchingDomain({ [pattern]: true }, domain) !== undefined;

/**
 * The pool for mail to a destination (lower-case A-label domain, or an address literal); undefined where none fits.
 * @param sender the envelope sender; '' = null sender.
 */
export function poolFor({ pools }: SourcePools, destination: string, sender: string): SourcePool | undefined {
  if (pools.length === 0) return undefined;
  const from = sender === '' ? '<>' : sender.slice(sender.lastIndexOf('@') + 1).toLowerCase();
  return pools.find((pool) => fits(pool.destination, destination) && (from === '<>' ? pool.sender === undefined || pool.sender === from : fits(pool.sender, from)));
}

/**
 * Local addresses for a connection to a host, in the order in which they are to be tried: `undefined` = the system's choice; none = it
 * cannot be called, for there is a pool, and it has no address of the host's family.
 * @param pool its addresses; the first is taken by chance.
 * @param sources where no pool fits: in the order in which they are set.
 * @param chance 0 to 1.
 */
export function sourcesFor(ip: string, pool: readonly string[] | undefined, sources: readonly string[], chance: number): readonly (string | undefined)[] {
  const isSix = (address: string): boolean => address.includes(':');
  const same = (pool ?? sources).filter((source) => isSix(source) === isSix(ip));
  if (!pool) return same.length === 0 ? [undefined] : same;
  const from = Math.min(Math.floor(chance * same.length), same.length - 1);
  return [...same.slice(from), ...same.slice(0, from)];
}

const MOST_POOLS = 1_000;
const MOST_ADDRESSES = 256;

/** What is wrong with proposed settings, in words; [] when all is well. Anything may be given. */
export function poolProblemsOf(settings: unknown): readonly string[] {
  if (!isRecord(settings) || !Array.isArray(settings.pools)) return ['expected pools, a list'];
  const [other] = Object.keys(settings).filter((part) => part !== 'pools');
  if (other !== undefined) return [`${other.slice(0, 100)}: there is no such part`];
  const pools = settings.pools as readonly unknown[];
  if (pools.length > MOST_POOLS) return [`expected at most ${MOST_POOLS} pools`];
  return pools.flatMap((pool, i) => problemsOfPool(pool).map((problem) => `pool ${i + 1}: ${problem}`));
}

function problemsOfPool(pool: unknown): readonly string[] {
  if (!isRecord(pool)) return ['expected sender, destination and addresses'];
  const problems = Object.keys(pool).filter((name) => !['sender', 'destination', 'addresses'].includes(name)).map((name) => `${name.slice(0, 100)}: there is no such part`);
  const { sender, destination, addresses } = pool;
  if (sender !== undefined && !(typeof sender === 'string' && (sender === '<>' || isDomainPattern(sender)))) problems.push(`sender: expected ${PATTERN_EXPECTED}, or <>`);
  if (destination !== undefined && !(typeof destination === 'string' && isDomainPattern(destination))) problems.push(`destination: expected ${PATTERN_EXPECTED}`);
  if (!Array.isArray(addresses) || addresses.length === 0 || addresses.length > MOST_ADDRESSES || !addresses.every((ip) => typeof ip === 'string' && canonicalIp(ip) !== undefined))
    problems.push(`addresses: expected 1 to ${MOST_ADDRESSES} IP addresses`);
  return problems;
}
