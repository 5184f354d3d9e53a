import type { RecordedOf } from '../kernel/event.js';
import type { Projection } from '../kernel/projection.js';
import type { CredentialsEvent } from './credentials.js';
import type { GatewayEvent } from './gateway.js';
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

type CredentialsRow = { name: string; mechanism: string; user: string; sealed: string; created_at: number; changed_at: number };
const CREDENTIALS_EVENTS = ['CredentialsAdded', 'CredentialsChanged', 'CredentialsRemoved'] as const;

/** One row per credentials object; the secret is sealed. */
export const credentialsView: Projection<CredentialsRow> = {
  name: 'credentials_1',
  topics: ['decision'],
  inline: true,
  types: CREDENTIALS_EVENTS,
  blind: CREDENTIALS_EVENTS,
  key: ['name'],
  columns: { name: 'text', mechanism: 'text', user: 'text', sealed: 'text', created_at: 'bigint', changed_at: 'bigint' },
  keysOf: ({ event }) => [{ name: (event as RecordedOf<CredentialsEvent>).data.name }],
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<CredentialsEvent>;
    if (type === 'CredentialsRemoved') return null;
    const { name, mechanism, user, sealed, createdAt } = data;
    return { name, mechanism, user, sealed, created_at: createdAt, changed_at: at };
  },
};

type RelayDomainRow = { name: string; verify: string; recipients: string; revision: number; created_at: number; changed_at: number };
const RELAY_EVENTS = ['RelayDomainAdded', 'RelayDomainChanged', 'RelayDomainRemoved'] as const;

/** One row per relay domain. `recipients` is a JSON list. */
export const relayDomains: Projection<RelayDomainRow> = {
  name: 'relay_domain_1',
  topics: ['decision'],
  inline: true,
  types: RELAY_EVENTS,
  blind: RELAY_EVENTS,
  key: ['name'],
  columns: { name: 'text', verify: 'text', recipients: 'text', revision: 'integer', created_at: 'bigint', changed_at: 'bigint' },
  keysOf: ({ event }) => [{ name: (event as RecordedOf<RelayDomainEvent>).data.name }],
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<RelayDomainEvent>;
    if (type === 'RelayDomainRemoved') return null;
    const { name, verify, recipients, revision, createdAt } = data;
    return { name, verify, recipients: JSON.stringify(recipients), revision, created_at: createdAt, changed_at: at };
  },
};
