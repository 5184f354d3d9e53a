import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { canonicalDomain } from '../mail/address.js';
import { type Life, present, refuse } from './refusals.js';
import type { Tally } from './tally.js';

/** A domain whose mail is ours. Stream `domain-<name>`; every event carries the whole domain, so the last one is enough to decide. */
export interface Domain {
  /** Lower case, A-labels. */
  readonly name: string;
  /** 0 = no limit. */
  readonly accountLimit: number;
  /** A domain that is switched off takes no mail and lets nobody log in. */
  readonly enabled: boolean;
  /** Epoch ms. */
  readonly createdAt: number;
}

export type DomainEvent =
  | Fact<'DomainAdded', Domain>
  | Fact<'DomainChanged', Domain>
  | Fact<'DomainDisabled', Domain>
  | Fact<'DomainEnabled', Domain>
  | Fact<'DomainDeleted', { readonly name: string }>;

export type DomainCommand =
  | { readonly type: 'Add'; readonly name: string; readonly accountLimit: number; readonly now: number }
  | { readonly type: 'Change'; readonly accountLimit: number }
  | { readonly type: 'Enable'; readonly enabled: boolean }
  | { readonly type: 'Delete'; readonly tally: Tally };

export const domainStream = (name: string): string => `domain-${name}`;

/** @throws Refusal `bad-domain`. Underscores, fine in somebody else's domain, are refused in one of ours (RFC 952). */
export function ownDomain(name: string): string {
  const known = canonicalDomain(name);
  return known === undefined || known.includes('_') ? refuse('bad-domain', name.slice(0, 255)) : known;
}

/** The view's column has 32 bits. */
const MOST_ACCOUNTS = 0x7fff_ffff;
const checkedLimit = (limit: number): number =>
  Number.isSafeInteger(limit) && limit >= 0 && limit <= MOST_ACCOUNTS ? limit : refuse('bad-domain', 'accountLimit: expected a whole number, 0 or more');

export const domainDecider: Decider<DomainCommand, DomainEvent, Life<Domain>> = {
  initial: undefined,

  decide(command, state) {
    switch (command.type) {
      case 'Add': {
        const { name, accountLimit, now } = command;
        if (state !== undefined && state !== 'deleted') return refuse('domain-exists', name);
        return [{ type: 'DomainAdded', data: { name, accountLimit: checkedLimit(accountLimit), enabled: true, createdAt: now } }];
      }
      case 'Change': {
        const domain = present(state, 'no-such-domain');
        const accountLimit = checkedLimit(command.accountLimit);
        return domain.accountLimit === accountLimit ? [] : [{ type: 'DomainChanged', data: { ...domain, accountLimit } }];
      }
      case 'Enable': {
        const domain = present(state, 'no-such-domain');
        const { enabled } = command;
        return domain.enabled === enabled ? [] : [{ type: enabled ? 'DomainEnabled' : 'DomainDisabled', data: { ...domain, enabled } }];
      }
      case 'Delete': {
        if (state === 'deleted') return [];
        const { name } = present(state, 'no-such-domain');
        const { accounts, aliases, groups } = command.tally;
        if (accounts + aliases + groups > 0) return refuse('not-empty', `${name}: ${accounts} accounts, ${aliases} aliases, ${groups} groups`);
        return [{ type: 'DomainDeleted', data: { name } }];
      }
    }
  },

  evolve: (_, event) => (event.type === 'DomainDeleted' ? 'deleted' : event.data),
};
