import { example, type Examples } from '../kernel/examples.js';
import type { AdministratorEvent } from './administrator.js';
import type { LockoutEvent } from './lockout.js';
import type { SettingsEvent } from './settings.js';

const who = { protocol: 'pop3', ip: '192.0.2.7' };

export const policyExamples: Examples<SettingsEvent | LockoutEvent | AdministratorEvent> = {
  SettingsChanged: [example('SettingsChanged', { changes: { hops: 30, trustedIps: ['192.0.2.0/24'], senderTrust: 'header' } })],
  LoginFailureCounted: [example('LoginFailureCounted', { ...who, failures: 3, since: 1_767_571_200_000 })],
  AddressLocked: [example('AddressLocked', { ...who, until: 1_767_574_800_000, because: 'failures' })],
  AddressReleased: [example('AddressReleased', who)],
  LockoutForgotten: [example('LockoutForgotten', who)],
  AdministratorAdded: [example('AdministratorAdded', { name: 'ann' })],
  TokenIssued: [example('TokenIssued', { name: 'ann', tokenId: '019b8b3a-0c00-7000-8000-0000000000d1', hash: '0'.repeat(64) })],
  TokenRevoked: [example('TokenRevoked', { name: 'ann', tokenId: '019b8b3a-0c00-7000-8000-0000000000d1' })],
  AdministratorRemoved: [example('AdministratorRemoved', { name: 'ann' })],
};
