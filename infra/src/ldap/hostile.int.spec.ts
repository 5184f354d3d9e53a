import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Plain } from '@kiroku/domain/routing/ldap.js';
import { openLdap } from './connection.js';
import { LdapFailed } from './failure.js';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** A server that answers with these bytes to the n-th packet it gets, and tells what it got. */
async function hostile(...answers: readonly (string | Buffer)[]): Promise<{ readonly port: number; readonly got: Buffer[]; readonly closed: Promise<unknown> }> {
  const got: Buffer[] = [];
  let ended: (value?: unknown) => void;
  const closed = new Promise((resolve) => (ended = resolve));
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => ended());
    socket.on('data', (packet: Buffer) => {
      const answer = answers[got.push(packet) - 1];
      if (answer !== undefined) socket.write(typeof answer === 'string' ? Buffer.from(answer, 'hex') : answer);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, got, closed };
}

const open = (port: number, plain: Plain = 'loopback', time = 3_000) =>
  openLdap({ secure: false, host: '127.0.0.1', port }, { plain, bindDn: 'cn=kiroku', secret: 'kiroku-secret', ca: '' }, time);
/** An LDAP message, in hexadecimal. */
const element = (tag: string, ...content: readonly string[]): string => tag + Buffer.from([content.join('').length / 2]).toString('hex') + content.join('');
const text = (words: string): string => element('04', Buffer.from(words).toString('hex'));
const result = (id: string, operation: string, code = '00'): string => element('30', element('02', id), element(operation, element('0a', code), text(''), text('')));
const BOUND = result('02', '61');
const DONE = result('03', '65');
const times = (count: number, message: string): Buffer => Buffer.concat(Array.from({ length: count }, () => Buffer.from(message, 'hex')));
const ASK = ['dc=x', { kind: 'equal', attribute: 'mail', value: 'ann@x.test' }] as const;

describe('a server that is not what it seems', () => {
  it('is given up when it does not answer', async () => {
    const { port, closed } = await hostile();
    await expect(open(port, 'loopback', 50)).rejects.toMatchObject({ reason: 'late' });
    await closed;
  });

  it('is given up when it does not answer a question', async () => {
    const { port, closed } = await hostile(BOUND);
    const connection = await open(port, 'loopback', 1_000);
    await expect(connection.has(...ASK)).rejects.toMatchObject({ reason: 'late' });
    await closed;
    expect(connection.usable).toBe(false);
  });

  it.each([
    ['speaks another protocol', Buffer.from('220 mail.test ESMTP\r\n')],
    ['says what is too long', '30847fffffff'],
    ['closes a message too early', '30020201'],
  ])('is given up when it %s', async (_, answer) => {
    const { port } = await hostile(answer);
    await expect(open(port, 'loopback', 50)).rejects.toMatchObject({ name: 'Error' });
  });

  it.each([
    ['endless answers', times(90_000, result('09', '65'))],
    ['endless entries', times(90_000, element('30', '020103', element('64', text('dc=x'), element('30'))))],
    ['endless references', times(90_000, element('30', '020103', element('73', text('ldap://x'))))],
  ])('cannot fill the memory with %s', async (_, flood) => {
    const { port, closed } = await hostile(BOUND, flood);
    const connection = await open(port, 'loopback', 5_000);
    await expect(connection.has(...ASK)).rejects.toMatchObject({ reason: 'lost' });
    await closed;
  });

  it.each([
    ['an entry', element('30', '020103', '6405', '0403', '646300')], ['a reference', element('30', '020103', element('73', '047f6c64'))], ['a result', element('30', '020103', element('65', '0a0100', '047f00'))],
    ['an operation', '3006020103647f00'], ['a message id', '3003020503'],
  ])('cannot keep the process busy with %s whose parts are longer than it is', async (_, broken) => {
    const { port } = await hostile(BOUND, broken + DONE);
    const connection = await open(port, 'loopback', 5_000);
    const outcome = await connection.has(...ASK).catch((error: unknown) => error);
    // What is in an entry or a reference is not looked at.
    expect(outcome === true || outcome === false || outcome instanceof LdapFailed).toBe(true);
    connection.retire();
  });

  it('may say many small things at once', async () => {
    const { port } = await hostile(BOUND, Buffer.concat([times(20_000, result('09', '65')), times(1, DONE)]));
    const connection = await open(port, 'loopback', 5_000);
    expect(await connection.has(...ASK)).toBe(false);
    connection.retire();
  });

  it('is not followed to another one', async () => {
    const { port } = await hostile(BOUND, element('30', '020103', element('73', text('ldap://evil.test/dc=x,dc=y'))) + DONE);
    const connection = await open(port, 'loopback', 5_000);
    expect(await connection.has(...ASK)).toBe(false);
    connection.retire();
    const other = await hostile(BOUND, result('03', '65', '0a'));
    await expect((await open(other.port)).has(...ASK)).rejects.toMatchObject({ reason: 'referral' });
  });
});

describe('a server without TLS', () => {
  it.each([
    ['refuses STARTTLS', result('01', '78', '02')],
    ['answers something else', result('01', '61')],
    ['puts answers behind its consent to STARTTLS', result('01', '78') + BOUND],
    ['consents, and goes on without TLS', result('01', '78')],
  ])('gets no password when it %s', async (_, answer) => {
    const { port, got, closed } = await hostile(answer, BOUND);
    await expect(open(port, 'never')).rejects.toMatchObject({ reason: expect.stringMatching(/^(tls|late)$/) });
    await closed;
    expect(Buffer.concat(got).includes('kiroku-secret')).toBe(false);
    expect(Buffer.concat(got).includes('1.3.6.1.4.1.1466.20037')).toBe(true);
  });
});
