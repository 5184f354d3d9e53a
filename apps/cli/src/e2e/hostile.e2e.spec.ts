import { beforeAll, describe, expect } from '@jest/globals';
import { LineSocket } from '@kiroku/infra/rig/line-socket.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, useServer } from './harness.js';
import { HOSTILE_POP3 } from './hostile-pop3.js';
import { FALSE_ENDS, HOSTILE_SMTP, type HostileCase } from './hostile-smtp.js';

const server = useServer(['bob', 'victim']);
const BOB = addressOf('bob');
const VICTIM = addressOf('victim');

/** Each attack comes from an address of its own: what one did must not count against the next, nor against who behaves. */
let attacker = 0;
const nextAddress = (): string => `127.66.${(attacker >> 8) & 255}.${(attacker++ & 255) || 1}`;

const smtpPort = (): number => server.kiroku.ports.smtp;
const pop3Port = (): number => server.kiroku.ports.pop3;

/** One reply with all its lines: the text of the last one behind the code. */
async function smtpReply(socket: LineSocket): Promise<string> {
  for (;;) {
    const line = await socket.readLine(20_000);
    if (line[3] !== '-') return line;
  }
}

/** Plays the case; resolves to whether the connection is still open. */
async function play(socket: LineSocket, { talk }: HostileCase, read: (s: LineSocket) => Promise<string>): Promise<boolean> {
  for (const { send, replies, orClosed } of talk) {
    socket.write(send);
    for (const expected of replies) {
      try {
        expect(await read(socket)).toMatch(expected);
      } catch (error) {
        if (orClosed && socket.ended) return false;
        throw error;
      }
    }
  }
  return !socket.ended;
}

async function isServed(): Promise<void> {
  const client = await SmtpClient.hello({ port: smtpPort() });
  expect(await client.command('NOOP')).toMatchObject({ code: 250 });
  await client.quit();
}

/** A whole message from 127.0.0.1 is accepted, and quickly. */
async function canSend(token: string): Promise<void> {
  const client = await SmtpClient.hello({ port: smtpPort() });
  const reply = await client.send('friend@outside.test', [BOB], crlf(`Subject: ${token}\n\nhello\n`), 15_000);
  expect(reply).toMatchObject({ code: 250 });
  await client.quit();
}

describe('hostile SMTP', () => {
  for (const hostile of HOSTILE_SMTP) {
    server.it(`${hostile.name} is answered, and the session or at least the server goes on`, async () => {
      const socket = await LineSocket.connect({ port: smtpPort(), from: nextAddress() });
      expect(await smtpReply(socket)).toMatch(/^220/);
      if (hostile.greeted !== false) {
        socket.write('EHLO attacker.test\r\n');
        expect(await smtpReply(socket)).toMatch(/^250/);
      }
      if (await play(socket, hostile, smtpReply)) {
        socket.write('RSET\r\n');
        expect(await smtpReply(socket).catch((error) => (socket.ended ? '250' : Promise.reject(error as Error)))).toMatch(/^250|^503|^421/);
      }
      socket.close();
      await isServed();
    });
  }

  server.it('is not answered with more than the greeting when the client closes half of the connection at once', async () => {
    const socket = await LineSocket.connect({ port: smtpPort(), from: nextAddress() });
    socket.halfClose();
    expect(await socket.readToEnd(20_000)).toMatch(/^(220[^\r\n]*\r\n)?(4[^\r\n]*\r\n)?$/);
  });

  server.it('still gets the answers to what was sent before the client closed its half', async () => {
    const socket = await LineSocket.connect({ port: smtpPort(), from: nextAddress() });
    expect(await smtpReply(socket)).toMatch(/^220/);
    socket.write('EHLO attacker.test\r\nNOOP\r\nQUIT\r\n');
    socket.halfClose();
    expect(await socket.readToEnd(20_000)).toMatch(/\r\n250 [^\r]*\r\n250 [^\r]*\r\n221 [^\r]*\r\n$/);
  });

  server.it('delivers nothing of a message whose end never came', async () => {
    const client = await SmtpClient.connect({ port: smtpPort(), from: nextAddress() });
    for (const line of ['EHLO attacker.test', 'MAIL FROM:<m@outside.test>', `RCPT TO:<${VICTIM}>`, 'DATA']) await client.command(line);
    client.socket.write('Subject: half\r\n\r\nthe first half\r\n');
    client.socket.halfClose();
    expect(await client.socket.readToEnd(20_000)).not.toMatch(/^250/m);
    expect(await server.mailOf('victim')).toEqual([]);
  });
});

