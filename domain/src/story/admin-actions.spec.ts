import { describe, expect, it } from '@jest/globals';
import { deliveryExamples, quarantineExamples } from '../delivery/examples.js';
import { directoryExamples } from '../directory/examples.js';
import { fold } from '../kernel/fold.js';
import type { Recorded } from '../kernel/event.js';
import { folderExamples } from '../mailbox/examples.js';
import { policyExamples } from '../policy/examples.js';
import { ADMIN_ACTIONS, adminActions, reasonOf, subjectOf, withoutSecrets } from './admin-actions.js';

/** Decided by the server itself, or following from an action in the list. */
const NOT_IN_THE_LIST = [
  'AddressClaimed', 'AddressFreed', 'TallyChanged', 'GroupNameClaimed', 'GroupNameFreed', 'MembershipsChanged', 'MembershipsDropped', 'LoginFailureCounted', 'AddressLocked', 'LockoutForgotten', 'RecipientRouted', 'MessageQueued', 'DeliveryAttempted',
  'RecipientExpired', 'NoticeOwed', 'NoticeSent', 'MessageSubmitted', 'MessageQuarantined', 'QuarantineEnded',
  'FolderSubscribed', 'FolderUnsubscribed', 'FolderMetadataChanged', 'FoldersDropped',
];
const examples = { ...directoryExamples, ...policyExamples, ...deliveryExamples, ...quarantineExamples, ...folderExamples } as unknown as Readonly<Record<string, readonly Recorded[]>>;
const of = (type: string): Recorded => examples[type]?.at(-1) as Recorded;

describe('what administrators do', () => {
  it('is in the list, whatever it is', () => {
    for (const type of Object.keys(examples)) expect([type, Object.hasOwn(ADMIN_ACTIONS, type)]).toEqual([type, !NOT_IN_THE_LIST.includes(type)]);
  });

  it('has a subject, and a reason where one is asked for', () => {
    for (const type of Object.keys(ADMIN_ACTIONS)) if (examples[type]) expect([type, subjectOf(of(type)) !== '']).toEqual([type, true]);
    expect(subjectOf(of('AccountRenamed'))).toBe('bea@y.test');
    expect(subjectOf(of('SettingsChanged'))).toBe('hops trustedIps senderTrust');
    expect(subjectOf({ type: 'TlsPolicyChanged', data: { removed: '*.old.test' } })).toBe('*.old.test');
    expect(subjectOf({ type: 'TlsPolicyChanged', data: { put: { row: { peer: 'a.test' }, at: 0 } } })).toBe('a.test');
    expect(reasonOf(of('RecipientHeld'))).toBe('looks like a leak');
    expect(reasonOf(of('DomainAdded'))).toBeUndefined();
  });

  it('is listed without what is sealed or hashed', () => {
    expect(withoutSecrets(of('PasswordChanged').data)).not.toHaveProperty('credentials');
    expect(withoutSecrets(of('TokenIssued').data)).toEqual({ name: 'ann', tokenId: expect.any(String) });
  });

  it('has a row each, which what others do has not', () => {
    const bounced = of('RecipientBounced');
    const rows = fold(adminActions, [
      { stream: 'd', event: of('DomainAdded') },
      { stream: 'm', event: { ...bounced, id: '019b8b3a-0c00-7000-8000-000000000002', actor: 'system:delivery' } },
      { stream: 'm', event: { ...bounced, id: '019b8b3a-0c00-7000-8000-000000000003' } },
    ]);
    expect(rows.map(({ type, subject, actor, stream, version }) => [type, subject, actor, stream, version])).toEqual([
      ['DomainAdded', 'x.test', 'admin:ann', 'd', 1], ['RecipientBounced', subjectOf(bounced), 'admin:ann', 'm', 2],
    ]);
  });
});
