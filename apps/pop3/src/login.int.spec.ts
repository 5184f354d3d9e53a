import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ask, linesOf, PASSWORD, startRig, talk } from './testing/rig.js';

const b64 = (text: string) => Buffer.from(text).toString('base64');
const md5 = (text: string) => createHash('md5').update(text).digest('hex');

describe('a login over POP3', () => {
  it('by USER and PASS works under TLS, with every form of the name', async () => {
    await using rig = await startRig({ settings: { defaultDomain: 'x.test' } });
    for (const name of ['ann@x.test', 'ann%x.test', 'ANN', '山田']) {
      const client = await rig.loggedIn(name);
      await talk(client, [['QUIT', '+OK bye']]);
    }
    expect(rig.facts.filter((fact) => fact.type === 'LoginSucceeded')).toHaveLength(4);
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'LoginSucceeded', data: expect.objectContaining({ mechanism: 'USER', login: 'ann@x.test', account: 'id-of-ann' }) }),
    );
  });

  it('takes the default domain of its listener before the server-wide one', async () => {
    await using rig = await startRig({ settings: { defaultDomain: 'other.test' }, pop3: { listeners: { pop3s: { defaultDomain: 'x.test' } } } });
    await rig.loggedIn('ann');
  });

  it('is not asked for a password without TLS', async () => {
    await using rig = await startRig();
    const client = await rig.greeted();
    await talk(client, [
      ['USER ann@x.test', '-ERR [SYS/PERM] start TLS first'],
      [`PASS ${PASSWORD}`, '-ERR not possible in this state'],
      [`AUTH PLAIN ${b64(`\0ann@x.test\0${PASSWORD}`)}`, '-ERR [SYS/PERM] start TLS first'],
      ['AUTH LOGIN', '-ERR [SYS/PERM] start TLS first'],
    ]);
    const { rest } = await ask(client, 'CAPA');
    expect(linesOf(rest)).toContain('SASL SCRAM-SHA-256 CRAM-MD5');
    expect(linesOf(rest)).not.toContain('USER');
    expect(linesOf((await ask(client, 'AUTH')).rest)).toEqual(['SCRAM-SHA-256', 'CRAM-MD5']);
  });

  it('by password without TLS works where the administrator wants it', async () => {
    await using rig = await startRig({ settings: { plainAuthWithoutTls: true } });
    const client = await rig.greeted();
    expect(linesOf((await ask(client, 'CAPA')).rest)).toEqual(expect.arrayContaining(['USER', 'SASL SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN', 'STLS']));
    await talk(client, [['USER ann@x.test', '+OK send PASS'], [`PASS ${PASSWORD}`, '+OK 0 messages (0 octets)']]);
  });

  it('by APOP takes the digest of RFC 1939 §7', async () => {
    await using rig = await startRig({
      settings: { hostname: 'dbc.mtview.ca.us', defaultDomain: 'x.test' },
      pop3: { unique: () => '1896.697170952' },
    });
    const client = await rig.connect('apop');
    expect(await client.readLine()).toBe('+OK dbc.mtview.ca.us POP3 ready <1896.697170952@dbc.mtview.ca.us>');
    await talk(client, [
      ['APOP mrose c4c9334bac560ecc979e58001b3e22fc', '-ERR [AUTH] login failed'],
      ['APOP mrose c4c9334bac560ecc979e58001b3e22fb', '+OK 0 messages (0 octets)'],
    ]);
  });

  it('by APOP never sees the same timestamp twice', async () => {
    await using rig = await startRig();
    const banners = await Promise.all(Array.from({ length: 20 }, async () => (await rig.connect()).readLine()));
    const stamps = banners.map((banner) => /<\S+@pop\.x\.test>$/.exec(banner)?.[0]);
    expect(new Set(stamps).size).toBe(20);
    expect(stamps).not.toContain(undefined);
  });

  it('still uses the timestamp of the banner after STLS', async () => {
    await using rig = await startRig();
    const client = await rig.connect();
    const stamp = /<.*>/.exec(await client.readLine())?.[0] ?? '';
    await talk(client, [['STLS', '+OK begin TLS']]);
    await client.startTls();
    await talk(client, [[`APOP ann@x.test ${md5(stamp + PASSWORD)}`, /^\+OK/]]);
  });

  it('is by APOP alone on a port for APOP', async () => {
    await using rig = await startRig({ pop3: { listeners: { apop: { apopOnly: true } } }, settings: { plainAuthWithoutTls: true } });
    const client = await rig.connect('apop');
    const stamp = /<.*>/.exec(await client.readLine())?.[0] ?? '';
    await talk(client, [
      ['USER ann@x.test', '-ERR this way to log in is not offered here'],
      ['AUTH CRAM-MD5', '-ERR this way to log in is not offered here'],
    ]);
    expect((await ask(client, 'CAPA')).rest.toString()).not.toMatch(/^(USER|SASL)/m);
    await talk(client, [[`APOP ann@x.test ${md5(stamp + PASSWORD)}`, /^\+OK/]]);
  });

  it('by AUTH PLAIN takes an initial response, or asks for it', async () => {
    await using rig = await startRig();
    const response = b64(`\0ann@x.test\0${PASSWORD}`);
    const one = await rig.greeted('pop3s');
    await talk(one, [[`AUTH PLAIN ${response}`, /^\+OK 0/], ['QUIT', '+OK bye']]);
    const two = await rig.greeted('pop3s');
    await talk(two, [['AUTH plain', '+ '], [response, /^\+OK 0/]]);
  });

  it('by AUTH LOGIN, CRAM-MD5 and SCRAM-SHA-256 works', async () => {
    await using rig = await startRig();
    const login = await rig.greeted('pop3s');
    await talk(login, [['AUTH LOGIN', `+ ${b64('Username:')}`], [b64('ann@x.test'), `+ ${b64('Password:')}`], [b64(PASSWORD), /^\+OK 0/], ['QUIT', '+OK bye']]);

    const cram = await rig.greeted();
    cram.write('AUTH CRAM-MD5\r\n');
    const challenge = Buffer.from((await cram.readLine()).slice(2), 'base64').toString();
    expect(challenge).toMatch(/^<.+@pop\.x\.test>$/);
    const digest = createHmac('md5', PASSWORD).update(challenge).digest('hex');
    await talk(cram, [[b64(`ann@x.test ${digest}`), /^\+OK 0/], ['QUIT', '+OK bye']]);

    const scram = await rig.greeted();
    scram.write(`AUTH SCRAM-SHA-256 ${b64('n,,n=ann@x.test,r=abc')}\r\n`);
    const first = Buffer.from((await scram.readLine()).slice(2), 'base64').toString();
    const [, nonce = '', salt = '', rounds = ''] = /^r=(.*),s=(.*),i=(\d+)$/.exec(first) ?? [];
    const salted = pbkdf2Sync(PASSWORD, Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256');
    const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha256').update(clientKey).digest(), `n=ann@x.test,r=abc,${first},c=biws,r=${nonce}`);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (signature[i] ?? 0))).toString('base64');
    await talk(scram, [[b64(`c=biws,r=${nonce},p=${proof}`), /^\+ /], ['', /^\+OK 0/]]);
    expect(rig.facts.filter(({ type }) => type === 'LoginSucceeded').map(({ data }) => (data as { mechanism: string }).mechanism)).toEqual([
      'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-256',
    ]);
  });

  it('can be cancelled, and bad base64 does not reach the mechanism', async () => {
    await using rig = await startRig();
    const client = await rig.greeted('pop3s');
    await talk(client, [
      ['AUTH PLAIN', '+ '], ['*', '-ERR authentication cancelled'],
      ['AUTH PLAIN', '+ '], ['AG=Fu', '-ERR wrong base64'],
      ['AUTH PLAIN', '+ '], ['A'.repeat(13_000), '-ERR line too long'],
      ['AUTH PLAIN AGFub', '-ERR wrong base64'],
      ['AUTH PLAIN =', '-ERR [AUTH] login failed'],
      ['AUTH GSSAPI', '-ERR this way to log in is not offered here'],
      [`AUTH PLAIN ${b64(`\0ann@x.test\0${PASSWORD}`)}`, /^\+OK/],
    ]);
  });

  it('fails in the same words whatever is wrong, and is counted before the answer', async () => {
    await using rig = await startRig();
    const client = await rig.greeted('pop3s');
    for (const [user, password] of [['ann@x.test', 'wrong'], ['nobody@x.test', PASSWORD], ['imap-only@x.test', PASSWORD], ['ann', PASSWORD]]) {
      const before = rig.failures.length;
      await talk(client, [[`USER ${user}`, '+OK send PASS'], [`PASS ${password}`, '-ERR [AUTH] login failed']]);
      expect(rig.failures).toHaveLength(before + 1);
    }
    const rules = rig.facts.filter(({ type }) => type === 'LoginFailed').map(({ data }) => (data as { rule: string }).rule);
    expect(rules).toEqual(['wrong-password', 'unknown-account', 'protocol-off', 'unknown-account']);
    expect(JSON.stringify(rig.facts)).not.toContain(PASSWORD);
    expect(JSON.stringify(rig.facts)).not.toContain('wrong"');
  });

  it('that fails once too often ends the session and shuts the door', async () => {
    await using rig = await startRig();
    rig.refuseAfter = 2;
    const client = await rig.greeted('pop3s');
    const closed = rig.closed();
    client.write('USER ann@x.test\r\nPASS a\r\nUSER ann@x.test\r\nPASS b\r\nUSER ann@x.test\r\nPASS tanstaaf\r\n');
    expect(await client.readToEnd()).toBe('+OK send PASS\r\n-ERR [AUTH] login failed\r\n+OK send PASS\r\n-ERR [AUTH] login failed\r\n');
    expect((await closed).data.reason).toBe('locked-out');
    expect(await (await rig.connect()).readToEnd()).toBe('-ERR [SYS/PERM] access refused\r\n');
    expect(rig.facts).toContainEqual(expect.objectContaining({ type: 'CommandRefused', data: expect.objectContaining({ rule: 'locked-out' }) }));
  });

  it('is answered as temporary trouble when the directory or the maildrop cannot be read', async () => {
    await using rig = await startRig({ directoryDown: true });
    const client = await rig.greeted('pop3s');
    await talk(client, [['USER ann@x.test', '+OK send PASS'], [`PASS ${PASSWORD}`, '-ERR [SYS/TEMP] try again later']]);
    expect(rig.failures).toEqual([]);
    expect(rig.troubles).toHaveLength(1);

    await using other = await startRig();
    other.drops.down = true;
    const again = await other.greeted('pop3s');
    await talk(again, [['USER ann@x.test', '+OK send PASS'], [`PASS ${PASSWORD}`, '-ERR [SYS/TEMP] try again later']]);
    other.drops.down = false;
    await talk(again, [['USER ann@x.test', '+OK send PASS'], [`PASS ${PASSWORD}`, /^\+OK/]]);
  });
});

