import { example, type Examples } from '../kernel/examples.js';
import type { Account } from './account.js';
import type { Alias } from './alias.js';
import type { Domain } from './domain.js';
import type { Group } from './group.js';
import type { DirectoryEvent } from './history.js';

const domain: Domain = { name: 'x.test', accountLimit: 0, enabled: true, createdAt: 1_767_571_200_000 };

const account: Account = {
  accountId: '019b8b3a-0c00-7000-8000-0000000000a1', address: 'ann@x.test', domain: 'x.test', inbox: '019b8b3a-0c00-7000-8000-0000000000b1',
  fullName: 'Ann Lee', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'v1.c2VhbGVk', reversible: false, enabled: true,
  createdAt: 1_767_571_200_000,
};

const alias: Alias = {
  address: 'sales*@x.test', domain: 'x.test', wildcard: true, prefix: 'sales', targets: [{ address: 'ann@x.test', rewrite: false }], enabled: true,
  createdAt: 1_767_571_200_000,
};

const group: Group = { groupId: '019b8b3a-0c00-7000-8000-0000000000d1', name: 'staff@x.test', domain: 'x.test', size: 1, createdAt: 1_767_571_200_000 };
const member = { accountId: account.accountId, address: 'ann@x.test' };

const claimed = { address: 'ann@x.test', owner: { kind: 'account', accountId: account.accountId } } as const;

export const directoryExamples: Examples<DirectoryEvent> = {
  DomainAdded: [example('DomainAdded', domain)],
  DomainChanged: [example('DomainChanged', { ...domain, accountLimit: 100 })],
  DomainDisabled: [example('DomainDisabled', { ...domain, enabled: false })],
  DomainEnabled: [example('DomainEnabled', domain)],
  DomainDeleted: [example('DomainDeleted', { name: 'x.test' })],
  AccountAdded: [example('AccountAdded', account)],
  AccountChanged: [example('AccountChanged', { ...account, quota: 5_000_000, changed: ['quota'] })],
  PasswordChanged: [example('PasswordChanged', { ...account, credentials: 'v1.b3RoZXI' })],
  AccountDisabled: [example('AccountDisabled', { ...account, enabled: false })],
  AccountEnabled: [example('AccountEnabled', account)],
  AccountRenamed: [example('AccountRenamed', { ...account, address: 'bea@y.test', domain: 'y.test', from: 'ann@x.test' })],
  AccountDeleted: [example('AccountDeleted', { accountId: account.accountId, address: 'ann@x.test', domain: 'x.test', inbox: account.inbox })],
  AliasAdded: [example('AliasAdded', alias)],
  AliasChanged: [example('AliasChanged', { ...alias, targets: [{ address: 'bob@y.test', rewrite: true }] })],
  AliasDisabled: [example('AliasDisabled', { ...alias, enabled: false })],
  AliasEnabled: [example('AliasEnabled', alias)],
  AliasDeleted: [example('AliasDeleted', { address: 'sales*@x.test', domain: 'x.test' })],
  AddressClaimed: [example('AddressClaimed', claimed)],
  AddressFreed: [example('AddressFreed', { address: 'sales*@x.test', owner: { kind: 'alias' } })],
  GroupAdded: [example('GroupAdded', { ...group, size: 0 })],
  GroupRenamed: [example('GroupRenamed', { ...group, name: 'crew@x.test', from: 'staff@x.test' })],
  GroupMembersChanged: [example('GroupMembersChanged', { ...group, added: [member], removed: [{ accountId: '019b8b3a-0c00-7000-8000-0000000000a2', address: 'ben@x.test' }] })],
  GroupDeleted: [example('GroupDeleted', { groupId: group.groupId, name: 'staff@x.test', domain: 'x.test' })],
  GroupNameClaimed: [example('GroupNameClaimed', { name: 'staff@x.test', groupId: group.groupId })],
  GroupNameFreed: [example('GroupNameFreed', { name: 'staff@x.test', groupId: group.groupId })],
  MembershipsChanged: [example('MembershipsChanged', { accountId: account.accountId, groups: [group.groupId] })],
  MembershipsDropped: [example('MembershipsDropped', { accountId: account.accountId })],
  TallyChanged: [example('TallyChanged', { domain: 'x.test', accounts: 1, aliases: 1 })],
};
