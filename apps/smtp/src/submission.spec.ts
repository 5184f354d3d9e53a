import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Client, codeOf } from './testing/client.js';
import { World } from './testing/world.js';

const plain = (user: string, password: string): string => Buffer.from(`\0${user}\0${password}`).toString('base64');
const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** What a 334 says. */
const fromBase64 = (answer: string): string => Buffer.from(answer.slice(4), 'base64').toString();
const TLS = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };

describe('submission', () => {
  it.each(['submission', 'smtps'])('on %s is for those who log in', async (listener) => {
    const world = new World();
    const client = await Client.hello(world, { listener, tls: TLS });
    expect(await client.pipeline('MAIL FROM:<ann@x.test>')).toEqual(['530 5.7.0']);
    expect(codeOf(await client.say(`AUTH PLAIN ${plain('ann@x.test', 'secret')}`))).toBe('235 2.7.0');
    expect(await client.pipeline('MAIL FROM:<ann@x.test>', 'RCPT TO:<carl@far.test>')).toEqual(['250 2.1.0', '250 2.1.5']);
    await client.leave();
    expect(world.refused[0]).toMatchObject({ phase: 'MAIL', rule: 'auth-required' });
  });

  it('is open to trusted addresses', async () => {
    const client = await Client.hello(new World({ trustedIps: ['192.0.2.7'] }), { listener: 'submission' });
    expect(await client.pipeline('MAIL FROM:<ann@x.test>')).toEqual(['250 2.1.0']);
  });

  it('completes the header', async () => {
    const world = new World();
    const client = await Client.login(world);
    await client.mail('ann@x.test', 'carl@far.test', 'Subject: a\r\n\r\nhello\r\n');
    const [message] = world.accepted;
    expect(message).toMatchObject({ login: 'ann@x.test', protocol: 'ESMTPSA', headerMessageId: `${message?.messageId}@mx.x.test` });
    expect(message?.trace).toMatch(/^Received: [^]+\r\nDate: Mon, 2 Mar 2026 12:00:00 \+0900\r\nMessage-ID: <\w+@mx\.x\.test>\r\nFrom: <ann@x\.test>\r\n$/);
    await client.mail('ann@x.test', 'carl@far.test', 'no header\r\n');
    expect(world.accepted[1]?.trace).toMatch(/From: <ann@x\.test>\r\n\r\n$/);
  });

  it('can hide where the client is', async () => {
    const world = new World({ hideClientIp: true });
    await (await Client.login(world)).mail('ann@x.test', 'carl@far.test', 'Subject: a\r\n\r\n');
    expect(world.accepted[0]?.trace).toMatch(/^Received: from unknown by/);
  });

  it('can show the version and follow another template', async () => {
    const world = new World({ showVersion: true, receivedTemplate: 'by {host} {product} id {id}' });
    await (await Client.login(world)).mail('ann@x.test', 'carl@far.test', 'Subject: a\r\n\r\n');
    expect(world.accepted[0]?.trace).toMatch(/^Received: by mx\.x\.test \(Kiroku 0\.1\.0\) id \w+; Mon,/);
  });
});

