import { describe, expect, it } from '@jest/globals';
import { given } from '../kernel/given.js';
import { MOST_RECIPIENTS, type RelayDomain, relayDomainDecider, type RelayDomainEvent, relayDomainName, recipientMatcher } from './verification.js';

const now = 1_767_571_200_000;
const inner: RelayDomain = { name: 'inner.test', verify: 'list', recipients: ['ann@inner.test', 'sales*@inner.test'], revision: 1, createdAt: now };
const added: RelayDomainEvent = { type: 'RelayDomainAdded', data: inner };
const changed = (more: Partial<RelayDomain>): RelayDomainEvent => ({ type: 'RelayDomainChanged', data: { ...inner, revision: 2, ...more } });
const removed: RelayDomainEvent = { type: 'RelayDomainRemoved', data: { name: 'inner.test', revision: 2 } };
const history = given(relayDomainDecider);
const add = { type: 'AddRelayDomain', name: 'inner.test', verify: 'list', recipients: ['sales*', 'Ann@Inner.test', 'ann'], now } as const;

describe('a relay domain', () => {
  it('is added with its recipients in canonical form, each once', () => history().when(add).then(added));
  it('is added once, and again after it was removed, with a revision that never was', () => {
    history(added).when(add).refuses('relay-domain-exists');
    history(added, removed).when(add).then({ ...added, data: { ...inner, revision: 3 } });
  });
  it.each([['other domain', 'ann@other.test'], ['no address', 'a b'], ['nothing', ''], ['another domain’s star', 'ann@*']])('takes no recipient with %s', (_, text) =>
    history().when({ ...add, recipients: [text] }).refuses('bad-recipient'));
  it('has at most 20,000 recipients', () =>
    history().when({ ...add, recipients: Array.from({ length: MOST_RECIPIENTS + 1 }, (_, i) => `u${i}`) }).refuses('too-many-recipients'));
  it('is changed', () => {
    history(added).when({ type: 'ChangeRelayDomain', verify: 'call-forward' }).then(changed({ verify: 'call-forward' }));
    history(added).when({ type: 'ChangeRelayDomain', recipients: ['bob'] }).then(changed({ recipients: ['bob@inner.test'] }));
    history(added).when({ type: 'ChangeRelayDomain', recipients: ['sales*', 'ann'] }).thenNothing();
    history().when({ type: 'ChangeRelayDomain' }).refuses('no-such-relay-domain');
  });
  it('gets recipients and loses them', () => {
    history(added).when({ type: 'AddRecipients', recipients: ['bob', 'ann'] }).then(changed({ recipients: ['ann@inner.test', 'bob@inner.test', 'sales*@inner.test'] }));
    history(added).when({ type: 'RemoveRecipients', recipients: ['ANN'] }).then(changed({ recipients: ['sales*@inner.test'] }));
    history(added).when({ type: 'RemoveRecipients', recipients: ['nobody'] }).thenNothing();
  });
  it('names the directory that knows its recipients, as long as that is asked', () => {
    const asked: RelayDomainEvent = { type: 'RelayDomainAdded', data: { ...inner, verify: 'ldap', ldap: 'ad' } };
    history().when({ ...add, verify: 'ldap', ldap: 'AD' }).then(asked);
    history(added).when({ type: 'ChangeRelayDomain', ldap: 'ad' }).then(changed({ verify: 'ldap', ldap: 'ad' }));
    history(asked).when({ type: 'ChangeRelayDomain', ldap: 'other' }).then(changed({ verify: 'ldap', ldap: 'other' }));
    history(asked).when({ type: 'ChangeRelayDomain', verify: 'ldap' }).thenNothing();
    history(asked).when({ type: 'AddRecipients', recipients: ['ann'] }).thenNothing();
    history(asked).when({ type: 'ChangeRelayDomain', verify: 'list' }).then(changed({}));
    for (const ldap of [undefined, 'a b']) history().when({ ...add, verify: 'ldap', ldap }).refuses(ldap === undefined ? 'ldap-directory-needed' : 'bad-ldap-directory');
    history(added).when({ type: 'ChangeRelayDomain', verify: 'ldap' }).refuses('ldap-directory-needed');
    history(asked).when({ type: 'ChangeRelayDomain', verify: 'list', ldap: 'ad' }).refuses('ldap-directory-unused');
  });
  it('is removed once', () => {
    history(added).when({ type: 'RemoveRelayDomain' }).then(removed);
    history(added, removed).when({ type: 'RemoveRelayDomain' }).thenNothing();
    history().when({ type: 'RemoveRelayDomain' }).refuses('no-such-relay-domain');
  });
  it('has a name in A-labels', () => {
    expect(relayDomainName('日本語.JP')).toBe('xn--wgv71a119e.jp');
    expect(() => relayDomainName('a b')).toThrow('bad-domain');
  });
});

describe('a list of recipients', () => {
  const listed = recipientMatcher(inner.recipients);
  it.each([
    ['ann@inner.test', true], ['ANN@INNER.TEST', true], ['ann+news@inner.test', true], ['sales@inner.test', true], ['sales-jp@inner.test', true],
    ['bob@inner.test', false], ['ann@other.test', false], ['not an address', false], ['', false],
  ])('knows %s: %s', (address, known) => expect(listed(address, '+')).toBe(known));
  it('knows tags only with the separators of the server', () => expect(listed('ann+news@inner.test', '-')).toBe(false));
});
