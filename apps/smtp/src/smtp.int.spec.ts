import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { LineServer } from '@kiroku/infra/net/line-server.js';
import { newKey, selfSigned } from '@kiroku/infra/net/self-signed.js';
import { secureContext, type TlsSource } from '@kiroku/infra/net/tls-source.js';
import { fixedIds } from '@kiroku/infra/ids/ids.js';
import { LineSocket } from '@kiroku/infra/rig/line-socket.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { World } from './testing/world.js';
import type { Settings } from '@kiroku/domain/policy/settings-schema.js';

const FROM = 'carl@far.test';
let tls: TlsSource;
const servers: LineServer[] = [];

beforeAll(async () => {
  const key = await newKey();
  const context = secureContext({ key, cert: await selfSigned('mx.x.test', key, Date.now()) });
  tls = { contextOf: () => context };
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A server on real sockets, everything behind it in memory. */
async function open(settings: Partial<Settings> = {}) {
  const world = new World(settings);
  const server = new LineServer({
    protocol: world.server, ids: fixedIds(7), tls, idleTimeout: () => 60_000, tick: 20,
    limits: () => ({ total: 100, perIp: 0, sessionTime: 0, proxyIps: [] }),
    listeners: [{ name: 'mx', port: 0 }, { name: 'submission', port: 0 }, { name: 'smtps', port: 0, implicitTls: true }],
    trouble: (error) => world.troubles.push(String(error)),
  });
  servers.push(server);
  const [mx, submission, smtps] = (await server.listen()).map(({ port }) => port);
  return { world, server, mx: mx ?? 0, submission: submission ?? 0, smtps: smtps ?? 0 };
}

/** All the server says to these bytes, until it closes. */
async function transcript(port: number, bytes: string | Uint8Array): Promise<readonly string[]> {
  const socket = await LineSocket.connect({ port });
  socket.write(bytes);
  const text = (await socket.readToEnd()) ?? 'the server did not close\r\n';
  socket.close();
  return text.split('\r\n').slice(0, -1);
}

describe('the SMTP server on a socket', () => {
  it('takes a mail sent in one go', async () => {
    const { world, mx } = await open();
    const said = await transcript(mx, `EHLO a.test\r\nMAIL FROM:<${FROM}>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\nSubject: a\r\n\r\n..\r\n.\r\nQUIT\r\n`);
    expect(said.filter((line) => line[3] === ' ').map((line) => line.slice(0, 3))).toEqual(['220', '250', '250', '250', '354', '250', '221']);
    expect(world.bodyOf(world.accepted[0]!)).toBe('Subject: a\r\n\r\n.\r\n');
    expect(world.accepted[0]?.peer).toMatchObject({ ip: '127.0.0.1', helo: 'a.test' });
  });

  it('takes several mails on several connections at once', async () => {
    const { world, mx } = await open();
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const client = await SmtpClient.hello({ port: mx });
        for (let i = 0; i < 5; i++) expect((await client.send(FROM, ['ann@x.test'], Buffer.from(`Subject: ${n}.${i}\r\n\r\n.${n}\r\n`))).code).toBe(250);
        await client.quit();
      }),
    );
    expect(new Set(world.accepted.map((message) => world.bodyOf(message))).size).toBe(100);
    expect(world.bodies.open).toBe(0);
  });

  it('takes a large mail with any lines', async () => {
    const { world, mx } = await open();
    const body = Buffer.from(`Subject: large\r\n\r\n${randomBytes(3_000_000).toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n.\r\n..\r\n`);
    const client = await SmtpClient.hello({ port: mx });
    expect((await client.send(FROM, ['ann@x.test'], body)).code).toBe(250);
    expect(Buffer.from(world.bodyOf(world.accepted[0]!), 'latin1').equals(body)).toBe(true);
    await client.quit();
  });

  it('takes mail for elsewhere over STARTTLS and AUTH', async () => {
    const { world, submission } = await open();
    const client = await SmtpClient.hello({ port: submission });
    expect((await client.command('MAIL FROM:<ann@x.test>')).code).toBe(530);
    await client.startTls();
    await client.command('EHLO a.test');
    expect((await client.authPlain('ann@x.test', 'secret')).code).toBe(235);
    expect((await client.send('ann@x.test', [FROM], Buffer.from('Subject: a\r\n\r\n'))).code).toBe(250);
    expect(world.accepted[0]).toMatchObject({ protocol: 'ESMTPSA', listener: 'submission', login: 'ann@x.test' });
    await client.quit();
  });

  it('takes mail over TLS from the first byte', async () => {
    const { world, smtps } = await open();
    const client = await SmtpClient.hello({ port: smtps, tls: true });
    expect((await client.authPlain('ann@x.test', 'secret')).code).toBe(235);
    expect((await client.send('ann@x.test', [FROM], Buffer.from('Subject: a\r\n\r\n'))).code).toBe(250);
    expect(world.accepted[0]).toMatchObject({ protocol: 'ESMTPSA', listener: 'smtps', tls: { version: 'TLSv1.3' } });
    await client.quit();
  });

  it('runs no command that came in the clear behind STARTTLS', async () => {
    const { world, mx } = await open();
    const client = await SmtpClient.hello({ port: mx });
    client.socket.write('STARTTLS\r\nEHLO eve.test\r\nMAIL FROM:<eve@far.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\n');
    expect((await client.read()).code).toBe(220);
    await client.socket.startTls();
    expect((await client.command('RCPT TO:<ann@x.test>')).code).toBe(503);
    expect((await client.command('MAIL FROM:<carl@far.test>')).code).toBe(503);
    await client.quit();
    expect(world.refused).toEqual([]);
  });

  it.each(['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r.\r\n', '\r\n.\r', '\r\n\0.\r\n'])('is not fooled by %j into a second mail', async (end) => {
    const { world, mx } = await open();
    const smuggled = `MAIL FROM:<eve@far.test>\r\nRCPT TO:<bob@x.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n`;
    const said = await transcript(mx, `EHLO a.test\r\nMAIL FROM:<${FROM}>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\nSubject: a\r\n\r\nfirst${end}${smuggled}\r\n.\r\nQUIT\r\n`);
    expect(said.slice(-2)).toEqual([expect.stringMatching(/^550 5\.6\./), expect.stringMatching(/^221/)]);
    await world.server.settled();
    expect(world.accepted).toEqual([]);
    expect(world.refused).toHaveLength(1);
  });

  it('keeps nothing of a mail that was cut off, also when it had several pieces', async () => {
    const { world, mx } = await open();
    const client = await SmtpClient.hello({ port: mx });
    for (const line of [`MAIL FROM:<${FROM}>`, 'RCPT TO:<ann@x.test>', 'DATA']) await client.command(line);
    await client.socket.writeSlowly(Buffer.alloc(300_000, 'a\r\n'));
    client.socket.halfClose();
    await client.socket.readToEnd();
    await servers[0]?.drain(1000);
    await world.server.settled();
    expect(world.refused[0]).toMatchObject({ phase: 'disconnect', rule: 'client-gave-up', size: 300_000 });
    expect(world.bodies.open).toBe(0);
  });

  it('refuses who talks before the greeting', async () => {
    const { mx } = await open({ greetingPause: 5000 });
    expect(await transcript(mx, 'EHLO spam.test\r\n')).toEqual(['554 5.5.1 mx.x.test Input before the greeting']);
  });

  it('sends TLS and HTTP on a plain port away at once', async () => {
    const { mx } = await open();
    expect(await transcript(mx, Buffer.from('16030100a5010000a1', 'hex'))).toEqual(['220 mx.x.test ESMTP']);
    expect(await transcript(mx, 'GET / HTTP/1.1\r\nHost: mx.x.test\r\n\r\n')).toEqual(['220 mx.x.test ESMTP', expect.stringMatching(/^421/)]);
  });

  it('lets a transaction end when it is shut down, and says goodbye to who is idle', async () => {
    const { world, server, mx } = await open();
    const idle = await SmtpClient.connect({ port: mx });
    const busy = await SmtpClient.hello({ port: mx });
    for (const line of [`MAIL FROM:<${FROM}>`, 'RCPT TO:<ann@x.test>', 'DATA']) await busy.command(line);
    const drained = server.drain(5000);
    expect((await idle.read()).code).toBe(421);
    expect((await busy.sendData(Buffer.from('Subject: last\r\n\r\n'))).code).toBe(250);
    expect((await busy.read()).code).toBe(421);
    idle.socket.close();
    busy.socket.close();
    await drained;
    expect(world.accepted).toHaveLength(1);
    expect(world.troubles).toEqual([]);
  });
});
