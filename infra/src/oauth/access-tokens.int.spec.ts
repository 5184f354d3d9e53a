import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Append } from '@kiroku/domain/kernel/event-store.js';
import type { ClientCredentials } from '@kiroku/domain/smtp-client/types.js';
import { GatewayAdmin } from '../admin/gateways.js';
import { openOAuthSecrets } from '../auth/gateway-secret.js';
import { PostgresGateways } from '../read-model/gateways.js';
import { type TestHistory, testHistory } from '../read-model/testing.js';
import { Rebuild } from '../read-model/rebuild.js';
import { INLINE_VIEWS } from '../read-model/views.js';
import type { ScriptedSmtp } from '../rig/scripted-smtp.js';
import { until } from '../rig/until.js';
import { fates, messageOf, Stage, targetAt } from '../smtp-client/testing.js';
import { AccessTokens } from './access-tokens.js';
import { bearer, oauthError, type TokenServer, tokenServer } from './testing.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
const key = randomBytes(32);
const MINUTE = 60_000;
let h: TestHistory;
let admin: GatewayAdmin;
let server: TokenServer;
beforeAll(async () => {
  h = await testHistory();
  server = await tokenServer();
  admin = new GatewayAdmin(h.pool, h.engine, key, new AccessTokens({ pool: h.pool, engine: h.engine, key, trouble: () => undefined }, { ca: server.ca ?? '' }));
});
afterAll(async () => {
  await server.close();
  await h.close();
});
beforeEach(() => {
  server.answer = () => bearer(`token-${server.forms.length}`);
  server.forms.length = 0;
});

let n = 0;
const named = () => `m365-${++n}`;
async function addApp(name = named()): Promise<string> {
  await admin.addCredentials({ name, mechanism: 'any', user: 'ann@x.test', oauth: { tokenUrl: server.url, clientId: 'app', scope: 'mail', grant: 'client-credentials', clientSecret: 'hunter2' } }, ORIGIN);
  return name;
}
async function addUser(refreshToken = 'refresh-0', name = named()): Promise<string> {
  await admin.addCredentials({ name, mechanism: 'XOAUTH2', user: 'ann@x.test', oauth: { tokenUrl: server.url, clientId: 'app', grant: 'refresh-token', refreshToken } }, ORIGIN);
  return name;
}

/** One process. @param timeout ms for an answer of the endpoint. */
function process(timeout?: number, over: Partial<{ store: TestHistory['store']; serverKey: Buffer }> = {}) {
  const member = h.another();
  const troubles: string[] = [];
  const engine = { ...member.engine, store: over.store ?? member.engine.store };
  const tokens = new AccessTokens({ pool: member.pool, engine, key: over.serverKey ?? key, trouble: (error) => void troubles.push(String(error)) }, { ca: server.ca ?? '', ...(timeout !== undefined && { timeout }) });
  const gateways = new PostgresGateways(member.pool, over.serverKey ?? key, member.engine.clock, tokens);
  const login = async (name: string) => (await gateways.credentials(name)) as ClientCredentials;
  const secret = async (name: string) => (await login(name)).secret;
  return { tokens, gateways, login, secret, troubles, clock: member.engine.clock };
}
const events = async (name: string) => (await h.engine.store.read(`credentials-${name}`)).events;
const refreshTokenOf = async (name: string) => openOAuthSecrets(((await events(name)).at(-1)?.data as { sealed: string }).sealed, key, name).refreshToken;
/** All that is kept about credentials: history, rows, lists. */
const kept = async (name: string) => JSON.stringify([await events(name), (await h.pool.query('SELECT * FROM view.credentials_2')).rows, await admin.credentials({ limit: 1_000 })]);

