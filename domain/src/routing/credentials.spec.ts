import { describe, expect, it } from '@jest/globals';
import { given } from '../kernel/given.js';
import { Refusal } from '../kernel/decider.js';
import { fold } from '../kernel/fold.js';
import { checkSecret, credentialsDecider, type CredentialsEvent, credentialsName, type GatewayCredentials, LONGEST_SECRET, requireCredentials } from './credentials.js';
import { LONGEST_TOKEN_URL, type OAuthClient, oauthProblem } from './oauth-client.js';
import { credentialsView } from './views.js';

const now = 1_767_571_200_000;
const isp: GatewayCredentials = { name: 'isp', mechanism: 'any', user: 'ann@isp.test', sealed: 'v1.a', createdAt: now };
const added: CredentialsEvent = { type: 'CredentialsAdded', data: isp };
const removed: CredentialsEvent = { type: 'CredentialsRemoved', data: { name: 'isp' } };
const history = given(credentialsDecider);
const { createdAt: _, ...wish } = isp;

const LATER = now + 60_000;
const client: OAuthClient = { tokenUrl: 'https://login.provider.test/tenant/token', clientId: 'app', scope: 'https://mail.test/.default', grant: 'client-credentials' };
const m365: GatewayCredentials = { name: 'm365', mechanism: 'XOAUTH2', user: 'ann@x.test', sealed: 'v1.s', createdAt: now, oauth: { ...client, setAt: now } };
const { createdAt: __, ...appWish } = m365;
const app: CredentialsEvent = { type: 'CredentialsAdded', data: m365 };
const refreshing: GatewayCredentials = { ...m365, oauth: { ...client, grant: 'refresh-token', setAt: now } };
const consent: CredentialsEvent = { type: 'CredentialsAdded', data: refreshing };

describe('credentials', () => {
  it('are added, also again after they were removed', () => {
    history().when({ type: 'AddCredentials', ...wish, now }).then(added);
    history(added, removed).when({ type: 'AddCredentials', ...wish, now }).then(added);
    history(added).when({ type: 'AddCredentials', ...wish, now }).refuses('credentials-exist');
  });
  it('are changed in part, and say what changed', () => {
    history(added).when({ type: 'ChangeCredentials', now, sealed: 'v1.b' }).then({ type: 'CredentialsChanged', data: { ...isp, sealed: 'v1.b', changed: ['secret'] } });
    history(added).when({ type: 'ChangeCredentials', now, mechanism: 'XOAUTH2', user: 'bob' })
      .then({ type: 'CredentialsChanged', data: { ...isp, mechanism: 'XOAUTH2', user: 'bob', changed: ['mechanism', 'user'] } });
    history(added).when({ type: 'ChangeCredentials', now, mechanism: 'any' }).thenNothing();
    history().when({ type: 'ChangeCredentials', now }).refuses('no-such-credentials');
  });
  it('are removed once', () => {
    history(added).when({ type: 'RemoveCredentials' }).then(removed);
    history(added, removed).when({ type: 'RemoveCredentials' }).thenNothing();
    history().when({ type: 'RemoveCredentials' }).refuses('no-such-credentials');
  });
  it.each(['', 'a\u0000b', 'a\r\nb', 'x'.repeat(256), '\ud800'])('have no user like %j', (user) => {
    history().when({ type: 'AddCredentials', ...wish, user, now }).refuses('bad-credentials');
    history(added).when({ type: 'ChangeCredentials', now, user }).refuses('bad-credentials');
  });
  it('have a name for streams and tables', () => {
    expect(credentialsName('My-ISP_1.x')).toBe('my-isp_1.x');
    for (const name of ['', '-a', 'a b', 'a,b', 'é', 'x'.repeat(65)]) expect(() => credentialsName(name)).toThrow(Refusal);
  });
  it('have a secret that is never told when it is refused', () => {
    expect(checkSecret('秘密 pass')).toBe('秘密 pass');
    for (const secret of ['', 'hunter2\u0001', `hunter2${'x'.repeat(LONGEST_SECRET)}`])
      expect(() => checkSecret(secret)).toThrow(expect.objectContaining({ reason: 'bad-credentials', message: expect.not.stringContaining('hunter2') }));
  });
  it('must be there before a row can use them', () => {
    requireCredentials(new Map([['isp', isp]]), ['isp']);
    for (const state of ['removed', undefined] as const) expect(() => requireCredentials(new Map([['isp', state]]), ['isp'])).toThrow('unknown-credentials: isp');
  });
});

