import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { forward } from '@kiroku/domain/srs/srs.js';
import { GatewayAdmin } from '@kiroku/infra/admin/gateways.js';
import { PolicyAdmin } from '@kiroku/infra/admin/policy.js';
import { RelayDomainAdmin } from '@kiroku/infra/admin/relay-domains.js';
import { TlsPolicyAdmin } from '@kiroku/infra/admin/tls-policy.js';
import { loadServerKey } from '@kiroku/infra/auth/seal.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { recorded, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { freePorts } from '@kiroku/infra/rig/ports.js';
import { ScriptedSmtp } from '@kiroku/infra/rig/scripted-smtp.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { srsKeys } from '@kiroku/infra/srs/keys.js';
import type { RunningRole } from '@kiroku/infra/supervise/role-process.js';
import { startSmtp } from './role.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
let h: TestHistory;
let data: string;
let role: RunningRole;
let port: number;
let inner: ScriptedSmtp;
let relays: RelayDomainAdmin;
let policy: PolicyAdmin;

beforeAll(async () => {
  h = await testHistory();
  data = await mkdtemp(join(tmpdir(), 'kiroku-smtp-'));
  const [smtp = 0] = await freePorts(1);
  port = smtp;
  inner = await ScriptedSmtp.listen({ RCPT: (line) => (line.includes('ann') ? undefined : '550 5.1.1 nobody') });
  relays = new RelayDomainAdmin(h.pool, h.engine);
  policy = new PolicyAdmin(h.pool, h.engine);
  await new DirectoryCommands(h.engine).addDomain('x.test', { accountLimit: 0 }, ORIGIN);
  const table = Buffer.from(`*.test, 127.0.0.1, ${inner.port}`);
  await new GatewayAdmin(h.pool, h.engine, await loadServerKey(data)).import(table, undefined, ORIGIN);
  const off = { KIROKU_SUBMISSION_PORT: '0', KIROKU_SMTPS_PORT: '0', KIROKU_POP3_PORT: '0', KIROKU_POP3S_PORT: '0', KIROKU_HTTP_PORT: '0' };
  role = await startSmtp(readConfig({ KIROKU_DATA: data, KIROKU_SMTP_PORT: `${port}`, ...off }), h.connection);
});
afterEach(() => policy.change({ queueLimit: null, diskReserve: null, trustedIps: null }, ORIGIN));
afterAll(async () => {
  await role.drain();
  await inner.close();
  await h.close();
  await rm(data, { recursive: true });
});

describe('a client that administrators have taken off STARTTLS', () => {
  it('is not offered it, from a second later on, and is again when they change their mind', async () => {
    const admin = new TlsPolicyAdmin(h.pool, h.engine);
    const offered = async (): Promise<boolean> => {
      const client = await SmtpClient.connect({ port });
      const { lines } = await client.command('EHLO client.test');
      await client.quit();
      return lines.includes('STARTTLS');
    };
    expect(await offered()).toBe(true);
    await admin.change({ type: 'ChangeNeverOffered', add: ['127.0.0.1'] }, ORIGIN);
    await until('STARTTLS is not offered', 10_000, async () => !(await offered()));
    await admin.change({ type: 'ChangeNeverOffered', remove: ['127.0.0.1'] }, ORIGIN);
    await until('STARTTLS is offered', 10_000, offered);
  });
});

/** What the server says to a sender and these recipients, on a connection of its own. */
async function answers(sender: string, ...recipients: readonly string[]): Promise<readonly string[]> {
  const client = await SmtpClient.hello({ port });
  const said: string[] = [];
  for (const line of [`MAIL FROM:<${sender}>`, ...recipients.map((to) => `RCPT TO:<${to}>`)]) {
    const { code, lines } = await client.command(line);
    said.push(`${code} ${lines[0]}`);
  }
  await client.quit();
  return said.slice(said[0]?.startsWith('250') ? 1 : 0);
}

describe('an SMTP server before an inner one', () => {
  it('takes mail for its relay domain as soon as there is one, and asks about each recipient once', async () => {
    expect(await answers('carl@far.test', 'ann@y.test')).toEqual(['550 5.7.1 Relaying denied']);
    await relays.add({ name: 'y.test', verify: 'call-forward', recipients: [] }, ORIGIN);
    const both = ['250 2.1.5 Recipient ok', '550 5.1.1 No such mailbox here'];
    expect(await answers('carl@far.test', 'ann@y.test', 'bob@y.test')).toEqual(both);
    expect(await answers('dora@far.test', 'ANN@Y.test', 'bob@y.test')).toEqual(both);
    expect(inner.heard.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<ann@y.test>', 'RCPT TO:<bob@y.test>']);
    expect(inner.messages).toEqual([]);
  });

  it('tells strangers to come again while the inner one does not answer', async () => {
    await relays.add({ name: 'away.test', verify: 'call-forward', recipients: [] }, ORIGIN);
    const { script } = inner;
    inner.script = { greeting: { drop: true } };
    expect(await answers('carl@far.test', 'ann@away.test', 'ann@y.test')).toEqual([
      '450 4.1.1 Recipient cannot be verified now, try again later', '250 2.1.5 Recipient ok',
    ]);
    inner.script = script;
  });
});

describe('a report about mail that an alias sent on', () => {
  it('finds its way back by the address that this server made', async () => {
    const made = forward('carl@far.test', 'x.test', Date.now(), srsKeys(await loadServerKey(data))) ?? '';
    expect(await answers('', made, made.replace('SRS0=', 'SRS0=x'))).toEqual(['250 2.1.5 Recipient ok', '550 5.1.1 No such mailbox here']);
    expect(await answers('dora@far.test', made)).toEqual(['550 5.1.1 No such mailbox here']);
  });
});

describe('an SMTP server that has too much already', () => {
  it('takes no more mail for others while too many recipients wait', async () => {
    const message = { sender: 'ann@x.test', sha256: '0'.repeat(64), size: 1, trace: '', body: '7BIT', smtputf8: false, requireTls: false, hops: 0, acceptedAt: 1 };
    const recipients = ['a@z.test', 'b@z.test'].map((address) => ({ address, recipient: address, via: [] }));
    const event = recorded(h.engine, { type: 'MessageQueued', data: { messageId: 'Q1', message, priority: 0, recipients } });
    await h.engine.store.append([{ stream: 'message-Q1', expected: 0, events: [event] }]);
    await policy.change({ queueLimit: 3, trustedIps: ['127.0.0.1'] }, ORIGIN);
    expect(await answers('ann@x.test', 'carl@far.test')).toEqual(['250 2.1.5 Recipient ok']);
    await policy.change({ queueLimit: 2 }, ORIGIN);
    expect(await answers('ann@x.test', 'carl@far.test')).toEqual(['452 4.3.1 Too many recipients wait, try again later']);
  });

  it('takes no mail while the disk is nearly full, and shows that it is not well', async () => {
    await policy.change({ diskReserve: 2 ** 52 }, ORIGIN);
    expect(await answers('carl@far.test')).toEqual(['452 4.3.1 Insufficient system storage']);
    const { rows } = await until('it says so', 10_000, async () => {
      const found = await h.pool.query<{ trouble: string }>(`SELECT trouble FROM ops.process WHERE role = 'smtp' AND trouble IS NOT NULL`);
      return found.rowCount === 1 && found;
    });
    expect(rows[0]?.trouble).toMatch(/^only \d+ bytes are free on the disk/);
  });
});
