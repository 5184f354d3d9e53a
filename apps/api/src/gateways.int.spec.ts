import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { z } from 'zod';
import { AccessTokens } from '@kiroku/infra/oauth/access-tokens.js';
import { tokenServer } from '@kiroku/infra/oauth/testing.js';
import { PostgresGateways } from '@kiroku/infra/read-model/gateways.js';
import * as schemas from './gateway-schemas.js';
import { Problem } from './http/problem.js';
import { type TestApi, testApi } from './testing/test-api.js';

let api: TestApi;
beforeAll(async () => { api = await testApi(); });
afterAll(() => api.close());

interface Answer { readonly status: number; readonly body: unknown; readonly text: string; readonly headers: Headers }

async function v1(method: string, path: string, body?: unknown): Promise<Answer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const answer = await fetch(`${api.url}/api/v1${path}`, {
    method, headers: { authorization: `Bearer ${api.token}`, ...(body !== undefined && { 'content-type': raw ? 'text/plain' : 'application/json' }) },
    ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, text, headers: answer.headers, body: /json/.test(answer.headers.get('content-type') ?? '') ? JSON.parse(text) : text };
}

/** The answer is 2xx, and is what its schema says, with nothing more. */
async function gives<S extends z.ZodType>(schema: S, answer: Promise<Answer>, status = 200): Promise<z.output<S>> {
  const { status: was, body } = await answer;
  expect({ was, body }).toMatchObject({ was: status });
  const parsed = schema.parse(body);
  expect(body).toEqual(parsed);
  return parsed;
}

async function refuses(reason: string, status: number, answer: Promise<Answer>): Promise<Problem> {
  const { body, status: was } = await answer;
  expect(body).toMatchObject({ reason, status });
  expect(was).toBe(status);
  return Problem.parse(body);
}

const actors = async (stream: string) => (await api.platform.engine.store.read(stream)).events.map((e) => [e.type, e.actor]);

describe('the gateway table', () => {
  it('is imported and exported as text', async () => {
    expect(await gives(schemas.GatewayTable, v1('GET', '/gateways'))).toEqual({ revision: 0, forwardAll: false, lines: [] });
    expect(await gives(schemas.TableChanged, v1('PUT', '/gateways/table?revision=0', '; inner\r\n*.Inner.test, 192.0.2.25, 25\r\n'))).toEqual({ revision: 1, lines: 2 });
    const { text, headers } = await v1('GET', '/gateways/table');
    expect([text, headers.get('content-type')]).toEqual(['; inner\n*.inner.test,192.0.2.25,25\n', 'text/plain; charset=utf-8']);
    expect(await gives(schemas.GatewayTable, v1('GET', '/gateways'))).toMatchObject({
      changedBy: 'admin:admin', lines: [{ line: 1, comment: '; inner' }, { line: 2, target: '*.inner.test', host: '192.0.2.25', port: 25, implicitTls: false }],
    });
  });

  it('is refused with its lines', async () => {
    const { detail } = await refuses('bad-table', 422, v1('PUT', '/gateways/table', '*,gw,25\n*,gw,none\nx\n'));
    expect(detail).toMatch(/^line 2: the port .* \(none\); line 3: expected target/);
    await refuses('stale-table', 409, v1('PUT', '/gateways/table?revision=0', ''));
    await refuses('too-large', 413, v1('PUT', '/gateways/table', ' '.repeat(8 * 1024 * 1024 + 1)));
    await refuses('bad-request', 400, v1('PUT', '/gateways/table?revision=x', ''));
  });

  it('is edited line by line', async () => {
    expect(await gives(schemas.TableChanged, v1('POST', '/gateways/lines', { target: 'y.test', sender: 'Ann@x.test', host: '::1', port: 465, implicitTls: true }), 201)).toEqual({ revision: 2, lines: 3 });
    await gives(schemas.TableChanged, v1('POST', '/gateways/lines?revision=2', { comment: '# top', at: 1 }), 201);
    await gives(schemas.TableChanged, v1('PATCH', '/gateways/lines/4', { sender: null, port: 25 }));
    await gives(schemas.TableChanged, v1('POST', '/gateways/lines/4/move', { to: 1 }));
    await gives(schemas.TableChanged, v1('DELETE', '/gateways/lines/3?revision=5'));
    expect((await v1('GET', '/gateways/table')).text).toBe('y.test,[::1],25*\n# top\n*.inner.test,192.0.2.25,25\n');
    expect((await actors('gateways')).every(([type, actor]) => type === 'GatewayTableChanged' && actor === 'admin:admin')).toBe(true);
  });

  it('refuses what is no line', async () => {
    await refuses('bad-gateway-line', 422, v1('POST', '/gateways/lines', { target: 'a b', host: 'gw', port: 25 }));
    await refuses('bad-gateway-line', 422, v1('POST', '/gateways/lines', { comment: '*,gw,25' }));
    await refuses('no-such-line', 404, v1('DELETE', '/gateways/lines/9'));
    await refuses('no-such-line', 404, v1('POST', '/gateways/lines/1/move', { to: 9 }));
    await refuses('stale-table', 409, v1('PATCH', '/gateways/lines/1?revision=1', { port: 26 }));
    await refuses('bad-request', 400, v1('DELETE', '/gateways/lines/0'));
    await refuses('bad-request', 400, v1('POST', '/gateways/lines', { target: 'x.test', host: 'gw', port: 25, comment: '; both' }));
    await refuses('bad-request', 400, v1('POST', '/gateways/lines', { target: 'x.test', host: 'gw', port: 0 }));
  });

  it('says where mail goes', async () => {
    expect(await gives(schemas.RouteAnswer, v1('GET', '/gateways/route?address=a@sub.inner.test&sender=b@x.test'))).toMatchObject({ route: { kind: 'gateway', host: '192.0.2.25' }, line: 3 });
    expect(await gives(schemas.RouteAnswer, v1('GET', '/gateways/route?address=a@z.test'))).toMatchObject({ route: { kind: 'mx', domain: 'z.test' }, passedOver: [] });
    await refuses('bad-address', 422, v1('GET', '/gateways/route?address=nonsense'));
    expect(await gives(schemas.TableChanged, v1('PATCH', '/gateways', { forwardAll: true }))).toMatchObject({ lines: 3 });
    expect(await gives(schemas.GatewayTable, v1('GET', '/gateways'))).toMatchObject({ forwardAll: true });
    await gives(schemas.TableChanged, v1('PATCH', '/gateways', { forwardAll: false }));
  });
});

