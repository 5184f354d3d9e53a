import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { canonical, domainOf, formatAddress, isWildcard, parseAddress, parseWildcard } from '../mail/address.js';
import { type Life, present, refuse } from './refusals.js';

/** Where an alias leads. `rewrite`: the recipient that the mailbox sees becomes the target; else it stays the alias. */
export interface Target {
  /** Local or remote; `*@x.test` or `prefix*@x.test` takes over what the star of a wildcard alias stood for. */
  readonly address: string;
  readonly rewrite: boolean;
}

/** As an administrator writes it: without `rewrite`, the alias is kept within its domain and rewritten beyond (E-Post's rule). */
export interface TargetWish {
  readonly address: string;
  readonly rewrite?: boolean | undefined;
}

/** Stream `alias-<address>`; every event carries the whole alias. */
export interface Alias {
  /** Canonical; `*@x.test` or `prefix*@x.test` for a wildcard. */
  readonly address: string;
  readonly domain: string;
  readonly wildcard: boolean;
  /** What stands before the star; '' when there is no star or nothing before it. */
  readonly prefix: string;
  readonly targets: readonly Target[];
  readonly enabled: boolean;
  /** Epoch ms. */
  readonly createdAt: number;
}

export type AliasEvent =
  | Fact<'AliasAdded', Alias>
  | Fact<'AliasChanged', Alias>
  | Fact<'AliasDisabled', Alias>
  | Fact<'AliasEnabled', Alias>
  | Fact<'AliasDeleted', Pick<Alias, 'address' | 'domain'>>;

export type AliasCommand =
  | { readonly type: 'Add'; readonly address: string; readonly targets: readonly TargetWish[]; readonly enabled?: boolean; readonly now: number }
  | { readonly type: 'Change'; readonly targets: readonly TargetWish[] }
  | { readonly type: 'Enable'; readonly enabled: boolean }
  | { readonly type: 'Delete' };

export const MOST_TARGETS = 1000;

export const aliasStream = (address: string): string => `alias-${address}`;

/** @throws Refusal `bad-address`: no address with a domain, or a star anywhere but at the end of the local part. */
export function aliasAddress(address: string): string {
  const known = canonical(address);
  if (known === undefined || (known.includes('*') && parseWildcard(known) === undefined)) return refuse('bad-address', address.slice(0, 320));
  return known;
}

/** @throws Refusal `no-targets`, `too-many-targets`, `bad-target`, `duplicate-target`. */
export function targetsOf(alias: string, wishes: readonly TargetWish[]): readonly Target[] {
  if (wishes.length === 0) refuse('no-targets', alias);
  if (wishes.length > MOST_TARGETS) refuse('too-many-targets', `${wishes.length}, at most ${MOST_TARGETS}`);
  const seen = new Set<string>();
  return wishes.map(({ address, rewrite }) => {
    const known = canonical(address);
    const parts = parseAddress(address);
    if (known === undefined || parts === undefined || known === alias) return refuse('bad-target', address.slice(0, 320));
    if (isWildcard(known) && !(isWildcard(alias) && parseWildcard(known))) return refuse('bad-target', `${known}: a star leads from a star only`);
    if (seen.has(known)) return refuse('duplicate-target', known);
    seen.add(known);
    // The case of a remote local part is its server's business (RFC 5321 §2.4).
    return { address: formatAddress(parts), rewrite: rewrite ?? parts.domain !== domainOf(alias) };
  });
}

const same = (a: readonly Target[], b: readonly Target[]): boolean =>
  a.length === b.length && a.every((target, i) => target.address === b[i]?.address && target.rewrite === b[i]?.rewrite);

export const aliasDecider: Decider<AliasCommand, AliasEvent, Life<Alias>> = {
  initial: undefined,

  decide(command, state) {
    if (command.type === 'Add') return added(command, state);
    if (command.type === 'Delete' && state === 'deleted') return [];
    const alias = present(state, 'no-such-alias');
    switch (command.type) {
      case 'Change': {
        const targets = targetsOf(alias.address, command.targets);
        return same(targets, alias.targets) ? [] : [{ type: 'AliasChanged', data: { ...alias, targets } }];
      }
      case 'Enable': {
        const { enabled } = command;
        return alias.enabled === enabled ? [] : [{ type: enabled ? 'AliasEnabled' : 'AliasDisabled', data: { ...alias, enabled } }];
      }
      case 'Delete':
        return [{ type: 'AliasDeleted', data: { address: alias.address, domain: alias.domain } }];
    }
  },

  evolve: (_, event) => (event.type === 'AliasDeleted' ? 'deleted' : event.data),
};

function added({ address, targets: wishes, enabled = true, now }: Extract<AliasCommand, { type: 'Add' }>, state: Life<Alias>): readonly AliasEvent[] {
  const targets = targetsOf(address, wishes);
  if (state && state !== 'deleted') return same(targets, state.targets) ? [] : refuse('address-taken', address);
  const star = parseWildcard(address);
  const data = { address, domain: domainOf(address), wildcard: star !== undefined, prefix: star?.prefix ?? '', targets, enabled, createdAt: now };
  return [{ type: 'AliasAdded', data }];
}
