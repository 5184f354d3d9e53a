import type { RecordedOf } from '../kernel/event.js';
import type { Projection } from '../kernel/projection.js';
import type { AccountEvent } from './account.js';
import type { AliasEvent } from './alias.js';
import type { DomainEvent } from './domain.js';
import type { GroupEvent } from './group.js';

type DomainRow = { name: string; enabled: boolean; account_limit: number; created_at: number; changed_at: number };
const DOMAIN_EVENTS = ['DomainAdded', 'DomainChanged', 'DomainDisabled', 'DomainEnabled', 'DomainDeleted'] as const;

/** One row per domain of ours. */
export const domains: Projection<DomainRow> = {
  name: 'domain_1',
  topics: ['decision'],
  inline: true,
  types: DOMAIN_EVENTS,
  blind: DOMAIN_EVENTS,
  key: ['name'],
  columns: { name: 'text', enabled: 'boolean', account_limit: 'integer', created_at: 'bigint', changed_at: 'bigint' },
  keysOf: ({ event }) => [{ name: (event as RecordedOf<DomainEvent>).data.name }],
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<DomainEvent>;
    if (type === 'DomainDeleted') return null;
    return { name: data.name, enabled: data.enabled, account_limit: data.accountLimit, created_at: data.createdAt, changed_at: at };
  },
};

type AccountRow = {
  id: string; address: string; domain: string; full_name: string; enabled: boolean; smtp: boolean; pop3: boolean; imap: boolean;
  quota: number; credentials: string; reversible: boolean; inbox: string; created_at: number; changed_at: number;
};
const ACCOUNT_EVENTS = ['AccountAdded', 'AccountChanged', 'PasswordChanged', 'AccountDisabled', 'AccountEnabled', 'AccountRenamed', 'AccountDeleted'] as const;

/** One row per account. `credentials` are sealed. */
export const accounts: Projection<AccountRow> = {
  name: 'account_1',
  topics: ['decision'],
  inline: true,
  types: ACCOUNT_EVENTS,
  blind: ACCOUNT_EVENTS,
  key: ['id'],
  columns: {
    id: 'uuid', address: 'text', domain: 'text', full_name: 'text', enabled: 'boolean', smtp: 'boolean', pop3: 'boolean', imap: 'boolean',
    quota: 'bigint', credentials: 'text', reversible: 'boolean', inbox: 'uuid', created_at: 'bigint', changed_at: 'bigint',
  },
  keysOf: ({ event }) => [{ id: (event as RecordedOf<AccountEvent>).data.accountId }],
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<AccountEvent>;
    if (type === 'AccountDeleted') return null;
    const { accountId, address, domain, fullName, enabled, smtp, pop3, imap, quota, credentials, reversible, inbox, createdAt } = data;
    return {
      id: accountId, address, domain, full_name: fullName, enabled, smtp, pop3, imap, quota, credentials, reversible, inbox, created_at: createdAt, changed_at: at,
    };
  },
};

type AliasRow = {
  address: string; domain: string; enabled: boolean; wildcard: boolean; prefix: string; targets: string; created_at: number; changed_at: number;
};
const ALIAS_EVENTS = ['AliasAdded', 'AliasChanged', 'AliasDisabled', 'AliasEnabled', 'AliasDeleted'] as const;

/** One row per alias. `targets` is a JSON list of `{ address, rewrite }`. */
export const aliases: Projection<AliasRow> = {
  name: 'alias_1',
  topics: ['decision'],
  inline: true,
  types: ALIAS_EVENTS,
  blind: ALIAS_EVENTS,
  key: ['address'],
  columns: {
    address: 'text', domain: 'text', enabled: 'boolean', wildcard: 'boolean', prefix: 'text', targets: 'text', created_at: 'bigint', changed_at: 'bigint',
  },
  keysOf: ({ event }) => [{ address: (event as RecordedOf<AliasEvent>).data.address }],
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<AliasEvent>;
    if (type === 'AliasDeleted') return null;
    const { address, domain, enabled, wildcard, prefix, targets, createdAt } = data;
    return { address, domain, enabled, wildcard, prefix, targets: JSON.stringify(targets), created_at: createdAt, changed_at: at };
  },
};

type GroupRow = { id: string; name: string; domain: string; members: number; created_at: number; changed_at: number };
const GROUP_EVENTS = ['GroupAdded', 'GroupRenamed', 'GroupMembersChanged', 'GroupDeleted'] as const;

/** One row per group of accounts. */
export const groups: Projection<GroupRow> = {
  name: 'group_1',
  topics: ['decision'],
  inline: true,
  types: GROUP_EVENTS,
  blind: GROUP_EVENTS,
  key: ['id'],
  columns: { id: 'uuid', name: 'text', domain: 'text', members: 'integer', created_at: 'bigint', changed_at: 'bigint' },
  keysOf: ({ event }) => [{ id: (event as RecordedOf<GroupEvent>).data.groupId }],
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<GroupEvent>;
    if (type === 'GroupDeleted') return null;
    return { id: data.groupId, name: data.name, domain: data.domain, members: data.size, created_at: data.createdAt, changed_at: at };
  },
};

type GroupMemberRow = { account_id: string; group_id: string };
const MEMBER_EVENTS = ['GroupMembersChanged', 'GroupDeleted'] as const;

/** Who is in which group. An account that is deleted leaves them all by their own events. */
export const groupMembers: Projection<GroupMemberRow> = {
  name: 'group_member_1',
  topics: ['decision'],
  inline: true,
  types: MEMBER_EVENTS,
  blind: MEMBER_EVENTS,
  key: ['account_id', 'group_id'],
  columns: { account_id: 'uuid', group_id: 'uuid' },
  keysOf: ({ event }) => {
    const { type, data } = event as RecordedOf<GroupEvent>;
    return type === 'GroupMembersChanged' ? [...data.added, ...data.removed].map(({ accountId }) => ({ account_id: accountId, group_id: data.groupId })) : [];
  },
  removes: ({ event }) => (event.type === 'GroupDeleted' ? { group_id: (event as RecordedOf<GroupEvent>).data.groupId } : undefined),
  apply(_, { event }, key) {
    const { type, data } = event as RecordedOf<GroupEvent>;
    return type === 'GroupMembersChanged' && joined(data).has((key as GroupMemberRow).account_id) ? (key as GroupMemberRow) : null;
  },
};

/** The rows of one event ask one after the other. */
const memory = new WeakMap<object, ReadonlySet<string>>();
function joined(data: Extract<GroupEvent, { type: 'GroupMembersChanged' }>['data']): ReadonlySet<string> {
  const known = memory.get(data) ?? new Set(data.added.map(({ accountId }) => accountId));
  memory.set(data, known);
  return known;
}
