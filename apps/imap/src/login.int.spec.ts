import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { PASSWORD, startRig } from './testing/rig.js';

const plain = (user: string, password = PASSWORD): string => Buffer.from(`\0${user}\0${password}`).toString('base64');

describe('the greeting', () => {
  it('tells what may be used, and no password in the clear', async () => {
    await using rig = await startRig();
    const client = await rig.connect();
    expect(await client.line()).toBe(
      '* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256 AUTH=CRAM-MD5] imap.x.test ready',
    );
    expect(await client.end(`LOGIN ann@x.test ${PASSWORD}`)).toBe('NO [PRIVACYREQUIRED] Start TLS first');
    expect(await client.end(`AUTHENTICATE PLAIN ${plain('ann@x.test')}`)).toBe('NO [PRIVACYREQUIRED] Start TLS first');
  });

  it('turns away who is locked out', async () => {
    await using rig = await startRig();
    rig.refuseAfter = 0;
    const client = await rig.connect();
    expect(await client.socket.readToEnd()).toBe('* BYE [UNAVAILABLE] Not from your address\r\n');
  });
});

describe('STARTTLS', () => {
  it('begins anew under TLS, and throws away what was said before its time', async () => {
    await using rig = await startRig();
    const client = await rig.connect();
    await client.line();
    client.write('a STARTTLS\r\nb NOOP\r\n');
    expect(await client.line()).toBe('a OK Begin TLS');
    await client.socket.startTls();
    const [capabilities] = await client.ok('CAPABILITY');
    expect(capabilities).toContain('AUTH=PLAIN');
    expect(capabilities).not.toMatch(/STARTTLS|LOGINDISABLED/);
    await client.ok(`LOGIN ann@x.test ${PASSWORD}`);
    expect(rig.facts.map(({ type }) => type)).toEqual(['SessionOpened', 'TlsStarted', 'LoginSucceeded']);
  });

  it('is not for a second time', async () => {
    await using rig = await startRig();
    const client = await rig.connect('imaps');
    await client.line();
    expect(await client.end('STARTTLS')).toBe('BAD TLS is on already');
  });
});

