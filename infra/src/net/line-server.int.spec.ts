import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { fixedIds } from '../ids/ids.js';
import { type Connection, ConnectionEnded, LineTooLong, type Protocol } from './connection.js';
import { type ConnectionLimits, type Listener, LineServer, type LineServerOptions } from './line-server.js';
import { newKey, selfSigned } from './self-signed.js';
import { TestClient } from './test-client.js';
import { secureContext, type TlsSource } from './tls-source.js';

let tls: TlsSource;
beforeAll(async () => {
  const key = await newKey();
  const context = secureContext({ key, cert: await selfSigned('mail.x.test', key, Date.now()) });
  tls = { contextOf: () => context };
});

/** What the conversations below did, for those tests that look behind the scenes. */
let ends: string[] = [];
let bodies: number[] = [];
let seen: Connection[] = [];
let waitFor: Promise<void> = Promise.resolve();

/** A protocol with one verb for each ability of a connection. */
const parrot: Protocol = {
  name: 'smtp', busy: '421 busy', failure: '421 failure', shutdown: '421 shutdown', timeout: '421 timeout',
  async serve(connection) {
    seen.push(connection);
    try {
      connection.write(`220 ${connection.listener} ${connection.peer.ip}\r\n`);
      await converse(connection);
      ends.push('done');
    } catch (error) {
      ends.push(error instanceof ConnectionEnded ? error.reason : 'error');
      throw error;
    }
  },
};

async function converse(connection: Connection): Promise<void> {
  for (;;) {
    let line: Buffer | undefined;
    try {
      const read = connection.readLine(100);
      line = read instanceof Promise ? await read : read;
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error;
      connection.write('500 too long\r\n');
      continue;
    }
    if (line === undefined) return;
    if (!(await answer(connection, line.toString('latin1')))) return;
  }
}

async function answer(connection: Connection, line: string): Promise<boolean> {
  const [verb, argument] = line.split(' ');
  if (verb === 'QUIT') return (connection.write('221 bye\r\n'), false);
  if (verb === 'BOOM') throw new Error('boom');
  if (verb === 'WAIT') await waitFor;
  if (verb === 'PAUSE') return (connection.write(`250 ${await connection.pause(Number(argument))}\r\n`), true);
  if (verb === 'STARTTLS') {
    connection.write('220 go\r\n');
    const { version } = await connection.startTls();
    connection.write(`250 ${version}\r\n`);
    return true;
  }
  if (verb === 'BODY') await takeBody(connection, Number(argument));
  if (verb === 'BIG') {
    for (let i = 0; i < Number(argument); i++) {
      connection.write(Buffer.alloc(256 * 1024, 'x'));
      await connection.flush();
    }
    connection.write('\r\n');
  }
  connection.write(`250 ${line}\r\n`);
  return true;
}

async function takeBody(connection: Connection, size: number): Promise<void> {
  let left = size;
  while (left > 0) {
    const bytes = await connection.readSome(left);
    if (!bytes) throw new Error('the client left');
    left -= bytes.length;
  }
  bodies.push(size);
}

const UNLIMITED: ConnectionLimits = { total: 0, perIp: 0, sessionTime: 0, proxyIps: [] };
const servers: LineServer[] = [];
const clients: TestClient[] = [];
let troubles: unknown[] = [];

async function start(options: Partial<LineServerOptions> & { listener?: Partial<Listener>; limit?: Partial<ConnectionLimits> } = {}) {
  const { listener, limit, ...rest } = options;
  const server = new LineServer({
    protocol: parrot,
    listeners: [{ name: 'mx', port: 0, ...listener }],
    ids: fixedIds(),
    limits: () => ({ ...UNLIMITED, ...limit }),
    idleTimeout: () => 60_000,
    tls,
    trouble: (error) => troubles.push(error),
    tick: 20,
    ...rest,
  });
  servers.push(server);
  const [first] = await server.listen();
  const { port } = first!;
  const join = async (make: Promise<TestClient>) => {
    const client = await make;
    clients.push(client);
    return client;
  };
  return {
    server,
    port,
    connect: () => join(TestClient.to(port)),
    connectTls: () => join(TestClient.toTls(port)),
    greeted: async () => {
      const client = await join(TestClient.to(port));
      expect(await client.line()).toBe('220 mx 127.0.0.1');
      return client;
    },
  };
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  ends = [];
  bodies = [];
  seen = [];
  troubles = [];
  waitFor = Promise.resolve();
});

