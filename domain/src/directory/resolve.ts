import { canonical, domainOf, isLiteral, parseWildcard, splitTag } from '../mail/address.js';
import type { AccountFacts, Resolved } from '../mail/directory-port.js';

/** What the views hold about the addresses asked for. */
export interface DirectoryRows {
  /** Name → enabled. */
  readonly domains: ReadonlyMap<string, boolean>;
  readonly accounts: ReadonlyMap<string, AccountFacts>;
  /** Enabled aliases without wildcard, by address. */
  readonly aliases: ReadonlyMap<string, readonly AliasTarget[]>;
  /** Enabled wildcard aliases per domain. */
  readonly wildcards: ReadonlyMap<string, readonly { readonly address: string; readonly targets: readonly AliasTarget[] }[]>;
}

export interface AliasTarget {
  readonly address: string;
  readonly rewrite: boolean;
}

/** One address to look up, in the forms it may be found under. */
export interface Question {
  readonly exact: string;
  /** Without its tag, if it has one. */
  readonly plain: string | undefined;
  readonly domain: string;
}

/** @returns undefined for what is not an address or an address literal: the first is unknown, the second remote. */
export function question(address: string, separators: string): Question | undefined {
  const exact = canonical(address);
  if (exact === undefined) return undefined;
  return { exact, plain: splitTag(exact, separators), domain: domainOf(exact) };
}

/** Exact match first, then without the tag, then the wildcard with the longest prefix (E-Post's rules, seed-details A9.1). */
export function resolve(asked: Question | undefined, rows: DirectoryRows): Resolved {
  if (asked === undefined) return { kind: 'unknown' };
  const { exact, plain, domain } = asked;
  if (isLiteral(domain)) return { kind: 'remote' };
  const enabled = rows.domains.get(domain);
  if (enabled === undefined) return { kind: 'remote' };
  if (!enabled) return { kind: 'domain-disabled' };
  return named(exact, rows) ?? (plain === undefined ? undefined : named(plain, rows)) ?? wild(exact, domain, rows) ?? { kind: 'unknown' };
}

function named(address: string, rows: DirectoryRows): Resolved | undefined {
  const account = rows.accounts.get(address);
  if (account) return { kind: 'account', account };
  const targets = rows.aliases.get(address);
  return targets && { kind: 'alias', alias: address, targets };
}

function wild(address: string, domain: string, rows: DirectoryRows): Resolved | undefined {
  const local = address.slice(0, address.lastIndexOf('@'));
  let best: { readonly alias: string; readonly prefix: string; readonly targets: readonly AliasTarget[] } | undefined;
  for (const { address: alias, targets } of rows.wildcards.get(domain) ?? []) {
    const prefix = parseWildcard(alias)?.prefix;
    if (prefix !== undefined && local.startsWith(prefix) && (!best || prefix.length > best.prefix.length)) best = { alias, prefix, targets };
  }
  if (!best) return undefined;
  const rest = local.slice(best.prefix.length);
  // `*@def -> *@abc`: what the star stood for stands in its place.
  return { kind: 'alias', alias: best.alias, targets: best.targets.map((t) => ({ ...t, address: t.address.replace(/\*(?=@[^@]*$)/, () => rest) })) };
}
