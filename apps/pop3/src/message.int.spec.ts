import { BodyDamaged } from '@kiroku/domain/kernel/object-store.js';
import { describe, expect, it } from '@jest/globals';
import { until } from '@kiroku/infra/rig/until.js';
import { ask, linesOf, startRig, talk } from './testing/rig.js';

const MAIL = 'Subject: one\r\n\r\nfirst\r\n.\r\n..third\r\nlast';

describe('mail fetched over POP3', () => {
  it('comes as it was accepted, its prefix before it', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', MAIL, { prefix: 'Return-Path: <ben@x.test>\r\n' });
    const client = await rig.loggedIn();
    const { first, rest } = await ask(client, 'RETR 1');
    expect(rest.toString()).toBe(`Return-Path: <ben@x.test>\r\n${MAIL}\r\n`);
    expect(first).toBe(`+OK ${Buffer.byteLength(`Return-Path: <ben@x.test>\r\n${MAIL}`)} octets`);
    expect((await ask(client, 'LIST')).rest.toString()).toBe(`1 ${first.split(' ')[1]}\r\n`);
  });

  it('is shown from the top line by line', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', MAIL, { prefix: 'A: b\r\n' });
    rig.drops.chunk = 3;
    const client = await rig.loggedIn();
    const header = 'A: b\r\nSubject: one\r\n\r\n';
    for (const [lines, body] of [[0, ''], [1, 'first\r\n'], [2, 'first\r\n.\r\n'], [3, 'first\r\n.\r\n..third\r\n'], [4, 'first\r\n.\r\n..third\r\nlast\r\n'], [9_999_999_999, 'first\r\n.\r\n..third\r\nlast\r\n']])
      expect((await ask(client, `TOP 1 ${lines}`)).rest.toString()).toBe(header + body);
    expect(rig.drops.reading).toBe(0);
  });

  it('of no bytes at all is an empty message', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', '');
    const client = await rig.loggedIn();
    expect((await ask(client, 'RETR 1')).rest.toString()).toBe('');
    expect((await ask(client, 'TOP 1 5')).rest.toString()).toBe('');
    await talk(client, [['STAT', '+OK 1 0']]);
  });

  it('has CRLF line ends on the wire even where the body has bare LFs', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', 'A: b\n\n.\nx\n');
    const client = await rig.loggedIn();
    expect((await ask(client, 'RETR 1')).rest.toString()).toBe('A: b\r\n\r\n.\r\nx\r\n');
  });

  it('keeps its unique id over sessions', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', 'one');
    rig.drops.deliver('ann', 'two');
    const one = await rig.loggedIn();
    expect(linesOf((await ask(one, 'UIDL')).rest)).toEqual(['1 1700000000.1', '2 1700000000.2']);
    await talk(one, [['DELE 1', '+OK message 1 marked'], ['QUIT', '+OK bye']]);
    const two = await rig.loggedIn();
    expect(linesOf((await ask(two, 'UIDL')).rest)).toEqual(['1 1700000000.2']);
  });

  it('answers a whole group of commands in order', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', 'A: 1\r\n\r\none\r\n');
    rig.drops.deliver('ann', 'A: 2\r\n\r\ntwo\r\n');
    const client = await rig.loggedIn();
    client.write('STAT\r\nRETR 2\r\nDELE 2\r\nRETR 2\r\nLIST\r\nTOP 1 0\r\nQUIT\r\nSTAT\r\n');
    expect(await client.readToEnd()).toBe(
      '+OK 2 26\r\n+OK 13 octets\r\nA: 2\r\n\r\ntwo\r\n.\r\n+OK message 2 marked\r\n-ERR message has been marked for removal\r\n' +
        '+OK 1 messages (13 octets)\r\n1 13\r\n.\r\n+OK top of message follows\r\nA: 1\r\n\r\n.\r\n+OK bye\r\n',
    );
    expect(rig.drops.uids('ann')).toEqual([1]);
  });

  it('answers what was asked when the client has closed its side', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', 'A: 1\r\n\r\none\r\n');
    const client = await rig.loggedIn();
    const closed = rig.closed();
    client.write('DELE 1\r\nRSET\r\nRETR 1\r\n');
    client.halfClose();
    expect(await client.readToEnd()).toBe('+OK message 1 marked\r\n+OK 1 messages (13 octets)\r\n+OK 13 octets\r\nA: 1\r\n\r\none\r\n.\r\n');
    expect((await closed).data).toMatchObject({ reason: 'client-left', commands: 5 });
  });

  it('flows no faster than a slow reader takes it', async () => {
    await using rig = await startRig();
    const body = Buffer.alloc(64 * 1024 * 1024, 'x'.repeat(76) + '\r\n');
    rig.drops.deliver('ann', body);
    const chunks = body.length / rig.drops.chunk;
    const client = await rig.loggedIn();
    client.write('RETR 1\r\n');
    await client.readLine();
    client.stopReading();
    let last = -1;
    // The kernel's buffers fill up, then nothing moves until the client reads on.
    await until('the server has stopped', 20_000, () => last === (last = rig.drops.handedOut) && last > 0);
    expect(rig.drops.handedOut).toBeLessThan(chunks / 2);
    client.resumeReading();
    expect((await client.readDotted()).length).toBe(body.length + (body.subarray(-2).toString() === '\r\n' ? 0 : 2));
    await talk(client, [['NOOP', '+OK nothing done']]);
  });

  it('is listed 100,000 at a time', async () => {
    await using rig = await startRig();
    for (let i = 0; i < 100_000; i++) rig.drops.deliver('ann', 'x');
    const client = await rig.loggedIn();
    const uidls = linesOf((await ask(client, 'UIDL')).rest);
    expect([uidls.length, uidls.at(-1)]).toEqual([100_000, '100000 1700000000.100000']);
    await talk(client, [['STAT', '+OK 100000 100000']]);
  });
});

