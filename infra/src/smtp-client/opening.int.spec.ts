import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ScriptedOptions, Script } from '../rig/scripted-smtp.js';
import { until } from '../rig/until.js';
import { smtpClient } from './open-conversation.js';
import { fates, messageOf, PATIENT, Stage, targetAt } from './testing.js';

const stage = new Stage();
afterEach(() => stage.end());

const failing = async (script: Script, options: ScriptedOptions = {}, timeouts: Partial<typeof PATIENT> = {}) => {
  const server = await stage.server(script, options);
  return stage.failure(targetAt(server.port, { mode: 'opportunistic' }), { timeouts: { ...PATIENT, ...timeouts } });
};

describe('a conversation', () => {
  it('begins with EHLO and knows its own address', async () => {
    const { server, client } = await stage.talk();
    expect(server.heard).toEqual(['EHLO mail.x.test']);
    expect(client).toMatchObject({ source: '127.0.0.1', tls: undefined, sent: 0, usable: true });
  });

  it('begins with HELO where EHLO is not known, and then does everything in turn', async () => {
    const { server, client } = await stage.talk({ EHLO: '502 5.5.1 what?' });
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.heard).toEqual(['EHLO mail.x.test', 'HELO mail.x.test', 'MAIL FROM:<ann@x.test>', 'RCPT TO:<bob@y.test>', 'DATA']);
    expect(server.connections[0]?.reads).toHaveLength(6);
  });

  it('takes a greeting of several lines', async () => {
    const { client } = await stage.talk({ greeting: '220-welcome\n220-to this\n220 server' });
    expect(client.usable).toBe(true);
  });

  it('binds the address that it is told to', async () => {
    const server = await stage.server();
    const client = await stage.open(targetAt(server.port, { mode: 'off' }, { source: '127.0.0.9' }));
    expect(client.source).toBe('127.0.0.9');
    expect(server.connections[0]?.socket.remoteAddress).toBe('127.0.0.9');
  });

  it('ends with QUIT, once, and is not usable then', async () => {
    const { server, client } = await stage.talk();
    await Promise.all([client.quit(), client.quit()]);
    await client.quit();
    expect(server.heard).toEqual(['EHLO mail.x.test', 'QUIT']);
    expect(client.usable).toBe(false);
    expect(fates(await client.send(messageOf()))).toEqual(['deferred line MAIL 451 4.3.0 Connection not usable here']);
  });

  it('does not wait long for the answer to QUIT', async () => {
    const { client } = await stage.talk({ QUIT: { silent: true } });
    const before = performance.now();
    await client.quit();
    expect(performance.now() - before).toBeLessThan(5000);
  });

  it.each<[string, Script]>([
    ['closes', { EHLO: { drop: true, say: '250 scripted.test' } }],
    ['says 421', { EHLO: '250 scripted.test\n421 4.4.2 idle' }],
    ['says anything unasked', { EHLO: '250 scripted.test\n250 2.0.0 again' }],
  ])('is not usable any more when the server %s in between', async (_, script) => {
    const { client } = await stage.talk(script);
    await until('noticed', 5000, () => !client.usable);
    expect(fates(await client.send(messageOf()))[0]).toMatch(/^deferred line MAIL 4/);
  });
});