describe('a login', () => {
  it('by LOGIN shows what may be used then', async () => {
    await using rig = await startRig();
    const client = await rig.connect('imaps');
    await client.line();
    expect(await client.end(`LOGIN "ann@x.test" {${PASSWORD.length}+}\r\n${PASSWORD}`)).toMatch(/^OK \[CAPABILITY IMAP4rev1 .* IDLE .*QRESYNC.* COMPRESS=DEFLATE APPENDLIMIT=\d+ MESSAGELIMIT=\d+\] Logged in$/);
    expect(rig.facts.at(-1)).toMatchObject({ type: 'LoginSucceeded', data: { protocol: 'imap', mechanism: 'LOGIN', login: 'ann@x.test', account: 'id-of-ann' } });
  });

  it('by PLAIN, at once or when asked', async () => {
    await using rig = await startRig();
    for (const [first, then] of [[` ${plain('ann@x.test')}`, undefined], ['', plain('ann@x.test')]] as const) {
      const client = await rig.connect('imaps');
      await client.line();
      const tag = client.say(`AUTHENTICATE plain${first}`);
      if (then !== undefined) {
        expect(await client.line()).toBe('+ ');
        client.write(`${then}\r\n`);
      }
      expect((await client.answer(tag)).at(-1)).toMatch(/^OK \[CAPABILITY /);
    }
  });

  it('by CRAM-MD5 without TLS', async () => {
    await using rig = await startRig();
    const client = await rig.connect();
    await client.line();
    const tag = client.say('AUTHENTICATE CRAM-MD5');
    const challenge = Buffer.from((await client.line()).slice(2), 'base64').toString();
    client.write(`${Buffer.from(`ann@x.test ${createHmac('md5', PASSWORD).update(challenge).digest('hex')}`).toString('base64')}\r\n`);
    expect((await client.answer(tag)).at(-1)).toMatch(/^OK /);
  });

  it.each([
    ['a wrong password', `LOGIN ann@x.test wrong`, 'NO [AUTHENTICATIONFAILED] Login failed', 'wrong-password'],
    ['an unknown user', `LOGIN eve@x.test ${PASSWORD}`, 'NO [AUTHENTICATIONFAILED] Login failed', 'unknown-account'],
    ['an account without IMAP', `LOGIN pop-only@x.test ${PASSWORD}`, 'NO [AUTHENTICATIONFAILED] Login failed', 'protocol-off'],
    ['a malformed response', `AUTHENTICATE PLAIN ${Buffer.from('x').toString('base64')}`, 'NO Login failed', 'malformed'],
  ])('with %s fails without saying why', async (_, command, answer, rule) => {
    await using rig = await startRig();
    const client = await rig.connect('imaps');
    await client.line();
    expect(await client.end(command)).toBe(answer);
    expect(rig.facts.filter(({ type }) => type === 'LoginFailed')).toMatchObject([{ data: { protocol: 'imap', rule } }]);
    expect(rig.failures).toHaveLength(1);
    expect(JSON.stringify(rig.facts)).not.toContain('wrong"');
  });

  it('that fails once too often ends in a lockout', async () => {
    await using rig = await startRig();
    rig.refuseAfter = 2;
    const client = await rig.connect('imaps');
    await client.line();
    const closed = rig.closed();
    await client.ask('LOGIN ann@x.test a');
    client.write('x LOGIN ann@x.test b\r\n');
    expect(await client.socket.readToEnd()).toBe('x NO [AUTHENTICATIONFAILED] Login failed\r\n* BYE Good bye\r\n');
    expect((await closed).data).toMatchObject({ protocol: 'imap', reason: 'locked-out', commands: 2 });
  });

  it('can be given up, and base64 must be base64', async () => {
    await using rig = await startRig();
    const client = await rig.connect('imaps');
    await client.line();
    for (const response of ['*', 'abc', '====']) {
      const tag = client.say('AUTHENTICATE PLAIN');
      await client.line();
      client.write(`${response}\r\n`);
      expect((await client.answer(tag)).at(-1)).toMatch(/^BAD /);
    }
    expect(await client.end('AUTHENTICATE GSSAPI')).toBe('NO [CANNOT] There is no such mechanism here');
    expect(rig.failures).toEqual([]);
  });

  it('ends with UNAUTHENTICATE, and another may follow', async () => {
    await using rig = await startRig();
    const client = await rig.selected();
    await client.ok('ENABLE QRESYNC');
    expect(await client.end('UNAUTHENTICATE')).toMatch(/^OK \[CAPABILITY .*AUTH=PLAIN/);
    expect(await client.end('SELECT INBOX')).toBe('BAD Log in first');
    await client.ok(`LOGIN ben@x.test ${PASSWORD}`);
    expect(await client.ok('ENABLE CONDSTORE')).toEqual(['* ENABLED CONDSTORE']);
  });
});

describe('commands', () => {
  it('are answered in order however they are pipelined', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    client.write('1 NOOP\r\n2 SELECT INBOX\r\n3 CLOSE\r\n4 FETCH 1 FLAGS\r\n5 LOGOUT\r\n');
    const tagged = (await client.socket.readToEnd())?.split('\r\n').filter((line) => /^\d /.test(line));
    expect(tagged).toEqual(['1 OK Done nothing', '2 OK [READ-WRITE] Selected', '3 OK Closed', '4 BAD Select a mailbox first', '5 OK Logged out']);
  });

  it('out of order are refused', async () => {
    await using rig = await startRig({ settings: { commandErrors: 0 } });
    const client = await rig.connect('imaps');
    await client.line();
    for (const command of ['SELECT INBOX', 'LIST "" *', 'IDLE', 'FETCH 1 FLAGS', 'ENABLE CONDSTORE', 'NOTIFY NONE', 'COMPRESS DEFLATE', 'UNAUTHENTICATE']) {
      expect([command, await client.end(command)]).toEqual([command, 'BAD Log in first']);
    }
    await client.ok(`LOGIN ann@x.test ${PASSWORD}`);
    for (const command of ['FETCH 1 FLAGS', 'CLOSE', 'UNSELECT', 'CHECK', 'EXPUNGE', 'UID EXPUNGE 1', 'STORE 1 FLAGS ()', 'COPY 1 x', 'MOVE 1 x', 'SEARCH ALL', 'SORT (DATE) UTF-8 ALL', 'THREAD REFERENCES UTF-8 ALL']) {
      expect([command, await client.end(command)]).toEqual([command, 'BAD Select a mailbox first']);
    }
    for (const command of [`LOGIN ann@x.test ${PASSWORD}`, 'AUTHENTICATE PLAIN', 'STARTTLS']) expect(await client.end(command)).toBe('BAD Already logged in');
  });

  it('that cannot be understood are counted, and too many end the session', async () => {
    await using rig = await startRig({ settings: { commandErrors: 3 } });
    const client = await rig.connect();
    await client.line();
    client.write('1 XYZZY\r\n2\r\n* NOOP\r\n4 NOOP\r\n');
    const closed = rig.closed();
    expect((await client.socket.readToEnd())?.split('\r\n').at(-2)).toBe('* BYE Too many errors');
    expect((await closed).data.reason).toBe('errors');
  });

  it('of a browser end the session at once', async () => {
    await using rig = await startRig();
    const client = await rig.connect();
    await client.line();
    client.write('POST / HTTP/1.1\r\nHost: x\r\n\r\na LOGIN x y\r\n');
    expect(await client.socket.readToEnd()).toBe('* BYE This is IMAP\r\n');
  });

  it('hear of trouble on our side without its cause, and go on', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    rig.boxes.down = new Error('the disk of host db7 is full');
    expect(await client.end('SELECT INBOX')).toBe('NO [UNAVAILABLE] Trouble on our side, try again later');
    expect(rig.troubles).toEqual([rig.boxes.down]);
    rig.boxes.down = undefined;
    await client.ok('SELECT INBOX');
  });

  it('that nobody sends for long end the session with a word', async () => {
    await using rig = await startRig({ settings: { imapIdleTime: 1000 }, tick: 20 });
    const client = await rig.loggedIn();
    expect(await client.socket.readToEnd()).toBe('* BYE Too long without a command\r\n');
  });

  it('end with a word when the server goes down', async () => {
    const rig = await startRig();
    const client = await rig.loggedIn();
    await rig.server.drain(60_000);
    expect(await client.socket.readToEnd()).toBe('* BYE The server is going down\r\n');
    await rig[Symbol.asyncDispose]();
  });

  it('that take long say so', async () => {
    await using rig = await startRig({ imap: { progressEvery: 5 } });
    await rig.deliver('Subject: x\r\n\r\nx\r\n');
    const client = await rig.selected('INBOX', 'CREATE to');
    let go = (): void => undefined;
    const copy = rig.boxes.copy.bind(rig.boxes);
    rig.boxes.copy = async (...args) => {
      await new Promise<void>((resolve) => (go = resolve));
      return copy(...args);
    };
    const tag = client.say('COPY 1 to');
    expect(await client.line()).toBe(`* OK [INPROGRESS ("${tag}" NIL NIL)] Still at it`);
    go();
    expect((await client.answer(tag)).at(-1)).toMatch(/^OK \[COPYUID/);
  });

  it('that take long say how far they are, where they know', async () => {
    await using rig = await startRig({ imap: { progressEvery: 5 } });
    for (let i = 0; i < 3; i++) await rig.deliver('Subject: x\r\n\r\nx\r\n');
    const client = await rig.selected();
    let go = (): void => undefined;
    const store = rig.boxes.storeFlags.bind(rig.boxes);
    rig.boxes.storeFlags = async (...args) => {
      await new Promise<void>((resolve) => (go = resolve));
      return store(...args);
    };
    const tag = client.say('STORE 1:3 +FLAGS.SILENT (\\Seen)');
    expect(await client.line()).toBe(`* OK [INPROGRESS ("${tag}" 0 3)] Still at it`);
    go();
    expect((await client.answer(tag)).at(-1)).toMatch(/^OK/);
  });

  it('tell who they talk to, and no version unless it is to be shown', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    expect(await client.ok('ID ("name" "x")')).toEqual(['* ID ("name" "Kiroku")']);
    await using open = await startRig({ settings: { showVersion: true } });
    expect(await (await open.loggedIn()).ok('ID NIL')).toEqual(['* ID ("name" "Kiroku" "version" "0.2")']);
  });
});

