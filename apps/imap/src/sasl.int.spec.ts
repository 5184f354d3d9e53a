import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { ImapClient } from './testing/imap-client.js';
import { PASSWORD, type Rig, startRig } from './testing/rig.js';

const b64 = (text: string): string => Buffer.from(text).toString('base64');
const challenge = async (client: ImapClient): Promise<string> => {
  const line = await client.line();
  expect(line).toMatch(/^\+ [A-Za-z0-9+/]*=*$/);
  return Buffer.from(line.slice(2), 'base64').toString();
};
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** RFC 5802 §3: the last message of a client that knows the password, and what the server has to sign. */
function proofFor(first: string, password: string): { readonly last: string; readonly signature: string } {
  const [, nonce = '', salt = '', rounds = ''] = /^r=(.*),s=(.*),i=(\d+)$/.exec(first) ?? [];
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256');
  const clientKey = hmac(salted, 'Client Key');
  const signed = `n=ann@x.test,r=abc,${first},c=biws,r=${nonce}`;
  const mask = hmac(createHash('sha256').update(clientKey).digest(), signed);
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (mask[i] ?? 0))).toString('base64');
  return { last: `c=biws,r=${nonce},p=${proof}`, signature: hmac(hmac(salted, 'Server Key'), signed).toString('base64') };
}

async function scram(client: ImapClient, password: string, initial: boolean): Promise<{ readonly lines: string[]; readonly signed: boolean }> {
  const tag = client.say(`AUTHENTICATE SCRAM-SHA-256${initial ? ` ${b64('n,,n=ann@x.test,r=abc')}` : ''}`);
  if (!initial) {
    expect(await challenge(client)).toBe('');
    client.write(`${b64('n,,n=ann@x.test,r=abc')}\r\n`);
  }
  const { last, signature } = proofFor(await challenge(client), password);
  client.write(`${b64(last)}\r\n`);
  if (password !== PASSWORD) return { lines: await client.answer(tag), signed: false };
  const signed = (await challenge(client)) === `v=${signature}`;
  client.write('\r\n');
  return { lines: await client.answer(tag), signed };
}

const login = async (rig: Rig, listener: 'imap' | 'imaps' = 'imaps'): Promise<ImapClient> => {
  const client = await rig.connect(listener);
  await client.line();
  return client;
};

describe('AUTHENTICATE SCRAM-SHA-256', () => {
  it.each([true, false])('proves both sides to each other, also without TLS (initial response: %s)', async (initial) => {
    await using rig = await startRig();
    const client = await login(rig, 'imap');
    const { lines, signed } = await scram(client, PASSWORD, initial);
    expect([lines.at(-1), signed]).toEqual([expect.stringMatching(/^OK \[CAPABILITY .*IDLE/), true]);
    await client.ok('SELECT INBOX');
    expect(rig.facts.at(-1)).toMatchObject({ type: 'LoginSucceeded', data: { mechanism: 'SCRAM-SHA-256', login: 'ann@x.test' } });
  });

  it('fails with a wrong password, and the next one may be right', async () => {
    await using rig = await startRig();
    const client = await login(rig);
    expect((await scram(client, 'wrong', true)).lines).toEqual(['NO [AUTHENTICATIONFAILED] Login failed']);
    expect((await scram(client, PASSWORD, true)).lines.at(-1)).toMatch(/^OK /);
  });
});

describe('AUTHENTICATE LOGIN and CRAM-MD5', () => {
  it('ask for what they need', async () => {
    await using rig = await startRig();
    const client = await login(rig);
    const tag = client.say('AUTHENTICATE LOGIN');
    expect(await challenge(client)).toBe('Username:');
    client.write(`${b64('ann@x.test')}\r\n`);
    expect(await challenge(client)).toBe('Password:');
    client.write(`${b64(PASSWORD)}\r\n`);
    expect((await client.answer(tag)).at(-1)).toMatch(/^OK /);

    const other = await login(rig, 'imap');
    const cram = other.say('AUTHENTICATE CRAM-MD5');
    const stamp = await challenge(other);
    expect(stamp).toMatch(/^<.+@imap\.x\.test>$/);
    other.write(`${b64(`ann@x.test ${'0'.repeat(32)}`)}\r\n`);
    expect(await other.answer(cram)).toEqual(['NO [AUTHENTICATIONFAILED] Login failed']);
  });
});

describe('an exchange', () => {
  const PLAIN = b64(`\0ann@x.test\0${PASSWORD}`);

  it.each(['SCRAM-SHA-256', 'CRAM-MD5', 'PLAIN', 'LOGIN'])('of %s can be given up, and base64 must be base64', async (mechanism) => {
    await using rig = await startRig();
    const client = await login(rig);
    for (const response of ['*', 'abc', 'AG=Fu', 'a b=', '====', 'A'.repeat(5_000)]) {
      const tag = client.say(`AUTHENTICATE ${mechanism}`);
      await client.line();
      client.write(`${response}\r\n`);
      expect([response.slice(0, 9), (await client.answer(tag)).at(-1)]).toEqual([response.slice(0, 9), expect.stringMatching(/^BAD /)]);
    }
    expect(rig.failures).toEqual([]);
    expect(await client.end(`AUTHENTICATE PLAIN ${PLAIN}`)).toMatch(/^OK /);
  });

  it('takes an initial response, an empty one too, and no other argument', async () => {
    await using rig = await startRig();
    const client = await login(rig);
    expect(await client.end('AUTHENTICATE PLAIN =')).toBe('NO Login failed');
    for (const wrong of ['AUTHENTICATE PLAIN abc', 'AUTHENTICATE PLAIN *', 'AUTHENTICATE PLAIN AG=Fu', `AUTHENTICATE PLAIN ${PLAIN} x`, 'AUTHENTICATE PLAIN ""', 'AUTHENTICATE']) {
      expect([wrong, await client.end(wrong)]).toEqual([wrong, expect.stringMatching(/^BAD /)]);
    }
    expect(await client.end(`AUTHENTICATE PLAIN ${PLAIN}`)).toMatch(/^OK /);
    expect(await client.end(`AUTHENTICATE PLAIN ${PLAIN}`)).toBe('BAD Already logged in');
  });

  it('for somebody else fails', async () => {
    await using rig = await startRig();
    const client = await login(rig);
    expect(await client.end(`AUTHENTICATE PLAIN ${b64(`ben@x.test\0ann@x.test\0${PASSWORD}`)}`)).toMatch(/^NO /);
  });

  it('that the client leaves midway leaves nothing behind', async () => {
    await using rig = await startRig();
    const client = await login(rig);
    const closed = rig.closed();
    client.say('AUTHENTICATE LOGIN');
    await client.line();
    client.close();
    expect((await closed).data).toMatchObject({ protocol: 'imap' });
    expect([rig.troubles, rig.failures]).toEqual([[], []]);
  });
});