describe('no conversation comes about', () => {
  it.each<[string, Script, string, 'deferred' | 'refused', string, string]>([
    ['greets with 421', { greeting: '421 4.3.2 too busy' }, 'greeting', 'deferred', 'line', '421 4.3.2 too busy'],
    ['greets with 450', { greeting: '450-4.7.1 greylisted\n450 4.7.1 come back' }, 'greeting', 'deferred', 'line', '450 4.7.1 greylisted come back'],
    ['greets with 554', { greeting: '554 5.7.1 not from you' }, 'greeting', 'refused', 'refused', '554 5.7.1 not from you'],
    ['greets with 521', { greeting: '521 no mail here' }, 'greeting', 'refused', 'refused', '521 no mail here'],
    ['greets with 250', { greeting: '250 hello' }, 'greeting', 'deferred', 'line', '450 4.5.0 Unexpected reply: 250 hello'],
    ['speaks another language', { greeting: 'SSH-2.0-OpenSSH_9' }, 'greeting', 'deferred', 'line', '450 4.5.0 Host does not speak SMTP: SSH-2.0-OpenSSH_9'],
    ['sends a line without end', { greeting: { raw: '220 '.padEnd(100_000, 'x') } }, 'greeting', 'deferred', 'line', '450 4.5.0 Host does not speak SMTP: 220 xxx'],
    ['sends lines without end', { greeting: { raw: '220-x\r\n'.repeat(10_000) } }, 'greeting', 'deferred', 'line', '450 4.5.0 Host does not speak SMTP: 220-x'],
    ['closes instead of greeting', { greeting: { drop: true } }, 'greeting', 'deferred', 'line', '450 4.4.2 Connection dropped by host'],
    ['breaks off after EHLO', { EHLO: { drop: true, reset: true } }, 'EHLO', 'deferred', 'line', '450 4.4.2 Connection dropped by host: ECONNRESET'],
    ['answers EHLO with 451', { EHLO: '451 4.3.0 not now' }, 'EHLO', 'deferred', 'line', '451 4.3.0 not now'],
    ['answers EHLO and HELO with 550', { EHLO: '550 5.7.1 bad name', HELO: '550 5.7.1 bad name' }, 'EHLO', 'refused', 'refused', '550 5.7.1 bad name'],
    ['closes after EHLO', { EHLO: { drop: true } }, 'EHLO', 'deferred', 'line', '450 4.4.2 Connection dropped by host'],
  ])('when the server %s', async (_, script, phase, outcome, because, reply) => {
    const failure = await failing(script);
    expect(failure).toMatchObject({ phase, outcome, because, tlsFailed: false });
    expect(failure.reply.slice(0, reply.length)).toBe(reply);
  });

  it('when nobody listens', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    expect(await stage.failure(targetAt(port))).toMatchObject({
      phase: 'connect', outcome: 'deferred', because: 'no-answer', reply: `450 4.4.1 Connection refused by host: mx.y.test [127.0.0.1]:${port}`,
    });
  });

  it('when the address is out of reach, within the time for connecting', async () => {
    // TEST-NET-1 (RFC 5737): dropped or unreachable, depending on the machine's routes.
    const failure = await stage.failure(targetAt(25, { mode: 'off' }, { ip: '192.0.2.1' }), { timeouts: { ...PATIENT, connect: 50 } });
    expect(failure).toMatchObject({ phase: 'connect', outcome: 'deferred', because: 'no-answer', reply: expect.stringMatching(/^450 4\.4\.1 /) });
  });

  it.each([{ source: '192.0.2.1' }, { source: '2001:db8::1' }, { source: '::1' }])('when the local address cannot be used: %j', async (over) => {
    const failure = await stage.failure(targetAt(25, { mode: 'off' }, over));
    expect(failure).toMatchObject({ phase: 'connect', outcome: 'deferred', because: 'source', reply: expect.stringContaining(`451 4.3.0 Local address cannot be used: ${over.source} (E`) });
  });

  it.each([{ port: 99_999 }, { source: 'nonsense' }])('when this machine cannot: %j', async (over) => {
    const failure = await stage.failure(targetAt(25, { mode: 'off' }, over));
    expect(failure).toMatchObject({ phase: 'connect', outcome: 'deferred', because: 'local', reply: expect.stringMatching(/^451 4\.3\.0 /) });
  });

  it.each<[string, Script, Partial<typeof PATIENT>, string]>([
    ['never greets', { greeting: { silent: true } }, { greeting: 60 }, 'greeting'],
    ['never answers EHLO', { EHLO: { silent: true } }, { command: 60 }, 'EHLO'],
    ['begins to answer and then falls silent', { EHLO: { raw: '250-scripted.test\r\n250-PIPELI' } }, { command: 60 }, 'EHLO'],
  ])('when the server %s', async (_, script, timeouts, phase) => {
    expect(await failing(script, {}, timeouts)).toMatchObject({
      phase, outcome: 'deferred', because: 'line', reply: '450 4.4.2 Host fell silent: no reply within 0.1 s',
    });
  });
});

describe('an opening that is given up', () => {
  it.each<[string, Script, string, string]>([
    ['before the greeting', { greeting: { silent: true } }, 'greeting', 'line'],
    ['during STARTTLS', { STARTTLS: { silent: true } }, 'STARTTLS', 'line'],
    ['during the handshake', { STARTTLS: '220 2.0.0 go' }, 'tls', 'line'],
  ])('%s ends at once, and says nothing of the server’s TLS', async (_, script, phase, because) => {
    const server = await stage.server(script, { extensions: ['STARTTLS'] });
    const given = new AbortController();
    const opening = smtpClient({ timeouts: PATIENT })(targetAt(server.port, { mode: 'opportunistic' }), given.signal).then(() => undefined, (error: unknown) => error);
    await until('it is at it', 5000, () => server.connections.length === 1 && (phase === 'greeting' || server.heard.includes('STARTTLS')));
    if (phase === 'tls') await until('the handshake has begun', 5000, () => (server.connections[0]?.reads.length ?? 0) > 2);
    given.abort();
    expect(await opening).toMatchObject({ phase, outcome: 'deferred', because, tlsFailed: false, reply: '450 4.4.1 No answer from host so far, and other mail waits' });
    await until('the connection is closed', 5000, () => server.connections[0]?.socket.readableEnded === true || server.connections[0]?.closed);
  });

  it('that had been given up before it began is none', async () => {
    const server = await stage.server();
    const opening = smtpClient({ timeouts: PATIENT })(targetAt(server.port), AbortSignal.abort());
    await expect(opening).rejects.toMatchObject({ phase: 'connect', because: 'no-answer' });
  });

  it('means nothing once it has come about', async () => {
    const server = await stage.server();
    const given = new AbortController();
    const client = await smtpClient({ timeouts: PATIENT })(targetAt(server.port), given.signal);
    given.abort();
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    await client.quit();
  });
});
