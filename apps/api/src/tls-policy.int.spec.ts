import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TLS_POLICY_STREAM } from '@kiroku/domain/tls-policy/table.js';
import { type TestApi, testApi } from './testing/test-api.js';
import { TlsTable } from './tls-policy-schemas.js';

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
