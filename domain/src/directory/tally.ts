import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { refuse } from './refusals.js';

/**
 * How many accounts, aliases and groups a domain has, stream `tally-<domain>`. Exact, because every append that adds or removes one goes
 * through this stream; the same makes "deleted only when empty" safe against an account added at that moment.
 */
export interface Tally {
  readonly accounts: number;
  readonly aliases: number;
  readonly groups: number;
}

/** Without `groups` there is none. */
export type TallyEvent = Fact<'TallyChanged', Omit<Tally, 'groups'> & { readonly groups?: number; readonly domain: string }>;

export interface CountCommand {
  readonly type: 'Count';
  readonly domain: string;
  /** To add; negative to take away. All zero is recorded too: deleting a domain must meet whoever adds to it. */
  readonly accounts: number;
  readonly aliases: number;
  readonly groups?: number;
  /** Most accounts allowed, 0 = no limit. Looked at only when accounts are added. */
  readonly accountLimit: number;
}

export const tallyStream = (domain: string): string => `tally-${domain}`;

export const tallyDecider: Decider<CountCommand, TallyEvent, Tally> = {
  initial: { accounts: 0, aliases: 0, groups: 0 },
  decide({ domain, accounts, aliases, groups = 0, accountLimit }, state) {
    const after = { accounts: state.accounts + accounts, aliases: state.aliases + aliases };
    if (accounts > 0 && accountLimit > 0 && after.accounts > accountLimit) return refuse('domain-limit', `${domain}: ${accountLimit} accounts`);
    const left = state.groups + groups;
    return [{ type: 'TallyChanged', data: { domain, ...after, ...(left > 0 && { groups: left }) } }];
  },
  evolve: (_, { data: { accounts, aliases, groups = 0 } }) => ({ accounts, aliases, groups }),
};
