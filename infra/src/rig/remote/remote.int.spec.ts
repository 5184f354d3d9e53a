import { afterEach, describe, expect, it } from '@jest/globals';
import { Disconnected } from '../line-socket.js';
import { alive } from '../processes.js';
import { SmtpClient, type SmtpReply } from '../smtp-client.js';
import { makeCertificate } from '../test-ca.js';
import { until } from '../until.js';
import { havePostfix } from './postfix-instance.js';
import { startRemotePostfix, type RemotePostfix, type RemotePostfixOptions } from './postfix-remote.js';
import { haveSmtpSink, startSmtpSink, type SinkOptions, type SmtpSink } from './smtp-sink.js';

const started: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

async function sink(options?: SinkOptions): Promise<SmtpSink> {
  const server = await startSmtpSink(options);
  started.push(server);
  return server;
}

async function postfix(options: Partial<RemotePostfixOptions> = {}): Promise<RemotePostfix> {
  const server = await startRemotePostfix({ hostname: 'mx.remote.test', domains: ['remote.test'], ...options });
  started.push(server);
  return server;
}

const BODY = Buffer.from('Subject: one\r\n\r\n.a dot first\r\nthe end\r\n');

async function sendTo(server: { host: string; port: number }, recipient: string, tls = false): Promise<SmtpReply> {
  const client = await SmtpClient.hello(server);
  try {
    if (tls) {
      await client.startTls();
      await client.command('EHLO client.test');
    }
    return await client.send('ann@x.test', [recipient], BODY);
  } finally {
    client.socket.close();
  }
}

if (haveSmtpSink()) {
  describe('smtp-sink', () => {
    it('counts and keeps what it took', async () => {
      const server = await sink({ keep: true, host: '127.0.4.1' });
      expect(server.count()).toBe(0);
      expect(await sendTo(server, 'bob@y.test')).toMatchObject({ code: 250 });
      expect(await sendTo(server, 'carl@y.test')).toMatchObject({ code: 250 });
      expect(await until('it has counted', 5_000, () => server.count() === 2)).toBe(true);
      const mails = await until('both are kept', 5_000, () => server.mails().length === 2 && server.mails());
      expect(mails.map((mail) => mail.recipients[0]).sort()).toEqual(['bob@y.test', 'carl@y.test']);
      expect(mails[0]).toMatchObject({ helo: 'client.test', sender: 'ann@x.test', mailArgs: '<ann@x.test>' });
      expect(mails[0]?.message).toBe('Subject: one\n\n.a dot first\nthe end\n');
    });

    it('keeps nothing of a message that was never ended', async () => {
      const server = await sink({ keep: true });
      const client = await SmtpClient.hello(server);
      for (const line of ['MAIL FROM:<ann@x.test>', 'RCPT TO:<bob@y.test>', 'DATA']) await client.command(line);
      client.socket.write('Subject: half\r\n\r\n');
      client.socket.halfClose();
      await client.socket.readToEnd();
      expect(await sendTo(server, 'whole@y.test')).toMatchObject({ code: 250 });
      expect((await until('the whole one is kept', 5_000, () => server.mails().length > 0 && server.mails())).map((m) => m.recipients)).toEqual([['whole@y.test']]);
      expect(server.count()).toBe(1);
    });

    it.each([
      [{ refuses: ['MAIL'] }, { code: 500, lines: ['5.3.0 Error: command failed'] }, 0],
      [{ refuses: ['RCPT'], refusal: '550 5.1.1 nobody of that name' }, { code: 550, lines: ['5.1.1 nobody of that name'] }, 0],
      [{ defers: ['RCPT'] }, { code: 450 }, 0],
      [{ defers: ['.'], deferral: '452 4.2.2 full' }, { code: 452, lines: ['4.2.2 full'] }, 1],
      [{ refuses: ['DATA'] }, { code: 500 }, 0],
      [{ hangsUpWith421: ['.'] }, { code: 421 }, 1],
      [{ abortsData: 0 }, { code: 550 }, 0],
    ] satisfies [SinkOptions, object, number][])('fails as it is told: %j', async (options, reply, seen) => {
      const server = await sink(options);
      expect(await sendTo(server, 'bob@y.test')).toMatchObject(reply);
      expect(server.count()).toBe(seen);
    });

    it('hangs up without a word, at the greeting or after the message', async () => {
      const [early, late] = await Promise.all([sink({ hangsUp: ['CONNECT'] }), sink({ hangsUp: ['.'], keep: true })]);
      await expect(sendTo(early, 'bob@y.test')).rejects.toThrow(Disconnected);
      await expect(sendTo(late, 'bob@y.test')).rejects.toThrow(Disconnected);
      expect([early.count(), late.count()]).toEqual([0, 1]);
      expect(late.mails()).toHaveLength(1);
    });

    it('has a message whose sender left before the late answer', async () => {
      const server = await sink({ waits: { command: '.', seconds: 30 }, keep: true });
      const client = await SmtpClient.hello(server);
      const answer = client.send('ann@x.test', ['bob@y.test'], BODY, 60_000).catch(() => 'none');
      await until('it is kept', 5_000, () => server.mails().length === 1);
      client.socket.close();
      expect(await answer).toBe('none');
      expect(server.count()).toBe(1);
    });

    it('offers less when it is told to', async () => {
      const server = await sink({ without: ['pipelining', '8bitmime', 'dsn'] });
      const client = await SmtpClient.connect(server);
      const { lines } = await client.command('EHLO client.test');
      expect(lines.join(' ')).not.toMatch(/PIPELINING|8BITMIME|DSN/);
      client.socket.close();
    });
  });
}