describe('a maildrop', () => {
  it('is free before QUIT is answered', async () => {
    await using rig = await startRig();
    // With the answer to QUIT this fills the 16 KiB that leave at once.
    rig.drops.deliver('ann', `${'x'.repeat(16_357)}\r\n`);
    const [client, other] = [await rig.loggedIn(), await rig.loggedIn('ben@x.test')];
    let free = () => {};
    rig.drops.closing = new Promise((resolve) => (free = resolve));
    client.write('RETR 1\r\nQUIT\r\n');
    for (let i = 0; i < 5; i++) await talk(other, [['NOOP', '+OK nothing done']]);
    expect(client.seen()).not.toContain('bye');
    free();
    expect(await client.readToEnd()).toMatch(/\r\n\.\r\n\+OK bye\r\n$/);
  });

  it('is for one session at a time', async () => {
    await using rig = await startRig();
    const one = await rig.loggedIn();
    const two = await rig.greeted('pop3s');
    await talk(two, [['USER ann@x.test', '+OK send PASS'], [`PASS ${PASSWORD}`, /^-ERR \[IN-USE\]/], ['STAT', '-ERR not possible in this state']]);
    await rig.loggedIn('ben@x.test');
    await talk(one, [['QUIT', '+OK bye']]);
    await talk(two, [['USER ann@x.test', '+OK send PASS'], [`PASS ${PASSWORD}`, /^\+OK/]]);
  });

  it('is free again when its client vanishes', async () => {
    await using rig = await startRig();
    const one = await rig.loggedIn();
    const closed = rig.closed();
    one.close();
    await closed;
    expect(rig.drops.held).toBe(0);
    await rig.loggedIn();
  });
});

