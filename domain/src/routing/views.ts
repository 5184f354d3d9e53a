import type { RecordedOf } from '../kernel/event.js';
import type { Projection } from '../kernel/projection.js';
import type { CredentialsEvent } from './credentials.js';
import type { GatewayEvent } from './gateway.js';
import type { LdapEvent } from './ldap.js';
import type { RelayDomainEvent } from './verification.js';

type GatewayViewRow = { id: number; revision: number; forward_all: boolean; lines: string; changed_at: number; changed_by: string };

/** One row, once there is a table. `lines` is a JSON list of GatewayLine. */
export const gatewayView: Projection<GatewayViewRow> = {
  name: 'gateway_1',
  topics: ['decision'],
  inline: true,
  types: ['GatewayTableChanged'],
  blind: ['GatewayTableChanged'],
  key: ['id'],
  columns: { id: 'integer', revision: 'integer', forward_all: 'boolean', lines: 'text', changed_at: 'bigint', changed_by: 'text' },
  keysOf: () => [{ id: 1 }],
  apply(_, { event }) {
    const { data: { revision, forwardAll, lines }, at, actor } = event as RecordedOf<GatewayEvent>;
    return { id: 1, revision, forward_all: forwardAll, lines: JSON.stringify(lines), changed_at: at, changed_by: actor };
  },
};

type CredentialsRow = { name: string; mechanism: string; user: string; sealed: string; oauth: string; created_at: number; changed_at: number };
const BY_ADMINISTRATORS = ['CredentialsAdded', 'CredentialsChanged', 'CredentialsRemoved'] as const;

/** One row per credentials object; the secret is sealed. `oauth` is JSON, '' where the secret is fixed. */
export const credentialsView: Projection<CredentialsRow> = {
  name: 'credentials_2',
  topics: ['decision'],
  inline: true,
  types: [...BY_ADMINISTRATORS, 'RefreshTokenReplaced'],
  blind: BY_ADMINISTRATORS,
  key: ['name'],
  columns: { name: 'text', mechanism: 'text', user: 'text', sealed: 'text', oauth: 'text', created_at: 'bigint', changed_at: 'bigint' },
  keysOf: ({ event }) => [{ name: (event as RecordedOf<CredentialsEvent>).data.name }],
  apply(row, { event }) {
    const { type, data, at } = event as RecordedOf<CredentialsEvent>;
    if (type === 'CredentialsRemoved') return null;
    const { name, mechanism, user, sealed, oauth, createdAt } = data;
    const changedAt = type === 'RefreshTokenReplaced' ? (row?.changed_at ?? at) : at;
    return { name, mechanism, user, sealed, oauth: oauth ? JSON.stringify(oauth) : '', created_at: createdAt, changed_at: changedAt };
  },
};

type RelayDomainRow = { name: string; verify: string; ldap: string; recipients: string; revision: number; created_at: number; changed_at: number };
const RELAY_EVENTS = ['RelayDomainAdded', 'RelayDomainChanged', 'RelayDomainRemoved'] as const;

/** One row per relay domain. `recipients` is a JSON list; `ldap` is '' where no directory is asked. */
export const relayDomains: Projection<RelayDomainRow> = {
  name: 'relay_domain_2',
  topics: ['decision'],
  inline: true,
  types: RELAY_EVENTS,
  blind: RELAY_EVENTS,
  key: ['name'],
  columns: { name: 'text', verify: 'text', ldap: 'text', recipients: 'text', revision: 'integer', created_at: 'bigint', changed_at: 'bigint' },
  keysOf: ({ event }) => [{ name: (event as RecordedOf<RelayDomainEvent>).data.name }],
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<RelayDomainEvent>;
    if (type === 'RelayDomainRemoved') return null;
    const { name, verify, ldap = '', recipients, revision, createdAt } = data;
    return { name, verify, ldap, recipients: JSON.stringify(recipients), revision, created_at: createdAt, changed_at: at };
  },
};

type LdapRow = {
  name: string; servers: string; plain: string; bind_dn: string; sealed: string; base_dn: string; filter: string; ca: string; revision: number; created_at: number; changed_at: number;
};
/** Those that change how a directory is asked; who asks it stands in the relay domains. */
const LDAP_EVENTS = ['LdapDirectoryAdded', 'LdapDirectoryChanged', 'LdapDirectoryRemoved'] as const;

/** One row per LDAP directory; the secret is sealed. `servers` is a JSON list. */
export const ldapDirectories: Projection<LdapRow> = {
  name: 'ldap_directory_1',
  topics: ['decision'],
  inline: true,
  types: LDAP_EVENTS,
  blind: LDAP_EVENTS,
  key: ['name'],
  columns: {
    name: 'text', servers: 'text', plain: 'text', bind_dn: 'text', sealed: 'text', base_dn: 'text', filter: 'text', ca: 'text', revision: 'integer', created_at: 'bigint', changed_at: 'bigint',
  },
  keysOf: ({ event }) => [{ name: (event as RecordedOf<LdapEvent>).data.name }],
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<LdapEvent>;
    if (type === 'LdapDirectoryRemoved') return null;
    const { name, servers, plain, bindDn, sealed, baseDn, filter, ca, revision, createdAt } = data;
    return { name, servers: JSON.stringify(servers), plain, bind_dn: bindDn, sealed, base_dn: baseDn, filter, ca, revision, created_at: createdAt, changed_at: at };
  },
};
