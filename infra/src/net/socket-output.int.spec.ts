import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turnEnd } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SocketOutput } from './socket-output.js';

const open: { destroy(): unknown }[] = [];
afterEach(() => {
  for (const its of open.splice(0)) its.destroy();
});

/** An output, its socket, and what its client has got so far. */
async function pair() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  open.push(client, socket);
  const output = new SocketOutput(socket.on('error', () => undefined), { now: 0 }, () => undefined);
  let got = '';
  client.setEncoding('utf8').on('data', (text: string) => (got += text));
  const whole = async (): Promise<string> => {
    socket.end();
    await once(client, 'end');
    return got;
  };
  return { output, socket, whole };
}

describe('what is to leave soon', () => {
  it('leaves at the end of the turn, on all connections', async () => {
    const [one, two] = [await pair(), await pair()];
    for (const { output } of [one, two]) {
      output.write('250 ok\r\n');
      output.sendSoon();
      output.sendSoon();
    }
    expect([one.output.bytes, two.output.bytes]).toEqual([0, 0]);
    await turnEnd();
    expect([one.output.bytes, two.output.bytes]).toEqual([8, 8]);
    expect([await one.whole(), await two.whole()]).toEqual(['250 ok\r\n', '250 ok\r\n']);
  });

  it('leaves sooner, once and in order, before what leaves now', async () => {
    const { output, whole } = await pair();
    output.write('220 go ');
    output.sendSoon();
    output.write('on\r\n');
    output.send();
    expect(output.bytes).toBe(11);
    output.write('421 bye\r\n');
    output.sendSoon();
    await turnEnd();
    expect(output.bytes).toBe(20);
    expect(await whole()).toBe('220 go on\r\n421 bye\r\n');
  });

  it('reaches others when a connection broke in between', async () => {
    const [broken, other] = [await pair(), await pair()];
    for (const { output } of [broken, other]) {
      output.write('250 ok\r\n');
      output.sendSoon();
    }
    broken.socket.destroy();
    await turnEnd();
    expect(broken.output.bytes).toBe(0);
    expect(await other.whole()).toBe('250 ok\r\n');
  });
});
