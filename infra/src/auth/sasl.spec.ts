import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import type { Authenticator, SaslStep, ScramKeys } from './authenticator.js';
import { impossibleScramKeys, scramKeys } from './passwords.js';
import { MECHANISMS, mechanismOf, saslExchange } from './sasl.js';
import type { SaslContext } from './sasl-talk.js';

const account: AccountFacts = {
  id: 'a-1', address: 'user', enabled: true, smtp: true, pop3: true, imap: true, quota: 0, used: 0, inbox: 'i-1',
};
let keys: ScramKeys;
let disabled = false;
beforeAll(async () => {
  keys = await scramKeys('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096);
});

/** Knows the users of the RFCs' examples. */
const authenticator: Authenticator = {
  async password(_, login, password) {
    const users: Record<string, string> = { 'user': 'pencil', 'tim@x.test': 'tanstaaftanstaaf', 'Kurt': 'xipj3plmq' };
    if (!Object.hasOwn(users, login)) return { ok: false, reason: 'unknown-account' };
    return users[login] === password ? { ok: true, account, login } : { ok: false, reason: 'wrong-password' };
  },
  async digest(_kind, _protocol, login, challenge, digest) {
    const right = createHmac('md5', 'tanstaaftanstaaf').update(challenge).digest('hex');
    return login === 'tim' && digest === right ? { ok: true, account, login } : { ok: false, reason: 'wrong-password' };
  },
  async scram(_, login) {
    if (login !== 'user' && login !== 'a=b,c') return { keys: impossibleScramKeys(Buffer.alloc(32), login), result: { ok: false, reason: 'unknown-account' } };
    return { keys, result: disabled ? { ok: false, reason: 'account-disabled' } : { ok: true, account, login } };
  },
};
const context: SaslContext = { authenticator, protocol: 'smtp', hostname: 'postoffice.reston.mci.net', nonce: () => '1896.697170952' };
const said = (step: SaslStep) => (step.kind === 'challenge' ? step.data.toString() : step);
const success = (login: string) => ({ kind: 'done', login, result: { ok: true, account, login } });
const failure = (reason: string, login: string) => ({ kind: 'done', login, result: { ok: false, reason } });

describe('PLAIN', () => {
  const plain = (text: string | undefined) => saslExchange('PLAIN', context).start(text === undefined ? undefined : Buffer.from(text));

  it('takes name and password from the initial response (RFC 4616 §4)', async () =>
    expect(await plain('\0tim@x.test\0tanstaaftanstaaf')).toEqual(success('tim@x.test')));

  it('asks by an empty challenge when there was none', async () => {
    const exchange = saslExchange('PLAIN', context);
    expect(said(await exchange.start(undefined))).toBe('');
    expect(await exchange.next(Buffer.from('\0Kurt\0xipj3plmq'))).toEqual(success('Kurt'));
  });

  it.each([
    ['wrong-password', 'Kurt', '\0Kurt\0x'],
    ['unknown-account', 'Ursel', '\0Ursel\0xipj3plmq'],
    ['malformed', 'Kurt', 'Ursel\0Kurt\0xipj3plmq'],
    ['malformed', 'Kurt', '\0Kurt\0xipj3plmq\0'],
    ['malformed', 'Kurt', '\0Kurt\0'],
    ['malformed', '', 'Kurt'],
    ['malformed', '', ''],
    ['malformed', '', `\0${'x'.repeat(3000)}\0x`],
  ])('fails: %s', async (reason, login, text) => expect(await plain(text)).toEqual(failure(reason, login)));

  it('lets a client act as itself, however it writes its name', async () => {
    expect(await plain('TIM@x.test\0tim@x.test\0tanstaaftanstaaf')).toEqual(success('tim@x.test'));
    expect(await plain('Kurt\0Kurt\0xipj3plmq')).toEqual(success('Kurt'));
  });

  it('refuses what is not UTF-8', async () =>
    expect(await saslExchange('PLAIN', context).start(Buffer.from([0, 0x4b, 0xff, 0, 0x78]))).toEqual(failure('malformed', '')));
});

describe('LOGIN', () => {
  it('asks for name and password', async () => {
    const exchange = saslExchange('LOGIN', context);
    expect(said(await exchange.start(undefined))).toBe('Username:');
    expect(said(await exchange.next(Buffer.from('Kurt')))).toBe('Password:');
    expect(await exchange.next(Buffer.from('xipj3plmq'))).toEqual(success('Kurt'));
  });

  it('takes the name as initial response', async () => {
    const exchange = saslExchange('LOGIN', context);
    expect(said(await exchange.start(Buffer.from('Kurt')))).toBe('Password:');
    expect(await exchange.next(Buffer.from(''))).toEqual(failure('malformed', 'Kurt'));
  });
});

describe('CRAM-MD5', () => {
  it('agrees with RFC 2195 §3', async () => {
    const exchange = saslExchange('CRAM-MD5', context);
    expect(said(await exchange.start(undefined))).toBe('<1896.697170952@postoffice.reston.mci.net>');
    expect(await exchange.next(Buffer.from('tim b913a602c7eda7a495b4e6e7334d3890'))).toEqual(success('tim'));
  });

  it.each([
    ['wrong-password', 'tim', 'tim b913a602c7eda7a495b4e6e7334d3891'],
    ['wrong-password', 'tim b', 'tim b b913a602c7eda7a495b4e6e7334d3890'],
    ['malformed', 'tim', 'tim b913'],
    ['malformed', '', 'b913a602c7eda7a495b4e6e7334d3890'],
  ])('fails: %s', async (reason, login, text) => {
    const exchange = saslExchange('CRAM-MD5', context);
    await exchange.start(undefined);
    expect(await exchange.next(Buffer.from(text))).toEqual(failure(reason, login));
  });
});

describe('SCRAM-SHA-256', () => {
  const rfc = { ...context, nonce: () => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0' };
  const first = 'n=user,r=rOprNGfwEbeRWgbNEkqO';
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const challenge = `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
  const rfcFinal = `c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`;

  /** What a client computes that knows the password (RFC 5802 §3). */
  const finalOf = (password: string, gs2 = 'n,,', bareFirst = first) => {
    const salted = pbkdf2Sync(password, Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096, 32, 'sha256');
    const clientKey = createHmac('sha256', salted).update('Client Key').digest();
    const bare = `c=${Buffer.from(gs2).toString('base64')},r=${nonce}`;
    const signature = createHmac('sha256', createHash('sha256').update(clientKey).digest()).update(`${bareFirst},${challenge},${bare}`).digest();
    return `${bare},p=${Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64')}`;
  };
  const talk = async (...messages: string[]) => {
    const exchange = saslExchange('SCRAM-SHA-256', rfc);
    let step = await exchange.start(undefined);
    for (const message of messages) step = await exchange.next(Buffer.from(message));
    return said(step);
  };

  it('agrees with RFC 7677 §3', async () => {
    const exchange = saslExchange('SCRAM-SHA-256', rfc);
    expect(said(await exchange.start(Buffer.from(`n,,${first}`)))).toBe(challenge);
    expect(said(await exchange.next(Buffer.from(rfcFinal)))).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
    expect(await exchange.next(Buffer.alloc(0))).toEqual(success('user'));
  });

  it('takes a client that could bind channels and believes that we cannot', async () =>
    expect(await talk(`y,,${first}`, finalOf('pencil', 'y,,'), '')).toEqual(success('user')));

  it('reads escaped names', async () => {
    const bare = 'n=a=3Db=2Cc,r=rOprNGfwEbeRWgbNEkqO';
    expect(await talk(`n,,${bare}`, finalOf('pencil', 'n,,', bare), '')).toEqual(success('a=b,c'));
  });

  it('takes the own name as authzid, and no other', async () => {
    expect(await talk(`n,a=user,${first}`, finalOf('pencil', 'n,a=user,'), '')).toEqual(success('user'));
    expect(await talk(`n,a=root,${first}`)).toEqual(failure('malformed', ''));
  });

  it('fails with a wrong password, and for an unknown login in the same two steps', async () => {
    expect(await talk(`n,,${first}`, finalOf('pen'))).toEqual(failure('wrong-password', 'user'));
    expect(await talk(`n,,${first.replace('user', 'eve')}`, finalOf('pencil'))).toEqual(failure('unknown-account', 'eve'));
  });

  it('shows no signature to a disabled account', async () => {
    disabled = true;
    expect(await talk(`n,,${first}`, finalOf('pencil'))).toEqual(failure('account-disabled', 'user'));
    disabled = false;
  });

  it.each([
    ['channel binding', `p=tls-unique,,${first}`],
    ['an unknown mandatory extension', `n,,m=x,${first}`],
    ['a bare =', 'n,,n=us=er,r=abc'],
    ['no nonce', 'n,,n=user,r='],
    ['nothing', ''],
  ])('refuses %s', async (_, message) => expect(await talk(message)).toEqual(failure('malformed', '')));

  it.each([
    ['another nonce', rfcFinal.replace('%hv', '%hw')],
    ['another header than the first', finalOf('pencil', 'y,,')],
    ['a short proof', rfcFinal.replace('dHzb', '')],
    ['no proof', `c=biws,r=${nonce}`],
  ])('refuses %s in the last message', async (_, message) => expect(await talk(`n,,${first}`, message)).toEqual(failure('malformed', 'user')));
});

describe('every mechanism', () => {
  it('is found by its name in any case', () => {
    for (const name of MECHANISMS) expect(mechanismOf(name.toLowerCase())).toBe(name);
    expect(mechanismOf('DIGEST-MD5')).toBeUndefined();
  });

  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.stringMatching(/^[ny],(a=[a-z]+)?,[mn]=[a-z=,]{0,9},r=[ -~]{0,20}$/).map((text) => new TextEncoder().encode(text)),
  );
  it('ends in a result and never throws, whatever is sent', () =>
    fc.assert(
      fc.asyncProperty(fc.constantFrom(...MECHANISMS), fc.option(junk), fc.array(junk, { minLength: 4, maxLength: 4 }), async (name, initial, more) => {
        const exchange = saslExchange(name, context);
        let step = await exchange.start(initial ? Buffer.from(initial) : undefined);
        for (const bytes of more) if (step.kind === 'challenge') step = await exchange.next(Buffer.from(bytes));
        expect(step.kind).toBe('done');
      }),
    ));
});
