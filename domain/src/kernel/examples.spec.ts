import { describe, expect, it } from '@jest/globals';
import { deliveryExamples, quarantineExamples } from '../delivery/examples.js';
import { noticeView } from '../delivery/notice-view.js';
import { quarantineDecider, type QuarantineEvent } from '../delivery/quarantine.js';
import { quarantineView } from '../delivery/quarantine-view.js';
import { queueDecider } from '../delivery/queue.js';
import { queueView } from '../delivery/queue-view.js';
import { accountDecider, type AccountEvent } from '../directory/account.js';
import { aliasDecider, type AliasEvent } from '../directory/alias.js';
import { claimDecider, type ClaimEvent } from '../directory/claim.js';
import { domainDecider, type DomainEvent } from '../directory/domain.js';
import { directoryExamples } from '../directory/examples.js';
import { groupDecider, type GroupEvent, groupNameDecider, type GroupNameEvent } from '../directory/group.js';
import { directoryUpgrades } from '../directory/history.js';
import { membershipsDecider, type MembershipsEvent } from '../directory/memberships.js';
import { tallyDecider, type TallyEvent } from '../directory/tally.js';
import { accounts, aliases, domains, groupMembers, groups } from '../directory/views.js';
import { mailExamples } from '../mail/examples.js';
import { folderExamples, mailboxExamples } from '../mailbox/examples.js';
import { folderAccess, folderMetadata, folders, subscriptions } from '../mailbox/folder-views.js';
import { mailboxStates } from '../mailbox/state-view.js';
import { mailboxes, mailboxKeywords, mailboxMessages, mailboxVanished } from '../mailbox/views.js';
import { administrators } from '../policy/administrator-view.js';
import { administrator, type AdministratorEvent } from '../policy/administrator.js';
import { policyExamples } from '../policy/examples.js';
import { lockout, type LockoutEvent } from '../policy/lockout.js';
import { settings, type SettingsEvent } from '../policy/settings.js';
import { lockouts, settingsView } from '../policy/views.js';
import { credentialsDecider, type CredentialsEvent } from '../routing/credentials.js';
import { routingExamples } from '../routing/examples.js';
import { gatewayDecider, type GatewayEvent } from '../routing/gateway.js';
import { ldapDecider, type LdapEvent } from '../routing/ldap.js';
import { relayDomainDecider, type RelayDomainEvent } from '../routing/verification.js';
import { credentialsView, gatewayView, ldapDirectories, relayDomains } from '../routing/views.js';
import { adminActions } from '../story/admin-actions.js';
import { messages, sessions } from '../story/views.js';
import { tlsPolicyExamples } from '../tls-policy/examples.js';
import type { Fact, Recorded } from './event.js';
import type { Positioned } from './event-log.js';
import type { Cell, ColumnType, Projection, Row } from './projection.js';
import { upcast, type Upgrades, versionOf } from './upcast.js';

const contexts: readonly (readonly [string, Readonly<Record<string, readonly Recorded[]>>, Upgrades])[] = [
  ['directory', directoryExamples, directoryUpgrades],
  ['mailbox', mailboxExamples, {}],
  ['folders', folderExamples, {}],
  ['mail', mailExamples, {}],
  ['delivery', deliveryExamples, {}],
  ['quarantine', quarantineExamples, {}],
  ['policy', policyExamples, {}],
  ['routing', routingExamples, {}],
  ['tls-policy', tlsPolicyExamples, {}],
];
const all: readonly (readonly [string, Recorded, Upgrades])[] = contexts.flatMap(([, examples, upgrades]) =>
  Object.entries(examples).flatMap(([type, events]) => events.map((event) => [type, event, upgrades] as const)));
const views = [domains, accounts, aliases, groups, groupMembers, mailboxes, mailboxMessages, mailboxStates, mailboxVanished, mailboxKeywords, folders, folderAccess, subscriptions, folderMetadata, settingsView, lockouts, administrators, gatewayView, credentialsView, relayDomains, ldapDirectories, queueView, noticeView, quarantineView, adminActions, sessions, messages] as unknown as readonly Projection[];