describe('an access token', () => {
  it('is fetched when it is needed, and used by all until a minute before its end', async () => {
    const name = await addApp();
    const { secret, clock, login } = process();
    expect(await Promise.all([secret(name), secret(name), secret(name)])).toEqual(['token-1', 'token-1', 'token-1']);
    expect(await login(name)).toMatchObject({ mechanism: 'any', user: 'ann@x.test', token: true });
    clock.advance(59 * MINUTE - 1);
    expect(await secret(name)).toBe('token-1');
    clock.advance(1);
    expect(await secret(name)).toBe('token-2');
    expect(server.forms).toHaveLength(2);
  });

  it('is kept for five minutes where the server does not say, for a day at most, and short ones for half their life', async () => {
    for (const [expires_in, life] of [[undefined, 4 * MINUTE], [1_000_000, 24 * 60 * MINUTE - MINUTE], [20, 10_000]] as const) {
      server.answer = () => bearer(`token-${server.forms.length}`, { expires_in });
      const name = await addApp();
      const { secret, clock } = process();
      const first = await secret(name);
      clock.advance(life - 1);
      expect([expires_in, await secret(name)]).toEqual([expires_in, first]);
      clock.advance(1);
      expect([expires_in, await secret(name)]).not.toEqual([expires_in, first]);
    }
  });

  it('that dies at once is used once', async () => {
    server.answer = () => bearer(`token-${server.forms.length}`, { expires_in: 0 });
    const { secret } = process();
    const name = await addApp();
    expect([await secret(name), await secret(name)]).toEqual(['token-1', 'token-2']);
  });

  it('is no more used when an administrator has changed client or secret, and is when the user changed', async () => {
    const name = await addApp();
    const { secret } = process();
    await secret(name);
    await admin.changeCredentials(name, { user: 'bob@x.test' }, ORIGIN);
    expect(await secret(name)).toBe('token-1');
    await admin.changeCredentials(name, { oauth: { clientSecret: 'hunter3' } }, ORIGIN);
    expect(await secret(name)).toBe('token-2');
    expect(server.forms.at(-1)).toMatchObject({ client_secret: 'hunter3', client_id: 'app' });
    await admin.changeCredentials(name, { oauth: { scope: 'other' } }, ORIGIN);
    expect(await secret(name)).toBe('token-3');
    expect(server.forms.at(-1)).toMatchObject({ client_secret: 'hunter3', scope: 'other' });
  });

  it('is never in the history, nor in a row, nor are the secrets', async () => {
    const name = await addApp();
    await process().secret(name);
    expect(await kept(name)).not.toMatch(/token-\d|hunter/);
    expect(await admin.oneCredentials(name)).toMatchObject({ oauth: { tokenUrl: server.url, clientId: 'app', scope: 'mail', grant: 'client-credentials' } });
  });
});

describe('no access token', () => {
  it('is to be had from a server that refuses: mail hears why, and the server is not asked for each', async () => {
    server.answer = () => oauthError('invalid_client', { error_description: 'AADSTS7000215: wrong secret' }, 401);
    const name = await addApp();
    const { secret, clock, tokens, troubles } = process();
    const reply = `454 4.7.0 No access token for the gateway: ${new URL(server.url).host} refuses: invalid_client`;
    for (let mail = 0; mail < 3; mail++) await expect(secret(name)).rejects.toMatchObject({ reply });
    expect([server.forms.length, troubles]).toEqual([1, [expect.stringContaining(`credentials ${name}: no access token: `)]]);
    expect(tokens.warnings).toEqual([{ name, detail: expect.stringContaining('(AADSTS7000215: wrong secret)') }]);
    for (const wait of [1, 2, 4, 8, 10, 10]) {
      clock.advance(wait * MINUTE - 1);
      await expect(secret(name)).rejects.toMatchObject({ reply });
      const before = server.forms.length;
      clock.advance(1);
      await expect(secret(name)).rejects.toMatchObject({ reply });
      expect([wait, server.forms.length]).toEqual([wait, before + 1]);
    }
    await admin.changeCredentials(name, { oauth: { clientSecret: 'right' } }, ORIGIN);
    server.answer = () => bearer('at last');
    expect(await secret(name)).toBe('at last');
    expect(tokens.warnings).toEqual([]);
  });

  it('is to be had from a server that is away: it is asked again after 10 s, 20 s …', async () => {
    server.answer = () => ({ status: 503, body: '' });
    const name = await addApp();
    const { secret, clock, tokens } = process();
    for (const wait of [10, 20, 40]) {
      await expect(secret(name)).rejects.toThrow('answers 503');
      clock.advance(wait * 1_000 - 1);
      await expect(secret(name)).rejects.toThrow('answers 503');
      clock.advance(1);
    }
    expect(server.forms).toHaveLength(3);
    clock.advance(60 * MINUTE); // nobody sends there any more
    expect(tokens.warnings).toEqual([]);
  });

  it('is to be had with another server key', async () => {
    const name = await addApp();
    await expect(process(undefined, { serverKey: randomBytes(32) }).secret(name)).rejects.toThrow('do not open with this server key');
    expect(server.forms).toEqual([]);
  });
});

