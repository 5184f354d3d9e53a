import { describe, expect, it } from '@jest/globals';
import { Refusal } from '../kernel/decider.js';
import { given } from '../kernel/given.js';
import { checkBindSecret, type LdapDirectory, ldapDecider, type LdapEvent, ldapName, LONGEST_BIND_SECRET, LONGEST_CA, MOST_SERVERS, parseServer, printServer } from './ldap.js';
import { DEFAULT_FILTER } from './ldap-filter.js';

const now = 1_767_571_200_000;
const settings = { servers: ['ldaps://dc1.x.test', 'ldap://dc2.x.test'], plain: 'loopback', bindDn: 'cn=kiroku,dc=x,dc=test', baseDn: 'dc=x,dc=test', filter: DEFAULT_FILTER, ca: '' } as const;
const ad: LdapDirectory = { name: 'ad', ...settings, sealed: 'v1.a', revision: 1, users: 0, createdAt: now };
const added: LdapEvent = { type: 'LdapDirectoryAdded', data: ad };
const used = (users: number): LdapEvent => ({ type: 'LdapDirectoryUseChanged', data: { ...ad, users } });
const removed: LdapEvent = { type: 'LdapDirectoryRemoved', data: { name: 'ad', revision: 2 } };
const history = given(ldapDecider);
const add = { type: 'AddLdapDirectory', name: 'ad', ...settings, sealed: 'v1.a', now } as const;

describe('an LDAP directory', () => {
  it('is added once, and again after it was removed, with a revision that never was', () => {
    history().when(add).then(added);
    history(added).when(add).refuses('ldap-directory-exists');
    history(added, removed).when(add).then({ ...added, data: { ...ad, revision: 3 } });
  });

  it('is changed in part, and says what changed', () => {
    history(added).when({ type: 'ChangeLdapDirectory', servers: ['LDAP://DC3.x.test:389/', 'ldap://dc3.x.test'], sealed: 'v1.b' })
      .then({ type: 'LdapDirectoryChanged', data: { ...ad, servers: ['ldap://dc3.x.test'], sealed: 'v1.b', revision: 2, changed: ['servers', 'secret'] } });
    history(added).when({ type: 'ChangeLdapDirectory', filter: DEFAULT_FILTER }).thenNothing();
    history().when({ type: 'ChangeLdapDirectory' }).refuses('no-such-ldap-directory');
    history(added, removed).when({ type: 'ChangeLdapDirectory' }).refuses('no-such-ldap-directory');
  });

  it('forgets its secret when it is asked anonymously, and needs one again for a name', () => {
    const changed = { ...ad, bindDn: '', sealed: '', revision: 2 };
    history(added).when({ type: 'ChangeLdapDirectory', bindDn: '' }).then({ type: 'LdapDirectoryChanged', data: { ...changed, changed: ['bindDn', 'secret'] } });
    history({ type: 'LdapDirectoryChanged', data: { ...changed, changed: [] } }).when({ type: 'ChangeLdapDirectory', bindDn: 'cn=a' }).refuses('bad-ldap-directory');
    history().when({ ...add, sealed: '' }).refuses('bad-ldap-directory');
    history().when({ ...add, bindDn: '' }).refuses('bad-ldap-directory');
  });

  it('is removed once, and not while a relay domain asks it', () => {
    history(added).when({ type: 'RemoveLdapDirectory' }).then(removed);
    history(added, removed).when({ type: 'RemoveLdapDirectory' }).thenNothing();
    history().when({ type: 'RemoveLdapDirectory' }).refuses('no-such-ldap-directory');
    history(added, used(1)).when({ type: 'RemoveLdapDirectory' }).refuses('ldap-directory-in-use');
    history(added, used(1), used(0)).when({ type: 'RemoveLdapDirectory' }).then(removed);
  });

  it('counts the relay domains that ask it, which is no change of its own', () => {
    history(added).when({ type: 'CountLdapUse', add: 1 }).then(used(1));
    history(added, used(2)).when({ type: 'CountLdapUse', add: -1 }).then(used(1));
    history().when({ type: 'CountLdapUse', add: 1 }).refuses('unknown-ldap-directory');
    history(added, removed).when({ type: 'CountLdapUse', add: 1 }).refuses('unknown-ldap-directory');
  });

  it.each([
    { servers: [] }, { servers: ['dc1.x.test'] }, { servers: ['http://dc1.x.test'] }, { servers: ['ldap://ann:secret@dc1.x.test'] }, { servers: ['ldaps://dc1.x.test/dc=x'] }, { servers: ['ldap://dc1:0'] },
    { servers: Array.from({ length: MOST_SERVERS + 1 }, (_, i) => `ldap://dc${i}`) }, { bindDn: 'cn=a\u0000' }, { bindDn: 'x'.repeat(1_001) }, { baseDn: 'dc=x\n' },
    { ca: 'no certificate' }, { ca: `-----BEGIN CERTIFICATE-----${'A'.repeat(LONGEST_CA)}` },
  ])('is not %j', (wrong) => {
    history().when({ ...add, ...wrong }).refuses('bad-ldap-directory');
    history(added).when({ type: 'ChangeLdapDirectory', ...wrong }).refuses('bad-ldap-directory');
  });

  it('has a filter that asks for a recipient', () => history().when({ ...add, filter: '(objectClass=*)' }).refuses('bad-ldap-filter'));

  it('has a name for streams and tables', () => {
    expect(ldapName('AD-1')).toBe('ad-1');
    for (const name of ['', 'a b', 'x'.repeat(65)]) expect(() => ldapName(name)).toThrow(Refusal);
  });

  it('has a secret that is never told when it is refused', () => {
    expect(checkBindSecret('秘密 pass')).toBe('秘密 pass');
    for (const secret of ['', 'hunter2\n', `hunter2${'x'.repeat(LONGEST_BIND_SECRET)}`])
      expect(() => checkBindSecret(secret)).toThrow(expect.objectContaining({ reason: 'bad-ldap-directory', message: expect.not.stringContaining('hunter2') }));
  });
});

describe('a server of a directory', () => {
  it.each([
    ['ldaps://DC1.x.test', 'ldaps://dc1.x.test', { secure: true, host: 'dc1.x.test', port: 636 }],
    ['ldaps://dc1.x.test:3269', 'ldaps://dc1.x.test:3269', { secure: true, host: 'dc1.x.test', port: 3269 }],
    ['ldap://192.0.2.1:389/', 'ldap://192.0.2.1', { secure: false, host: '192.0.2.1', port: 389 }],
    ['ldap://[2001:DB8::0001]:1389', 'ldap://[2001:db8::1]:1389', { secure: false, host: '2001:db8::1', port: 1389 }],
    ['ldap://ディレクトリ.test', 'ldap://xn--dckya0eg4oj.test', { secure: false, host: 'xn--dckya0eg4oj.test', port: 389 }],
  ])('%s is %s', (text, printed, server) => {
    expect(parseServer(text)).toEqual(server);
    expect(printServer(server)).toBe(printed);
    expect(parseServer(printed)).toEqual(server);
  });
});
