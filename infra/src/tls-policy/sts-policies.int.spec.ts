import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import type pg from 'pg';
import { fixedClock } from '../ids/ids.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from '../read-model/database.js';
import { until } from '../rig/until.js';
import { type FetchPolicy, policyFetcher } from './fetch-policy.js';
import { TLS_POLICY_TABLE } from './schema.js';
import { StsPolicies } from './sts-policies.js';
import { MemoryDns, testAuthority, type TestAuthority, type TestHttps, testHttps } from './testing.js';

const NINE = Date.UTC(2026, 0, 5);
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const textOf = (mx: string, maxAge = 7 * 86_400, mode = 'enforce'): string => `version: STSv1\nmode: ${mode}\nmx: ${mx}\nmax_age: ${maxAge}\n`;

let db: TestPostgres;
let pool: pg.Pool;
let authority: TestAuthority;
let server: TestHttps;
/** What the policy server says; it is down when undefined. */
let served: string | undefined;
let fetches = 0;
let held: Promise<void> | undefined;

beforeAll(async () => {
  db = await testPostgres();
  pool = openPool(db.connection, 4, () => undefined);
  await pool.query(`CREATE SCHEMA ops; ${TLS_POLICY_TABLE}`);
  authority = await testAuthority(Date.now());
  server = await testHttps(await authority.issue(['mta-sts.x.test', 'mta-sts.y.test', 'mta-sts.z.test']), (_, response: ServerResponse) => {
    fetches++;
    void (async () => {
      await held;
      if (served === undefined) response.writeHead(503).end();
      else response.writeHead(200, { 'content-type': 'text/plain' }).end(served);
    })();
  });
});
afterAll(async () => {
  await server.close();
  await pool.end();
  await db.close();
});
beforeEach(async () => {
  await pool.query('DELETE FROM ops.tls_policy');
  served = textOf('mx.x.test');
  fetches = 0;
  held = undefined;
});

function world() {
  const dns = new MemoryDns();
  for (const domain of ['x.test', 'y.test', 'z.test']) dns.set(`a mta-sts.${domain}`, ['127.0.0.1']);
  const publish = (id: string, domain = 'x.test') => dns.set(`txt _mta-sts.${domain}`, [`v=STSv1; id=${id};`]);
  const clock = fixedClock(NINE);
  const troubles: string[] = [];
  const fetch: FetchPolicy = policyFetcher({ dns, ca: authority.ca, port: server.port, allowPrivate: true });
  /** A process; they share the database. */
  const process = (): StsPolicies => new StsPolicies({ dns, fetch, pool, clock, trouble: (error) => troubles.push(error.message) });
  return { dns, publish, clock, troubles, process, sts: process() };
}
const mx = (...names: string[]) => ({ policy: expect.objectContaining({ mx: names }) });

