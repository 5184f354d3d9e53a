import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { Pop3Client } from '@kiroku/infra/rig/pop3-client.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import { addressOf, DOMAIN, PASSWORD, ServerUnderTest } from './harness.js';

const server = new ServerUnderTest(['ann']);
beforeAll(() => server.start(), 120_000);
afterAll(() => server.remove());

async function send(token: string): Promise<void> {
  const client = await SmtpClient.hello({ port: server.kiroku.ports.smtp });
  const reply = await client.send('bob@far.test', [addressOf('ann')], Buffer.from(`Subject: ${token}\r\n\r\n${token}\r\n`));
  expect(reply.code).toBe(250);
  await client.quit();
  await server.arrived('ann', token);
}

describe('the demonstration', () => {
  server.it('sends, reads back and tells the stories of its mails, also a second time', async () => {
    for (let round = 0; round < 2; round++) {
      const { code, stdout } = await server.kiroku.cli('demo', '--json');
      expect(code).toBe(0);
      const shown = JSON.parse(stdout) as { mails: { reply: string; story: { events: unknown[] } | null }[] };
      expect(shown.mails.map((m) => m.reply.slice(0, 3))).toEqual(['250', '250', '250', '550']);
      expect(shown.mails.every((m) => (m.story?.events.length ?? 0) > 0)).toBe(true);
    }
  }, 60_000);
});

describe('importing accounts', () => {
  server.it('takes a list of two hundred, skips who is there, names what is wrong, and serves logins meanwhile', async () => {
    const row = (name: string, password = 'pass word 1'): string => [name, password, name, DOMAIN, 'Home', '1', '1', '0', '1', '1'].join('\t');
    const file = join(server.kiroku.data, 'accounts.tsv');
    writeFileSync(file, [...Array.from({ length: 200 }, (_, i) => row(`staff${i}`)), row('ann'), row('no password', '')].join('\r\n'));
    const importing = server.kiroku.cli('account', 'import', file, '--domain', DOMAIN, '--json');
    let logins = 0;
    let over = false;
    void importing.then(() => (over = true));
    while (!over) {
      await (await server.login('ann')).quit();
      logins++;
    }
    const { code, stdout } = await importing;
    expect(code).toBe(1); // a row was refused
    expect(stdout).toContain('no password');
    expect(logins).toBeGreaterThan(0);
    for (const name of ['staff0', 'staff199'])
      await (await Pop3Client.login({ port: server.kiroku.ports.pop3s, tls: true }, addressOf(name), 'pass word 1')).quit();
  }, 120_000);
});

describe('what an administrator changes', () => {
  server.it('counts from the next RCPT on, also on a connection that has just asked for that name', async () => {
    await server.kiroku.must('account', 'add', addressOf('passing'), '--password', PASSWORD);
    const client = await SmtpClient.hello({ port: server.kiroku.ports.smtp });
    const rcpt = async (address: string): Promise<number> => (await client.command(`RCPT TO:<${address}>`)).code;
    const change = async (...command: string[]): Promise<void> => void (await server.kiroku.must(...command));
    expect((await client.command('MAIL FROM:<bob@far.test>')).code).toBe(250);
    for (let round = 0; round < 3; round++) {
      expect([await rcpt(addressOf('passing')), await rcpt(addressOf('passing'))]).toEqual([250, 250]);
      await change('account', 'disable', addressOf('passing'));
      expect(await rcpt(addressOf('passing'))).toBe(550);
      await change('account', 'enable', addressOf('passing'));
      expect([await rcpt(addressOf('passing')), await rcpt(addressOf('other'))]).toEqual([250, 550]);
      await change('alias', 'add', addressOf('other'), addressOf('passing'));
      expect(await rcpt(addressOf('other'))).toBe(250);
      await change('alias', 'delete', addressOf('other'));
      expect(await rcpt(addressOf('other'))).toBe(550);
    }
    await client.quit();
  }, 60_000);
});

describe('views', () => {
  server.it('are replaced by their rebuild while mail flows, and equal it', async () => {
    await send('before-rebuild');
    await server.kiroku.must('replay', 'mailbox_message');
    await send('after-rebuild');
    expect((await server.mailOf('ann')).filter((m) => m.includes('-rebuild')).length).toBe(2);
    await server.kiroku.must('replay', '--all', '--verify');
  }, 60_000);
});

describe('a lost server key', () => {
  server.it('keeps the server from starting without it, and says what to do', async () => {
    await server.kiroku.stop();
    const key = join(server.kiroku.data, 'server.key');
    renameSync(key, `${key}.away`);
    const { code, stderr } = await server.kiroku.cli('up');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^kiroku: .*server\.key is missing.* restore it from the backup/);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    renameSync(`${key}.away`, key);
    await server.kiroku.up();
    await send('with-its-key');
  }, 90_000);
});

describe('the index of bodies', () => {
  server.it('is rebuilt from the files after a database without it was restored', async () => {
    await send('to-be-found');
    await server.kiroku.stop();
    const env = { KIROKU_DATA: server.kiroku.data };
    await withDatabase(readConfig(env), async (connection) => {
      const pool = openPool(connection, 1);
      await pool.query('TRUNCATE object_body');
      await pool.end();
    });
    const { bodies } = JSON.parse(await server.kiroku.must('bodies', 'reindex', '--json')) as { bodies: number };
    expect(bodies).toBeGreaterThan(0);
    await withDatabase(readConfig(env), async (connection) => {
      const pool = openPool(connection, 1);
      const { rows } = await pool.query<{ lost: number }>(
        'SELECT count(*) AS lost FROM view.mailbox_message_1 m WHERE NOT EXISTS (SELECT FROM object_body o WHERE o.sha256 = m.sha256)');
      expect(rows[0]?.lost).toBe(0);
      await pool.end();
    });
    await server.kiroku.up();
    expect((await server.mailOf('ann')).some((m) => m.includes('to-be-found'))).toBe(true);
  }, 120_000);
});

describe('secrets', () => {
  server.it('are in no file of the log and in no event', async () => {
    expect(server.kiroku.logTail(10_000)).not.toContain('correct horse');
    expect(server.kiroku.logTail(10_000)).not.toContain(readFileSync(join(server.kiroku.data, 'admin.token'), 'utf8').trim());
    await withDatabase(readConfig({ KIROKU_DATA: server.kiroku.data }), async (connection) => {
      const pool = openPool(connection, 1);
      const { rows } = await pool.query<{ n: number }>(
        `SELECT (SELECT count(*) FROM history.decision WHERE events LIKE '%correct horse%' OR events LIKE '%pass word 1%')
              + (SELECT count(*) FROM history.session WHERE entries LIKE '%correct horse%') AS n`);
      expect(rows[0]?.n).toBe(0);
      await pool.end();
    });
  });
});