describe('a conversation', () => {
  it('goes line by line', async () => {
    const client = await (await start()).greeted();
    expect(await client.say('NOOP 1\r\n').line()).toBe('250 NOOP 1');
    expect(await client.say('NOOP').say(' 2\r').say('\n').line()).toBe('250 NOOP 2');
    expect(await client.say('QUIT\r\n').lines(2)).toEqual(['221 bye', '<end>']);
  });

  it('answers a pipelined group in one packet', async () => {
    const client = await (await start()).greeted();
    const chunks: string[] = [];
    client.socket.on('data', (chunk) => chunks.push(chunk.toString()));
    await client.say('A\r\nB\r\nC\r\nQUIT\r\n').rest();
    expect(chunks).toEqual(['250 A\r\n250 B\r\n250 C\r\n221 bye\r\n']);
  });

  it('mixes lines and bytes', async () => {
    const client = await (await start()).greeted();
    client.say('BODY 200000\r\n').say(Buffer.alloc(200_000, '\r\n')).say('NOOP\r\n');
    expect(await client.lines(2)).toEqual(['250 BODY 200000', '250 NOOP']);
    expect(bodies).toEqual([200_000]);
  });

  it('tells who is there and what was sent', async () => {
    const { greeted, port } = await start();
    const client = await greeted();
    expect(seen[0]).toMatchObject({ listener: 'mx', local: `127.0.0.1:${port}`, tls: undefined, peer: { ip: '127.0.0.1', port: client.socket.localPort } });
    expect(seen[0]!.id).toBe(fixedIds().uuid());
  });

  it('writes an IPv4 client on an IPv6 listener as IPv4', async () => {
    const { port } = await start({ listener: { host: '::' } });
    const client = await TestClient.to(port, '127.0.0.1');
    clients.push(client);
    expect(await client.line()).toBe('220 mx 127.0.0.1');
  });

  it('counts bytes both ways', async () => {
    const { connect } = await start();
    const client = await connect();
    await client.say('NOOP é\r\nQUIT\r\n').rest();
    expect([seen[0]!.bytesIn, seen[0]!.bytesOut]).toEqual([15, '220 mx 127.0.0.1\r\n250 NOOP Ã©\r\n221 bye\r\n'.length + 2]);
  });
});