describe('a false end of data', () => {
  for (const [name, bytes] of FALSE_ENDS) {
    server.it(`(${name}) smuggles no second message in`, async () => {
      const client = await SmtpClient.connect({ port: smtpPort(), from: nextAddress() });
      for (const line of ['EHLO attacker.test', 'MAIL FROM:<m@outside.test>', `RCPT TO:<${BOB}>`, 'DATA']) await client.command(line);
      const smuggled = `MAIL FROM:<ceo@x.test>\r\nRCPT TO:<${VICTIM}>\r\nDATA\r\nSubject: smuggled\r\n\r\npay\r\n.\r\n`;
      client.socket.write(`Subject: first\r\n\r\nbody${bytes}${smuggled}NOOP\r\n`);
      const said = await client.socket.readLine(20_000).catch(() => '');
      expect(said).toMatch(/^(250|4|5|$)/);
      // One answer for the message, one for NOOP: more answers are a smuggled transaction.
      const rest = await client.socket.readLine(5_000).catch(() => '');
      expect(rest).toMatch(/^(250|421|5|$)/);
      expect(client.socket.seen()).not.toMatch(/354/);
      client.socket.close();
      await canSend(`after ${name}`);
      await server.arrived('bob', `after ${name}`);
      expect(await server.mailOf('victim')).toEqual([]);
    });
  }
});

/** False when the server took the injected text for a broken handshake and hung up, which is as safe. */
const handshake = (socket: LineSocket): Promise<boolean> =>
  socket.startTls().then(
    () => true,
    () => false,
  );

describe('plain text sent ahead of TLS', () => {
  server.it('is not taken for a command of the encrypted SMTP session', async () => {
    const client = await SmtpClient.hello({ port: smtpPort(), from: nextAddress() });
    client.socket.write('STARTTLS\r\nMAIL FROM:<injected@outside.test>\r\n');
    const reply = await client.read();
    if (reply.code === 220) {
      expect(client.socket.seen()).toBe('');
      if (!(await handshake(client.socket))) return;
      expect((await client.command('EHLO attacker.test')).lines.length).toBeGreaterThan(1);
      expect(await client.command(`RCPT TO:<${BOB}>`)).toMatchObject({ code: 503 });
    } else {
      expect(reply.code).toBeGreaterThanOrEqual(500);
    }
    client.socket.close();
  });

  server.it('is not taken for a command of the encrypted POP3 session', async () => {
    const socket = await LineSocket.connect({ port: pop3Port(), from: nextAddress() });
    await socket.readLine();
    socket.write('STLS\r\nUSER injected\r\n');
    if ((await socket.readLine()).startsWith('+OK')) {
      expect(socket.seen()).toBe('');
      if (!(await handshake(socket))) return;
      socket.write('PASS whatever\r\n');
      expect(await socket.readLine()).toMatch(/^-ERR/);
    }
    socket.close();
  });

  server.it('makes the session forget the name and the transaction given before TLS', async () => {
    const client = await SmtpClient.hello({ port: smtpPort(), from: nextAddress() });
    await client.startTls();
    expect(await client.command('MAIL FROM:<m@outside.test>')).toMatchObject({ code: 503 });
    client.socket.close();
  });
});

describe('hostile POP3', () => {
  beforeAll(() => server.kiroku.must('settings', 'set', 'plainAuthWithoutTls=on')); // the cases are typed in plain text

  server.it('finds one message in the mailbox before it begins', async () => {
    await server.empty('bob');
    await canSend('the only one');
    await server.arrived('bob', 'the only one');
  });

  for (const hostile of HOSTILE_POP3) {
    server.it(`${hostile.name} is answered, and the session or at least the server goes on`, async () => {
      const socket = await LineSocket.connect({ port: pop3Port(), from: nextAddress() });
      expect(await socket.readLine(20_000)).toMatch(/^\+OK/);
      const open = await play(socket, hostile, (s) => s.readLine(20_000));
      if (open) {
        socket.write('QUIT\r\n');
        expect(await socket.readLine(20_000).catch(() => '+OK')).toMatch(/^\+OK/);
      }
      socket.close();
      await until('the mailbox is free again', 10_000, async () => (await server.mailOf('bob')).length === 1);
    });
  }

  server.it('gives the mailbox back when a client goes away in the middle of a session', async () => {
    const client = await server.login('bob');
    await client.command('DELE 1');
    client.socket.close();
    await until('the mailbox is free again', 10_000, async () => (await server.mailOf('bob')).length === 1);
  });
});
