import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { refuse } from './refusals.js';

/**
 * The groups that an account is in. Stream `memberships-<account id>`; every event carries all of them. So their number is exact, and an
 * account that is deleted leaves them all: whoever takes it into one at that moment meets it here and reads again.
 */
export type MembershipsEvent =
  | Fact<'MembershipsChanged', { readonly accountId: string; readonly groups: readonly string[] }>
  | Fact<'MembershipsDropped', { readonly accountId: string }>;

export type MembershipsCommand =
  /** `address` for the refusal. */
  | { readonly type: 'Join'; readonly accountId: string; readonly address: string; readonly groupId: string }
  | { readonly type: 'Leave'; readonly accountId: string; readonly groupId: string }
  /** With the account. */
  | { readonly type: 'Drop'; readonly accountId: string };

export const MOST_GROUPS = 100;

export const membershipsStream = (accountId: string): string => `memberships-${accountId}`;

export const membershipsDecider: Decider<MembershipsCommand, MembershipsEvent, readonly string[] | 'dropped'> = {
  initial: [],
  decide(command, state) {
    const { accountId } = command;
    if (state === 'dropped') return command.type === 'Join' ? refuse('no-such-account', command.address) : [];
    switch (command.type) {
      case 'Join': {
        const { groupId, address } = command;
        if (state.includes(groupId)) return [];
        if (state.length >= MOST_GROUPS) return refuse('too-many-groups', `${address}: ${MOST_GROUPS} groups`);
        return [{ type: 'MembershipsChanged', data: { accountId, groups: [...state, groupId] } }];
      }
      case 'Leave': {
        const { groupId } = command;
        return state.includes(groupId) ? [{ type: 'MembershipsChanged', data: { accountId, groups: state.filter((id) => id !== groupId) } }] : [];
      }
      case 'Drop':
        return [{ type: 'MembershipsDropped', data: { accountId } }];
    }
  },
  evolve: (_, event) => (event.type === 'MembershipsDropped' ? 'dropped' : event.data.groups),
};
