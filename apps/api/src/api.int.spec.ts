import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { record } from '@kiroku/domain/kernel/execute.js';
import type { MailFact, SessionFact } from '@kiroku/domain/mail/events.js';
import { Administrators, tokenFile } from '@kiroku/infra/admin/administrators.js';
import { openCredentials } from '@kiroku/infra/auth/credentials.js';
import { verifyPassword } from '@kiroku/infra/auth/passwords.js';
import { PostgresAdmission } from '@kiroku/infra/read-model/admission.js';
import { accepted } from '@kiroku/infra/read-model/testing.js';
import { until } from '@kiroku/infra/rig/until.js';
import type { z } from 'zod';
import { Problem } from './http/problem.js';
import * as administration from './administration-schemas.js';
import * as schemas from './schemas.js';
import { type TestApi, testApi } from './testing/test-api.js';

let api: TestApi;
beforeAll(async () => { api = await testApi(); });
afterAll(() => api.close());

interface Answer { readonly status: number; readonly headers: Headers; readonly body: unknown; readonly text: string }

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = { authorization: `Bearer ${api.token}` }): Promise<Answer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const answer = await fetch(`${api.url}${path}`, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': raw ? 'text/tab-separated-values' : 'application/json' }) },
    ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const json = /json/.test(answer.headers.get('content-type') ?? '') && !/ndjson/.test(answer.headers.get('content-type') ?? '');
  return { status: answer.status, headers: answer.headers, text, body: json ? JSON.parse(text) : text };
}
const v1 = (method: string, path: string, body?: unknown): Promise<Answer> => ask(method, `/api/v1${path}`, body);

/** The answer is 2xx, and is what its schema says, with nothing more. */
async function gives<S extends z.ZodType>(schema: S, answer: Promise<Answer>, status = 200): Promise<z.output<S>> {
  const { status: was, body } = await answer;
  expect({ was, body }).toMatchObject({ was: status });
  const parsed = schema.parse(body);
  expect(body).toEqual(parsed);
  return parsed;
}

async function refuses(reason: string, status: number, answer: Promise<Answer>): Promise<Problem> {
  const { body, headers, status: was } = await answer;
  expect(body).toMatchObject({ reason, status, type: `urn:kiroku:problem:${reason}` });
  expect(was).toBe(status);
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = Problem.parse(body);
  expect(problem.instance).toBe(headers.get('x-request-id'));
  return problem;
}

const actorOf = async (stream: string) => (await api.platform.engine.store.read(stream)).events.map((e) => [e.type, e.actor, e.correlation]);

