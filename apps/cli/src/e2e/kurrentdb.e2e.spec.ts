import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type KurrentRig, startKurrentRig } from '@kiroku/infra/rig/engines/kurrentdb/server.js';
import { Kiroku } from '@kiroku/infra/rig/kiroku.js';
import { countMail, Pop3Client } from '@kiroku/infra/rig/pop3-client.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { MailboxWitness, whatIsWrong } from './crash-check.js';
import { Senders } from './crash-load.js';
import { addressOf, chance, DOMAIN, PASSWORD } from './harness.js';

const USERS = ['bob', 'cid'];

let kurrent: KurrentRig;
let kiroku: Kiroku;
beforeAll(async () => {
  kurrent = await startKurrentRig();
  kiroku = await Kiroku.start({ patience: 100_000, env: { KIROKU_EVENT_STORE: 'kurrentdb', KIROKU_KURRENTDB_URL: kurrent.url } });
  await kiroku.addDomain(DOMAIN);
  await kiroku.addAccount(addressOf('ann'), PASSWORD);
}, 120_000);
afterAll(async () => {
  await kiroku?.remove();
  await kurrent?.stop();
});

const inMailbox = (): Promise<number> => countMail({ port: kiroku.ports.pop3s, tls: true }, addressOf('ann'), PASSWORD);
const send = async (count: number): Promise<void> => {
  const client = await SmtpClient.hello({ port: kiroku.ports.smtp });
  for (let n = 0; n < count; n++) expect(await client.send('far@far.test', [addressOf('ann')], Buffer.from(`Subject: ${n}\r\n\r\nhello\r\n`))).toMatchObject({ code: 250 });
  await client.quit();
};
const verified = async (): Promise<void> => {
  const views = (await kiroku.must('replay', '--all', '--verify', '--json')).trim().split('\n').map((line) => JSON.parse(line) as { view: string; differences: readonly string[] });
  expect(views.filter(({ differences }) => differences.length > 0)).toEqual([]);
  expect(views.length).toBeGreaterThan(20);
};

// The server is the tests' own, by the published protocol: see docs/cluster.md for what that proves.
describe('a server whose decisions are in KurrentDB', () => {
  it('does its main job, and every decision lies in KurrentDB', async () => {
    await send(20);
    await until('the mail is in the mailbox', 30_000, async () => (await inMailbox()) === 20);
    await verified();
    expect(kurrent.sessions).toBeGreaterThan(2);
  });

  it('keeps mail while KurrentDB is away, and delivers it when it is back', async () => {
    await kurrent.stop();
    await send(5);
    expect(await inMailbox()).toBe(20);
    await kurrent.start();
    await until('the mail is in the mailbox', 60_000, async () => (await inMailbox()) === 25);
    await verified();
  });

  it('loses and doubles nothing while KurrentDB goes and comes under load', async () => {
    for (const user of USERS) await kiroku.addAccount(addressOf(user), PASSWORD);
    const senders = new Senders(kiroku.ports.smtp, USERS, 'kurrent', chance(1), addressOf, { pace: 50 });
    const witnesses = USERS.map((user) => new MailboxWitness({ login: (name) => Pop3Client.login({ port: kiroku.ports.pop3s, tls: true }, addressOf(name), PASSWORD) }, user));
    const more = (what: string, count: number): Promise<unknown> => {
      const before = senders.acknowledged.size;
      return until(what, 60_000, () => senders.acknowledged.size >= before + count);
    };
    senders.start(3);
    try {
      for (const fault of ['answer lost', 'refused', 'silent'] as const) {
        await more('mail is accepted', 15);
        kurrent.fail(fault);
        await more('mail is accepted although an append went wrong', 10);
        await kurrent.stop();
        await more('mail is accepted while KurrentDB is away', 15);
        await kurrent.start();
      }
      await more('mail is accepted when it is back', 15);
    } finally {
      await senders.stop();
    }
    expect(senders.surprises).toEqual([]);
    expect(await whatIsWrong(senders, witnesses, { ms: 60_000, whole: true })).toEqual([]);
    await verified();
  });

  it('delivers once when answers are lost and the role that delivers is killed', async () => {
    kurrent.fail('answer lost', 'silent');
    await send(5);
    for (const pid of kiroku.pidsOf('delivery')) process.kill(pid, 'SIGKILL');
    await send(5);
    await until('the mail is in the mailbox', 120_000, async () => (await inMailbox()) === 35);
    await verified();
    expect(await inMailbox()).toBe(35);
  });
});