describe('a refresh token', () => {
  it('that the server keeps stays as it is', async () => {
    const name = await addUser();
    expect(await process().secret(name)).toBe('token-1');
    expect(server.forms[0]).toEqual({ grant_type: 'refresh_token', client_id: 'app', refresh_token: 'refresh-0' });
    expect((await events(name)).map((e) => e.type)).toEqual(['CredentialsAdded']);
  });

  it('that the server replaces is stored, sealed, before the access token is used', async () => {
    const name = await addUser();
    server.answer = ({ refresh_token }) => (refresh_token === `refresh-${server.forms.length - 1}` ? bearer(`token-${server.forms.length}`, { refresh_token: `refresh-${server.forms.length}` }) : oauthError('invalid_grant'));
    const { secret, clock } = process();
    await secret(name);
    expect(await refreshTokenOf(name)).toBe('refresh-1');
    expect(await secret(name)).toBe('token-1'); // its own replacement is no reason to ask again
    clock.advance(60 * MINUTE);
    expect(await secret(name)).toBe('token-2');
    expect(await process().secret(name)).toBe('token-3'); // another process, or this one after a restart
    expect((await events(name)).map((e) => [e.type, e.actor])).toEqual([['CredentialsAdded', 'admin:ann'], ...Array<string[]>(3).fill(['RefreshTokenReplaced', 'system:oauth'])]);
    expect(await kept(name)).not.toMatch(/refresh-\d|token-\d/);
    const { createdAt, changedAt } = await admin.oneCredentials(name);
    expect(changedAt).toBe(createdAt);
  });

  it('is used by one process at a time, so that a server that takes a second use for theft sees none', async () => {
    const name = await addUser();
    let [current, theft, asking] = ['refresh-0', false, 0];
    server.answer = async ({ refresh_token }) => {
      theft ||= refresh_token !== current || ++asking > 1;
      await new Promise((resolve) => setImmediate(resolve));
      asking--;
      current = `refresh-${server.forms.length}`;
      return theft ? oauthError('invalid_grant') : bearer(`token-${server.forms.length}`, { refresh_token: current });
    };
    const secrets = await Promise.all([process(), process(), process()].map((p) => p.secret(name)));
    expect([secrets.toSorted(), theft]).toEqual([['token-1', 'token-2', 'token-3'], false]);
    expect(await refreshTokenOf(name)).toBe('refresh-3');
  });

  it('of a process that died over it is free for others when its time is over', async () => {
    const name = await addUser();
    await h.pool.query(`INSERT INTO ops.token_renewal VALUES ($1, gen_random_uuid(), clock_timestamp() + interval '300 ms')`, [name]);
    expect(await process().secret(name)).toBe('token-1');
    expect((await h.pool.query('SELECT FROM ops.token_renewal')).rowCount).toBe(0);
  });

  it('that cannot be stored yet is used on, and stored as soon as it can be', async () => {
    const name = await addUser();
    let away = true;
    const member = h.another();
    const store = Object.create(member.store) as TestHistory['store'];
    store.append = (appends: readonly Append[]) => (away ? Promise.reject(new Error('the database is away')) : member.store.append(appends));
    server.answer = ({ refresh_token }) => (refresh_token === `refresh-${server.forms.length - 1}` ? bearer(`token-${server.forms.length}`, { refresh_token: `refresh-${server.forms.length}` }) : oauthError('invalid_grant'));
    const { secret, clock, troubles } = process(undefined, { store });
    expect(await secret(name)).toBe('token-1');
    clock.advance(60 * MINUTE);
    expect(await secret(name)).toBe('token-2');
    expect(await refreshTokenOf(name)).toBe('refresh-0');
    expect(troubles.every((t) => t.includes('cannot be stored yet'))).toBe(true);
    away = false;
    await until('it is stored', 10_000, async () => (await refreshTokenOf(name)) === 'refresh-2');
    expect(troubles.join()).not.toMatch(/refresh-\d|token-\d/);
  });

  it('gives way to one that an administrator has set meanwhile', async () => {
    const name = await addUser();
    server.answer = async () => {
      await admin.changeCredentials(name, { oauth: { refreshToken: 'consented anew' } }, ORIGIN);
      return bearer('token', { refresh_token: 'replaced' });
    };
    const { secret } = process();
    await secret(name);
    expect(await refreshTokenOf(name)).toBe('consented anew');
    server.answer = () => bearer('token of the new consent');
    expect(await secret(name)).toBe('token of the new consent');
    expect(server.forms.at(-1)).toMatchObject({ refresh_token: 'consented anew' });
  });

  it('that was taken back keeps mail waiting until a new one is set', async () => {
    const name = await addUser();
    server.answer = ({ refresh_token }) => (refresh_token === 'new' ? bearer('token') : oauthError('invalid_grant', { error_description: 'Token has been expired or revoked.' }));
    const { secret, tokens } = process();
    await expect(secret(name)).rejects.toThrow('refuses: invalid_grant');
    expect(tokens.warnings).toEqual([{ name, detail: expect.stringContaining('expired or revoked') }]);
    await admin.changeCredentials(name, { oauth: { refreshToken: 'new' } }, ORIGIN);
    expect(await secret(name)).toBe('token');
  });
});

