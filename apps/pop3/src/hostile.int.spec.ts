import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ask, linesOf, startRig, talk } from './testing/rig.js';

describe('a client that is no POP3 client', () => {
  it('hears so and is gone, at the first line of a browser', async () => {
    await using rig = await startRig();
    const client = await rig.greeted();
    const closed = rig.closed();
    client.write('POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER ann@x.test\r\nPASS tanstaaf\r\n');
    expect(await client.readToEnd()).toBe('-ERR this is POP3\r\n');
    expect((await closed).data).toMatchObject({ reason: 'not-pop3', commands: 1 });
  });

  it('hears so at the first bytes of a TLS hello, without a line end', async () => {
    await using rig = await startRig();
    const client = await rig.greeted();
    client.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc));
    expect(await client.readToEnd()).toBe('-ERR this is POP3\r\n');
  });
});

describe('hostile input', () => {
  it.each([
    ['an overlong line', 'USER ' + 'a'.repeat(5000), '-ERR line too long'],
    ['a line of a megabyte', 'x'.repeat(1_000_000), '-ERR line too long'],
    ['NUL', 'USER a\0b', '-ERR wrong or missing argument'],
    ['a bare LF', 'NOOP\nQUIT', '-ERR wrong or missing argument'],
    ['a bare CR', 'NOOP\rQUIT', '-ERR wrong or missing argument'],
    ['an empty line', '', '-ERR unknown command'],
    ['a number beyond all', 'RETR 99999999999999999999', '-ERR wrong or missing argument'],
  ])('%s gets one refusal, and the session goes on', async (_, line, answer) => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    await talk(client, [[line, answer], ['NOOP', '+OK nothing done']]);
    expect(rig.troubles).toEqual([]);
  });

  it('is cut off after too many errors, however it is pipelined', async () => {
    await using rig = await startRig({ settings: { commandErrors: 3 } });
    const client = await rig.greeted();
    const closed = rig.closed();
    client.write('A\r\nB\r\nC\r\nD\r\n');
    expect(await client.readToEnd()).toBe('-ERR unknown command\r\n-ERR unknown command\r\n-ERR too many errors\r\n');
    expect((await closed).data.reason).toBe('errors');
    expect(rig.facts.filter(({ type }) => type === 'CommandRefused')).toHaveLength(3);
  });

  it('has no limit of errors where the setting says 0', async () => {
    await using rig = await startRig({ settings: { commandErrors: 0 } });
    const client = await rig.greeted();
    for (let i = 0; i < 50; i++) await talk(client, [['A', '-ERR unknown command']]);
  });

  it('is never echoed', async () => {
    await using rig = await startRig();
    const client = await rig.greeted();
    client.write('XSECRET\r\nUSER XSECRET\r\nLANG XSECRET\r\nRETR XSECRET\r\nAUTH XSECRET\r\nQUIT\r\n');
    expect(await client.readToEnd()).not.toContain('XSECRET');
    expect(JSON.stringify(rig.facts)).not.toContain('XSECRET');
  });

  it('of any bytes never breaks the server', async () => {
    await using rig = await startRig();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const client = await rig.greeted();
        client.write(bytes);
        client.halfClose();
        expect(await client.readToEnd()).toMatch(/^((\+OK|-ERR|[A-Z.])[ -~]*\r\n)*$/);
      }),
      { numRuns: 30 },
    );
    expect(rig.troubles).toEqual([]);
  });
});

describe('a session', () => {
  it('speaks Japanese after LANG ja', async () => {
    await using rig = await startRig({ settings: { showVersion: true } });
    const client = await rig.loggedIn();
    const { rest } = await ask(client, 'LANG');
    expect(linesOf(rest)).toEqual(['en English', 'ja 日本語']);
    await talk(client, [
      ['LANG fr', '-ERR language not available'],
      ['LANG ja-JP', '+OK ja 応答は日本語です'],
      ['RETR 1', '-ERR そのメッセージはありません'],
      ['NOOP', '+OK 何もしません'],
      ['LANG *', '+OK en replies are in English'],
    ]);
    expect(linesOf((await ask(client, 'CAPA')).rest)).toContain('IMPLEMENTATION Kiroku-0.1');
    await talk(client, [['QUIT', '+OK bye']]);
  });

  it('that is silent too long ends without a word and removes nothing', async () => {
    await using rig = await startRig({ settings: { pop3IdleTime: 1_000 }, tick: 20 });
    rig.drops.deliver('ann', 'a');
    const client = await rig.greeted('pop3s');
    const closed = rig.closed();
    client.write('USER ann@x.test\r\nPASS tanstaaf\r\nDELE 1\r\n');
    expect(await client.readToEnd()).toBe('+OK send PASS\r\n+OK 1 messages (1 octets)\r\n+OK message 1 marked\r\n');
    expect((await closed).data.reason).toBe('idle');
    expect([rig.drops.uids('ann'), rig.drops.held]).toEqual([[1], 0]);
  });

  it('between commands is told of a shutdown and removes nothing', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', 'a');
    const client = await rig.loggedIn();
    const fresh = await rig.greeted();
    await talk(client, [['DELE 1', '+OK message 1 marked']]);
    await rig.server.drain(5000);
    expect(await client.readToEnd()).toBe('-ERR [SYS/TEMP] try again later\r\n');
    expect(await fresh.readToEnd()).toBe('-ERR [SYS/TEMP] try again later\r\n');
    expect([rig.drops.uids('ann'), rig.drops.held]).toEqual([[1], 0]);
  });

  it('leaves its whole record', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    const closed = rig.closed();
    await talk(client, [['STLS', '-ERR not possible in this state'], ['QUIT', '+OK bye']]);
    await closed;
    expect(rig.facts.map(({ type }) => type)).toEqual(['SessionOpened', 'LoginSucceeded', 'CommandRefused', 'SessionClosed']);
    expect(rig.facts[0]?.data).toMatchObject({ protocol: 'pop3', listener: 'pop3s', peer: { ip: '127.0.0.1' }, tls: { version: 'TLSv1.3' } });
    expect(rig.facts[2]?.data).toMatchObject({ verb: 'STLS', rule: 'out-of-order', reply: '-ERR not possible in this state' });
    expect((rig.facts[3]?.data as { bytesOut: number }).bytesOut).toBeGreaterThan(50);
  });
});
