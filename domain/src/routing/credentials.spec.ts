import { describe, expect, it } from '@jest/globals';
import { given } from '../kernel/given.js';
import { Refusal } from '../kernel/decider.js';
import { checkSecret, credentialsDecider, type CredentialsEvent, credentialsName, type GatewayCredentials, LONGEST_SECRET, requireCredentials } from './credentials.js';

const now = 1_767_571_200_000;
const isp: GatewayCredentials = { name: 'isp', mechanism: 'any', user: 'ann@isp.test', sealed: 'v1.a', createdAt: now };
const added: CredentialsEvent = { type: 'CredentialsAdded', data: isp };
const removed: CredentialsEvent = { type: 'CredentialsRemoved', data: { name: 'isp' } };
const history = given(credentialsDecider);
const { createdAt: _, ...wish } = isp;

describe('credentials', () => {
  it('are added, also again after they were removed', () => {
    history().when({ type: 'AddCredentials', ...wish, now }).then(added);
    history(added, removed).when({ type: 'AddCredentials', ...wish, now }).then(added);
    history(added).when({ type: 'AddCredentials', ...wish, now }).refuses('credentials-exist');
  });
  it('are changed in part, and say what changed', () => {
    history(added).when({ type: 'ChangeCredentials', sealed: 'v1.b' }).then({ type: 'CredentialsChanged', data: { ...isp, sealed: 'v1.b', changed: ['secret'] } });
    history(added).when({ type: 'ChangeCredentials', mechanism: 'XOAUTH2', user: 'bob' })
      .then({ type: 'CredentialsChanged', data: { ...isp, mechanism: 'XOAUTH2', user: 'bob', changed: ['mechanism', 'user'] } });
    history(added).when({ type: 'ChangeCredentials', mechanism: 'any' }).thenNothing();
    history().when({ type: 'ChangeCredentials' }).refuses('no-such-credentials');
  });
  it('are removed once', () => {
    history(added).when({ type: 'RemoveCredentials' }).then(removed);
    history(added, removed).when({ type: 'RemoveCredentials' }).thenNothing();
    history().when({ type: 'RemoveCredentials' }).refuses('no-such-credentials');
  });
  it.each(['', 'a\u0000b', 'a\r\nb', 'x'.repeat(256), '\ud800'])('have no user like %j', (user) => {
    history().when({ type: 'AddCredentials', ...wish, user, now }).refuses('bad-credentials');
    history(added).when({ type: 'ChangeCredentials', user }).refuses('bad-credentials');
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
