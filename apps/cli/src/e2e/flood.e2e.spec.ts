import { describe, expect } from '@jest/globals';
import { LineSocket } from '@kiroku/infra/rig/line-socket.js';
import { memoryOf, openFiles } from '@kiroku/infra/rig/processes.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, upTo, useServer } from './harness.js';

const READERS = Array.from({ length: 8 }, (_, i) => `reader${i}`);
const server = useServer(['bob', ...READERS]);
const BOB = addressOf('bob');
const MB = 1e6;

const smtpPort = (): number => server.kiroku.ports.smtp;

/** Address number i of 100 loopback addresses that are not 127.0.0.1. */
const floodAddress = (i: number): string => `127.77.0.${(i % 100) + 1}`;

interface State {
  readonly files: number;
  readonly rss: number;
}

/** Open files and resident memory of the processes of a role. */
function stateOf(role: string): State {
  const pids = server.kiroku.pidsOf(role);
  return { files: pids.reduce((sum, pid) => sum + openFiles(pid), 0), rss: memoryOf(pids).rss };
}

/** Waits until the role has given back its sockets, then tells its state. */
async function calm(role: string, before: State): Promise<State> {
  return until(`${role} has closed what the clients left`, 30_000, () => {
    const now = stateOf(role);
    return now.files <= before.files + 20 && now;
  });
}

/** How long a whole message takes a client that behaves, in ms. */
async function sendOne(token: string): Promise<number> {
  const since = performance.now();
  const client = await SmtpClient.hello({ port: smtpPort() });
  const reply = await client.send('friend@outside.test', [BOB], crlf(`Subject: ${token}\n\nhello\n`), 20_000);
  expect(reply).toMatchObject({ code: 250 });
  await client.quit();
  return performance.now() - since;
}

/** Opens that many connections, some hundred at a time; resolves to the sockets with their greetings read. */
async function openMany(count: number): Promise<{ sockets: LineSocket[]; greetings: string[] }> {
  const sockets: LineSocket[] = [];
  const greetings: string[] = [];
  const AT_ONCE = 250; // fewer than any listen queue (net.core.somaxconn)
  for (let i = 0; i < count; i += AT_ONCE) {
    const group = Array.from({ length: Math.min(AT_ONCE, count - i) }, async (_, j) => {
      const socket = await LineSocket.connect({ port: smtpPort(), from: floodAddress(i + j) }, 30_000);
      sockets.push(socket);
      greetings.push(await socket.readLine(30_000).catch(() => 'closed'));
    });
    await Promise.all(group);
  }
  return { sockets, greetings };
}

describe('10,000 connections at the same time', () => {
  server.it(
    'are greeted, told to come back, or closed; others are served meanwhile; and nothing of them remains',
    async () => {
      await sendOne('before the flood');
      const before = stateOf('smtp');
      const after: State[] = [];
      for (const wave of upTo(8)) {
        const { sockets, greetings } = await openMany(10_000);
        expect(greetings.filter((greeting) => !/^(220|421|closed)/.test(greeting))).toEqual([]);
        expect(greetings.filter((greeting) => greeting.startsWith('220')).length).toBeGreaterThan(100);
        expect(await sendOne(`in wave ${wave}`)).toBeLessThan(10_000);
        await server.arrived('bob', `in wave ${wave}`);
        for (const socket of sockets) socket.close();
        after.push(await calm('smtp', before));
        expect(await sendOne(`after wave ${wave}`)).toBeLessThan(5_000);
      }
      // A heap grows by steps of some 70 MB, whenever it likes; a leak grows in every wave. So what counts is the calmest two waves among the last:
      // 20,000 connections more, which may leave 2 KB each at most.
      const growth = upTo(3).map((i) => after[i + 4]!.rss - after[i + 2]!.rss);
      expect(Math.min(...growth)).toBeLessThan(45 * MB);
      expect(after[7]!.rss).toBeLessThan(500 * MB);
    },
    180_000,
  );
});

describe('slow clients', () => {
  server.it('that send one octet and then nothing do not keep others waiting', async () => {
    const before = stateOf('smtp');
    const { sockets } = await openMany(500);
    for (const socket of sockets) socket.write('E');
    expect(await sendOne('beside the slow ones')).toBeLessThan(5_000);
    await server.arrived('bob', 'beside the slow ones');
    for (const socket of sockets) socket.close();
    await calm('smtp', before);
  });

  server.it('that leave in the middle of a message leave nothing behind', async () => {
    const before = stateOf('smtp');
    const part = Buffer.from(`${'x'.repeat(76)}\r\n`.repeat(3_000));
    const leavers = Array.from({ length: 100 }, async (_, i) => {
      const client = await SmtpClient.hello({ port: smtpPort(), from: floodAddress(i) });
      for (const line of ['MAIL FROM:<m@outside.test>', `RCPT TO:<${BOB}>`, 'DATA']) await client.command(line, 20_000);
      await client.socket.writeSlowly(part);
      client.socket.close();
    });
    await Promise.all(leavers);
    const after = await calm('smtp', before);
    expect(after.rss - before.rss).toBeLessThan(150 * MB);
    expect(await sendOne('after the leavers')).toBeLessThan(5_000);
  });

  server.it('that fetch large mails and do not read them make the server wait, not grow', async () => {
    const size = 20 * MB;
    const sender = await SmtpClient.hello({ port: smtpPort() });
    const body = Buffer.from(`Subject: large\r\n\r\n${`${'y'.repeat(78)}\r\n`.repeat(size / 80)}`);
    const reply = await sender.send('friend@outside.test', READERS.map(addressOf), body, 60_000);
    expect(reply).toMatchObject({ code: 250 });
    await sender.quit();
    for (const reader of READERS) {
      await until(`the large mail is in the mailbox of ${reader}`, 30_000, async () => {
        const client = await server.login(reader);
        const { count } = await client.stat();
        await client.quit();
        return count === 1;
      });
    }
    const before = stateOf('pop3');
    const clients = await Promise.all(READERS.map((reader) => server.login(reader)));
    for (const client of clients) {
      await client.command('RETR 1');
      client.socket.stopReading();
    }
    const first = clients[0]!;
    const peak = stateOf('pop3').rss;
    await sendOne('while nobody reads');
    await server.arrived('bob', 'while nobody reads');
    expect(Math.max(peak, stateOf('pop3').rss) - before.rss).toBeLessThan(100 * MB);
    first.socket.resumeReading();
    expect((await first.socket.readDotted(60_000)).subarray(-body.length).equals(body)).toBe(true);
    for (const client of clients) client.socket.close();
    await calm('pop3', before);
  }, 180_000);
});

describe('a flood of POP3 connections', () => {
  server.it('does not keep an account from its mail', async () => {
    const before = stateOf('pop3');
    const sockets = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        LineSocket.connect({ port: server.kiroku.ports.pop3, from: floodAddress(i) }, 30_000),
      ),
    );
    await sendOne('beside the POP3 flood');
    await server.arrived('bob', 'beside the POP3 flood');
    for (const socket of sockets) socket.close();
    await calm('pop3', before);
  });
});