describe('who may use the API', () => {
  it('is who has a token; a stranger learns nothing more', async () => {
    for (const authorization of [undefined, 'Bearer', 'Bearer x', `Basic ${api.token}`, `Bearer ${api.token}x`, `Bearer ${randomBytes(32).toString('base64url')}`]) {
      const problem = await refuses('unauthorized', 401, ask('GET', '/api/v1/domains', undefined, authorization === undefined ? {} : { authorization }));
      expect(problem.detail).toBeUndefined();
    }
    const metrics = await api.platform.metrics.registry.getSingleMetricAsString('kiroku_api_unauthorized_total');
    expect(metrics).toMatch(/ 6$/m);
  });

  it('is asked on every route but the open ones', async () => {
    const document = (await ask('GET', '/openapi.json', undefined, {})).body as { paths: Record<string, Record<string, { security?: unknown[] }>> };
    for (const [path, verbs] of Object.entries(document.paths))
      for (const [verb, operation] of Object.entries(verbs)) {
        const open = operation.security?.length === 0 || path.endsWith('/metrics');
        const { status } = await ask(verb.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'), undefined, { authorization: 'Bearer wrong' });
        expect([path, verb, status === 401]).toEqual([path, verb, !open]);
      }
  });

  it('is not locked out by somebody else’s wrong tokens from the same address', async () => {
    const wrong = Array.from({ length: 50 }, () => ask('GET', '/api/v1/domains', undefined, { authorization: `Bearer ${randomBytes(32).toString('base64url')}` }));
    expect((await v1('GET', '/domains')).status).toBe(200);
    for (const { status } of await Promise.all(wrong)) expect(status).toBe(401);
  });

  it('has a file that others cannot read, and starts again with it', async () => {
    expect(statSync(tokenFile(api.data)).mode & 0o777).toBe(0o600);
    const administrators = new Administrators(api.platform.pool, api.platform.engine);
    await administrators.ensureFirst(api.data);
    expect((await administrators.list()).map((a) => [a.name, a.tokens.length])).toEqual([['admin', 1]]);
  });
});

describe('every answer', () => {
  it('has a request id, and headers that keep browsers from misusing it', async () => {
    const { headers } = await v1('GET', '/domains');
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('to an unknown route is a problem too', () => refuses('no-such-route', 404, v1('GET', '/nowhere')));
  it('to a body that is no JSON is a problem', async () => {
    const answer = await fetch(`${api.url}/api/v1/domains`, { method: 'POST', headers: { authorization: `Bearer ${api.token}`, 'content-type': 'application/json' }, body: '{"name":' });
    expect([answer.status, ((await answer.json()) as Problem).reason]).toEqual([400, 'bad-request']);
  });
  it('to a body that is too large is a problem', () => refuses('too-large', 413, v1('POST', '/domains', { name: 'x'.repeat(1_100_000) })));
  it('to a fault of ours says nothing of it', async () => {
    const [name] = ['view.domain_1'];
    await api.platform.pool.query(`ALTER TABLE ${name} RENAME TO domain_1_away`);
    try {
      const problem = await refuses('internal', 500, v1('GET', '/domains'));
      expect(JSON.stringify(problem)).not.toMatch(/domain_1|relation/);
    } finally {
      await api.platform.pool.query('ALTER TABLE view.domain_1_away RENAME TO domain_1');
    }
  });
});

describe('domains', () => {
  it('are added, listed in pages, changed, switched off and on, and deleted', async () => {
    const added = await gives(schemas.Domain, v1('POST', '/domains', { name: 'D1.Test', accountLimit: 5 }), 201);
    expect(added).toMatchObject({ name: 'd1.test', accountLimit: 5, enabled: true, accounts: 0 });
    await gives(schemas.Domain, v1('POST', '/domains', { name: 'd2.test' }), 201);
    const first = await gives(schemas.Domains, v1('GET', '/domains?limit=1'));
    expect([first.items.map((d) => d.name), first.next]).toEqual([['d1.test'], 'd1.test']);
    expect((await gives(schemas.Domains, v1('GET', `/domains?limit=1&after=${first.next ?? ''}`))).items.map((d) => d.name)).toEqual(['d2.test']);
    expect(await gives(schemas.Domain, v1('PATCH', '/domains/d1.test', { accountLimit: 6 }))).toMatchObject({ accountLimit: 6 });
    expect(await gives(schemas.Domain, v1('POST', '/domains/d1.test/disable'))).toMatchObject({ enabled: false });
    expect(await gives(schemas.Domain, v1('POST', '/domains/d1.test/enable'))).toMatchObject({ enabled: true });
    expect(await gives(schemas.Domain, v1('GET', '/domains/d1.test'))).toMatchObject({ enabled: true, accountLimit: 6 });
    expect((await v1('DELETE', '/domains/d2.test')).status).toBe(204);
    await refuses('no-such-domain', 404, v1('GET', '/domains/d2.test'));
  });

  it('keep who changed them, by which request', async () => {
    const { headers } = await v1('POST', '/domains', { name: 'kept.test' });
    expect(await actorOf('domain-kept.test')).toEqual([['DomainAdded', 'admin:admin', headers.get('x-request-id')]]);
  });

  it('are refused by their rules', async () => {
    await refuses('domain-exists', 409, v1('POST', '/domains', { name: 'd1.test' }));
    await refuses('bad-domain', 422, v1('POST', '/domains', { name: 'no domain' }));
    await refuses('no-such-domain', 404, v1('PATCH', '/domains/none.test', { accountLimit: 1 }));
    await refuses('bad-request', 400, v1('POST', '/domains', { nom: 'x.test' }));
    await refuses('bad-request', 400, v1('POST', '/domains', { name: 'x.test', accountLimit: -1 }));
    await refuses('bad-request', 400, v1('GET', '/domains?limit=1001'));
    await refuses('bad-request', 400, v1('GET', '/domains?order=up'));
  });
});

describe('accounts', () => {
  beforeAll(() => v1('POST', '/domains', { name: 'a.test' }));
  const ann = { address: 'Ann@a.test', password: 'correct horse', fullName: 'Ann', quota: 1_000_000 };

  it('are added without their password ever being told again', async () => {
    const added = await gives(schemas.Account, v1('POST', '/accounts', ann), 201);
    expect(added).toMatchObject({ address: 'ann@a.test', enabled: true, smtp: true, reversible: false, quota: 1_000_000, used: 0 });
    const { rows } = await api.platform.pool.query<{ all: string }>(`SELECT string_agg(events::text, '') AS all FROM history.decision`);
    expect(rows[0]?.all).toContain(added.id);
    expect(rows[0]?.all).not.toContain('correct horse');
  });

  it('are listed by domain, in pages', async () => {
    await gives(schemas.Account, v1('POST', '/accounts', { ...ann, address: 'bob@a.test' }), 201);
    const first = await gives(schemas.Accounts, v1('GET', '/accounts?domain=a.test&limit=1'));
    expect([first.items.map((a) => a.address), first.next]).toEqual([['ann@a.test'], 'ann@a.test']);
    expect((await gives(schemas.Accounts, v1('GET', '/accounts?domain=a.test&after=ann@a.test'))).items.map((a) => a.address)).toEqual(['bob@a.test']);
    expect((await gives(schemas.Accounts, v1('GET', '/accounts?domain=d1.test'))).items).toEqual([]);
  });

  it('change, are switched off and on, renamed and deleted', async () => {
    expect(await gives(schemas.Account, v1('PATCH', '/accounts/ann@a.test', { fullName: 'Ann Lee', pop3: false }))).toMatchObject({ fullName: 'Ann Lee', pop3: false });
    expect(await gives(schemas.Account, v1('POST', '/accounts/ann@a.test/disable'))).toMatchObject({ enabled: false });
    expect(await gives(schemas.Account, v1('POST', '/accounts/ann@a.test/enable'))).toMatchObject({ enabled: true });
    const renamed = await gives(schemas.Account, v1('POST', '/accounts/ann@a.test/rename', { address: 'anna@a.test' }));
    expect(renamed).toMatchObject({ address: 'anna@a.test', fullName: 'Ann Lee' });
    await refuses('no-such-account', 404, v1('GET', '/accounts/ann@a.test'));
    expect((await v1('DELETE', '/accounts/anna@a.test')).status).toBe(204);
    await refuses('no-such-account', 404, v1('DELETE', '/accounts/anna@a.test'));
  });

  it('get a new password, and with it the old digest logins or not', async () => {
    await refuses('password-needed', 409, v1('PATCH', '/accounts/bob@a.test', { reversible: true }));
    expect((await v1('PUT', '/accounts/bob@a.test/password', { password: 'new secret', reversible: true })).status).toBe(204);
    expect(await gives(schemas.Account, v1('GET', '/accounts/bob@a.test'))).toMatchObject({ reversible: true });
    expect((await v1('PUT', '/accounts/bob@a.test/password', { password: 'newer secret' })).status).toBe(204);
    expect(await gives(schemas.Account, v1('PATCH', '/accounts/bob@a.test', { reversible: false }))).toMatchObject({ reversible: false });
    const { rows } = await api.platform.pool.query<{ id: string; credentials: string }>(`SELECT id, credentials FROM view.account_1 WHERE address = 'bob@a.test'`);
    const { hash, secret } = openCredentials(rows[0]?.credentials ?? '', api.key, rows[0]?.id ?? '');
    expect([await verifyPassword(hash, 'newer secret'), secret]).toEqual([true, undefined]);
  });

  it('are refused by their rules', async () => {
    await refuses('address-taken', 409, v1('POST', '/accounts', { ...ann, address: 'bob@a.test' }));
    await refuses('no-such-domain', 404, v1('POST', '/accounts', { ...ann, address: 'x@none.test' }));
    await refuses('bad-address', 422, v1('POST', '/accounts', { ...ann, address: 'no address' }));
    await refuses('bad-password', 422, v1('POST', '/accounts', { ...ann, address: 'x@a.test', password: 'x'.repeat(129) }));
    await refuses('bad-request', 400, v1('POST', '/accounts', { address: 'x@a.test' }));
    await refuses('bad-request', 400, v1('PATCH', '/accounts/bob@a.test', { credentials: 'x' }));
    await refuses('no-such-account', 404, v1('PATCH', '/accounts/none@a.test', { fullName: 'x' }));
    await refuses('no-such-account', 404, v1('PUT', '/accounts/none@a.test/password', { password: 'x' }));
    await refuses('address-taken', 409, v1('POST', '/accounts', { ...ann, address: 'BOB@a.test' }));
    await refuses('not-empty', 409, v1('DELETE', '/domains/a.test'));
  });
});

describe('aliases', () => {
  beforeAll(() => v1('POST', '/domains', { name: 'l.test' }));

  it('are added, changed, switched off and on, renamed and deleted', async () => {
    const added = await gives(schemas.Alias, v1('POST', '/aliases', { address: 'all@l.test', targets: [{ address: 'x@l.test' }, { address: 'y@far.test', rewrite: false }] }), 201);
    expect(added.targets).toEqual([{ address: 'x@l.test', rewrite: false }, { address: 'y@far.test', rewrite: false }]);
    expect(await gives(schemas.Alias, v1('POST', '/aliases', { address: '*@l.test', targets: [{ address: 'x@l.test' }] }), 201)).toMatchObject({ wildcard: true });
    expect((await gives(schemas.Aliases, v1('GET', '/aliases?domain=l.test'))).items).toHaveLength(2);
    expect((await gives(schemas.Alias, v1('PATCH', '/aliases/all@l.test', { targets: [{ address: 'z@l.test' }] }))).targets).toHaveLength(1);
    expect(await gives(schemas.Alias, v1('POST', '/aliases/all@l.test/disable'))).toMatchObject({ enabled: false });
    expect(await gives(schemas.Alias, v1('POST', '/aliases/all@l.test/enable'))).toMatchObject({ enabled: true });
    expect(await gives(schemas.Alias, v1('POST', '/aliases/all@l.test/rename', { address: 'everybody@l.test' }))).toMatchObject({ address: 'everybody@l.test' });
    expect(await gives(schemas.Alias, v1('GET', `/aliases/${encodeURIComponent('*@l.test')}`))).toMatchObject({ address: '*@l.test' });
    expect((await v1('DELETE', '/aliases/everybody@l.test')).status).toBe(204);
    await refuses('no-such-alias', 404, v1('GET', '/aliases/everybody@l.test'));
  });

  it('are refused by their rules', async () => {
    await refuses('no-targets', 422, v1('POST', '/aliases', { address: 'n@l.test', targets: [] }));
    await refuses('bad-target', 422, v1('POST', '/aliases', { address: 'n@l.test', targets: [{ address: 'nobody' }] }));
    await refuses('duplicate-target', 422, v1('POST', '/aliases', { address: 'n@l.test', targets: [{ address: 'x@l.test' }, { address: 'X@l.test' }] }));
    await refuses('too-many-targets', 422, v1('POST', '/aliases', { address: 'n@l.test', targets: Array.from({ length: 1001 }, (_, i) => ({ address: `t${i}@l.test` })) }));
    await refuses('no-such-alias', 404, v1('DELETE', '/aliases/none@l.test'));
    await refuses('bad-request', 400, v1('PATCH', '/aliases/none@l.test', {}));
  });
});

describe('an account list', () => {
  const row = (name: string, password = 'secret', columns = '') => [name, password, `Full ${name}`, 'ignored.test', 'Home', '1', '0', '0'].join('\t') + columns;
  const lines = (text: string) => text.trim().split('\n').map((line) => schemas.ImportLine.parse(JSON.parse(line)));
  beforeAll(() => v1('POST', '/domains', { name: 'i.test' }));

  it('is tried without effect', async () => {
    const { text, headers } = await v1('POST', '/accounts/import?domain=i.test&dryRun=true', [row('u1'), row('u1'), row('bad\u0001'), 'too\tfew'].join('\n'));
    expect(headers.get('content-type')).toContain('application/x-ndjson');
    expect(lines(text)).toEqual([
      { line: 1, address: 'u1@i.test', result: 'would-add' },
      { line: 2, address: 'u1@i.test', result: 'duplicate', first: 1 },
      { line: 3, result: 'refused', reason: expect.any(String), detail: expect.any(String) },
      { line: 4, result: 'refused', reason: 'columns', detail: expect.any(String) },
      { done: 4, total: 4 },
      { summary: { total: 4, added: 1, duplicate: 1, refused: 2, dryRun: true } },
    ]);
    expect((await gives(schemas.Accounts, v1('GET', '/accounts?domain=i.test'))).items).toEqual([]);
  });

  it('adds what it can, tells each row, and does nothing more the second time', async () => {
    const list = Buffer.concat([Buffer.from('\ufeff'), Buffer.from([...Array.from({ length: 70 }, (_, i) => row(`u${i}`, 's', '\t1\t0')), 'x'].join('\r\n'))]);
    const first = lines((await v1('POST', '/accounts/import?domain=i.test', list)).text);
    expect(first.filter((l) => 'line' in l).map((l) => 'line' in l && l.line)).toEqual(Array.from({ length: 71 }, (_, i) => i + 1));
    expect(first.filter((l) => 'done' in l).length).toBeGreaterThan(1);
    expect(first.at(-1)).toEqual({ summary: { total: 71, added: 70, duplicate: 0, refused: 1, dryRun: false } });
    expect(lines((await v1('POST', '/accounts/import?domain=i.test', list)).text).at(-1)).toEqual({ summary: { total: 71, added: 0, duplicate: 70, refused: 1, dryRun: false } });
    expect(await gives(schemas.Account, v1('GET', '/accounts/u1@i.test'))).toMatchObject({ fullName: 'Full u1', imap: false, pop3: true, reversible: false });
  });

  it('goes out and in again with its passwords, sealed', async () => {
    const { text, headers } = await v1('GET', '/accounts/export?domain=i.test');
    expect(headers.get('content-type')).toContain('text/tab-separated-values');
    expect(text.trim().split('\n')).toHaveLength(70);
    await v1('POST', '/domains', { name: 'copy.test' });
    const copied = lines((await v1('POST', '/accounts/import?domain=copy.test', text)).text);
    expect(copied.at(-1)).toMatchObject({ summary: { added: 70 } });
  });

  it('is refused when it cannot be read, or is for no domain of ours', async () => {
    await refuses('bad-import', 400, v1('POST', '/accounts/import?domain=i.test', Buffer.from([0xff, 0xfe, 0x00, 0xd8])));
    await refuses('no-such-domain', 404, v1('POST', '/accounts/import?domain=none.test', row('u1')));
    await refuses('bad-request', 400, v1('POST', '/accounts/import?domain=i.test&dryRun=maybe', row('u1')));
    await refuses('no-such-domain', 404, v1('GET', '/accounts/export?domain=none.test'));
  });
});

describe('settings', () => {
  it('are all there with their defaults, and what differs is named', async () => {
    const { settings, changed } = await gives(schemas.AllSettings, v1('GET', '/settings'));
    expect([settings.recipientsPerMessage, changed]).toEqual([1000, []]);
  });

  it('change at once and go back to the default', async () => {
    expect(await gives(schemas.AllSettings, v1('PATCH', '/settings', { hops: 20, vrfy: true, trustedIps: ['192.0.2.0/24'] }))).toMatchObject({ settings: { hops: 20, vrfy: true }, changed: ['hops', 'vrfy', 'trustedIps'] });
    const { details } = await gives(schemas.AllSettings, v1('GET', '/settings'));
    expect(details.find((s) => s.name === 'hops')).toMatchObject({ value: 20, default: 25, changed: true, setAt: expect.any(Number), setBy: 'admin:admin', unit: 'count' });
    expect(details.find((s) => s.name === 'srs')).not.toHaveProperty('setAt');
    expect((await gives(schemas.AllSettings, v1('PATCH', '/settings', { hops: null, vrfy: null, trustedIps: null }))).changed).toEqual([]);
    expect((await actorOf('settings')).map(([type, actor]) => [type, actor])).toEqual([['SettingsChanged', 'admin:admin'], ['SettingsChanged', 'admin:admin']]);
  });

  it('are refused by their rules', async () => {
    await refuses('bad-settings', 422, v1('PATCH', '/settings', { tagSeparators: 'a' }));
    await refuses('bad-request', 400, v1('PATCH', '/settings', { hops: '20' }));
    await refuses('bad-request', 400, v1('PATCH', '/settings', { nonsense: 1 }));
    await refuses('bad-request', 400, v1('PATCH', '/settings', { senderTrust: 'blind' }));
  });
});

describe('lockouts', () => {
  it('are listed, and released by an administrator', async () => {
    const admission = new PostgresAdmission(api.platform.pool, api.platform.engine);
    await admission.admit('smtp', '192.0.2.9');
    for (let i = 0; i < 10; i++) await admission.failed('smtp', '192.0.2.9', 'session-1');
    await admission.failed('pop3', '192.0.2.8', 'session-2');
    expect((await gives(schemas.Lockouts, v1('GET', '/lockouts'))).items).toEqual([
      { protocol: 'smtp', ip: '192.0.2.9', failures: 0, since: 0, lockedUntil: expect.any(Number), because: 'failures' },
    ]);
    expect((await gives(schemas.Lockouts, v1('GET', '/lockouts?all=true&limit=1'))).next).toBe('192.0.2.8 pop3');
    expect(await gives(schemas.Released, v1('DELETE', '/lockouts/192.0.2.9'))).toEqual({ released: 1 });
    expect((await admission.admit('smtp', '192.0.2.9')).refused).toBeUndefined();
    await refuses('not-locked-out', 404, v1('DELETE', '/lockouts/192.0.2.9?protocol=smtp'));
    await refuses('bad-request', 400, v1('DELETE', '/lockouts/somewhere'));
    await refuses('bad-request', 400, v1('GET', '/lockouts?all=perhaps'));
  });
});

describe('administrators', () => {
  it('come with a token that works until it is revoked', async () => {
    const { token, tokenId } = await gives(schemas.NewToken, v1('POST', '/administrators', { name: 'carl' }), 201);
    const asCarl = { authorization: `Bearer ${token}` };
    expect((await ask('GET', '/api/v1/domains', undefined, asCarl)).status).toBe(200);
    await refuses('own-token', 409, ask('DELETE', `/api/v1/administrators/carl/tokens/${tokenId}`, undefined, asCarl));
    await refuses('own-token', 409, ask('DELETE', '/api/v1/administrators/carl', undefined, asCarl));
    const second = await gives(schemas.NewToken, v1('POST', '/administrators/carl/tokens'), 201);
    expect((await v1('DELETE', `/administrators/carl/tokens/${tokenId}`)).status).toBe(204);
    await refuses('unauthorized', 401, ask('GET', '/api/v1/domains', undefined, asCarl));
    const list = await gives(schemas.Administrators, v1('GET', '/administrators'));
    expect(list.items.find((a) => a.name === 'carl')?.tokens.map((t) => [t.id, t.issuedBy])).toEqual([[second.tokenId, 'admin:admin']]);
    expect(JSON.stringify(list)).not.toMatch(/hash/);
    expect((await v1('DELETE', '/administrators/carl/tokens')).status).toBe(204);
    expect((await v1('DELETE', '/administrators/carl')).status).toBe(204);
  });

  it('are refused by their rules', async () => {
    await refuses('administrator-exists', 409, v1('POST', '/administrators', { name: 'admin' }));
    await refuses('bad-administrator-name', 422, v1('POST', '/administrators', { name: 'No Name' }));
    await refuses('unknown-administrator', 404, v1('POST', '/administrators/nobody/tokens'));
    await refuses('unknown-administrator', 404, v1('DELETE', '/administrators/nobody'));
    await refuses('unknown-token', 404, v1('DELETE', '/administrators/admin/tokens/10000000-0000-7000-8000-000000000001'));
    await refuses('bad-request', 400, v1('DELETE', '/administrators/admin/tokens/1'));
  });
});

describe('messages', () => {
  const uuid = (): string => api.platform.engine.ids.uuid();
  const peer = { ip: '192.0.2.7', port: 4_000, helo: 'client.test' };
  const accepted = (messageId: string, session: string, recipients: readonly string[], headerMessageId: string): MailFact => ({
    type: 'MessageAccepted',
    data: {
      messageId, session, listener: 'mx', peer, protocol: 'ESMTP', sender: 'Sender@far.test', recipients: recipients.map((address) => ({ address })), body: '7BIT',
      smtputf8: false, requireTls: false, sha256: 'ab'.repeat(32), size: 1234, trace: '', headerMessageId, hops: 0, reply: `250 2.0.0 Ok: queued as ${messageId}`,
    },
  });

  /** As the SMTP server and delivery leave them. */
  async function mail(facts: readonly MailFact[], session: string, outcome: boolean): Promise<void> {
    const { engine, log } = api.platform;
    const opened: SessionFact = { type: 'SessionOpened', data: { protocol: 'smtp', listener: 'mx', peer, local: '192.0.2.1:25' } };
    const closed: SessionFact = { type: 'SessionClosed', data: { protocol: 'smtp', peer, reason: 'quit', seconds: 1, commands: 5, bytesIn: 1, bytesOut: 1 } };
    const envelope = (fact: MailFact | SessionFact, correlation: string) => record([fact], engine, { actor: `session:${session}`, correlation }, {})[0] as never;
    await log.append([
      { topic: 'session', key: session, event: envelope(opened, session) },
      ...facts.map((fact) => ({ topic: 'mail' as const, key: fact.data.messageId, event: envelope(fact, fact.data.messageId) })),
      { topic: 'session', key: session, event: envelope(closed, session) },
    ]);
    if (!outcome) return;
    for (const { type, data } of facts) {
      if (type !== 'MessageAccepted') continue;
      const bounced = data.recipients.map(({ address }) => ({
        type: 'RecipientBounced', data: { messageId: data.messageId, recipient: address, address, via: [], rule: 'unknown', reply: '550 5.1.1 User unknown' },
      }));
      const events = record(bounced, engine, { actor: 'system:delivery', correlation: data.messageId }, {});
      await engine.store.append([{ stream: `message-${data.messageId}`, expected: 0, events }]);
    }
  }

  it('have a story, found by queue id and by Message-ID, with what their session did before', async () => {
    const [session, id] = [uuid(), api.platform.engine.ids.queueId()];
    await mail([accepted(id, session, ['r@a.test'], 'story@far.test')], session, true);
    const story = await gives(schemas.Story, v1('GET', `/messages/${id}/story?wait=5000`));
    expect(story.events.map((e) => e.type)).toEqual(['SessionOpened', 'MessageAccepted', 'RecipientBounced']);
    expect(story).toMatchObject({ complete: true, messages: [id], outcomes: [{ recipient: 'r@a.test', ends: [{ kind: 'failed', rule: 'unknown' }] }] });
    for (const name of ['story@far.test', '<story@far.test>', id.toLowerCase()])
      expect((await gives(schemas.Story, v1('GET', `/messages/${encodeURIComponent(name)}/story`))).messages).toEqual([id]);
    expect((await gives(schemas.Story, v1('GET', `/messages/${session}/story`))).events.map((e) => e.type)).toEqual(['SessionOpened', 'SessionClosed']);
    expect(await gives(schemas.Message, v1('GET', `/messages/${id}`))).toMatchObject({ id, state: 'bounced', bounced: 1, sender: 'Sender@far.test' });
  });

  it('are waited for while delivery is under way, for as long as asked', async () => {
    const [session, id] = [uuid(), api.platform.engine.ids.queueId()];
    await mail([accepted(id, session, ['r@a.test'], 'slow@far.test')], session, false);
    expect(await gives(schemas.Story, v1('GET', `/messages/${id}/story?wait=2000`))).toMatchObject({ complete: false, outcomes: [{ ends: [] }] });
    await refuses('no-such-message', 404, v1('GET', `/messages/${api.platform.engine.ids.queueId()}/story?wait=50`));
  });

  it('are waited for while the login before them is under way', async () => {
    const { engine, log } = api.platform;
    const [session, id] = [uuid(), engine.ids.queueId()];
    const fact = accepted(id, session, ['r@a.test'], 'login@far.test');
    await mail([{ ...fact, data: { ...fact.data, login: 'ann@a.test' } } as MailFact], session, true);
    const story = gives(schemas.Story, v1('GET', `/messages/${id}/story?wait=10000`));
    await until('the message is known', 5_000, async () => (await v1('GET', `/messages/${id}`)).status === 200);
    const login: SessionFact = { type: 'LoginSucceeded', data: { protocol: 'smtp', peer, mechanism: 'PLAIN', login: 'ann@a.test', account: 'acc' } };
    const [event] = record([login], { ...engine, clock: { now: () => Date.now() - 10_000 } }, { actor: `session:${session}`, correlation: session }, {});
    if (event) await log.append([{ topic: 'session', key: session, event }]);
    expect((await story).events.map((e) => e.type)).toContain('LoginSucceeded');
  });

  it('are listed newest first, in pages and by what is asked for', async () => {
    const session = uuid();
    const ids = Array.from({ length: 3 }, () => api.platform.engine.ids.queueId());
    const refused: MailFact = {
      type: 'MessageRefused',
      data: { messageId: ids[2] ?? '', session, listener: 'mx', peer, sender: 'x@far.test', recipients: ['one@a.test'], size: 0, phase: 'DATA', rule: 'message-too-big', reply: '552 5.3.4 Too big' },
    };
    await mail([accepted(ids[0] ?? '', session, ['one@a.test', 'two@a.test'], 'l0@far.test'), accepted(ids[1] ?? '', session, ['two@a.test'], 'l1@far.test'), refused], session, false);
    const found = async (query: string) => (await gives(schemas.Messages, v1('GET', `/messages?${query}`))).items.map((m) => m.id);
    await until('the view has them', 5_000, async () => (await found('limit=3')).join() === [...ids].reverse().join());
    const first = await gives(schemas.Messages, v1('GET', '/messages?limit=2'));
    expect([first.items.map((m) => m.id), first.next]).toEqual([[ids[2], ids[1]], ids[1]]);
    expect((await found(`limit=1&after=${first.next ?? ''}`))).toEqual([ids[0]]);
    expect(await found('recipient=ONE@a.test')).toEqual([ids[2], ids[0]]);
    expect(await found('sender=x@FAR.test')).toEqual([ids[2]]);
    expect(await found('state=refused')).toEqual([ids[2]]);
    expect(await found(`since=${Date.now() + 60_000}`)).toEqual([]);
    expect(await found(`until=${Date.now() + 60_000}&limit=1`)).toEqual([ids[2]]);
    expect(await found('until=2020-01-01')).toEqual([]);
    await refuses('bad-request', 400, v1('GET', '/messages?state=lost'));
    await refuses('bad-request', 400, v1('GET', '/messages?since=yesterday'));
    await refuses('no-such-message', 404, v1('GET', '/messages/none'));
    await refuses('bad-request', 400, v1('GET', '/messages/x/story?wait=forever'));
  });
});

describe('what administrators did', () => {
  const list = async (query: string) => (await gives(administration.Actions, v1('GET', `/admin/actions?${query}`))).items;

  it('is listed newest first, by whom, about what and when, without secrets', async () => {
    await v1('POST', '/domains', { name: 'Audit.test' });
    await v1('POST', '/accounts', { address: 'ann@audit.test', password: 'correct horse' });
    await v1('PATCH', '/domains/audit.test', { accountLimit: 7 });
    const about = await list('subject=AUDIT.test');
    expect(about).toMatchObject([
      { type: 'DomainChanged', subject: 'audit.test', actor: 'admin:admin', data: { accountLimit: 7 } }, { type: 'DomainAdded', subject: 'audit.test' },
    ]);
    const [added] = await list('subject=ann@audit.test');
    expect(added).toMatchObject({ type: 'AccountAdded', request: expect.any(String) });
    expect(JSON.stringify(added)).not.toMatch(/credentials|correct/);
    expect((await list('type=DomainAdded&actor=admin')).map((a) => a.subject)).toContain('audit.test');
    expect(await list('actor=nobody')).toEqual([]);
    expect(await list('until=2020-01-01')).toEqual([]);
    expect(await list(`since=${about[0]?.at}&subject=audit.test`)).toHaveLength(1);
    const first = await gives(administration.Actions, v1('GET', '/admin/actions?limit=1'));
    expect((await list(`limit=1&after=${first.next}`))[0]?.id).not.toBe(first.items[0]?.id);
    await refuses('bad-request', 400, v1('GET', '/admin/actions?after=x'));
    await refuses('bad-request', 400, v1('GET', '/admin/actions?type=Nonsense'));
  });
});

describe('messages set aside', () => {
  const aside = async (messageId: string): Promise<void> => {
    const data = { messageId, sha256: 'ab'.repeat(32), size: 10, partition: 0, position: 0, error: 'TypeError: no', tries: 5, since: 1 };
    const events = record([{ type: 'MessageQuarantined', data }], api.platform.engine, { actor: 'system:delivery', correlation: messageId }, {});
    await api.platform.engine.store.append([{ stream: `quarantine-${messageId}`, expected: 0, events }]);
  };

  it('are listed, warned of, and tried again in the name of who asks', async () => {
    const [one, two] = [api.platform.engine.ids.queueId(), api.platform.engine.ids.queueId()];
    for (const id of [one, two]) await aside(id);
    expect((await gives(administration.Quarantined, v1('GET', '/quarantine'))).items).toMatchObject([{ messageId: one, state: 'aside', error: 'TypeError: no', tries: 5 }, { messageId: two }]);
    expect((await gives(administration.Quarantined, v1('GET', `/quarantine?after=${one}`))).items).toMatchObject([{ messageId: two }]);
    expect((await v1('GET', '/health')).body).toMatchObject({ warnings: [{ kind: 'quarantine', messages: 2, role: 'delivery' }] });
    expect((await gives(schemas.Messages, v1('GET', '/messages?state=quarantined'))).items).toEqual([]); // the log knows no such message
    await refuses('bad-reason', 422, v1('POST', `/quarantine/${one}/retry`, { reason: ' ' }));
    await refuses('not-quarantined', 404, v1('POST', '/quarantine/NONE/retry', { reason: 'ticket 7' }));
    expect(await gives(administration.QuarantineRetried, v1('POST', `/quarantine/${one}/retry`, { reason: 'ticket 7' }))).toEqual({ retried: 1 });
    expect(await gives(administration.QuarantineRetried, v1('POST', '/quarantine/retry', { reason: 'ticket 8' }))).toEqual({ retried: 1 });
    expect((await actorOf(`quarantine-${one}`)).at(-1)?.slice(0, 2)).toEqual(['QuarantineRetried', 'admin:admin']);
    await api.platform.pool.query('TRUNCATE view.quarantine_1');
  });

  it('are discarded once, in the name of who does it and with a reason, and not tried again afterwards', async () => {
    const id = api.platform.engine.ids.queueId();
    await api.platform.log.append([accepted(api.platform.engine, id, ['ann@x.test'])]);
    await aside(id);
    await refuses('bad-reason', 422, v1('POST', `/quarantine/${id}/discard`, { reason: '' }));
    await refuses('not-quarantined', 404, v1('POST', '/quarantine/NONE/discard', { reason: 'spam' }));
    expect(await gives(administration.QuarantineDiscarded, v1('POST', `/quarantine/${id}/discard`, { reason: 'spam' }))).toEqual({ discarded: 1 });
    expect((await gives(administration.Quarantined, v1('GET', '/quarantine'))).items).toEqual([]);
    await refuses('already-discarded', 409, v1('POST', `/quarantine/${id}/discard`, { reason: 'spam' }));
    await refuses('already-discarded', 409, v1('POST', `/quarantine/${id}/retry`, { reason: 'wanted after all' }));
    expect(await gives(administration.QuarantineRetried, v1('POST', '/quarantine/retry', { reason: 'all' }))).toEqual({ retried: 0 });
    expect((await gives(administration.Actions, v1('GET', `/admin/actions?subject=${id}`))).items).toMatchObject([{ type: 'QuarantineDiscarded', actor: 'admin:admin', reason: 'spam' }]);
    const story = await until('the story tells of it', 10_000, async () => {
      const { status, body } = await v1('GET', `/messages/${id}/story?wait=0`);
      return status === 200 && schemas.Story.parse(body).complete ? body : undefined;
    });
    expect(story).toMatchObject({ outcomes: [{ recipient: 'ann@x.test', ends: [{ kind: 'discarded', reason: 'spam' }] }] });
    expect((await gives(schemas.Messages, v1('GET', '/messages?state=discarded'))).items).toMatchObject([{ id, state: 'discarded' }]);
  });
});

describe('operations', () => {
  it('tell how far each view is behind', async () => {
    const views = await until('the views have caught up', 10_000, async () => {
      const { items } = await gives(schemas.Views, v1('GET', '/views'));
      return items.every((v) => v.lag === 0) && items;
    });
    expect(views.map((v) => v.name)).toEqual(expect.arrayContaining(['account_1', 'administrator_1', 'session_1', 'message_2']));
  });

  it('are healthy when every role lives, and say which does not', async () => {
    expect((await ask('GET', '/api/v1/health/live', undefined, {})).status).toBe(200);
    api.platform.live();
    await until('this process is known', 5_000, async () => (await gives(schemas.Health, v1('GET', '/health'))).roles.length === 1);
    expect(await gives(schemas.Live, ask('GET', '/api/v1/health/ready', undefined, {}))).toEqual({ status: 'ok' });
    const expiresAt = Date.now() + 86_400_000;
    const warned = JSON.stringify([{ kind: 'certificate', name: 'default', expiresAt }]);
    await api.platform.pool.query(`INSERT INTO ops.process SELECT gen_random_uuid(), 'smtp', host, 1, started_at, seen_at, NULL, metrics, $1 FROM ops.process UNION ALL
      SELECT gen_random_uuid(), 'pop3', host, 2, started_at, seen_at, NULL, metrics, $1 FROM ops.process`, [warned]);
    const attention = await gives(schemas.Health, v1('GET', '/health'));
    expect([attention.status, attention.warnings]).toEqual(['warning', [{ kind: 'certificate', name: 'default', expiresAt, role: 'pop3', host: expect.any(String) }]]);
    expect(await gives(schemas.Live, ask('GET', '/api/v1/health/ready', undefined, {}))).toEqual({ status: 'ok' });
    await api.platform.pool.query(`DELETE FROM ops.process WHERE role <> 'api'`);
    await api.platform.pool.query(`UPDATE ops.process SET trouble = 'the disk is full'`);
    const { body } = await v1('GET', '/health');
    expect(body).toMatchObject({ status: 'trouble', roles: [{ role: 'api', ok: false, processes: [{ trouble: 'the disk is full' }] }] });
    expect(await ask('GET', '/api/v1/health/ready', undefined, {})).toMatchObject({ status: 503, body: { status: 'trouble' } });
  });

  it('give the metrics of all processes to this machine without a token', async () => {
    const { text, headers } = await ask('GET', '/api/v1/metrics', undefined, {});
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(text).toMatch(/^kiroku_process_resident_bytes\{.*role="api".*\} \d+/m);
  });
});