describe('sender trust', () => {
  it('is judged at MAIL', async () => {
    const world = new World({ senderTrust: 'envelope' });
    const client = await Client.login(world);
    expect(await client.pipeline('MAIL FROM:<bob@x.test>')).toEqual(['550 5.7.1']);
    expect(await client.pipeline('MAIL FROM:<sales@x.test>', 'RSET', 'MAIL FROM:<>')).toEqual(['250 2.1.0', '250 2.0.0', '250 2.1.0']);
    await client.leave();
    expect(world.refused[0]).toMatchObject({ rule: 'sender-not-yours', detail: 'ann@x.test as bob@x.test', login: 'ann@x.test' });
  });

  it('of level login lets anyone of ours be named', async () => {
    const client = await Client.login(new World({ senderTrust: 'login' }));
    expect(await client.pipeline('MAIL FROM:<bob@x.test>', 'RSET', 'MAIL FROM:<ann@far.test>')).toEqual(['250 2.1.0', '250 2.0.0', '550 5.7.1']);
  });

  it('of level header is judged again at the end of data', async () => {
    const world = new World({ senderTrust: 'header' });
    const client = await Client.login(world);
    expect(await client.mail('ann@x.test', 'carl@far.test', 'From: Boss <bob@x.test>\r\n\r\n')).toMatch(/^550 5\.7\.1 /);
    expect(await client.mail('ann@x.test', 'carl@far.test', 'From: ann@x.test\r\nFrom: bob@x.test\r\n\r\n')).toMatch(/^550 5\.7\.1 /);
    expect(await client.mail('ann@x.test', 'carl@far.test', 'From: The Boss:;\r\n\r\n')).toMatch(/^550 5\.7\.1 /);
    expect(await client.mail('ann@x.test', 'carl@far.test', 'From: Sales <sales@x.test>\r\n\r\n')).toMatch(/^250/);
    expect(await client.mail('ann@x.test', 'carl@far.test', 'Subject: none\r\n\r\n')).toMatch(/^250/);
    await client.leave();
    expect(world.refused[0]).toMatchObject({ phase: 'DATA', rule: 'header-from-not-yours', detail: 'ann@x.test as bob@x.test' });
    expect(world.bodies.open).toBe(0);
  });

  it('of the other levels leaves From alone, but says who logged in', async () => {
    const world = new World({ senderTrust: 'envelope' });
    await (await Client.login(world)).mail('ann@x.test', 'carl@far.test', 'From: Boss <bob@x.test>\r\n\r\n');
    expect(world.accepted[0]?.trace).toContain('Sender: <ann@x.test>\r\n');
  });
});