describe('credentials', () => {
  it('are added, changed, listed and removed, and never tell their secret', async () => {
    const answers = [
      await v1('POST', '/credentials', { name: 'Isp', user: 'kiroku', secret: 'hunter2' }),
      await v1('PATCH', '/credentials/isp', { mechanism: 'LOGIN', secret: 'hunter3' }),
      await v1('GET', '/credentials'), await v1('GET', '/credentials/isp'), await v1('POST', '/credentials', { name: 'isp', user: 'x', secret: 'hunter4' }),
      await v1('POST', '/credentials', { name: 'other', user: 'x', secret: 'hunter5\n' }), await v1('POST', '/credentials', { name: 'other', user: 'x', secret: `hunter${'x'.repeat(9_000)}` }),
      await v1('POST', '/credentials', { name: 'no name', user: 'x', secret: 'hunter6' }),
    ];
    expect(answers.map((a) => a.status)).toEqual([201, 200, 200, 200, 409, 422, 400, 422]);
    expect(schemas.Credentials.parse(answers[3]?.body)).toMatchObject({ name: 'isp', mechanism: 'LOGIN', user: 'kiroku' });
    expect(schemas.CredentialsPage.parse(answers[2]?.body).items).toHaveLength(1);
    expect(JSON.stringify([answers.map((a) => a.text), (await api.platform.engine.store.read('credentials-isp')).events])).not.toContain('hunter');
    const { pool, engine } = api.platform;
    expect(await new PostgresGateways(pool, api.key, engine.clock, new AccessTokens({ pool, engine, key: api.key, trouble: () => undefined })).credentials('isp')).toEqual({ mechanism: 'LOGIN', user: 'kiroku', secret: 'hunter3' });
    expect(await actors('credentials-isp')).toEqual([['CredentialsAdded', 'admin:admin'], ['CredentialsChanged', 'admin:admin']]);
  });

  it('stay while a line uses them', async () => {
    await refuses('unknown-credentials', 422, v1('POST', '/gateways/lines', { target: '*', host: 'gw', port: 25, credentials: 'none' }));
    await gives(schemas.TableChanged, v1('POST', '/gateways/lines', { target: '*', host: 'gw', port: 25, credentials: 'isp' }), 201);
    const { detail } = await refuses('credentials-in-use', 409, v1('DELETE', '/credentials/isp'));
    expect(detail).toBe('line 4: *,gw,25,isp');
    await gives(schemas.TableChanged, v1('PATCH', '/gateways/lines/4', { credentials: null }));
    expect((await v1('DELETE', '/credentials/isp')).status).toBe(204);
    await refuses('no-such-credentials', 404, v1('GET', '/credentials/isp'));
  });
});

