import { hostname } from 'node:os';
import { poolFor, sourcesFor } from '@kiroku/domain/delivery/source-pools.js';
import type { Settings } from '@kiroku/domain/policy/settings-schema.js';
import type { ClientTimeouts } from '@kiroku/domain/smtp-client/types.js';
import type { ServerKey } from '@kiroku/infra/auth/seal.js';
import type { Config } from '@kiroku/infra/config/config.js';
import { DnsResolver } from '@kiroku/infra/dns/resolver.js';
import { AccessTokens } from '@kiroku/infra/oauth/access-tokens.js';
import type { Platform } from '@kiroku/infra/platform/platform.js';
import { LdapDirectories } from '@kiroku/infra/ldap/directories.js';
import { CallForward, type Source } from '@kiroku/infra/read-model/call-forward.js';
import { PostgresGateways } from '@kiroku/infra/read-model/gateways.js';
import { PostgresLdapDirectories } from '@kiroku/infra/read-model/ldap-directories.js';
import { PostgresRelayDomains } from '@kiroku/infra/read-model/relay-domains.js';
import { askRecipient } from '@kiroku/infra/routing/ask-recipient.js';
import { hostFinder } from '@kiroku/infra/routing/hosts.js';
import { smtpClient } from '@kiroku/infra/smtp-client/open-conversation.js';
import { OutboundTls } from '@kiroku/infra/tls-policy/outbound-tls.js';
import { PostgresTlsTable } from '@kiroku/infra/tls-policy/tls-table.js';

/** ms; a question is given up after 20 s in all, and its connection should not stay much longer. */
const SHORT = 10_000;
const TIMEOUTS: ClientTimeouts = {
  connect: SHORT, greeting: SHORT, command: SHORT, mail: SHORT, rcpt: SHORT, dataInit: SHORT, dataBlock: SHORT, dataEnd: SHORT, tls: SHORT,
};
/** The port on which other servers call this one, whatever it listens on behind a router. */
const SMTP = 25;
const MOST_HOSTS = 10;
const DAY = 24 * 60 * 60_000;

/**
 * Relay domains, their recipients asked for at the inner servers in the way that delivery will go, or at LDAP directories.
 * @returns also what ends the connections with directories.
 */
export function relayDomains({ pool, engine, metrics, trouble }: Platform, config: Config, key: ServerKey, settings: () => Settings): { readonly relays: PostgresRelayDomains; readonly close: () => void } {
  const { clock } = engine;
  const name = (): string => settings().hostname || config.hostname || hostname();
  const dns = new DnsResolver({
    ...(config.dns && { servers: config.dns }), clock,
    settings: () => ({ trustResolver: settings().trustResolver, cacheTime: DAY, mxCacheTime: settings().mxCache }),
  });
  const gateways = new PostgresGateways(pool, key, clock, new AccessTokens({ pool, engine, key, trouble }));
  // Policies in the DNS are those of mail domains: gateways have none.
  const tls = new OutboundTls({ dns, sts: { of: () => Promise.resolve({}) }, table: new PostgresTlsTable(pool), clock, reports: false });
  const ask = askRecipient({
    table: () => gateways.table(),
    hosts: hostFinder({
      dns, clock,
      settings: () => ({ names: [name()], publicIps: [], ports: [SMTP], family: settings().outboundFamily, maxHosts: MOST_HOSTS, allowLoopback: settings().outboundLoopback }),
    }),
    tls: (host, route) => tls.demandsFor({ host, route }),
    credentials: (credentials) => gateways.credentials(credentials),
    open: smtpClient({ timeouts: TIMEOUTS, trouble }),
    helo: name,
    sources: ({ ip }, destination) => {
      const { outboundPools, outboundSources } = settings();
      return sourcesFor(ip, poolFor(outboundPools, destination, '')?.addresses, outboundSources, Math.random());
    },
    trouble,
  });
  const asked = (verdict: string): void => metrics.count('kiroku_call_forward_total', 'Recipients asked about at inner servers, by answer', 1, { verdict });
  const stored = new PostgresLdapDirectories(pool, key);
  const directories = new LdapDirectories((directory) => stored.load(directory), clock, trouble);
  const askedLdap = (verdict: string, { name: directory }: Source): void =>
    metrics.count('kiroku_ldap_questions_total', 'Recipients asked about at LDAP directories, by answer', 1, { directory, verdict });
  const ldap = new CallForward((address, directory) => directories.verdict(address, directory), clock, askedLdap);
  return { relays: new PostgresRelayDomains(pool, new CallForward(ask, clock, asked), ldap, () => settings().tagSeparators), close: () => directories.close() };
}