describe('COMPRESS', () => {
  it('goes on in deflated octets both ways', async () => {
    await using rig = await startRig();
    const { deflateRawSync, inflateRawSync, constants } = await import('node:zlib');
    const client = await rig.loggedIn();
    expect(await client.end('COMPRESS LZ77')).toMatch(/^(NO \[CANNOT\]|BAD)/);
    await client.ok('COMPRESS DEFLATE');
    const flush = { finishFlush: constants.Z_SYNC_FLUSH };
    client.write(deflateRawSync(Buffer.from('a NOOP\r\nb COMPRESS DEFLATE\r\nc LOGOUT\r\n'), flush));
    const octets = Buffer.from((await client.socket.readToEnd()) ?? '', 'latin1');
    expect(inflateRawSync(octets, flush).toString()).toBe(
      'a OK Done nothing\r\nb NO [COMPRESSIONACTIVE] The connection is compressed already\r\n* BYE Good bye\r\nc OK Logged out\r\n',
    );
  });

  it('does not hold up a server that goes down', async () => {
    const rig = await startRig();
    const client = await rig.loggedIn();
    await client.ok('COMPRESS DEFLATE');
    const closed = rig.closed();
    await rig.server.drain(60_000);
    expect((await closed).data.reason).toBe('shutdown');
    await rig[Symbol.asyncDispose]();
  });

  it('ends when the octets are none', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    await client.ok('COMPRESS DEFLATE');
    client.write('\xff\xff\xff\xff this is not deflated');
    expect(await client.socket.readToEnd()).toBeDefined();
    await rig.loggedIn();
  });
});