if (havePostfix()) {
  describe('a remote Postfix', () => {
    it('takes mail for its domain, refuses strangers and other domains, and ends with all its processes', async () => {
      const server = await postfix({ users: ['bob'], host: '127.0.4.2' });
      expect(await sendTo(server, 'bob@remote.test')).toMatchObject({ code: 250 });
      expect(await sendTo(server, 'nobody@remote.test')).toMatchObject({ code: 550, lines: [expect.stringMatching(/^5\.1\.1 /)] });
      expect(await sendTo(server, 'bob@other.test')).toMatchObject({ code: 454 });
      const [mail] = await until('it is in the Maildir', 10_000, () => server.mails('bob@remote.test').length === 1 && server.mails());
      expect(mail).toMatch(/^Return-Path: <ann@x\.test>\n/);
      expect(mail).toMatch(/\n\n\.a dot first\nthe end\n$/);
      const pids = server.processes();
      expect(pids.length).toBeGreaterThan(3);
      await started.pop()?.stop();
      expect(pids.filter(alive)).toEqual([]);
    });

    it('encrypts, and says so in Received; takes nothing in the clear when told to', async () => {
      const pair = await makeCertificate({ names: ['mx.remote.test'] });
      const server = await postfix({ tls: { level: 'encrypt', ...pair } });
      expect(await sendTo(server, 'bob@remote.test')).toMatchObject({ code: 530 });
      expect(await sendTo(server, 'bob@remote.test', true)).toMatchObject({ code: 250 });
      const [mail] = await until('it is in the Maildir', 10_000, () => server.mails('bob@remote.test').length === 1 && server.mails());
      expect(mail).toMatch(/using TLSv1\.3 with cipher/);
    });

    it('does as its settings say', async () => {
      const server = await postfix({ settings: { message_size_limit: '1000', smtpd_discard_ehlo_keywords: '8bitmime' } });
      const client = await SmtpClient.connect(server);
      const { lines } = await client.command('EHLO client.test');
      expect(lines).toContain('SIZE 1000');
      expect(lines).not.toContain('8BITMIME');
      client.socket.close();
      expect(server.log()).toContain('connect from');
    });
  });
}
