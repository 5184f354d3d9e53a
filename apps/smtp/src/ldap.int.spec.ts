import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DEFAULT_FILTER } from '@kiroku/domain/routing/ldap-filter.js';
import { LdapAdmin } from '@kiroku/infra/admin/ldap.js';
import { RelayDomainAdmin } from '@kiroku/infra/admin/relay-domains.js';
import { loadServerKey } from '@kiroku/infra/auth/seal.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { freePorts } from '@kiroku/infra/rig/ports.js';
import { haveSlapd, person, type Slapd, SLAPD_ROOT, startSlapd } from '@kiroku/infra/rig/remote/slapd.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import type { RunningRole } from '@kiroku/infra/supervise/role-process.js';
import { startSmtp } from './role.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
let h: TestHistory;
let data: string;
let role: RunningRole;
let port: number;
let slapd: Slapd | undefined;
let ldap: LdapAdmin;

beforeAll(async () => {
  const people = ['ann', 'carl', ...Array.from({ length: 100 }, (_, i) => `u${i}`)].map((name) => person(name, `${name}@y.test`));
  [h, data, slapd] = await Promise.all([testHistory(), mkdtemp(join(tmpdir(), 'kiroku-smtp-')), haveSlapd() ? startSlapd({ entries: people.join('') }) : undefined]);
  port = ((await freePorts(1)) as [number])[0];
  ldap = new LdapAdmin(h.pool, h.engine, await loadServerKey(data), async () => '+');
  const off = { KIROKU_SUBMISSION_PORT: '0', KIROKU_SMTPS_PORT: '0', KIROKU_POP3_PORT: '0', KIROKU_POP3S_PORT: '0', KIROKU_HTTP_PORT: '0' };
  role = await startSmtp(readConfig({ KIROKU_DATA: data, KIROKU_SMTP_PORT: `${port}`, ...off }), h.connection);
}, 60_000);
afterAll(async () => {
  await role.drain();
  await slapd?.close();
  await h.close();
  await rm(data, { recursive: true });
});

const OK = '250 2.1.5 Recipient ok';
const NO = '550 5.1.1 No such mailbox here';
const LATER = '450 4.1.1 Recipient cannot be verified now, try again later';

/** What the server says to these recipients of a stranger. */
async function answers(...recipients: readonly string[]): Promise<readonly string[]> {
  const client = await SmtpClient.hello({ port });
  const said: string[] = [];
  for (const line of ['MAIL FROM:<dora@far.test>', ...recipients.map((to) => `RCPT TO:<${to}>`)]) {
    const { code, lines } = await client.command(line);
    said.push(`${code} ${lines[0]}`);
  }
  await client.quit();
  return said.slice(1);
}

/** A relay domain whose people are in the directory of this port. */
async function inDirectory(domain: string, at: number): Promise<void> {
  const settings = { plain: 'loopback', bindDn: SLAPD_ROOT.dn, secret: SLAPD_ROOT.password, baseDn: 'dc=x,dc=test', filter: DEFAULT_FILTER, ca: '' } as const;
  await ldap.add({ name: domain, servers: [`ldap://127.0.0.1:${at}`], ...settings }, ORIGIN);
  await new RelayDomainAdmin(h.pool, h.engine).add({ name: domain, verify: 'ldap', ldap: domain, recipients: [] }, ORIGIN);
}

describe('an SMTP server whose LDAP directory has never answered', () => {
  it('takes mail for nobody in it, and refuses nobody', async () => {
    await inDirectory('away.test', ((await freePorts(1)) as [number])[0]);
    expect(await answers('ann@away.test', 'ann+news@away.test')).toEqual([LATER, LATER]);
  });
});

if (haveSlapd()) describe('an SMTP server before one whose people are in an LDAP directory', () => {
  const there = (): Slapd => slapd as Slapd;

  it('takes mail for those and for nobody else, with and without a tag', async () => {
    await inDirectory('y.test', there().port);
    expect(await answers('ann@y.test', 'Ann+news@Y.test', 'bob@y.test', 'u*@y.test', '"a)(uid=*"@y.test', 'bob+ann@y.test')).toEqual([OK, OK, NO, NO, NO, NO]);
  });

  it('refuses nobody while the directory is away, and takes mail for those that it knew', async () => {
    await there().stop();
    expect(await answers('carl@y.test', 'ann@y.test', 'bob@y.test')).toEqual([LATER, OK, NO]);
    // What was said by a directory that has changed since must be asked again: only a yes of old helps.
    await ldap.change('y.test', { plain: 'always' }, ORIGIN);
    expect(await answers('carl@y.test', 'ann@y.test', 'bob@y.test')).toEqual([LATER, OK, LATER]);
  });

  it('refuses again once the directory is back', async () => {
    await there().start();
    let asked = 0;
    await until('somebody new is found', 30_000, async () => (await answers(`u${asked++}@y.test`))[0] === OK);
    expect(await answers('ann@y.test', 'eve@y.test')).toEqual([OK, NO]);
  });
});