describe('a session whose account is switched off', () => {
  it('ends at once when it waits for the client', async () => {
    await using rig = await startRig();
    const client = await rig.selected();
    const closed = rig.closed();
    rig.off.add('id-of-ann');
    expect(await client.socket.readToEnd()).toBe('* BYE The account may not be used any more\r\n');
    expect((await closed).data.reason).toBe('account-off');
  });

  it('ends in IDLE', async () => {
    await using rig = await startRig();
    const client = await rig.selected();
    client.say('IDLE');
    await client.line();
    rig.off.add('id-of-ann');
    expect(await client.socket.readToEnd()).toBe('* BYE The account may not be used any more\r\n');
  });

  it('ends behind the command under way', async () => {
    await using rig = await startRig();
    const client = await rig.selected('INBOX', 'CREATE x');
    const status = rig.boxes.status.bind(rig.boxes);
    rig.boxes.status = async (ids) => {
      rig.off.add('id-of-ann');
      const looked = rig.nextLook();
      await looked;
      return status(ids);
    };
    client.write('a STATUS x (MESSAGES)\r\nb NOOP\r\n');
    expect(await client.socket.readToEnd()).toBe('* STATUS x (MESSAGES 0)\r\na OK Told\r\n* BYE The account may not be used any more\r\n');
  });

  it('ends when it has been given another password', async () => {
    await using rig = await startRig();
    const [ann, ben] = [await rig.selected(), await rig.loggedIn('ben')];
    const closed = rig.closed();
    rig.changePassword('ann');
    expect(await ann.socket.readToEnd()).toBe('* BYE The password has been changed\r\n');
    expect((await closed).data.reason).toBe('password-changed');
    await rig.nextLook();
    expect(await ben.ok('NOOP')).toEqual([]);
  });

  it('leaves others alone, and the next account of the connection', async () => {
    await using rig = await startRig();
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('UNAUTHENTICATE');
    rig.off.add('id-of-ann');
    await rig.nextLook();
    await ann.ok(`LOGIN ben@x.test ${PASSWORD}`);
    await rig.nextLook();
    for (const client of [ann, ben]) expect(await client.ok('NOOP')).toEqual([]);
  });
});
