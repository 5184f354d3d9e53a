import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { canonical, domainOf } from '../mail/address.js';
import { type Life, present, refuse } from './refusals.js';

/**
 * Accounts that access lists name together. Stream `group-<uuid>`; every event carries the whole group but its members, whose number is
 * enough to decide. Its name is written like an address and is none: mail to it goes where the address leads, if anywhere.
 */
export interface Group {
  /** UUID; never changes. Access lists hold it, so that a later group of the same name inherits nothing. */
  readonly groupId: string;
  /** Canonical, `staff@x.test`. Unique among groups. */
  readonly name: string;
  readonly domain: string;
  /** How many members. */
  readonly size: number;
  /** Epoch ms. */
  readonly createdAt: number;
}

/** An account, and its address at that time for the record. */
export interface Member {
  readonly accountId: string;
  readonly address: string;
}

export type GroupEvent =
  | Fact<'GroupAdded', Group>
  | Fact<'GroupRenamed', Group & { readonly from: string }>
  | Fact<'GroupMembersChanged', Group & { readonly added: readonly Member[]; readonly removed: readonly Member[] }>
  | Fact<'GroupDeleted', Pick<Group, 'groupId' | 'name' | 'domain'>>;

export type GroupCommand =
  | { readonly type: 'Add'; readonly groupId: string; readonly name: string; readonly now: number }
  | { readonly type: 'Rename'; readonly name: string }
  /** `added` are no members yet, `removed` are. */
  | { readonly type: 'ChangeMembers'; readonly added: readonly Member[]; readonly removed: readonly Member[] }
  | { readonly type: 'Delete' };

export const MOST_MEMBERS = 1000;

export const groupStream = (groupId: string): string => `group-${groupId}`;

/** @throws Refusal `bad-group` */
export function groupName(name: string): string {
  const known = canonical(name);
  return known === undefined || known.includes('*') ? refuse('bad-group', name.slice(0, 320)) : known;
}

export const groupDecider: Decider<GroupCommand, GroupEvent, Life<Group>> = {
  initial: undefined,

  decide(command, state) {
    if (command.type === 'Add') {
      const { groupId, name, now } = command;
      if (state !== undefined) return refuse('group-exists', name);
      return [{ type: 'GroupAdded', data: { groupId, name, domain: domainOf(name), size: 0, createdAt: now } }];
    }
    if (command.type === 'Delete' && state === 'deleted') return [];
    const group = present(state, 'no-such-group');
    switch (command.type) {
      case 'Rename': {
        const { name } = command;
        if (domainOf(name) !== group.domain) return refuse('bad-group', `${name}: a group stays in its domain`);
        return name === group.name ? [] : [{ type: 'GroupRenamed', data: { ...group, name, from: group.name } }];
      }
      case 'ChangeMembers': {
        const { added, removed } = command;
        if (added.length === 0 && removed.length === 0) return [];
        const size = group.size + added.length - removed.length;
        if (added.length > 0 && size > MOST_MEMBERS) return refuse('too-many-members', `${group.name}: ${size}, at most ${MOST_MEMBERS}`);
        return [{ type: 'GroupMembersChanged', data: { ...group, size, added, removed } }];
      }
      case 'Delete': {
        const { groupId, name, domain } = group;
        return [{ type: 'GroupDeleted', data: { groupId, name, domain } }];
      }
    }
  },

  evolve(_, event) {
    switch (event.type) {
      case 'GroupDeleted':
        return 'deleted';
      case 'GroupRenamed': {
        const { from, ...group } = event.data;
        return group;
      }
      case 'GroupMembersChanged': {
        const { added, removed, ...group } = event.data;
        return group;
      }
      case 'GroupAdded':
        return event.data;
    }
  },
};

/** Ids of the members that a whole stream leaves. For deleting a group. */
export function membersLeft(events: readonly Fact[]): readonly string[] {
  const left = new Set<string>();
  for (const { type, data } of events as readonly GroupEvent[]) {
    if (type === 'GroupDeleted') left.clear();
    if (type !== 'GroupMembersChanged') continue;
    for (const { accountId } of data.removed) left.delete(accountId);
    for (const { accountId } of data.added) left.add(accountId);
  }
  return [...left];
}

/** Which group has a name. Stream `groupname-<name>`: one at a time. */
export type GroupNameEvent =
  | Fact<'GroupNameClaimed', { readonly name: string; readonly groupId: string }>
  | Fact<'GroupNameFreed', { readonly name: string; readonly groupId: string }>;

export interface GroupNameCommand {
  readonly type: 'Claim' | 'Release';
  readonly name: string;
  readonly groupId: string;
}

export const groupNameStream = (name: string): string => `groupname-${name}`;

export const groupNameDecider: Decider<GroupNameCommand, GroupNameEvent, string | undefined> = {
  initial: undefined,
  decide({ type, name, groupId }, holder) {
    if (type === 'Release') return holder === groupId ? [{ type: 'GroupNameFreed', data: { name, groupId } }] : [];
    if (holder !== undefined && holder !== groupId) return refuse('group-exists', name);
    return holder === groupId ? [] : [{ type: 'GroupNameClaimed', data: { name, groupId } }];
  },
  evolve: (_, { type, data }) => (type === 'GroupNameClaimed' ? data.groupId : undefined),
};
