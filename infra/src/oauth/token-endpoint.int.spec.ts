import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OAuthClient } from '@kiroku/domain/routing/oauth-client.js';
import { bearer, oauthError, type TokenAnswer, type TokenServer, tokenServer } from './testing.js';
import { NoToken, requestToken } from './token-endpoint.js';

let server: TokenServer;
beforeAll(async () => { server = await tokenServer(); });
afterAll(() => server.close());

const client = (over: Partial<OAuthClient> = {}): OAuthClient => ({ tokenUrl: server.url, clientId: 'app-1', scope: 'https://mail.test/.default', grant: 'client-credentials', ...over });
const SECRET = { clientSecret: 'p~ss+word/&=' };
const ca = () => ({ ca: server.ca ?? '' });
const ask = (answer: () => TokenAnswer | Promise<TokenAnswer>, secrets: Parameters<typeof requestToken>[1] = SECRET, over: Partial<OAuthClient> = {}, timeout?: number) => {
  server.answer = answer;
  return requestToken(client(over), secrets, { ...ca(), ...(timeout !== undefined && { timeout }) });
};
const refusal = async (request: Promise<unknown>): Promise<NoToken> => {
  const error: unknown = await request.catch((e: unknown) => e);
  expect(error).toBeInstanceOf(NoToken);
  return error as NoToken;
};

describe('a token endpoint', () => {
  it('is asked by the client’s secret, in the form', async () => {
    expect(await ask(() => bearer('t1'))).toEqual({ accessToken: 't1', lifetime: 3_600_000 });
    expect(server.forms.at(-1)).toEqual({ grant_type: 'client_credentials', client_id: 'app-1', client_secret: 'p~ss+word/&=', scope: 'https://mail.test/.default' });
    expect(server.headers()).toMatchObject({ 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8', accept: 'application/json' });
    expect(server.headers()).not.toHaveProperty('authorization');
  });

  it('is asked by a refresh token, with or without a secret and scopes', async () => {
    expect(await ask(() => bearer('t2', { refresh_token: 'r2' }), { refreshToken: 'r1' }, { grant: 'refresh-token', scope: '' })).toEqual({ accessToken: 't2', lifetime: 3_600_000, refreshToken: 'r2' });
    expect(server.forms.at(-1)).toEqual({ grant_type: 'refresh_token', client_id: 'app-1', refresh_token: 'r1' });
    await ask(() => bearer('t3'), { refreshToken: 'r1', ...SECRET }, { grant: 'refresh-token' });
    expect(server.forms.at(-1)).toMatchObject({ refresh_token: 'r1', client_secret: 'p~ss+word/&=', scope: 'https://mail.test/.default' });
  });

  it('may leave out for how long, write it as text, and add who the user is', async () => {
    expect(await ask(() => bearer('t', { expires_in: undefined, id_token: 'no.real.one' }))).toEqual({ accessToken: 't' });
    expect(await ask(() => bearer('t', { expires_in: '600' }))).toEqual({ accessToken: 't', lifetime: 600_000 });
  });

  it('over plain HTTP is asked on loopback', async () => {
    const plain = await tokenServer({ tls: false });
    expect(await requestToken(client({ tokenUrl: plain.url }), SECRET)).toMatchObject({ accessToken: 'token-1' });
    await plain.close();
  });
});

describe('a token endpoint that gives no token', () => {
  it.each<readonly [string, TokenAnswer, boolean, string]>([
    ['an error', oauthError('invalid_client', { error_description: 'AADSTS7000215: Invalid client secret.\r\nTrace: 1' }), true, 'refuses: invalid_client (AADSTS7000215: Invalid client secret. Trace: 1)'],
    ['an error under 401', oauthError('invalid_grant', {}, 401), true, 'refuses: invalid_grant'],
    ['an error that asks for patience', oauthError('slow_down', {}, 429), false, 'refuses: slow_down'],
    ['words that repeat the secret', oauthError('invalid_client', { error_description: 'p~ss+word/&= is wrong' }), true, 'refuses: invalid_client'],
    ['a code that is none', oauthError('in\nvalid'), true, 'refuses: an error without a name'],
    ['a page', { status: 404, body: '<h1>p~ss+word/&=</h1>', type: 'text/html' }, true, 'answers 404'],
    ['trouble', { status: 503, body: '' }, false, 'answers 503'],
    ['another place', { status: 302, body: '', headers: { location: 'https://127.0.0.1/elsewhere' } }, false, 'answers 302'],
    ['nothing', { status: 204, body: '' }, false, 'answers 204'],
    ['no JSON', { body: 'access_token=secret-token' }, false, 'no token that can be used'],
    ['a list', { json: ['secret-token'] }, false, 'no token that can be used'],
    ['no token', { json: { token_type: 'Bearer' } }, false, 'no token that can be used'],
    ['a token of another type', bearer('secret-token', { token_type: 'DPoP' }), false, 'no token that can be used'],
    ['a token with a control character', bearer('secret-token\x01'), false, 'no token that can be used'],
    ['a token without end', bearer('x'.repeat(8_193)), false, 'no token that can be used'],
    ['an answer without end', { body: ' '.repeat(65_537) }, false, 'more than 65536 bytes'],
    ['a packed answer', { body: 'x', headers: { 'content-encoding': 'gzip' } }, false, 'another encoding'],
    ['a header without end', { body: 'x', headers: { 'x-long': 'x'.repeat(20_000) } }, false, 'cannot be asked (HPE_HEADER_OVERFLOW)'],
  ])('but %s is told of, without secrets', async (_, answer, refused, words) => {
    const no = await refusal(ask(() => answer));
    expect(no).toMatchObject({ refused, message: expect.stringContaining(words) });
    const all = `${no.brief} ${no.detail} ${no.stack} ${JSON.stringify(no)} ${String(no.cause)}`;
    expect(all).not.toMatch(/p~ss|secret-token/);
    expect(no.brief).toMatch(/^[\x20-\x7e]+$/);
  });

  it('is given its time and no more, headers or not', async () => {
    let let_go: (() => void) | undefined;
    const no = await refusal(ask(() => new Promise((resolve) => (let_go = () => resolve(bearer('late')))), SECRET, {}, 50));
    expect(no).toMatchObject({ refused: false, message: expect.stringContaining('gave no answer in time') });
    let_go?.();
  });

  it('is not believed without a certificate for its name', async () => {
    expect(await refusal(requestToken(client(), SECRET))).toMatchObject({ refused: false, message: expect.stringMatching(/cannot be asked/) });
    const other = await tokenServer({ names: ['elsewhere.test'] });
    const before = other.forms.length;
    await refusal(requestToken(client({ tokenUrl: other.url }), SECRET, { ca: other.ca ?? '' }));
    expect(other.forms).toHaveLength(before);
    await other.close();
  });

  it('is away when nobody listens', async () => {
    const gone = await tokenServer({ tls: false });
    await gone.close();
    expect(await refusal(requestToken(client({ tokenUrl: gone.url }), SECRET))).toMatchObject({ refused: false, message: expect.stringContaining('ECONNREFUSED') });
  });
});
