/** An address to try, and what it is of. */
export interface Place {
  readonly name: string;
  readonly ip: string;
  readonly preference: number;
  readonly secure: boolean;
}

/** Hosts of equal preference, in the order in which they come up, each with its addresses by family. */
export interface Candidate {
  readonly v4: readonly Place[];
  readonly v6: readonly Place[];
}

/** Addresses of one host that are tried. */
const MOST_ADDRESSES = 5;

/** In random order. @param chance 0 ≤ chance() < 1. */
export function shuffled<T>(list: readonly T[], chance: () => number): T[] {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(chance() * (i + 1));
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}

/**
 * The addresses of equal hosts in the order in which they are tried: families alternate, so that one that does not work here costs
 * one try, and so do hosts, so that one that is down costs one try. At most 5 addresses of a host.
 */
export function alternate(hosts: readonly Candidate[], first: 'v4' | 'v6'): readonly Place[] {
  const other = first === 'v4' ? 'v6' : 'v4';
  const kept = hosts.map((host) => fewer(host, first, other));
  const leading = inTurn(kept.map(({ lead }) => lead));
  const following = inTurn([...kept.slice(1), ...kept.slice(0, 1)].map(({ rest }) => rest));
  return inTurn([leading, following]);
}

/** Not all of one family where there are two. */
function fewer(host: Candidate, first: 'v4' | 'v6', other: 'v4' | 'v6'): { lead: readonly Place[]; rest: readonly Place[] } {
  const lead = host[first].slice(0, Math.max(MOST_ADDRESSES - host[other].length, Math.ceil(MOST_ADDRESSES / 2)));
  return { lead, rest: host[other].slice(0, MOST_ADDRESSES - lead.length) };
}

/** The first of each list, the second of each, and so on. */
function inTurn<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, rank) => lists.flatMap((list) => list.slice(rank, rank + 1))).flat();
}
