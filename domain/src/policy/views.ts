import type { Projection } from '../kernel/projection.js';
import type { RecordedOf } from '../kernel/event.js';
import type { LockoutEvent } from './lockout.js';
import type { SettingsEvent } from './settings.js';

type SettingsRow = { id: number; changes: string };

/** One row: what administrators have set, as a JSON object of the settings that differ from the defaults. */
export const settingsView: Projection<SettingsRow> = {
  name: 'settings_1',
  topics: ['decision'],
  inline: true,
  types: ['SettingsChanged'],
  key: ['id'],
  columns: { id: 'integer', changes: 'text' },
  keysOf: () => [{ id: 1 }],
  apply(row, { event }) {
    const { changes } = (event as RecordedOf<SettingsEvent>).data;
    return { id: 1, changes: JSON.stringify({ ...(JSON.parse(row?.changes ?? '{}') as object), ...changes }) };
  },
};

type LockoutRow = { protocol: string; ip: string; failures: number; since: number; locked_until: number; because: string | null };

/** Addresses with failures or a lock; a released one has no row. Past ones stay until housekeeping forgets them: readers compare with the time. */
export const lockouts: Projection<LockoutRow> = {
  name: 'lockout_1',
  topics: ['decision'],
  inline: true,
  types: ['LoginFailureCounted', 'AddressLocked', 'AddressReleased', 'LockoutForgotten'],
  blind: ['LoginFailureCounted', 'AddressLocked', 'AddressReleased', 'LockoutForgotten'],
  key: ['protocol', 'ip'],
  columns: { protocol: 'text', ip: 'text', failures: 'integer', since: 'bigint', locked_until: 'bigint', because: 'text' },
  keysOf: ({ event }) => {
    const { protocol, ip } = (event as RecordedOf<LockoutEvent>).data;
    return [{ protocol, ip }];
  },
  apply(_, { event }) {
    const { type, data } = event as RecordedOf<LockoutEvent>;
    const { protocol, ip } = data;
    switch (type) {
      case 'LoginFailureCounted':
        return { protocol, ip, failures: data.failures, since: data.since, locked_until: 0, because: null };
      case 'AddressLocked':
        return { protocol, ip, failures: 0, since: 0, locked_until: data.until, because: data.because };
      case 'AddressReleased':
      case 'LockoutForgotten':
        return null;
    }
  },
};
