import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { canonical, domainOf } from '../mail/address.js';
import { type Life, present, refuse } from './refusals.js';

/** What an administrator sets for an account. */
export interface AccountSettings {
  readonly fullName: string;
  /** May send with SMTP AUTH; read by POP3; by IMAP. */
  readonly smtp: boolean;
  readonly pop3: boolean;
  readonly imap: boolean;
  /** Bytes; 0 = no limit. */
  readonly quota: number;
  /** Sealed with the server's key for this account's id; opaque here and never plain. */
  readonly credentials: string;
  /** The sealed credentials hold the password itself, for APOP and CRAM-MD5. */
  readonly reversible: boolean;
}

/** Stream `account-<uuid>`; every event carries the whole account, so the last one is enough to decide. */
export interface Account extends AccountSettings {
  /** UUID; never changes. */
  readonly accountId: string;
  /** Canonical. */
  readonly address: string;
  readonly domain: string;
  /** UUID of its INBOX. */
  readonly inbox: string;
  readonly enabled: boolean;
  /** Epoch ms. */
  readonly createdAt: number;
}

export type AccountEvent =
  | Fact<'AccountAdded', Account>
  | Fact<'AccountChanged', Account & { readonly changed: readonly (keyof AccountSettings)[] }>
  | Fact<'PasswordChanged', Account>
  | Fact<'AccountDisabled', Account>
  | Fact<'AccountEnabled', Account>
  | Fact<'AccountRenamed', Account & { readonly from: string }>
  | Fact<'AccountDeleted', Pick<Account, 'accountId' | 'address' | 'domain' | 'inbox'>>;

export type AccountCommand =
  | { readonly type: 'Add'; readonly accountId: string; readonly address: string; readonly inbox: string; readonly settings: AccountSettings; readonly now: number }
  | { readonly type: 'Change'; readonly changes: Partial<AccountSettings> }
  | { readonly type: 'SetPassword'; readonly credentials: string }
  | { readonly type: 'Enable'; readonly enabled: boolean }
  | { readonly type: 'Rename'; readonly address: string }
  | { readonly type: 'Delete' };

export const accountStream = (accountId: string): string => `account-${accountId}`;

/** Characters; the sealed text of a password and its derived keys has about 700. */
const FULL_NAME = 200;
const CREDENTIALS = 8192;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const isBoolean = (value: unknown): boolean => typeof value === 'boolean';

const CHECKS: { readonly [K in keyof AccountSettings]: (value: AccountSettings[K]) => boolean } = {
  // Line ends and tabs would break exports and reports, controls the terminal.
  fullName: (value) => value.length <= FULL_NAME && value.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value),
  smtp: isBoolean,
  pop3: isBoolean,
  imap: isBoolean,
  quota: (value) => Number.isSafeInteger(value) && value >= 0,
  credentials: (value) => value.length <= CREDENTIALS && /^[\x21-\x7e]+$/.test(value),
  reversible: isBoolean,
};
const SETTINGS = Object.keys(CHECKS) as readonly (keyof AccountSettings)[];

/** Only what is a setting. The refusal names the field, never its value: it could be a password. */
function checked<T extends Partial<AccountSettings>>(settings: T): T {
  const fields = SETTINGS.filter((field) => settings[field] !== undefined);
  for (const field of fields) if (!(CHECKS[field] as (value: unknown) => boolean)(settings[field])) refuse('bad-account', field);
  return Object.fromEntries(fields.map((field) => [field, settings[field]])) as T;
}

/** @throws Refusal `bad-address`. A star is kept for aliases that stand for many addresses. */
export function ownAddress(address: string): string {
  const known = canonical(address);
  return known === undefined || known.includes('*') ? refuse('bad-address', address.slice(0, 320)) : known;
}

export const accountDecider: Decider<AccountCommand, AccountEvent, Life<Account>> = {
  initial: undefined,

  decide(command, state) {
    if (command.type === 'Add') return added(command, state);
    if (command.type === 'Delete' && state === 'deleted') return [];
    const account = present(state, 'no-such-account');
    switch (command.type) {
      case 'Change': {
        const changes = checked(command.changes);
        const changed = SETTINGS.filter((field) => changes[field] !== undefined && changes[field] !== account[field]);
        return changed.length === 0 ? [] : [{ type: 'AccountChanged', data: { ...account, ...changes, changed } }];
      }
      case 'SetPassword': {
        const { credentials } = checked({ credentials: command.credentials });
        return credentials === account.credentials ? [] : [{ type: 'PasswordChanged', data: { ...account, credentials } }];
      }
      case 'Enable': {
        const { enabled } = command;
        return account.enabled === enabled ? [] : [{ type: enabled ? 'AccountEnabled' : 'AccountDisabled', data: { ...account, enabled } }];
      }
      case 'Rename': {
        const { address } = command;
        return account.address === address
          ? []
          : [{ type: 'AccountRenamed', data: { ...account, address, domain: domainOf(address), from: account.address } }];
      }
      case 'Delete': {
        const { accountId, address, domain, inbox } = account;
        return [{ type: 'AccountDeleted', data: { accountId, address, domain, inbox } }];
      }
    }
  },

  evolve(_, event) {
    switch (event.type) {
      case 'AccountDeleted':
        return 'deleted';
      case 'AccountChanged': {
        const { changed, ...account } = event.data;
        return account;
      }
      case 'AccountRenamed': {
        const { from, ...account } = event.data;
        return account;
      }
      case 'AccountAdded':
      case 'PasswordChanged':
      case 'AccountDisabled':
      case 'AccountEnabled':
        return event.data;
    }
  },
};

function added(command: Extract<AccountCommand, { type: 'Add' }>, state: Life<Account>): readonly AccountEvent[] {
  const { accountId, address, inbox, now } = command;
  if (!UUID.test(accountId)) return refuse('bad-account', 'accountId');
  const settings = checked(command.settings);
  if (state === 'deleted' || (state && state.address !== address)) return refuse('bad-account', 'accountId: used before');
  if (state) return [];
  return [{ type: 'AccountAdded', data: { accountId, address, domain: domainOf(address), inbox, ...settings, enabled: true, createdAt: now } }];
}
