import { createHash, createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import { makeCredentials, sealCredentials } from './credentials.js';
import { type AuthenticatorLimits, DirectoryAuthenticator, type StoredCredentials } from './directory-authenticator.js';
import { loginAddress } from './login-address.js';
import { TooManyLogins } from './login-gate.js';

const KEY = Buffer.alloc(32, 7);
const facts: AccountFacts = {
  id: 'a-1', address: 'ann@x.test', enabled: true, smtp: true, pop3: true, imap: false, quota: 0, used: 0, inbox: 'i-1',
};

let stored: StoredCredentials;
let hashedOnly: StoredCredentials;
beforeAll(async () => {
  stored = await account('pencil', true);
  hashedOnly = await account('pencil', false);
});

async function account(password: string, reversible: boolean): Promise<StoredCredentials> {
  return { account: facts, domainEnabled: true, sealed: sealCredentials(await makeCredentials(password, { reversible }), KEY, facts.id) };
}

function authenticator(entry: StoredCredentials | undefined = stored, limits: Partial<AuthenticatorLimits> = {}) {
  const entries = new Map(entry ? [['ann@x.test', entry]] : []);
  const asked: string[] = [];
  const find = async (address: string) => {
    asked.push(address);
    return entries.get(address);
  };
  return { auth: new DirectoryAuthenticator({ find }, KEY, limits), entries, asked };
}

describe('a login name', () => {
  it.each([
    ['ann@x.test', undefined, 'ann@x.test'],
    ['Ann@X.TEST', 'y.test', 'ann@x.test'],
    ['ann%x.test', undefined, 'ann@x.test'],
    ['a%b@x.test', undefined, 'a%b@x.test'],
    ['ann', 'x.test', 'ann@x.test'],
    ['ann', undefined, undefined],
    ['', 'x.test', undefined],
    ['@x.test', undefined, undefined],
    ['ann@', 'x.test', undefined],
    ['ann\r\n@x.test', undefined, undefined],
    [`${'a'.repeat(320)}@x.test`, undefined, undefined],
  ])('%j with default domain %j means %j', (login, domain, address) => expect(loginAddress(login, domain)).toBe(address));
});

describe('a login with a password', () => {
  it('succeeds with the right one, in any spelling of the name', async () => {
    const { auth } = authenticator();
    const success = { ok: true, account: facts, login: 'ann@x.test', mark: expect.stringMatching(/^[0-9a-f]{32}$/) };
    expect(await auth.password('smtp', 'ANN@x.test', 'pencil')).toEqual(success);
    expect(await auth.password('pop3', 'ann', 'pencil', 'x.test')).toEqual(success);
    expect(await auth.password('pop3', 'ann', 'pencil')).toEqual({ ok: false, reason: 'unknown-account' });
  });

  it.each([
    ['wrong-password', 'smtp', 'ann@x.test', 'pen', {}],
    ['wrong-password', 'smtp', 'ann@x.test', '', {}],
    ['unknown-account', 'smtp', 'eve@x.test', 'pencil', {}],
    ['unknown-account', 'smtp', 'eve@x.test', '\0', {}],
    ['protocol-off', 'imap', 'ann@x.test', 'pencil', {}],
    ['account-disabled', 'smtp', 'ann@x.test', 'pencil', { domainEnabled: false }],
    ['account-disabled', 'smtp', 'ann@x.test', 'pencil', { account: { ...facts, enabled: false } }],
    ['wrong-password', 'smtp', 'ann@x.test', 'pen', { account: { ...facts, enabled: false } }],
  ] as const)('fails: %s', async (reason, protocol, login, password, change) => {
    const { auth } = authenticator({ ...stored, ...change });
    expect(await auth.password(protocol, login, password)).toEqual({ ok: false, reason });
  });

  it('asks the directory every time although the password is remembered', async () => {
    const { auth, asked, entries } = authenticator();
    await auth.password('pop3', 'ann@x.test', 'pencil');
    await auth.password('pop3', 'ann@x.test', 'pencil');
    expect(asked).toHaveLength(2);
    entries.set('ann@x.test', { ...stored, account: { ...facts, enabled: false } });
    expect(await auth.password('pop3', 'ann@x.test', 'pencil')).toEqual({ ok: false, reason: 'account-disabled' });
  });

  it('forgets the old password at once when it is changed', async () => {
    const { auth, entries } = authenticator();
    await auth.password('pop3', 'ann@x.test', 'pencil');
    entries.set('ann@x.test', await account('crayon', false));
    expect(await auth.password('pop3', 'ann@x.test', 'pencil')).toEqual({ ok: false, reason: 'wrong-password' });
    expect(await auth.password('pop3', 'ann@x.test', 'crayon')).toMatchObject({ ok: true });
  });

  it('is checked once for many connections that come at the same time, and then not again', async () => {
    const { auth } = authenticator(stored, { atOnce: 1, waiting: 0 });
    const login = () => auth.password('smtp', 'ann@x.test', 'pencil');
    for (const result of await Promise.all(Array.from({ length: 50 }, login))) expect(result.ok).toBe(true);
  });

  it('is put off when too many others wait, which harms nobody later', async () => {
    const { auth } = authenticator(stored, { atOnce: 1, waiting: 1 });
    const flood = await Promise.allSettled(['a', 'b', 'c', 'd'].map((guess) => auth.password('smtp', 'eve@x.test', guess)));
    expect(flood.map((outcome) => outcome.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect((flood[3] as PromiseRejectedResult).reason).toBeInstanceOf(TooManyLogins);
    expect(await auth.password('smtp', 'ann@x.test', 'pencil')).toMatchObject({ ok: true });
  });

  it('never says "wrong password" when the directory cannot be read', async () => {
    const auth = new DirectoryAuthenticator({ find: () => Promise.reject(new Error('down')) }, KEY);
    await expect(auth.password('smtp', 'ann@x.test', 'pencil')).rejects.toThrow('down');
  });
});

describe('a login with a digest', () => {
  const challenge = '<1896.697170952@dbc.mtview.ca.us>';
  const apop = (secret: string) => createHash('md5').update(challenge + secret).digest('hex');
  const cram = (secret: string) => createHmac('md5', secret).update(challenge).digest('hex');

  it('succeeds with the right one', async () => {
    const { auth } = authenticator();
    expect(await auth.digest('apop', 'pop3', 'ann@x.test', challenge, apop('pencil'))).toMatchObject({ ok: true });
    expect(await auth.digest('cram-md5', 'smtp', 'ann', challenge, cram('pencil').toUpperCase(), 'x.test')).toMatchObject({ ok: true });
  });

  it.each([
    ['wrong-password', 'ann@x.test', apop('pen'), true],
    ['wrong-password', 'ann@x.test', '', true],
    ['wrong-password', 'ann@x.test', 'é'.repeat(32), true],
    ['unknown-account', 'eve@x.test', apop(''), true],
    ['mechanism-off', 'ann@x.test', apop(''), false],
    ['mechanism-off', 'ann@x.test', apop('pencil'), false],
  ] as const)('fails: %s', async (reason, login, digest, reversible) => {
    const { auth } = authenticator(reversible ? stored : hashedOnly);
    expect(await auth.digest('apop', 'pop3', login, challenge, digest)).toEqual({ ok: false, reason });
  });
});