describe('credentials whose access tokens are fetched', () => {
  it('are added, changed, tested and shown, and never tell secret or token', async () => {
    const server = await tokenServer({ tls: false });
    const oauth = { tokenUrl: server.url, clientId: 'app', scope: 'mail', grant: 'client-credentials' } as const;
    const answers = [
      await v1('POST', '/credentials', { name: 'm365', user: 'ann@x.test', mechanism: 'XOAUTH2', oauth: { ...oauth, clientSecret: 'hunter2' } }),
      await v1('POST', '/credentials/m365/test'),
      await v1('PATCH', '/credentials/m365', { oauth: { scope: 'other' } }),
      await v1('PATCH', '/credentials/m365', { oauth: { grant: 'refresh-token', refreshToken: 'hunter3' } }),
      await v1('GET', '/credentials/m365'), await v1('GET', '/credentials'),
    ];
    expect(answers.map((a) => a.status)).toEqual([201, 200, 200, 200, 200, 200]);
    expect(await gives(schemas.Credentials, v1('GET', '/credentials/m365'))).toMatchObject({ oauth: { ...oauth, scope: 'other', grant: 'refresh-token' } });
    expect(schemas.FetchedToken.parse(answers[1]?.body)).toMatchObject({ name: 'm365', user: 'ann@x.test', expiresAt: expect.any(Number) });
    expect(server.forms).toMatchObject([{ client_secret: 'hunter2' }]);
    server.answer = () => ({ status: 400, json: { error: 'invalid_grant', error_description: 'AADSTS70008: expired' } });
    const { detail } = await refuses('no-access-token', 502, v1('POST', '/credentials/m365/test'));
    expect(detail).toBe(`${new URL(server.url).host} refuses: invalid_grant (AADSTS70008: expired)`);
    expect(JSON.stringify([answers.map((a) => a.text), detail, (await api.platform.engine.store.read('credentials-m365')).events])).not.toMatch(/hunter|token-1/);
    expect((await v1('GET', '/actions?limit=5')).text).not.toContain('v1.');
    await server.close();
  });

  it('are refused by their rules', async () => {
    const oauth = { tokenUrl: 'https://p.test/token', clientId: 'app', grant: 'client-credentials', clientSecret: 'hunter2' } as const;
    await refuses('bad-credentials', 422, v1('POST', '/credentials', { name: 'o', user: 'x', oauth: { ...oauth, tokenUrl: 'http://p.test/token' } }));
    await refuses('bad-credentials', 422, v1('POST', '/credentials', { name: 'o', user: 'x', mechanism: 'PLAIN', oauth }));
    await refuses('bad-credentials', 422, v1('PATCH', '/credentials/m365', { oauth: { tokenUrl: 'https://elsewhere.test/' } }));
    await refuses('bad-request', 400, v1('POST', '/credentials', { name: 'o', user: 'x', secret: 'y', oauth }));
    await refuses('bad-request', 400, v1('POST', '/credentials', { name: 'o', user: 'x' }));
    await v1('POST', '/credentials', { name: 'fixed', user: 'x', secret: 'y' });
    await refuses('fixed-secret', 409, v1('POST', '/credentials/fixed/test'));
    await refuses('no-such-credentials', 404, v1('POST', '/credentials/none/test'));
  });
});

describe('relay domains', () => {
  it('are added, changed, listed and removed', async () => {
    expect(await gives(schemas.RelayDomainDetails, v1('POST', '/relay-domains', { name: 'Inner.test', verify: 'list', recipients: ['ann'] }), 201))
      .toMatchObject({ name: 'inner.test', verify: 'list', recipients: ['ann@inner.test'], listed: 1 });
    await gives(schemas.RelayDomainDetails, v1('POST', '/relay-domains/inner.test/recipients/add', { recipients: ['bob', 'sales*'] }));
    expect(await gives(schemas.RelayDomainDetails, v1('POST', '/relay-domains/inner.test/recipients/remove', { recipients: ['ann'] })))
      .toMatchObject({ recipients: ['bob@inner.test', 'sales*@inner.test'] });
    expect(await gives(schemas.RelayDomainDetails, v1('PATCH', '/relay-domains/inner.test', { verify: 'call-forward' }))).toMatchObject({ verify: 'call-forward', listed: 2 });
    expect((await gives(schemas.RelayDomains, v1('GET', '/relay-domains'))).items.map((d) => d.name)).toEqual(['inner.test']);
    await refuses('relay-domain-exists', 409, v1('POST', '/relay-domains', { name: 'inner.test', verify: 'none' }));
    expect((await v1('DELETE', '/relay-domains/inner.test')).status).toBe(204);
    await refuses('no-such-relay-domain', 404, v1('GET', '/relay-domains/inner.test'));
    expect((await actors('relaydomain-inner.test')).map(([type]) => type)).toEqual(['RelayDomainAdded', 'RelayDomainChanged', 'RelayDomainChanged', 'RelayDomainChanged', 'RelayDomainRemoved']);
  });

  it('are refused by their rules', async () => {
    await v1('POST', '/domains', { name: 'ours.test' });
    await refuses('domain-is-local', 409, v1('POST', '/relay-domains', { name: 'ours.test', verify: 'none' }));
    await refuses('bad-domain', 422, v1('POST', '/relay-domains', { name: 'a b', verify: 'none' }));
    await refuses('bad-recipient', 422, v1('POST', '/relay-domains', { name: 'r.test', verify: 'list', recipients: ['a@other.test'] }));
    await refuses('bad-request', 400, v1('POST', '/relay-domains', { name: 'r.test', verify: 'dns' }));
    await refuses('ldap-directory-needed', 422, v1('POST', '/relay-domains', { name: 'r.test', verify: 'ldap' }));
    await refuses('unknown-ldap-directory', 422, v1('POST', '/relay-domains', { name: 'r.test', verify: 'ldap', ldap: 'none' }));
    await refuses('ldap-directory-unused', 422, v1('POST', '/relay-domains', { name: 'r.test', verify: 'none', ldap: 'none' }));
  });
});
