import { example, type Examples } from '../kernel/examples.js';
import type { CredentialsEvent, GatewayCredentials } from './credentials.js';
import type { GatewayEvent } from './gateway.js';
import type { RelayDomain, RelayDomainEvent } from './verification.js';

const credentials: GatewayCredentials = { name: 'smarthost', mechanism: 'any', user: 'kiroku@isp.test', sealed: 'v1.c2VhbGVk', createdAt: 1_767_571_200_000 };
const relay: RelayDomain = { name: 'inner.test', verify: 'list', recipients: ['ann@inner.test', 'sales*@inner.test'], revision: 1, createdAt: 1_767_571_200_000 };

export const routingExamples: Examples<GatewayEvent | CredentialsEvent | RelayDomainEvent> = {
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
  CredentialsRemoved: [example('CredentialsRemoved', { name: 'smarthost' })],
  RelayDomainAdded: [example('RelayDomainAdded', relay)],
  RelayDomainChanged: [example('RelayDomainChanged', { ...relay, verify: 'call-forward', revision: 2 })],
  RelayDomainRemoved: [example('RelayDomainRemoved', { name: 'inner.test', revision: 3 })],
};