describe('a message that cannot be sent', () => {
  it('is refused in one line when that is known before the first byte', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', MAIL);
    const client = await rig.loggedIn();
    rig.drops.failure = { after: 0, error: new BodyDamaged('00') };
    await talk(client, [['RETR 1', /^-ERR \[SYS\/PERM\] message is damaged/]]);
    rig.drops.failure = { after: 0, error: new Error('the disk is away') };
    await talk(client, [['TOP 1 1', '-ERR [SYS/TEMP] message cannot be read now']]);
    rig.drops.failure = undefined;
    expect((await ask(client, 'RETR 1')).rest.toString()).toBe(`${MAIL}\r\n`);
    expect(rig.troubles).toHaveLength(2);
  });

  it('breaks off the connection when its body fails midway: there is no false end', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', 'x'.repeat(1000));
    rig.drops.chunk = 100;
    rig.drops.failure = { after: 500, error: new BodyDamaged('00') };
    const client = await rig.loggedIn();
    const closed = rig.closed();
    client.write('RETR 1\r\nDELE 1\r\nQUIT\r\n');
    expect(await client.readToEnd()).toBe(`+OK 1000 octets\r\n${'x'.repeat(500)}`);
    expect((await closed).data.reason).toBe('body-failed');
    expect([rig.drops.uids('ann'), rig.drops.held]).toEqual([[1], 0]);
  });

  it('was removed by someone else', async () => {
    await using rig = await startRig();
    const uid = rig.drops.deliver('ann', MAIL);
    const client = await rig.loggedIn();
    rig.drops.take('ann', uid);
    await talk(client, [['RETR 1', '-ERR message was removed by another session'], ['DELE 1', '+OK message 1 marked'], ['QUIT', '+OK bye']]);
  });

  it('does not count as the client’s error', async () => {
    await using rig = await startRig({ settings: { commandErrors: 2 } });
    rig.drops.deliver('ann', MAIL);
    const client = await rig.loggedIn();
    rig.drops.failure = { after: 0, error: new BodyDamaged('00') };
    for (let i = 0; i < 5; i++) await talk(client, [['RETR 1', /^-ERR \[SYS\/PERM\]/]]);
  });

  it('needs UTF-8 mode when it was accepted for SMTPUTF8 and its header is not ASCII', async () => {
    await using rig = await startRig();
    rig.drops.deliver('ann', 'Subject: 見積\r\n\r\nx\r\n', { smtputf8: true });
    rig.drops.deliver('ann', 'Subject: ok\r\n\r\n本文\r\n', { smtputf8: true });
    rig.drops.deliver('ann', 'Subject: 見積\r\n\r\nx\r\n');
    const old = await rig.loggedIn();
    await talk(old, [['RETR 1', '-ERR [UTF8] message needs UTF-8 mode'], ['TOP 1 0', '-ERR [UTF8] message needs UTF-8 mode']]);
    for (const number of [2, 3]) expect((await ask(old, `RETR ${number}`)).first).toMatch(/^\+OK/);
    await talk(old, [['QUIT', '+OK bye']]);
    const modern = await rig.greeted('pop3s');
    await talk(modern, [['UTF8', '+OK UTF-8 mode'], ['USER ann@x.test', /^\+OK/], ['PASS tanstaaf', /^\+OK/], ['UTF8', '-ERR not possible in this state']]);
    expect((await ask(modern, 'RETR 1')).rest.toString()).toBe('Subject: 見積\r\n\r\nx\r\n');
  });
});