describe('a gateway that refuses a token', () => {
  const stage = new Stage();
  afterEach(() => stage.end());
  const sent = (line: string): string => Buffer.from(line.split(' ').at(-1) ?? '', 'base64').toString();
  /** Takes these tokens. */
  const gateway = (good: (secret: string) => boolean): Promise<ScriptedSmtp> => stage.server(
    { AUTH: (line) => (good(/Bearer ([^\x01]*)\x01/.exec(sent(line))?.[1] ?? '') ? '235 2.7.0 ok' : '535 5.7.3 unsuccessful') }, { extensions: ['AUTH LOGIN XOAUTH2'] });
  const open = async (smtp: ScriptedSmtp, credentials: ClientCredentials) => stage.open(targetAt(smtp.port, { mode: 'off' }, { credentials }));

  it('before its time gets another one at once', async () => {
    const name = await addApp();
    const { login, clock } = process();
    const smtp = await gateway((token) => token === 'token-2');
    await login(name);
    clock.advance(MINUTE);
    const client = await open(smtp, await login(name));
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect((await login(name)).secret).toBe('token-2');
    expect(smtp.connections).toHaveLength(2);
  });

  it('though it is new is not bothered with more of them, nor is the token endpoint', async () => {
    const name = await addApp();
    const { login, clock } = process();
    const smtp = await gateway(() => false);
    for (let mail = 0; mail < 3; mail++) await expect(open(smtp, await login(name))).rejects.toMatchObject({ phase: 'AUTH', outcome: 'deferred', reply: '535 5.7.3 unsuccessful' });
    expect([server.forms.length, smtp.connections.length]).toEqual([1, 3]);
    clock.advance(MINUTE);
    await expect(open(smtp, await login(name))).rejects.toThrow('535');
    expect([server.forms.length, smtp.connections.length]).toEqual([2, 5]);
  });

  it('gets what somebody else has fetched meanwhile, without another request', async () => {
    const name = await addApp();
    const { login, clock, tokens } = process();
    const old = await login(name);
    clock.advance(MINUTE);
    const [one, other] = await Promise.all([old.renew?.(), old.renew?.()]);
    expect([one?.secret, other?.secret, (await old.renew?.())?.secret, server.forms.length]).toEqual(['token-2', 'token-2', 'token-2', 2]);
    server.answer = () => oauthError('invalid_client');
    clock.advance(MINUTE);
    expect(await one?.renew?.()).toBeUndefined();
    expect(tokens.warnings).toHaveLength(1);
  });
});