describe('credentials whose access tokens are fetched', () => {
  it('are added with the client that the authorization server knows', () =>
    history().when({ type: 'AddCredentials', ...appWish, oauth: client, now }).then(app));

  it.each<readonly [string, Partial<OAuthClient>]>([
    ['plain http', { tokenUrl: 'http://login.provider.test/token' }], ['no URL', { tokenUrl: 'login.provider.test' }], ['a password', { tokenUrl: 'https://u:hunter2@p.test/t' }],
    ['a fragment', { tokenUrl: 'https://p.test/t#x' }], ['a blank', { tokenUrl: 'https://p.test/a b' }], ['another scheme', { tokenUrl: 'file:///etc/passwd' }],
    ['a name that only looks like loopback', { tokenUrl: 'http://127.0.0.1.p.test/t' }], ['too much', { tokenUrl: `https://p.test/${'x'.repeat(LONGEST_TOKEN_URL)}` }],
    ['no client', { clientId: '' }], ['a client of two lines', { clientId: 'a\nb' }], ['scopes in quotes', { scope: '"a"' }], ['scopes far apart', { scope: 'a  b' }],
  ])('cannot have %s there', (_, wrong) => {
    history().when({ type: 'AddCredentials', ...appWish, oauth: { ...client, ...wrong }, now }).refuses('bad-credentials');
    expect(oauthProblem({ ...client, ...wrong })).not.toContain('hunter2');
  });

  it.each(['http://127.0.0.1:8080/token', 'http://[::1]/token', 'http://localhost/token', 'https://p.test:8443/t?tenant=1'])('may ask %s', (tokenUrl) =>
    expect(oauthProblem({ ...client, tokenUrl })).toBeUndefined());

  it('log in by the mechanisms for tokens only', () => {
    history().when({ type: 'AddCredentials', ...appWish, mechanism: 'PLAIN', oauth: client, now }).refuses('bad-credentials');
    history(app).when({ type: 'ChangeCredentials', mechanism: 'CRAM-MD5', now }).refuses('bad-credentials');
    history(app).when({ type: 'ChangeCredentials', mechanism: 'OAUTHBEARER', now: LATER }).then({ type: 'CredentialsChanged', data: { ...m365, mechanism: 'OAUTHBEARER', changed: ['mechanism'] } });
  });

  it('say when client or secrets were set, each time later than the last', () => {
    const oauth = { ...client, scope: 'other' };
    history(app).when({ type: 'ChangeCredentials', oauth, now: LATER }).then({ type: 'CredentialsChanged', data: { ...m365, oauth: { ...oauth, setAt: LATER }, changed: ['oauth'] } });
    history(app).when({ type: 'ChangeCredentials', sealed: 'v1.t', now: now - 1 }).then({ type: 'CredentialsChanged', data: { ...m365, sealed: 'v1.t', oauth: { ...client, setAt: now + 1 }, changed: ['secret'] } });
    history(app).when({ type: 'ChangeCredentials', oauth: client, now: LATER }).thenNothing();
  });

  it('send no old secret to a new place', () => {
    for (const wrong of [{ tokenUrl: 'https://elsewhere.test/t' }, { clientId: 'b' }, { grant: 'refresh-token' }] as const)
      history(app).when({ type: 'ChangeCredentials', oauth: { ...client, ...wrong }, now }).refuses('bad-credentials');
    history(app).when({ type: 'ChangeCredentials', oauth: null, now }).refuses('bad-credentials');
    history(added).when({ type: 'ChangeCredentials', mechanism: 'any', oauth: client, now }).refuses('bad-credentials');
    const oauth = { ...client, tokenUrl: 'https://elsewhere.test/t' };
    history(app).when({ type: 'ChangeCredentials', oauth, sealed: 'v1.t', now: LATER })
      .then({ type: 'CredentialsChanged', data: { ...m365, sealed: 'v1.t', oauth: { ...oauth, setAt: LATER }, changed: ['secret', 'oauth'] } });
  });

  it('become such of a fixed secret, and the other way round', () => {
    history(added).when({ type: 'ChangeCredentials', oauth: client, sealed: 'v1.t', now: LATER })
      .then({ type: 'CredentialsChanged', data: { ...isp, sealed: 'v1.t', oauth: { ...client, setAt: LATER }, changed: ['secret', 'oauth'] } });
    const { oauth: _, ...fixed } = m365;
    history(app).when({ type: 'ChangeCredentials', oauth: null, sealed: 'v1.t', now: LATER }).then({ type: 'CredentialsChanged', data: { ...fixed, sealed: 'v1.t', changed: ['secret', 'oauth'] } });
  });

  it('take another refresh token for the one that was used, and for no other', () => {
    const replaced: CredentialsEvent = { type: 'RefreshTokenReplaced', data: { ...refreshing, sealed: 'v1.next' } };
    history(consent).when({ type: 'ReplaceRefreshToken', used: 'v1.s', sealed: 'v1.next' }).then(replaced);
    history(consent, replaced).when({ type: 'ReplaceRefreshToken', used: 'v1.s', sealed: 'v1.other' }).thenNothing();
    history(consent, replaced).when({ type: 'ReplaceRefreshToken', used: 'v1.next', sealed: 'v1.last' }).then({ type: 'RefreshTokenReplaced', data: { ...refreshing, sealed: 'v1.last' } });
    history(app).when({ type: 'ReplaceRefreshToken', used: 'v1.s', sealed: 'v1.next' }).thenNothing();
    history(consent, removed).when({ type: 'ReplaceRefreshToken', used: 'v1.s', sealed: 'v1.next' }).thenNothing();
    history().when({ type: 'ReplaceRefreshToken', used: 'v1.s', sealed: 'v1.next' }).thenNothing();
  });

  it('keep the time of their last change by people in the view', () => {
    const event = (fact: CredentialsEvent, at: number) => ({ stream: 'credentials-m365', event: { id: 'e', version: 1, actor: 'admin:ann', correlation: 'r', ...fact, at } });
    const rows = fold(credentialsView, [event(consent, now), event({ type: 'RefreshTokenReplaced', data: { ...refreshing, sealed: 'v1.next' } }, LATER)]);
    expect(rows).toEqual([{ name: 'm365', mechanism: 'XOAUTH2', user: 'ann@x.test', sealed: 'v1.next', oauth: JSON.stringify(refreshing.oauth), created_at: now, changed_at: now }]);
  });
});