describe('QUIT', () => {
  it('removes what was marked, in the name of the account', async () => {
    await using rig = await startRig();
    for (const body of ['a', 'b', 'c']) rig.drops.deliver('ann', body);
    const client = await rig.loggedIn();
    await talk(client, [['DELE 1', /^\+OK/], ['DELE 3', /^\+OK/], ['DELE 3', /^-ERR/], ['STAT', '+OK 1 1'], ['QUIT', '+OK bye']]);
    expect(await client.readToEnd()).toBe('');
    expect(rig.drops.uids('ann')).toEqual([2]);
    expect(rig.drops.removals).toEqual([{ uids: [1, 3], origin: { actor: 'account:id-of-ann', correlation: expect.any(String) } }]);
  });

  it('says so when the store removes only some', async () => {
    await using rig = await startRig();
    for (const body of ['a', 'b', 'c']) rig.drops.deliver('ann', body);
    rig.drops.removable = 1;
    const client = await rig.loggedIn();
    await talk(client, [['DELE 1', /^\+OK/], ['DELE 2', /^\+OK/], ['QUIT', '-ERR [SYS/TEMP] some messages not removed']]);
    expect(await client.readToEnd()).toBe('');
    expect([rig.drops.uids('ann'), rig.drops.held, rig.troubles.length]).toEqual([[2, 3], 0, 1]);
  });

  it('is the only way to remove: a dropped, half-closed or faulty connection removes nothing', async () => {
    await using rig = await startRig({ settings: { commandErrors: 1 } });
    rig.drops.deliver('ann', 'a');
    for (const end of ['close', 'halfClose', 'error'] as const) {
      const client = await rig.loggedIn();
      const closed = rig.closed();
      await talk(client, [['DELE 1', '+OK message 1 marked']]);
      if (end === 'error') client.write('BOGUS\r\nQUIT\r\n');
      else client[end]();
      await closed;
    }
    expect([rig.drops.uids('ann'), rig.drops.removals, rig.drops.held]).toEqual([[1], [], 0]);
  });

  it('works before login', async () => {
    await using rig = await startRig();
    const client = await rig.greeted();
    const closed = rig.closed();
    await talk(client, [['QUIT', '+OK bye']]);
    expect(await client.readToEnd()).toBe('');
    expect((await closed).data).toMatchObject({ protocol: 'pop3', reason: 'quit', commands: 1, bytesIn: 6 });
  });
});
