import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Host, Route } from '@kiroku/domain/routing/hosts.js';
import type { TlsPlan } from '@kiroku/domain/tls-policy/demands.js';
import type { TlsRow } from '@kiroku/domain/tls-policy/row.js';
import type pg from 'pg';
import { fixedClock } from '../ids/ids.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from '../read-model/database.js';
import { policyFetcher } from './fetch-policy.js';
import { OutboundTls } from './outbound-tls.js';
import { TLS_POLICY_TABLE } from './schema.js';
import { StsPolicies } from './sts-policies.js';
import { MemoryDns, testAuthority, testHttps, type TestAuthority, type TestHttps } from './testing.js';
import { compileTlsTable } from './tls-table.js';

let db: TestPostgres;
let pool: pg.Pool;
let authority: TestAuthority;
let server: TestHttps;
let served = '';
beforeAll(async () => {
  db = await testPostgres();
  pool = openPool(db.connection, 4, () => undefined);
  await pool.query(`CREATE SCHEMA ops; ${TLS_POLICY_TABLE}`);
  authority = await testAuthority(Date.now());
  server = await testHttps(await authority.issue(['mta-sts.x.test']), (_, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end(served));
});
afterAll(async () => {
  await server.close();
  await pool.end();
  await db.close();
});

const tlsa = { usage: 3, selector: 1, matching: 1, data: 'ab'.repeat(32) };
const plain: Host = { name: 'mx.x.test', ip: '192.0.2.1', port: 25, preference: 10, secure: false };
const secure: Host = { ...plain, secure: true };
const mx: Route = { kind: 'mx', domain: 'x.test' };
const MINUTE = 60_000;

async function world({ rows = [], reports = true }: { readonly rows?: readonly TlsRow[]; readonly reports?: boolean } = {}) {
  await pool.query('DELETE FROM ops.tls_policy');
  served = 'version: STSv1\nmode: enforce\nmx: mx.x.test\nmax_age: 86400\n';
  const dns = new MemoryDns().set('a mta-sts.x.test', ['127.0.0.1']);
  const clock = fixedClock(Date.UTC(2026, 0, 5));
  const fetch = policyFetcher({ dns, ca: authority.ca, port: server.port, allowPrivate: true });
  const sts = new StsPolicies({ dns, fetch, pool, clock, trouble: () => undefined });
  const table = compileTlsTable({ rows, neverOffered: [] });
  return { dns, clock, tls: new OutboundTls({ dns, sts, clock, reports, table: { current: () => Promise.resolve(table) } }) };
}
const said = (plan: TlsPlan): string => (plan.kind === 'demands' ? plan.demands.map(({ mode, verify }) => `${mode} ${verify}`).join(', ') : `${plan.kind} ${plan.reply}`);

describe('outbound TLS', () => {
  it('uses DANE where the whole chain is secure', async () => {
    const { dns, tls } = await world();
    dns.set('tlsa _25._tcp.mx.x.test', [tlsa, { ...tlsa, usage: 1 }], true).set('txt _mta-sts.x.test', ['v=STSv1; id=1;']);
    expect(await tls.demandsFor({ host: secure, route: mx })).toEqual({
      kind: 'demands', demands: [{ mode: 'required', verify: 'dane', names: ['mx.x.test', 'x.test'], tlsa: [tlsa] }],
    });
  });

  it('does not ask for TLSA records that nobody would vouch for', async () => {
    const { dns, tls } = await world();
    dns.set('tlsa _25._tcp.mx.x.test', [tlsa], true);
    expect(said(await tls.demandsFor({ host: plain, route: mx }))).toBe('opportunistic no, off no');
    expect(dns.asked).not.toContain('tlsa _25._tcp.mx.x.test');
  });

  it('does not believe TLSA records that DNSSEC does not vouch for', async () => {
    const { dns, tls } = await world();
    dns.set('tlsa _25._tcp.mx.x.test', [tlsa], false);
    expect(said(await tls.demandsFor({ host: secure, route: mx }))).toBe('opportunistic no, off no');
  });

  it('never falls back while the TLSA records cannot be had', async () => {
    const { dns, tls } = await world();
    dns.set('tlsa _25._tcp.mx.x.test', 'trouble');
    expect(said(await tls.demandsFor({ host: secure, route: mx }))).toBe('deferred 451 4.7.5 The TLSA records of mx.x.test cannot be had: SERVFAIL tlsa _25._tcp.mx.x.test');
  });

  it('asks for the port of a gateway, and for no policy of its domain', async () => {
    const { dns, tls } = await world();
    dns.set('tlsa _465._tcp.mx.x.test', [tlsa], true).set('txt _mta-sts.mx.x.test', ['v=STSv1; id=1;']);
    const route: Route = { kind: 'gateway', host: 'mx.x.test', port: 465, implicitTls: true };
    expect(said(await tls.demandsFor({ host: { ...secure, port: 465 }, route }))).toBe('implicit dane');
    expect(dns.asked).toEqual(['tlsa _465._tcp.mx.x.test']);
  });

  it('follows the policy of the domain', async () => {
    const { dns, tls } = await world();
    dns.set('txt _mta-sts.x.test', ['v=STSv1; id=1;']);
    expect(said(await tls.demandsFor({ host: plain, route: mx }))).toBe('required mta-sts');
    expect(said(await tls.demandsFor({ host: { ...plain, name: 'evil.test' }, route: mx }))).toBe('deferred 451 4.7.5 The MTA-STS policy of x.test does not name the MX evil.test');
  });

  it('looks for a newer policy before it passes a host over', async () => {
    const { dns, tls, clock } = await world();
    dns.set('txt _mta-sts.x.test', ['v=STSv1; id=1;']);
    await tls.demandsFor({ host: plain, route: mx });
    dns.set('txt _mta-sts.x.test', ['v=STSv1; id=2;']);
    served = 'version: STSv1\nmode: enforce\nmx: mx2.x.test\nmax_age: 86400\n';
    clock.advance(MINUTE);
    expect(said(await tls.demandsFor({ host: { ...plain, name: 'mx2.x.test' }, route: mx }))).toBe('required mta-sts');
  });

  it('ignores DANE and MTA-STS for a message that does not ask for TLS, asks nobody about them, and reports nothing', async () => {
    const { dns, tls } = await world();
    dns.set('txt _mta-sts.x.test', ['v=STSv1; id=1;']).set('tlsa _25._tcp.mx.x.test', [tlsa], true).set('txt _smtp._tls.x.test', ['v=TLSRPTv1; rua=mailto:a@x.test']);
    const plan = await tls.demandsFor({ host: { ...secure, name: 'evil.test' }, route: mx, tlsOptional: true });
    expect([said(plan), plan.subject, dns.asked]).toEqual(['opportunistic no, off no', undefined, []]);
    // REQUIRETLS is stronger, and so is the administrator's row.
    expect(said(await tls.demandsFor({ host: secure, route: mx, tlsOptional: true, requireTls: true }))).toBe('required dane');
    const strict = await world({ rows: [{ peer: 'x.test', mode: 'tls-only' }] });
    expect(said(await strict.tls.demandsFor({ host: secure, route: mx, tlsOptional: true }))).toBe('required no');
  });

  it('asks nobody where the administrator’s row decides', async () => {
    const { dns, tls } = await world({ rows: [{ peer: 'x.test', mode: 'required', min: 'TLSv1.2' }] });
    expect(await tls.demandsFor({ host: secure, route: mx })).toEqual({ kind: 'demands', demands: [{ mode: 'required', verify: 'no', names: ['mx.x.test'], minVersion: 'TLSv1.2' }] });
    expect(dns.asked).toEqual([]);
  });

  it('asks all the same for a message that requires TLS', async () => {
    const { dns, tls } = await world({ rows: [{ peer: 'x.test', mode: 'opportunistic' }] });
    dns.set('tlsa _25._tcp.mx.x.test', [tlsa], true);
    expect(said(await tls.demandsFor({ host: secure, route: mx, requireTls: true }))).toBe('required dane');
    expect(said(await tls.demandsFor({ host: plain, route: mx, requireTls: true }))).toMatch(/^refused 550 5\.7\.30 /);
    dns.set('txt _mta-sts.y.test', 'trouble');
    expect(said(await tls.demandsFor({ host: plain, route: { kind: 'mx', domain: 'y.test' }, requireTls: true }))).toMatch(/^deferred 451 4\.7\.30 /);
  });

  it('tells what to report to domains that ask for it', async () => {
    const { dns, tls } = await world();
    expect((await tls.demandsFor({ host: plain, route: mx })).subject).toBeUndefined();
    dns.set('txt _smtp._tls.x.test', ['v=TLSRPTv1; rua=mailto:tls@x.test']);
    expect((await tls.demandsFor({ host: plain, route: mx })).subject).toEqual({ domain: 'x.test', policy: 'no-policy-found' });
    dns.set('txt _smtp._tls.x.test', 'trouble');
    expect((await tls.demandsFor({ host: plain, route: mx })).subject).toBeUndefined();
    const quiet = await world({ reports: false });
    quiet.dns.set('txt _smtp._tls.x.test', ['v=TLSRPTv1; rua=mailto:tls@x.test']);
    expect((await quiet.tls.demandsFor({ host: plain, route: mx })).subject).toBeUndefined();
  });
});

describe('a fall-back at the next try', () => {
  it('follows a failure of the same host that is neither of this moment nor of yesterday', async () => {
    const { tls, clock } = await world({ rows: [{ peer: '*', mode: 'plain-next-handshake' }] });
    const ask = async (host = plain): Promise<string> => said(await tls.demandsFor({ host, route: mx }));
    expect(await ask()).toBe('opportunistic no');
    tls.failed(plain, 'handshake');
    expect(await ask()).toBe('opportunistic no');
    clock.advance(2 * MINUTE);
    expect(await ask()).toBe('off no');
    expect(await ask({ ...plain, name: 'mx2.x.test' })).toBe('opportunistic no');
    tls.failed(plain, 'handshake'); // a connection that was slow to fail
    expect(await ask()).toBe('off no');
    clock.advance(24 * 60 * MINUTE);
    expect(await ask()).toBe('opportunistic no');
  });

  it('tells failures apart', async () => {
    const { tls, clock } = await world({ rows: [{ peer: 'mx.x.test', mode: 'plain-next-handshake' }, { peer: '*', mode: 'plain-next-any' }] });
    const other: Host = { ...plain, name: 'mx2.x.test' };
    tls.failed(plain, 'other');
    tls.failed(other, 'other');
    clock.advance(2 * MINUTE);
    expect(said(await tls.demandsFor({ host: plain, route: mx }))).toBe('opportunistic no');
    expect(said(await tls.demandsFor({ host: other, route: mx }))).toBe('off no');
  });
});