describe('STLS', () => {
  it('drops what was sent with it in the clear, and all that was said before', async () => {
    await using rig = await startRig();
    const client = await rig.greeted();
    client.write('LANG ja\r\n');
    await client.readLine();
    client.write('UTF8\r\nSTLS\r\nCAPA\r\nUSER ben@x.test\r\n');
    await client.readLine();
    expect(Buffer.from(await client.readLine(), 'latin1').toString()).toBe('+OK TLS を開始してください');
    await client.startTls();
    await talk(client, [['PASS x', '-ERR not possible in this state'], ['STLS', '-ERR TLS is active'], ['USER ann@x.test', '+OK send PASS'], [`PASS ${PASSWORD}`, /^\+OK/]]);
    expect(rig.facts.map(({ type }) => type)).toContain('TlsStarted');
    await talk(client, [['STLS', '-ERR not possible in this state']]);
  });

  it('ends the session when what follows is no handshake', async () => {
    await using rig = await startRig();
    const client = await rig.greeted();
    const closed = rig.closed();
    await talk(client, [['STLS', '+OK begin TLS']]);
    client.write('USER ann@x.test\r\nPASS tanstaaf\r\n');
    expect((await closed).data.reason).toBe('gone');
    expect(rig.facts.some(({ type }) => type === 'LoginSucceeded')).toBe(false);
  });

  it('is refused where there is no certificate', async () => {
    await using rig = await startRig({ pop3: { listeners: { pop3: { stls: false } } } });
    const client = await rig.greeted();
    await talk(client, [['STLS', '-ERR TLS is not offered here'], ['USER ann@x.test', '-ERR this way to log in is not offered here']]);
    expect((await ask(client, 'CAPA')).rest.toString()).not.toContain('STLS');
  });
});
