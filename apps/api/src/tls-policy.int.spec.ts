import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TLS_POLICY_STREAM } from '@kiroku/domain/tls-policy/table.js';
import { type TestApi, testApi } from './testing/test-api.js';
import { TlsDays, TlsReport, TlsTable } from './tls-policy-schemas.js';

let api: TestApi;
beforeAll(async () => { api = await testApi(); });
afterAll(() => api.close());

async function ask(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(`${api.url}/api/v1/tls-policy${path}`, {
    method, headers: { authorization: `Bearer ${api.token}`, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}
async function gives(asked: ReturnType<typeof ask>, status = 200): Promise<TlsTable> {
  const answer = await asked;
  expect(answer).toMatchObject({ status });
  const table = TlsTable.parse(answer.body);
  expect(answer.body).toEqual(table);
  return table;
}
const peers = (table: TlsTable): readonly string[] => table.rows.map(({ peer }) => peer);

describe('the TLS table', () => {
  it('is empty at first', async () => expect(await gives(ask('GET', ''))).toEqual({ rows: [], neverOffered: [] }));

  it('is added to, changed, moved and removed from, and each change names who made it', async () => {
    await gives(ask('POST', '/rows', { peer: '*.Old.test', mode: 'plain-next-handshake', min: 'TLSv1', note: 'until May' }), 201);
    expect(peers(await gives(ask('POST', '/rows', { peer: '192.0.2.0/24', mode: 'off', before: '*.old.test' }), 201))).toEqual(['192.0.2.0/24', '*.old.test']);
    expect((await gives(ask('PATCH', `/rows/${encodeURIComponent('*.old.test')}`, { mode: 'verified', min: null }))).rows[1]).toEqual({ peer: '*.old.test', mode: 'verified', note: 'until May' });
    expect(peers(await gives(ask('PATCH', `/rows/${encodeURIComponent('192.0.2.0/24')}`, { before: null })))).toEqual(['*.old.test', '192.0.2.0/24']);
    expect(peers(await gives(ask('DELETE', `/rows/${encodeURIComponent('192.0.2.0/24')}`)))).toEqual(['*.old.test']);
    const { events } = await api.platform.engine.store.read(TLS_POLICY_STREAM);
    expect(events.map(({ type, actor }) => [type, actor])).toEqual(Array(5).fill(['TlsPolicyChanged', 'admin:admin']));
  });

  it('holds the clients that are not offered STARTTLS', async () => {
    expect((await gives(ask('PATCH', '/never-offered', { add: ['10.*', '2001:db8::1'] }))).neverOffered).toEqual(['10.*', '2001:db8::1']);
    expect((await gives(ask('PATCH', '/never-offered', { remove: ['10.*'] }))).neverOffered).toEqual(['2001:db8::1']);
  });

  it.each<[string, string, string, object | undefined, number, string]>([
    ['a row of a known peer', 'POST', '/rows', { peer: '*.old.test', mode: 'off' }, 409, 'tls-row-exists'],
    ['a peer that is none', 'POST', '/rows', { peer: 'a b', mode: 'off' }, 422, 'bad-tls-row'],
    ['versions in the wrong order', 'POST', '/rows', { peer: 'y.test', mode: 'required', min: 'TLSv1.3', max: 'TLSv1.2' }, 422, 'bad-tls-row'],
    ['a mode that is none', 'POST', '/rows', { peer: 'y.test', mode: 'maybe' }, 400, 'bad-request'],
    ['a field that is none', 'POST', '/rows', { peer: 'y.test', mode: 'off', colour: 'red' }, 400, 'bad-request'],
    ['a place before nothing', 'POST', '/rows', { peer: 'y.test', mode: 'off', before: 'gone.test' }, 404, 'no-such-tls-row'],
    ['a change of nothing', 'PATCH', '/rows/gone.test', { mode: 'off' }, 404, 'no-such-tls-row'],
    ['a removal of nothing', 'DELETE', '/rows/gone.test', undefined, 404, 'no-such-tls-row'],
    ['a client that is none', 'PATCH', '/never-offered', { add: ['x.test'] }, 422, 'bad-tls-row'],
  ])('refuses %s', async (_, method, path, body, status, reason) => expect(await ask(method, path, body)).toMatchObject({ status, body: { reason } }));
});

describe('reports about TLS', () => {
  const row = (day: string, domain: string, failure: string, count: number, policy = 'sts'): readonly (string | number)[] => [day, domain, policy, `mx.${domain}`, '192.0.2.25', '', failure, count];
  const reports = async (path: string): Promise<unknown> => {
    const { status, body } = await ask('GET', `/reports${path}`);
    expect({ status, body }).toMatchObject({ status: 200 });
    return body;
  };
  beforeAll(async () => {
    for (const values of [
      row('2026-01-05', 'y.test', '', 7), row('2026-01-05', 'y.test', 'certificate-expired', 2), row('2026-01-05', 'y.test', 'starttls-not-supported', 3, 'no-policy-found'),
      row('2026-01-05', 'a.test', '', 1), row('2026-01-06', 'y.test', '', 4),
    ]) await api.platform.pool.query('INSERT INTO view.tls_report_1 (day, domain, policy, host, ip, source, failure, count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)', [...values]);
    await api.platform.pool.query('INSERT INTO ops.tls_policy (domain, id, policy, expires_at, fetched_at) VALUES ($1, $2, $3, 0, 0)', ['y.test', 'i1', 'version: STSv1\nmode: enforce\nmx: *.y.test\nmax_age: 86400\n']);
  });

  it('are listed by day and domain, the latest first, page by page', async () => {
    const latest = { day: '2026-01-06', domain: 'y.test', successful: 4, failed: 0, failures: [] };
    const first = { day: '2026-01-05', domain: 'a.test', successful: 1, failed: 0, failures: [] };
    const second = { day: '2026-01-05', domain: 'y.test', successful: 7, failed: 5, failures: ['starttls-not-supported', 'certificate-expired'] };
    expect(TlsDays.parse(await reports(''))).toEqual({ items: [latest, first, second] });
    const page = TlsDays.parse(await reports('?limit=2'));
    expect(page).toMatchObject({ items: [latest, first], next: '2026-01-05 a.test' });
    expect(await reports(`?limit=2&after=${encodeURIComponent(page.next ?? '')}`)).toEqual({ items: [second] });
    expect(await reports('?domain=Y.test&until=2026-01-05')).toEqual({ items: [second] });
    expect(await reports('?since=2026-01-06')).toEqual({ items: [latest] });
  });

  it('are in the shape of RFC 8460, with the policy that is known', async () => {
    const report = await reports('/2026-01-05/y.test');
    expect(TlsReport.parse(report)).toEqual(report);
    expect(report).toMatchObject({
      'date-range': { 'start-datetime': '2026-01-05T00:00:00Z', 'end-datetime': '2026-01-05T23:59:59Z' },
      policies: [
        { policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'y.test' }, summary: { 'total-successful-session-count': 0, 'total-failure-session-count': 3 } },
        {
          policy: { 'policy-type': 'sts', 'policy-string': ['version: STSv1', 'mode: enforce', 'mx: *.y.test', 'max_age: 86400'], 'mx-host': ['*.y.test'] },
          summary: { 'total-successful-session-count': 7, 'total-failure-session-count': 2 },
          'failure-details': [{ 'result-type': 'certificate-expired', 'receiving-mx-hostname': 'mx.y.test', 'receiving-ip': '192.0.2.25', 'failed-session-count': 2 }],
        },
      ],
    });
  });

  it('are none where nothing was gathered', async () => {
    expect(await ask('GET', '/reports/2026-01-05/gone.test')).toMatchObject({ status: 404, body: { reason: 'no-tls-report' } });
    expect(await ask('GET', '/reports/yesterday/y.test')).toMatchObject({ status: 400 });
  });
});
