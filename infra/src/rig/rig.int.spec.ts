import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LineSocket } from './line-socket.js';
import { freePorts } from './ports.js';
import { alive, processTree } from './processes.js';
import { dotStuffed, SmtpClient } from './smtp-client.js';
import { until, within } from './until.js';

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

/** A server that does this with each connection. */
async function serve(talk: (socket: Socket) => void): Promise<number> {
  const server = createServer(talk);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('a line socket', () => {
  it('finds lines however they were cut into packets', async () => {
    const port = await serve((socket) => {
      for (const part of ['on', 'e\r', '\ntwo\r\nth', 'ree\n', 'rest']) socket.write(part);
      socket.end();
    });
    const socket = await LineSocket.connect({ port });
    expect([await socket.readLine(), await socket.readLine(), await socket.readLine()]).toEqual(['one', 'two', 'three']);
    expect(await socket.readToEnd()).toBe('rest');
    await expect(socket.readLine()).rejects.toThrow('closed');
  });

  it('takes the dots out of a long answer and stops at the lonely one', async () => {
    const port = await serve((socket) => socket.end('..dot\r\n\r\nlast\r\n.\r\nnext\r\n'));
    const socket = await LineSocket.connect({ port });
    expect((await socket.readDotted()).toString()).toBe('.dot\r\n\r\nlast\r\n');
    expect(await socket.readLine()).toBe('next');
  });

  it('does not wait for ever', async () => {
    const port = await serve(() => undefined);
    const socket = await LineSocket.connect({ port });
    await expect(socket.readLine(30)).rejects.toThrow('no answer in time');
    socket.close();
  });
});

describe('the SMTP client', () => {
  it('gives back the first refusal of a transaction', async () => {
    const port = await serve((socket) => {
      socket.write('220 test\r\n');
      socket.on('data', (data) => socket.write(data.toString().startsWith('RCPT') ? '550 5.1.1 no\r\n' : '250-a\r\n250 ok\r\n'));
    });
    const client = await SmtpClient.hello({ port });
    expect(await client.send('a@x.test', ['b@x.test'], Buffer.from('x'))).toEqual({ code: 550, lines: ['5.1.1 no'] });
    client.socket.close();
  });

  it('doubles leading dots and ends the last line', () => {
    expect(dotStuffed(Buffer.from('.a\r\n..b\r\nc.')).toString()).toBe('..a\r\n...b\r\nc.\r\n.\r\n');
    expect(dotStuffed(Buffer.from('')).toString()).toBe('.\r\n');
  });
});

describe('waiting', () => {
  it('ends with the first answer, and tells the last failure when there is none', async () => {
    let asked = 0;
    expect(await until('three', 1_000, () => ++asked === 3 && asked)).toBe(3);
    await expect(until('nothing', 20, () => Promise.reject(new Error('why')))).rejects.toMatchObject({ cause: { message: 'why' } });
    await expect(within('never', 20, new Promise(() => undefined))).rejects.toThrow('not within 20 ms: never');
  });
});

describe('free ports', () => {
  it('are all different, also for callers at the same time, and nobody listens there', async () => {
    const ports = (await Promise.all([freePorts(20), freePorts(20), freePorts(5)])).flat();
    expect(new Set(ports).size).toBe(45);
    for (const port of ports) {
      const server = createServer().listen(port, '127.0.0.1');
      servers.push(server);
      await once(server, 'listening');
    }
  });

  it('lie below those that Linux gives to connections', async () => {
    for (const port of await freePorts(40)) expect(port).toBeLessThan(32_768);
  });
});

describe('a process tree', () => {
  it('begins with its roots and holds only what is alive', () => {
    expect(processTree(process.pid)[0]).toBe(process.pid);
    expect(alive(process.pid)).toBe(true);
    expect(processTree(4_194_304 + 1)).toEqual([]);
  });
});