describe('AUTH', () => {
  it('PLAIN works with and without initial response', async () => {
    const world = new World();
    const client = await Client.hello(world, { tls: TLS });
    expect(await client.say('AUTH PLAIN')).toBe('334 ');
    expect(await client.say(plain('ann@x.test', 'secret'))).toBe('235 2.7.0 Authentication successful');
    expect(codeOf(await client.say('AUTH PLAIN'))).toBe('503 5.5.1');
    expect(world.noted('LoginSucceeded')).toMatchObject([{ mechanism: 'PLAIN', login: 'ann@x.test', account: 'id-ann' }]);
  });

  it('LOGIN asks for name and password', async () => {
    const client = await Client.hello(new World(), { tls: TLS });
    expect(await client.say('AUTH LOGIN')).toBe(`334 ${base64('Username:')}`);
    expect(await client.say(base64('ann'))).toBe(`334 ${base64('Password:')}`);
    expect(codeOf(await client.say(base64('secret')))).toBe('235 2.7.0');
  });

  it('CRAM-MD5 is neither offered nor taken where no account could use it', async () => {
    const world = new World();
    world.admission.digests = false;
    const client = await Client.hello(world, { tls: TLS });
    expect(codeOf(await client.say('AUTH CRAM-MD5'))).toBe('504 5.5.4');
    expect(await client.say('EHLO again.test')).not.toContain('CRAM-MD5');
  });

  it('CRAM-MD5 works without TLS', async () => {
    const client = await Client.hello(new World());
    expect(await client.say('AUTH CRAM-MD5')).toMatch(/^334 [A-Za-z0-9+/=]+$/);
    expect(codeOf(await client.say(base64(`ann@x.test ${'0'.repeat(32)}`)))).toBe('235 2.7.0');
  });

  it.each([
    ['secret', '235 2.7.0'],
    ['wrong', '535 5.7.8'],
  ])('SCRAM-SHA-256 works without TLS, with password %s: %s', async (password, code) => {
    const client = await Client.hello(new World());
    const bare = 'n=ann@x.test,r=client-nonce';
    const first = fromBase64(await client.say(`AUTH SCRAM-SHA-256 ${base64(`n,,${bare}`)}`));
    const [, nonce = '', salt = '', rounds = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(first) ?? [];
    const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256');
    const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
    const clientKey = hmac(salted, 'Client Key');
    const last = `c=biws,r=${nonce}`;
    const signed = `${bare},${first},${last}`;
    const signature = hmac(createHash('sha256').update(clientKey).digest(), signed);
    const proof = Buffer.from(clientKey.map((byte, n) => byte ^ (signature[n] ?? 0)));
    const answer = await client.say(base64(`${last},p=${proof.toString('base64')}`));
    if (password !== 'secret') return expect(codeOf(answer)).toBe(code);
    expect(fromBase64(answer)).toBe(`v=${hmac(hmac(salted, 'Server Key'), signed).toString('base64')}`);
    expect(codeOf(await client.say(''))).toBe(code);
  });

  it('sends passwords only under TLS, unless the settings allow it', async () => {
    const auth = `AUTH PLAIN ${plain('ann@x.test', 'secret')}`;
    expect(codeOf(await (await Client.hello(new World())).say(auth))).toBe('538 5.7.11');
    expect(codeOf(await (await Client.hello(new World({ plainAuthWithoutTls: true }))).say(auth))).toBe('235 2.7.0');
  });

  it('says the same to an unknown user and to a wrong password, and records which', async () => {
    const world = new World();
    const client = await Client.hello(world, { tls: TLS });
    const answers = [await client.say(`AUTH PLAIN ${plain('nobody@x.test', 'x')}`), await client.say(`AUTH PLAIN ${plain('ann@x.test', 'x')}`)];
    expect(answers).toEqual(['535 5.7.8 Authentication credentials invalid', '535 5.7.8 Authentication credentials invalid']);
    expect(world.noted('LoginFailed')).toMatchObject([{ rule: 'unknown-account', login: 'nobody@x.test' }, { rule: 'wrong-password' }]);
    expect(JSON.stringify(world.facts)).not.toContain(plain('ann@x.test', 'x'));
    expect(world.admission.failures).toBe(2);
  });

  it('records strange names so that they can be kept', async () => {
    const world = new World();
    const client = await Client.hello(world, { tls: TLS });
    await client.say(`AUTH LOGIN ${base64('a\0b\n')}`);
    await client.say(base64('x'));
    expect(world.noted('LoginFailed')).toMatchObject([{ login: 'a?b?', rule: 'malformed' }]);
  });

  it('ends the connection with the failure that locks the address out', async () => {
    const world = new World();
    world.admission.lockAfter = 2;
    const client = await Client.hello(world, { tls: TLS });
    await client.say(`AUTH PLAIN ${plain('ann@x.test', 'x')}`);
    expect(codeOf(await client.say(`AUTH PLAIN ${plain('ann@x.test', 'x')}`))).toBe('421 4.7.0');
    await client.served;
    const next = new Client(world);
    expect((await next.heard()).map(codeOf)).toEqual(['421 4.7.0']);
  });

  it.each([
    [['AUTH FROB'], '504 5.5.4'],
    [['AUTH PLAIN !!!'], '501 5.5.2'],
    [['AUTH PLAIN abc'], '501 5.5.2'],
    [['AUTH PLAIN ='], '501 5.5.2'],
    [['AUTH PLAIN', '*'], '501 5.7.0'],
    [['AUTH PLAIN', 'a b'], '501 5.5.2'],
    [['AUTH LOGIN', '*'], '501 5.7.0'],
    [['AUTH PLAIN', 'A'.repeat(12_288)], '500 5.5.6'],
    [[`AUTH PLAIN ${base64('bob@x.test\0ann@x.test\0secret')}`], '501 5.5.2'],
  ])('%j is answered %s, and the session goes on', async (lines, code) => {
    const client = await Client.hello(new World(), { tls: TLS });
    let last = '';
    for (const line of lines) last = await client.say(line);
    expect(codeOf(last)).toBe(code);
    expect(codeOf(await client.say('NOOP'))).toBe('250 2.0.0');
  });

  it('is 454 while nobody can tell', async () => {
    const world = new World();
    world.directory.broken = true;
    const client = await Client.hello(world, { tls: TLS });
    expect(codeOf(await client.say(`AUTH PLAIN ${plain('ann@x.test', 'secret')}`))).toBe('454 4.7.0');
    expect(world.admission.failures).toBe(0);
  });

  it('belongs before a transaction', async () => {
    const client = await Client.hello(new World(), { tls: TLS });
    expect(await client.pipeline('MAIL FROM:<carl@far.test>', `AUTH PLAIN ${plain('ann@x.test', 'secret')}`)).toEqual(['250 2.1.0', '503 5.5.1']);
  });

  it('is over when the client leaves in the middle', async () => {
    const world = new World();
    const client = await Client.hello(world, { tls: TLS });
    await client.say('AUTH LOGIN');
    await client.leave();
    expect(world.noted('SessionClosed')).toMatchObject([{ reason: 'gone' }]);
  });
});