describe('a test of credentials', () => {
  it('fetches a token, says until when it is good, and never what it is', async () => {
    const name = await addApp();
    const info = await admin.testCredentials(name);
    expect(info).toEqual({ name, user: 'ann@x.test', tokenUrl: server.url, expiresAt: h.engine.clock.now() + 60 * MINUTE });
    server.answer = () => bearer('t', { expires_in: undefined });
    expect(await admin.testCredentials(name)).toEqual({ name, user: 'ann@x.test', tokenUrl: server.url });
    expect(server.forms).toHaveLength(2);
  });

  it('says why there is none, each time anew', async () => {
    const name = await addApp();
    server.answer = () => oauthError('invalid_scope', { error_description: 'AADSTS70011' });
    for (let again = 0; again < 2; again++) await expect(admin.testCredentials(name)).rejects.toMatchObject({ reason: 'no-access-token', detail: expect.stringMatching(/refuses: invalid_scope \(AADSTS70011\)$/) });
    expect(server.forms).toHaveLength(2);
  });

  it('stores a refresh token that is replaced', async () => {
    const name = await addUser();
    server.answer = () => bearer('t', { refresh_token: 'next' });
    await admin.testCredentials(name);
    expect(await refreshTokenOf(name)).toBe('next');
  });

  it('has nothing to do with fixed secrets', async () => {
    const name = named();
    await admin.addCredentials({ name, mechanism: 'any', user: 'ann', secret: 'fixed' }, ORIGIN);
    await expect(admin.testCredentials(name)).rejects.toMatchObject({ reason: 'fixed-secret' });
    await expect(admin.testCredentials('none')).rejects.toMatchObject({ reason: 'no-such-credentials' });
  });
});

describe('credentials whose tokens are fetched', () => {
  it.each([
    ['both kinds of secret', { secret: 'x', oauth: { clientSecret: 'y' } }],
    ['a refresh token for the wrong grant', { oauth: { refreshToken: 'x' } }],
    ['a secret with a control character', { oauth: { clientSecret: 'hunter\n' } }],
    ['another server without the secret', { oauth: { tokenUrl: 'https://elsewhere.test/token' } }],
    ['another grant without its secret', { oauth: { grant: 'refresh-token', clientSecret: 'x' } }],
  ] as const)('are not changed to %s', async (_, wish) => {
    const name = await addApp();
    await expect(admin.changeCredentials(name, wish, ORIGIN)).rejects.toMatchObject({ reason: 'bad-credentials', message: expect.not.stringContaining('hunter') });
    expect(await events(name)).toHaveLength(1);
  });

  it('are not added without what their grant needs', async () => {
    const client = { tokenUrl: server.url, clientId: 'app' } as const;
    for (const oauth of [{ ...client }, { ...client, grant: 'client-credentials' }, { ...client, grant: 'refresh-token', clientSecret: 'x' }, { grant: 'client-credentials', clientSecret: 'x' }] as const)
      await expect(admin.addCredentials({ name: named(), mechanism: 'any', user: 'ann', oauth }, ORIGIN)).rejects.toMatchObject({ reason: 'bad-credentials' });
  });

  it('become such with a fixed secret, and back', async () => {
    const name = await addApp();
    const { login } = process();
    await login(name);
    await admin.changeCredentials(name, { secret: 'fixed' }, ORIGIN);
    expect(await login(name)).toEqual({ mechanism: 'any', user: 'ann@x.test', secret: 'fixed' });
    h.engine.clock.advance(1);
    await admin.changeCredentials(name, { oauth: { tokenUrl: server.url, clientId: 'b', grant: 'client-credentials', clientSecret: 'y' } }, ORIGIN);
    expect((await login(name)).secret).toBe('token-2');
  });

  it('are in the view as the history has them', async () => {
    const view = INLINE_VIEWS.find((v) => v.name === 'credentials_2');
    expect((await new Rebuild(h.log, h.pool, view as NonNullable<typeof view>).verify()).differences).toEqual([]);
  });
});