describe('the policy of a domain', () => {
  it('is none without a record, and the DNS is not asked again for five minutes', async () => {
    const { sts, dns, clock } = world();
    for (let i = 0; i < 3; i++) expect(await sts.of('x.test')).toEqual({});
    expect(dns.asked).toEqual(['txt _mta-sts.x.test']);
    clock.advance(5 * MINUTE);
    expect(await sts.of('x.test')).toEqual({});
    expect(dns.asked).toHaveLength(2);
    expect(fetches).toBe(0);
  });

  it('is fetched once for all who ask at the same time', async () => {
    const { sts, publish } = world();
    publish('1');
    for (const answer of await Promise.all(Array.from({ length: 20 }, () => sts.of('x.test')))) expect(answer).toEqual(mx('mx.x.test'));
    expect(await sts.of('x.test')).toEqual(mx('mx.x.test'));
    expect(fetches).toBe(1);
  });

  it('is known to the next process without fetching', async () => {
    const { sts, publish, process } = world();
    publish('1');
    await sts.of('x.test');
    expect(await process().of('x.test')).toEqual(mx('mx.x.test'));
    expect(fetches).toBe(1);
  });

  it('is fetched anew behind the question when its id has changed', async () => {
    const { sts, publish, clock } = world();
    publish('1');
    await sts.of('x.test');
    publish('2');
    served = textOf('mx2.x.test');
    clock.advance(MINUTE);
    expect(await sts.of('x.test')).toEqual(mx('mx.x.test'));
    await until('the new policy', 5000, async () => (await sts.of('x.test')).policy?.mx[0] === 'mx2.x.test');
    expect(fetches).toBe(2);
  });

  it('is waited for when what is remembered would refuse mail', async () => {
    const { sts, publish, clock } = world();
    publish('1');
    await sts.of('x.test');
    publish('2');
    served = textOf('mx2.x.test');
    expect(await sts.of('x.test', { current: true })).toEqual(mx('mx.x.test')); // looked a moment ago
    clock.advance(MINUTE);
    expect(await sts.of('x.test', { current: true })).toEqual(mx('mx2.x.test'));
  });

  it('stays while it holds, whatever becomes of record and server, in every process', async () => {
    const { sts, publish, dns, clock, process } = world();
    publish('1');
    await sts.of('x.test');
    served = undefined;
    for (const lost of [() => publish('2'), () => dns.set('txt _mta-sts.x.test', 'trouble'), () => dns.set('txt _mta-sts.x.test', [])]) {
      lost();
      clock.advance(DAY);
      expect(await sts.of('x.test', { current: true })).toEqual(mx('mx.x.test'));
      expect(await process().of('x.test')).toEqual(mx('mx.x.test'));
    }
  });

  it('ends with its age', async () => {
    const { sts, publish, clock, process } = world();
    publish('1');
    await sts.of('x.test');
    served = undefined;
    clock.advance(7 * DAY);
    expect(await sts.of('x.test')).toEqual({ failure: 'sts-policy-fetch-error' });
    expect(await process().of('x.test')).toEqual({ failure: 'sts-policy-fetch-error' });
  });

  it('is fetched anew after a day, so that it does not end while mail flows', async () => {
    const { sts, publish, clock } = world();
    publish('1');
    await sts.of('x.test');
    clock.advance(DAY);
    await sts.of('x.test');
    await until('a newer policy', 5000, async () => (await pool.query<{ fetched_at: number }>('SELECT fetched_at FROM ops.tls_policy')).rows[0]?.fetched_at === NINE + DAY);
    expect(fetches).toBe(2);
  });

  it('that cannot be fetched or read is said so, and not tried again for five minutes', async () => {
    const { sts, publish, clock, troubles } = world();
    publish('1');
    served = undefined;
    expect(await sts.of('x.test')).toEqual({ failure: 'sts-policy-fetch-error' });
    served = '<html>';
    expect(await sts.of('x.test')).toEqual({ failure: 'sts-policy-fetch-error' });
    clock.advance(5 * MINUTE);
    expect(await sts.of('x.test')).toEqual({ failure: 'sts-policy-invalid' });
    clock.advance(5 * MINUTE);
    served = textOf('mx.x.test');
    expect(await sts.of('x.test')).toEqual(mx('mx.x.test'));
    expect(fetches).toBe(3);
    expect(troubles).toEqual(['MTA-STS policy of x.test: mta-sts.x.test answers 503', 'MTA-STS policy of x.test: line 1 is not "key: value"']);
  });

  it('is not known when the DNS has trouble, which is looked into again after a minute', async () => {
    const { sts, publish, dns, clock } = world();
    dns.set('txt _mta-sts.x.test', 'trouble');
    expect(await sts.of('x.test')).toEqual({ unknown: true });
    publish('1');
    expect(await sts.of('x.test')).toEqual({ unknown: true });
    clock.advance(MINUTE);
    expect(await sts.of('x.test')).toEqual(mx('mx.x.test'));
  });

  it('that hardly holds is not fetched for every message', async () => {
    const { sts, publish } = world();
    publish('1');
    served = textOf('mx.x.test', 0);
    for (let i = 0; i < 3; i++) expect(await sts.of('x.test')).toEqual(mx('mx.x.test'));
    expect(fetches).toBe(1);
  });

  it('does not make others wait while it is looked after', async () => {
    const { sts, publish, clock } = world();
    publish('1');
    await sts.of('x.test');
    publish('2');
    clock.advance(MINUTE);
    let release = (): void => undefined;
    held = new Promise((resolve) => (release = resolve));
    for (let i = 0; i < 5; i++) expect(await sts.of('x.test')).toEqual(mx('mx.x.test'));
    await until('the fetch behind', 5000, () => fetches === 2);
    release();
  });

  it('holds on without the database', async () => {
    const { dns, publish, clock, troubles } = world();
    publish('1');
    const broken = openPool(db.connection, 1, () => undefined);
    await broken.end();
    const fetch = policyFetcher({ dns, ca: authority.ca, port: server.port, allowPrivate: true });
    const sts = new StsPolicies({ dns, fetch, pool: broken, clock, trouble: (error) => troubles.push(error.message) });
    expect(await sts.of('x.test')).toEqual(mx('mx.x.test'));
    expect(troubles.length).toBeGreaterThan(0);
  });

  it('is not asked for names too long to have one', async () => {
    const { sts, dns } = world();
    expect(await sts.of(`${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.test`)).toEqual({});
    expect(dns.asked).toEqual([]);
  });
});

describe('the daily round', () => {
  it('refreshes policies that nobody asked for, and forgets what has ended', async () => {
    const { sts, publish, clock, process } = world();
    for (const domain of ['x.test', 'y.test']) publish('1', domain);
    publish('1', 'z.test');
    await Promise.all([sts.of('x.test'), sts.of('y.test')]);
    served = textOf('mx.z.test', 3600);
    await sts.of('z.test');
    clock.advance(2 * DAY);
    served = textOf('new.test');
    await process().refreshAll();
    const { rows } = await pool.query<{ domain: string; fetched_at: number }>('SELECT domain, fetched_at FROM ops.tls_policy ORDER BY domain');
    expect(rows).toEqual(['x.test', 'y.test'].map((domain) => ({ domain, fetched_at: NINE + 2 * DAY })));
    expect(fetches).toBe(5);
  });
});