describe('every event ever written', () => {
  it.each(all)('%s can still be read', (type, event, upgrades) => {
    const stored = JSON.parse(JSON.stringify(event)) as Recorded;
    expect(stored).toEqual(event); // JSON and nothing else
    expect(stored.type).toBe(type);
    expect(upcast(stored, upgrades).version).toBe(versionOf(type, upgrades));
  });

  it.each(contexts)('of %s has an example of each version', (_, examples, upgrades) => {
    for (const [type, events] of Object.entries(examples))
      expect(events.map((e) => e.version)).toEqual(Array.from({ length: versionOf(type, upgrades) }, (__, i) => i + 1));
  });

  it('has a type of its own', () => {
    const types = contexts.flatMap(([, examples]) => Object.keys(examples));
    expect(new Set(types).size).toBe(types.length);
  });

  it.each([
    ['domain', ['DomainAdded', 'DomainChanged', 'DomainDisabled', 'DomainEnabled', 'DomainDeleted'], (e: Fact) => domainDecider.evolve(undefined, e as DomainEvent)],
    ['account', ['AccountAdded', 'AccountChanged', 'PasswordChanged', 'AccountDisabled', 'AccountEnabled', 'AccountRenamed', 'AccountDeleted'],
      (e: Fact) => accountDecider.evolve(undefined, e as AccountEvent)],
    ['alias', ['AliasAdded', 'AliasChanged', 'AliasDisabled', 'AliasEnabled', 'AliasDeleted'], (e: Fact) => aliasDecider.evolve(undefined, e as AliasEvent)],
    ['claim', ['AddressClaimed'], (e: Fact) => claimDecider.evolve(undefined, e as ClaimEvent)],
    ['group', ['GroupAdded', 'GroupRenamed', 'GroupMembersChanged', 'GroupDeleted'], (e: Fact) => groupDecider.evolve(undefined, e as GroupEvent)],
    ['group name', ['GroupNameClaimed'], (e: Fact) => groupNameDecider.evolve(undefined, e as GroupNameEvent)],
    ['memberships', ['MembershipsChanged', 'MembershipsDropped'], (e: Fact) => membershipsDecider.evolve(membershipsDecider.initial, e as MembershipsEvent)],
    ['tally', ['TallyChanged'], (e: Fact) => tallyDecider.evolve(tallyDecider.initial, e as TallyEvent)],
    ['settings', ['SettingsChanged'], (e: Fact) => settings.evolve(settings.initial, e as SettingsEvent)],
    ['lockout', ['LoginFailureCounted', 'AddressLocked', 'AddressReleased', 'LockoutForgotten'], (e: Fact) => lockout.evolve(lockout.initial, e as LockoutEvent)],
    ['administrator', ['AdministratorAdded', 'TokenIssued', 'TokenRevoked', 'AdministratorRemoved'],
      (e: Fact) => administrator.evolve(administrator.initial, e as AdministratorEvent)],
    ['gateways', ['GatewayTableChanged'], (e: Fact) => gatewayDecider.evolve(gatewayDecider.initial, e as GatewayEvent)],
    ['credentials', ['CredentialsAdded', 'CredentialsChanged', 'RefreshTokenReplaced', 'CredentialsRemoved'], (e: Fact) => credentialsDecider.evolve(undefined, e as CredentialsEvent)],
    ['relay domains', ['RelayDomainAdded', 'RelayDomainChanged', 'RelayDomainRemoved'], (e: Fact) => relayDomainDecider.evolve(undefined, e as RelayDomainEvent)],
    ['LDAP directories', ['LdapDirectoryAdded', 'LdapDirectoryChanged', 'LdapDirectoryUseChanged', 'LdapDirectoryRemoved'], (e: Fact) => ldapDecider.evolve(undefined, e as LdapEvent)],
    ['quarantine', Object.keys(quarantineExamples), (e: Fact) => quarantineDecider.evolve(quarantineDecider.initial, e as QuarantineEvent)],
    ['queue', Object.keys(deliveryExamples), (e: Fact) => queueDecider.evolve(queueDecider.initial, e as Parameters<typeof queueDecider.evolve>[1])],
  ] as const)('tells the decider of %s something', (_, types, evolve) => {
    for (const [type, event] of all) if ((types as readonly string[]).includes(type)) expect(evolve(event)).toBeDefined();
  });
});

const fits: Record<ColumnType, (cell: Cell) => boolean> = {
  text: (cell) => typeof cell === 'string',
  uuid: (cell) => typeof cell === 'string' && /^[0-9a-f-]{36}$/.test(cell),
  bigint: (cell) => Number.isSafeInteger(cell),
  integer: (cell) => Number.isInteger(cell) && Math.abs(cell as number) < 2 ** 31,
  boolean: (cell) => typeof cell === 'boolean',
  bytea: (cell) => typeof cell === 'string' && /^\\x([0-9a-f]{2})*$/.test(cell),
};

describe.each(views.map((view) => [view.name, view] as const))('the view %s', (_, view) => {
  const positioned = (event: Recorded): Positioned => ({ position: 0, key: 'k', event });
  const examples = all.filter(([type]) => view.types.includes(type)).map(([, event]) => event);

  it('listens to types that exist, and overwrites blindly upon those alone', () => {
    expect(view.types.filter((type) => !all.some(([known]) => known === type))).toEqual([]);
    expect((view.blind ?? []).filter((type) => !view.types.includes(type))).toEqual([]);
  });

  it('makes rows that fit its columns, under the key it was asked for', () => {
    for (const event of examples)
      for (const key of view.keysOf(positioned(event))) {
        expect(Object.keys(key).sort()).toEqual([...view.key].sort());
        const row: Row | null | undefined = view.apply(undefined, positioned(event), key);
        if (!row) continue;
        expect(row).toMatchObject(key);
        expect(Object.keys(row).sort()).toEqual(Object.keys(view.columns).sort());
        for (const [column, cell] of Object.entries(row))
          if (cell !== null) expect([column, cell, fits[view.columns[column] as ColumnType](cell)]).toEqual([column, cell, true]);
      }
  });

  it('removes by columns of its key only', () => {
    for (const event of examples) for (const column of Object.keys(view.removes?.(positioned(event)) ?? {})) expect(view.key).toContain(column);
  });
});
