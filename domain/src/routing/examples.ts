import { example, type Examples } from '../kernel/examples.js';
import type { CredentialsEvent, GatewayCredentials } from './credentials.js';
import type { GatewayEvent } from './gateway.js';
import type { LdapDirectory, LdapEvent } from './ldap.js';
import type { RelayDomain, RelayDomainEvent } from './verification.js';

const credentials: GatewayCredentials = { name: 'smarthost', mechanism: 'any', user: 'kiroku@isp.test', sealed: 'v1.c2VhbGVk', createdAt: 1_767_571_200_000 };
const relay: RelayDomain = { name: 'inner.test', verify: 'list', recipients: ['ann@inner.test', 'sales*@inner.test'], revision: 1, createdAt: 1_767_571_200_000 };

const directory: LdapDirectory = {
  name: 'ad', servers: ['ldaps://dc1.x.test', 'ldap://dc2.x.test'], plain: 'loopback', bindDn: 'cn=kiroku,ou=services,dc=x,dc=test', sealed: 'v1.c2VhbGVk', baseDn: 'dc=x,dc=test',
  filter: '(|(mail={address})(proxyAddresses=smtp:{address}))', ca: '', revision: 1, users: 0, createdAt: 1_767_571_200_000,
};

export const routingExamples: Examples<GatewayEvent | CredentialsEvent | RelayDomainEvent | LdapEvent> = {
  GatewayTableChanged: [
    example('GatewayTableChanged', {
      revision: 3, forwardAll: false, change: { kind: 'moved', line: 3, to: 2 },
      lines: [
        { comment: '; inner servers' },
        { target: '*.inner.test', host: '192.0.2.25', port: 25, implicitTls: false },
        { target: '*', sender: 'ann@x.test', host: 'smtp.isp.test', port: 465, implicitTls: true, credentials: 'smarthost' },
      ],
    }),
  ],
  CredentialsAdded: [example('CredentialsAdded', credentials)],
  CredentialsChanged: [example('CredentialsChanged', { ...credentials, mechanism: 'XOAUTH2', sealed: 'v1.b3RoZXI', changed: ['mechanism', 'secret'] })],
  RefreshTokenReplaced: [
    example('RefreshTokenReplaced', {
      ...credentials, mechanism: 'XOAUTH2', sealed: 'v1.bmV3ZXI',
      oauth: { tokenUrl: 'https://oauth2.provider.test/token', clientId: 'kiroku', scope: 'https://mail.provider.test/', grant: 'refresh-token', setAt: 1_767_571_200_000 },
    }),
  ],
  CredentialsRemoved: [example('CredentialsRemoved', { name: 'smarthost' })],
  RelayDomainAdded: [example('RelayDomainAdded', relay)],
  RelayDomainChanged: [example('RelayDomainChanged', { ...relay, verify: 'ldap', ldap: 'ad', revision: 2 })],
  LdapDirectoryAdded: [example('LdapDirectoryAdded', directory)],
  LdapDirectoryChanged: [example('LdapDirectoryChanged', { ...directory, servers: ['ldap://dc2.x.test'], sealed: 'v1.b3RoZXI', revision: 2, changed: ['servers', 'secret'] })],
  LdapDirectoryUseChanged: [example('LdapDirectoryUseChanged', { ...directory, revision: 2, users: 1 })],
  LdapDirectoryRemoved: [example('LdapDirectoryRemoved', { name: 'ad', revision: 3 })],
  RelayDomainRemoved: [example('RelayDomainRemoved', { name: 'inner.test', revision: 3 })],
};
