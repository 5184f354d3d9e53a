import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { refuse } from './refusals.js';

/** Who has an address. Stream `address-<canonical address>`: one owner at a time, across accounts and aliases. */
export type Owner = { readonly kind: 'account'; readonly accountId: string } | { readonly kind: 'alias' };

export type ClaimEvent =
  | Fact<'AddressClaimed', { readonly address: string; readonly owner: Owner }>
  | Fact<'AddressFreed', { readonly address: string; readonly owner: Owner }>;

export interface ClaimCommand {
  readonly type: 'Claim' | 'Release';
  readonly address: string;
  readonly owner: Owner;
}

export const addressStream = (address: string): string => `address-${address}`;

const same = (a: Owner, b: Owner): boolean =>
  a.kind === 'account' && b.kind === 'account' ? a.accountId === b.accountId : a.kind === b.kind;

export const claimDecider: Decider<ClaimCommand, ClaimEvent, Owner | undefined> = {
  initial: undefined,
  decide({ type, address, owner }, holder) {
    const mine = holder !== undefined && same(holder, owner);
    switch (type) {
      case 'Claim':
        if (holder !== undefined && !mine) return refuse('address-taken', address);
        return mine ? [] : [{ type: 'AddressClaimed', data: { address, owner } }];
      case 'Release':
        return mine ? [{ type: 'AddressFreed', data: { address, owner } }] : [];
    }
  },
  evolve: (_, { type, data }) => (type === 'AddressClaimed' ? data.owner : undefined),
};