describe('a hostile client', () => {
  it('whose line does not end is told so, and the next line is read', async () => {
    const client = await (await start()).greeted();
    client.say(Buffer.alloc(1_000_000, 'x')).say('\r\nNOOP\r\n');
    expect(await client.lines(2)).toEqual(['500 too long', '250 NOOP']);
  });

  it('that sends byte by byte is served all the same', async () => {
    const client = await (await start()).greeted();
    for (const byte of 'NOOP slow\r\nQUIT\r\n') client.say(byte);
    expect(await client.lines(2)).toEqual(['250 NOOP slow', '221 bye']);
  });

  it('that never ends its line is cut off when its time is up, though it goes on sending', async () => {
    const client = await (await start({ idleTimeout: () => 60 })).greeted();
    const drip = setInterval(() => client.say('x'), 5);
    expect(await client.line()).toBe('421 timeout');
    clearInterval(drip);
  });

  it('that sends much while it is not listened to is made to wait: memory is bounded', async () => {
    let open: () => void = () => undefined;
    waitFor = new Promise((resolve) => (open = resolve));
    const { connect } = await start();
    const client = await connect();
    await client.line();
    client.say('WAIT\r\nBODY 20000000\r\n').say(Buffer.alloc(20_000_000));
    // The kernel has taken what it can when no more of it leaves.
    for (let before = -1; before !== client.socket.bytesWritten - client.socket.writableLength || seen[0]!.waiting < 64 * 1024; ) {
      before = client.socket.bytesWritten - client.socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(seen[0]!.waiting).toBeLessThan(192 * 1024);
    open();
    expect(await client.lines(2)).toEqual(['250 WAIT', '250 BODY 20000000']);
  });

  it('that reads nothing is not read from either, and closed when its time is up', async () => {
    const { connect, server } = await start({ idleTimeout: () => 150 });
    const client = await connect();
    client.socket.pause();
    const commands = Buffer.from('NOOP xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n'.repeat(20_000));
    for (let i = 0; i < 30; i++) client.say(commands);
    // The server's side is looked at: a client that reads nothing need not notice the end.
    await until(() => ends.length > 0 && server.size === 0);
    expect(seen[0]!.waiting).toBeLessThan(192 * 1024);
    expect(ends).toEqual(['idle']);
  });

  it('that goes away in the middle of a download ends it', async () => {
    const client = await (await start()).greeted();
    client.say('BIG 1000\r\n');
    await new Promise((resolve) => client.socket.once('data', resolve));
    client.socket.resetAndDestroy();
    await expect(settled()).resolves.toEqual(['gone']);
  });

  it.each(['', 'NO', 'BODY 100\r\n', 'STARTTLS\r\n', 'PAUSE 60000\r\n'])('may reset the connection after %j and harms nobody', async (text) => {
    const { greeted } = await start();
    const other = await greeted();
    const client = await greeted();
    if (text !== '') client.say(text);
    await until(() => seen[1]!.bytesIn === text.length);
    client.socket.resetAndDestroy();
    await settled();
    expect(await other.say('NOOP\r\n').line()).toBe('250 NOOP');
  });
});

/** For what has no event to wait for. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Resolves when the first conversation has ended. */
async function settled(): Promise<readonly string[]> {
  await until(() => ends.length > 0);
  return ends;
}

describe('a failure in one conversation', () => {
  it('is reported, answered, and does not reach another', async () => {
    const { greeted } = await start();
    const [one, two] = [await greeted(), await greeted()];
    expect(await one.say('BOOM\r\n').lines(2)).toEqual(['421 failure', '<end>']);
    expect(await two.say('NOOP\r\n').line()).toBe('250 NOOP');
    expect(troubles).toEqual([new Error('boom')]);
  });

  it('is answered even when the reporter fails', async () => {
    const { greeted } = await start({
      trouble: () => {
        throw new Error('reporter');
      },
    });
    expect(await (await greeted()).say('BOOM\r\n').line()).toBe('421 failure');
  });

  it('may come from a serve that is not even asynchronous', async () => {
    const { connect } = await start({
      protocol: {
        ...parrot,
        serve: () => {
          throw new Error('at once');
        },
      },
    });
    expect(await (await connect()).lines(2)).toEqual(['421 failure', '<end>']);
  });
});

describe('a client that has closed its side', () => {
  it('gets the answers to all it has said', async () => {
    const client = await (await start()).greeted();
    client.say('NOOP 1\r\nNOOP 2\r\nNOO').end();
    expect(await client.lines(3)).toEqual(['250 NOOP 1', '250 NOOP 2', '<end>']);
    expect(ends).toEqual(['done']);
    expect(troubles).toEqual([]);
  });

  it('gets a long answer whole', async () => {
    const client = await (await start()).greeted();
    client.say('BIG 40\r\n').end();
    expect((await client.rest()).length).toBe(40 * 256 * 1024 + 2 + '250 BIG 40\r\n'.length);
  });
});

describe('time', () => {
  it('is up for a silent client', async () => {
    const client = await (await start({ idleTimeout: () => 50 })).greeted();
    expect(await client.lines(2)).toEqual(['421 timeout', '<end>']);
    expect(ends).toEqual(['idle']);
  });

  it('is up for a session that lasts too long, busy as it may be', async () => {
    const client = await (await start({ limit: { sessionTime: 60 } })).greeted();
    let line;
    do line = await client.say('NOOP\r\n').line();
    while (line === '250 NOOP');
    expect(line).toBe('421 timeout');
  });

  it('can be changed by the protocol', async () => {
    const { connect } = await start({
      protocol: { ...parrot, serve: (connection) => ((connection.idleTimeout = 50), parrot.serve(connection)) },
    });
    expect(await (await connect()).lines(2)).toEqual(['220 mx 127.0.0.1', '421 timeout']);
  });

  it('is up for a client that does not close its side', async () => {
    const { server, greeted } = await start();
    const client = await greeted();
    expect(await client.say('QUIT\r\n').lines(2)).toEqual(['221 bye', '<end>']);
    expect(server.size).toBe(1);
    await server.close();
    expect(server.size).toBe(0);
  });
});

describe('the greeting pause', () => {
  it('ends when it is over', async () => {
    const client = await (await start()).greeted();
    expect(await client.say('PAUSE 20\r\n').line()).toBe('250 false');
  });

  it('ends at once when the client talks, before or during it', async () => {
    const client = await (await start()).greeted();
    expect(await client.say('PAUSE 60000\r\nX\r\n').lines(2)).toEqual(['250 true', '250 X']);
    client.say('PAUSE 60000\r\n');
    await until(() => seen[0]!.bytesIn === 29);
    expect(await client.say('Y\r\n').lines(2)).toEqual(['250 true', '250 Y']);
  });
});

describe('STARTTLS', () => {
  it('makes the connection TLS', async () => {
    const client = await (await start()).greeted();
    expect(await client.say('STARTTLS\r\n').line()).toBe('220 go');
    await client.startTls();
    expect(await client.line()).toBe('250 TLSv1.3');
    client.say('BODY 300000\r\n').say(Buffer.alloc(300_000)).say('QUIT\r\n');
    expect(await client.lines(3)).toEqual(['250 BODY 300000', '221 bye', '<end>']);
  });

  it('forgets what was said in the clear before it (CVE-2011-0411)', async () => {
    const client = await (await start()).greeted();
    expect(await client.say('STARTTLS\r\nINJECTED\r\n').line()).toBe('220 go');
    await client.startTls();
    expect(await client.say('NOOP\r\n').lines(2)).toEqual(['250 TLSv1.3', '250 NOOP']);
  });

  it('with garbage for a handshake ends the connection and nothing else', async () => {
    const { greeted } = await start();
    const client = await greeted();
    expect(await client.say('STARTTLS\r\n').line()).toBe('220 go');
    await client.say('EHLO what\r\n'.repeat(10)).rest();
    expect(await settled()).toEqual(['gone']);
    expect(troubles).toEqual([]);
    await greeted();
  });

  it('without a handshake ends when its time is up', async () => {
    const client = await (await start({ handshakeTimeout: 50 })).greeted();
    await client.say('STARTTLS\r\n').line();
    expect(await client.rest()).toBe('');
  });

  it('twice is a mistake of the protocol, not a way out of TLS', async () => {
    const client = await (await start()).greeted();
    await client.say('STARTTLS\r\n').line();
    await client.startTls();
    expect(await client.say('STARTTLS\r\n').lines(3)).toEqual(['250 TLSv1.3', '220 go', '421 failure']);
  });
});

describe('a TLS listener', () => {
  const listener = { name: 'smtps', implicitTls: true };

  it('starts with the handshake', async () => {
    const client = await (await start({ listener })).connectTls();
    expect(await client.say('QUIT\r\n').lines(3)).toEqual(['220 smtps 127.0.0.1', '221 bye', '<end>']);
  });

  it('hangs up on a client that talks in the clear, and on one that says nothing', async () => {
    const { connect, server } = await start({ listener, handshakeTimeout: 50 });
    const [talker, mute] = [await connect(), await connect()];
    await talker.say('EHLO x\r\n').rest();
    await mute.rest();
    await until(() => server.size === 0);
    expect(troubles).toEqual([]);
  });

  it('gives its half of a closed connection', async () => {
    const client = await (await start({ listener })).connectTls();
    client.say('NOOP\r\n').end();
    expect(await client.lines(3)).toEqual(['220 smtps 127.0.0.1', '250 NOOP', '<end>']);
  });

  it('asks for the certificate of the name that the client wants, at every handshake', async () => {
    const asked: (string | undefined)[] = [];
    const { port } = await start({ listener, tls: { contextOf: (name) => (asked.push(name), tls.contextOf(name)) } });
    for (const servername of ['mail.x.test', 'mail.y.test']) clients.push(await TestClient.toTls(port, { servername }));
    expect(asked.filter((name) => name !== undefined)).toEqual(['mail.x.test', 'mail.y.test']);
  });

  it('speaks TLS 1.2 and nothing older', async () => {
    const { port } = await start({ listener });
    const client = await TestClient.toTls(port, { maxVersion: 'TLSv1.2' });
    clients.push(client);
    expect((client.socket as TLSSocket).getProtocol()).toBe('TLSv1.2');
    await expect(TestClient.toTls(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow();
  });

  it('does not renegotiate', async () => {
    const { port } = await start({ listener });
    const client = await TestClient.toTls(port, { maxVersion: 'TLSv1.2' });
    clients.push(client);
    const refused = new Promise((resolve) => client.socket.once('error', resolve));
    (client.socket as TLSSocket).renegotiate({}, () => undefined);
    expect(String(await refused)).toMatch(/no renegotiation/i);
  });

  it('needs a certificate', async () => {
    const server = new LineServer({
      protocol: parrot, listeners: [{ name: 'smtps', port: 0, implicitTls: true }], ids: fixedIds(), limits: () => UNLIMITED,
      idleTimeout: () => 1000, trouble: () => undefined,
    });
    await expect(server.listen()).rejects.toThrow('a TLS listener needs a certificate');
  });

  it('is not impressed by a handshake at a plaintext port', async () => {
    const { port, greeted } = await start();
    await expect(TestClient.toTls(port)).rejects.toThrow();
    await greeted();
  });
});

describe('limits', () => {
  it('send away who is one too many, in all', async () => {
    const { greeted, connect, server } = await start({ limit: { total: 2 } });
    const first = await greeted();
    await greeted();
    expect(await (await connect()).lines(2)).toEqual(['421 busy', '<end>']);
    await first.say('QUIT\r\n').rest();
    first.end();
    await until(() => server.size < 2);
    await greeted();
  });

  it('send away who is one too many from one address, until another leaves', async () => {
    const { greeted, connect, server } = await start({ limit: { perIp: 1 } });
    const first = await greeted();
    expect(await (await connect()).lines(2)).toEqual(['421 busy', '<end>']);
    first.destroy();
    await until(() => server.size === 0);
    await greeted();
  });

  it('close a TLS connection without a word', async () => {
    const { port } = await start({ limit: { perIp: 1 }, listener: { implicitTls: true } });
    clients.push(await TestClient.toTls(port));
    await expect(TestClient.toTls(port)).rejects.toThrow();
  });
});

describe('behind a proxy', () => {
  const limit = { proxyIps: ['127.0.0.0/8'] };
  const header = 'PROXY TCP4 192.0.2.1 203.0.113.9 60000 25\r\n';

  it('the client is the one that the header names', async () => {
    const { connect } = await start({ limit });
    const client = await connect();
    expect(await client.say(`${header}QUIT\r\n`).lines(3)).toEqual(['220 mx 192.0.2.1', '221 bye', '<end>']);
    expect(seen[0]).toMatchObject({ peer: { ip: '192.0.2.1', port: 60_000 }, local: '203.0.113.9:25', bytesIn: 6 });
  });

  it('the header may come in pieces, and nothing is said before', async () => {
    const client = await (await start({ limit })).connect();
    for (const byte of header) client.say(byte);
    expect(await client.line()).toBe('220 mx 192.0.2.1');
    expect(await client.say('NOOP\r\n').line()).toBe('250 NOOP');
  });

  it('TLS comes after the header', async () => {
    const { port } = await start({ limit, listener: { implicitTls: true } });
    const client = await TestClient.to(port);
    clients.push(client);
    client.say(header);
    await client.startTls();
    expect(await client.line()).toBe('220 mx 192.0.2.1');
  });

  it('a bad header, none, or silence ends the connection', async () => {
    const { connect, server } = await start({ limit, handshakeTimeout: 50 });
    const [bad, none, silent, half] = [await connect(), await connect(), await connect(), await connect()];
    expect(await bad.say('PROXY TCP4 x\r\n').rest()).toBe('');
    expect(await none.say('EHLO x\r\n').rest()).toBe('');
    half.say('PROXY ').end();
    expect(await half.rest()).toBe('');
    expect(await silent.rest()).toBe('');
    await until(() => server.size === 0);
    expect(ends).toEqual([]);
  });

  it('limits count the clients, not the proxy', async () => {
    const { connect } = await start({ limit: { ...limit, perIp: 1 } });
    const [one, two, again] = [await connect(), await connect(), await connect()];
    expect(await one.say(header).line()).toBe('220 mx 192.0.2.1');
    expect(await two.say(header.replace('192.0.2.1', '192.0.2.2')).line()).toBe('220 mx 192.0.2.2');
    expect(await again.say(header).line()).toBe('421 busy');
  });

  it('others are not listened to when they claim to be somebody else', async () => {
    const client = await (await start({ limit: { proxyIps: ['192.0.2.0/24'] } })).greeted();
    expect(await client.say('PROXY UNKNOWN\r\n').line()).toBe('250 PROXY UNKNOWN');
  });
});

describe('a drain', () => {
  it('ends who is between commands, lets the others finish, and takes nobody new', async () => {
    let open: () => void = () => undefined;
    waitFor = new Promise((resolve) => (open = resolve));
    const { server, greeted, port } = await start();
    const [idle, busy, sending] = [await greeted(), await greeted(), await greeted()];
    busy.say('WAIT\r\n');
    sending.say('BODY 10\r\n12345');
    await until(() => seen[1]!.bytesIn === 6 && seen[2]!.bytesIn === 14);
    const drained = server.drain(60_000);
    expect(await idle.lines(2)).toEqual(['421 shutdown', '<end>']);
    await expect(TestClient.to(port)).rejects.toThrow('ECONNREFUSED');
    expect(await sending.say('67890').lines(3)).toEqual(['250 BODY 10', '421 shutdown', '<end>']);
    open();
    expect(await busy.lines(3)).toEqual(['250 WAIT', '421 shutdown', '<end>']);
    for (const client of [idle, busy, sending]) client.end();
    await drained;
    expect(server.size).toBe(0);
    expect(ends).toEqual(['shutdown', 'shutdown', 'shutdown']); // nobody takes it for the client's own end
  });

  it('ends those that are in the middle when its time is up', async () => {
    const { server, greeted } = await start();
    const client = await greeted();
    client.say('BODY 10\r\n12345');
    await until(() => seen[0]!.bytesIn === 14);
    const drained = server.drain(50);
    expect(await client.lines(2)).toEqual(['421 shutdown', '<end>']);
    client.end();
    await drained;
  });

  it('leaves no timer and no socket behind', async () => {
    const resources = () => process.getActiveResourcesInfo().filter((kind) => /TCP|TLS|Timeout/.test(kind)).sort();
    const before = resources();
    const { server, greeted, connect } = await start({ limit: { total: 2 } });
    const [plain, upgraded, refused] = [await greeted(), await greeted(), await connect()];
    await upgraded.say('STARTTLS\r\n').line();
    await upgraded.startTls();
    plain.say('PAUSE 60000\r\n');
    await server.close();
    for (const client of [plain, upgraded, refused]) client.destroy();
    await until(() => resources().length <= before.length);
    expect(resources()).toEqual(before);
  });

  it('does not wait for ever for a conversation that is stuck', async () => {
    waitFor = new Promise(() => undefined);
    const { server, greeted } = await start();
    const client = await greeted();
    client.say('WAIT\r\n');
    await until(() => seen[0]!.bytesIn === 6);
    await server.drain(10);
    expect(server.size).toBe(0);
  });
});

describe('listening', () => {
  it('opens all listeners or none, and reports their ports', async () => {
    const { port } = await start();
    const server = new LineServer({
      protocol: parrot, listeners: [{ name: 'mx', port: 0 }, { name: 'submission', port }], ids: fixedIds(), limits: () => UNLIMITED,
      idleTimeout: () => 1000, trouble: () => undefined,
    });
    await expect(server.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('shares a port with other processes when asked to', async () => {
    const { port } = await start({ reusePort: true });
    await start({ reusePort: true, listener: { port } });
    const clients_ = await Promise.all(Array.from({ length: 8 }, () => TestClient.to(port)));
    clients.push(...clients_);
    for (const client of clients_) expect(await client.line()).toBe('220 mx 127.0.0.1');
  });

  it('serves a thousand connections at once', async () => {
    const { connect, server } = await start();
    const all = await Promise.all(Array.from({ length: 1000 }, connect));
    for (const client of all) client.say('NOOP\r\n');
    for (const client of all) expect(await client.lines(2)).toEqual(['220 mx 127.0.0.1', '250 NOOP']);
    expect(server.size).toBe(1000);
  });
});
