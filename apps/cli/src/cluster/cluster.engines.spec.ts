import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { partitionOf } from '@kiroku/domain/kernel/event-log.js';
import { appendOf } from '@kiroku/infra/rig/imap-client.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, DOMAIN, letter, PASSWORD, upTo } from '../e2e/harness.js';
import { type Node, useCluster } from './cluster.js';
import { engineFaults, evenlyShared, nodeFault, type Outcome, roleFaults, suffer, takenOver, wholeFault } from './faults.js';
import { Load } from './load.js';
import { Outward } from './outward.js';
import { decisionsOf, hears, mailAt, post, verified } from './scene.js';

const SECOND = 1_000;

const USERS = upTo(6).map((i) => `user${i}`);

const cluster = useCluster(['ann', ...USERS]);
/** One for all tests: what was accepted once has to stay where it is. */
let load: Load;
beforeAll(() => {
  load = new Load(cluster, USERS);
});

describe('two nodes on Kafka, S3 and PostgreSQL', () => {
  cluster.it('know at once what was decided at the other', async () => {
    const { one, two } = cluster;
    await one.kiroku.addAccount('new@x.test', PASSWORD);
    const smtp = await SmtpClient.hello({ host: two.kiroku.host, port: two.kiroku.ports.smtp });
    expect((await smtp.command('MAIL FROM:<stranger@outside.test>')).code).toBe(250);
    expect((await smtp.command(`RCPT TO:<new@${DOMAIN}>`)).code).toBe(250);
    await smtp.quit();
    await (await two.pop3('new')).quit();
    const [here, there] = await Promise.all([one.imap('new'), two.imap('new')]);
    expect(await here.end(appendOf('INBOX', crlf(letter('flagged', 'new@x.test'))))).toMatch(/^OK /);
    await Promise.all([here.ok('SELECT INBOX'), there.ok('SELECT INBOX')]);
    for (const keyword of upTo(20)) {
      await here.ok(`STORE 1 FLAGS.SILENT (k${keyword})`);
      const lines = await there.ok('FETCH 1 FLAGS');
      expect(lines.at(-1)).toMatch(new RegExp(`FLAGS \\(.*\\bk${keyword}\\b.*\\)`));
    }
    await Promise.all([here.logout(), there.logout()]);
    await two.kiroku.must('account', 'delete', 'new@x.test');
    await expect(one.pop3('new')).rejects.toThrow('-ERR');
  }, 120 * SECOND);

  cluster.it('accept mail that arrives once, is heard of and read at both, and explains itself at both', async () => {
    const { one, two, nodes } = cluster;
    await evenlyShared(cluster, 60 * SECOND);
    const idling = await two.imap('ann');
    await idling.ok('SELECT INBOX');
    const tag = idling.say('IDLE');
    expect(await idling.line()).toMatch(/^\+ /);
    const ids = new Map<string, string>();
    const held = await cluster.delivering();
    const deliverers = (): Set<string | undefined> => new Set([...ids.values()].map((id) => held.get(partitionOf(id, held.size))));
    const sent = performance.now();
    // Ids of the same moment lie in one partition: a number of mails that surely meets both nodes' partitions there is not.
    for (let number = 0; number < 16 || deliverers().size < nodes.length; number++) {
      expect(performance.now() - sent).toBeLessThan(60 * SECOND);
      ids.set(`main-${number}`, await post(nodes[number % 2] as Node, 'ann', `main-${number}`));
    }
    await hears(idling, ids.size);
    idling.socket.write('DONE\r\n');
    expect((await idling.answer(tag)).end).toMatch(/^OK /);
    expect([...deliverers()].sort()).toEqual(['one', 'two']);
    expect([...(await cluster.delivering())].sort()).toEqual([...held].sort());
    for (const node of nodes) {
      const messages = await mailAt(node, 'ann');
      for (const token of ids.keys()) expect(messages.filter((message) => message.endsWith(crlf(letter(token, addressOf('ann'))).toString()))).toHaveLength(1);
      const client = await node.imap('ann');
      await client.ok('EXAMINE INBOX');
      expect((await client.search('ALL')).length).toBe(ids.size);
      await client.logout();
    }
    await idling.logout();
    const [id = ''] = ids.values();
    const told = async ({ kiroku }: Node): Promise<string> => (await kiroku.must('story', id)).replaceAll('\r', '');
    await until('both tell the same story', 20 * SECOND, async () => {
      const [here, there] = await Promise.all([told(one), told(two)]);
      return here === there && here.includes('stranger@outside.test');
    });
  }, 120 * SECOND);

  cluster.it('have views that equal their rebuild', async () => {
    await verified(cluster.one);
  }, 120 * SECOND);

  cluster.it('bring every decision to the topic of decisions, once and in order', async () => {
    const { made, copied } = await decisionsOf(cluster);
    expect(made.length).toBeGreaterThan(10);
    expect(copied).toEqual(made);
  }, 120 * SECOND);
});

describe('a node that leaves and joins under load', () => {
  cluster.it('leaves its work to the other and gets its share again, and nothing is done twice or left out', async () => {
    const { one, two } = cluster;
    const before = await cluster.delivered();
    await evenlyShared(cluster, 60 * SECOND);
    await load.during(async () => {
      expect(await two.kiroku.stop()).toBe('by itself');
      await takenOver(cluster);
      await load.accepts(one, performance.now(), 30 * SECOND, 20);
      await two.kiroku.up();
      await evenlyShared(cluster, 60 * SECOND);
      await load.accepts(two, performance.now(), 30 * SECOND, 20);
    });
    expect(await load.wrong(60 * SECOND)).toEqual([]);
    // Every partition was read on from where it stood, to its end.
    const ends = await cluster.accepted();
    await cluster.deliveredUpTo(ends, 30 * SECOND);
    const after = await cluster.delivered();
    expect([...after].filter(([partition, position]) => position !== ends.get(partition) || position < (before.get(partition) ?? 0))).toEqual([]);
  }, 300 * SECOND);
});

describe('a cluster under load', () => {
  let outward: Outward;
  beforeAll(async () => void (outward = await Outward.start(cluster)), 60 * SECOND);
  afterAll(() => outward?.stop());

  cluster.it('loses and doubles nothing, whatever is killed, and goes on by itself', async () => {
    const outcomes: Outcome[] = [];
    try {
      await load.during(() => outward.during(async () => {
        const faults = [...roleFaults(cluster), ...engineFaults(cluster, load), nodeFault(cluster), wholeFault(cluster)];
        for (const fault of faults) outcomes.push(await suffer(cluster, load, fault));
      }));
    } finally {
      console.table(outcomes);
    }
    console.info(`${load.acknowledged.size} acknowledged, ${load.uncertain.size} of unknown outcome`);
    expect(await load.wrong(60 * SECOND)).toEqual([]);
    const { wrong, acknowledged, doubled } = await outward.findings(90 * SECOND);
    console.info(`${acknowledged} sent on to another server, ${doubled} of them twice, as their stories say`);
    expect(wrong.slice(0, 20)).toEqual([]);
    expect(acknowledged).toBeGreaterThan(50);
    await verified(cluster.two);
    const { made, copied } = await decisionsOf(cluster);
    expect(copied).toEqual(made);
  }, 900 * SECOND);
});

describe('a node that is cut off from the engines, but not from clients', () => {
  cluster.it('takes no mail and tells nobody what is no longer true, the other does its work, and it works again when the cut heals', async () => {
    const { machine, one, two } = cluster;
    const reader = await two.imap('ann');
    await reader.ok('SELECT INBOX');
    await load.during(async () => {
      await evenlyShared(cluster, 60 * SECOND);
      const { deferrals } = load.refusals;
      machine.cut();
      const cut = performance.now();
      try {
        await takenOver(cluster);
        console.info(`taken over after ${Math.round(performance.now() - cut)} ms`);
        await post(one, 'ann', 'meanwhile');
        expect(await reader.end('NOOP').catch(() => 'disconnected')).not.toMatch(/^OK/);
        await until('clients of the cut node are told to come later', 90 * SECOND, () => load.refusals.deferrals > deferrals);
        await load.accepts(one, performance.now(), 30 * SECOND, 20);
        expect(load.acceptedAt(two, cut, performance.now())).toBe(0);
      } finally {
        machine.heal();
      }
      const healed = performance.now();
      const first = await load.accepts(two, healed, 120 * SECOND);
      await evenlyShared(cluster, 120 * SECOND);
      console.info(`first 250 ${Math.round(first)} ms after the cut had healed, work shared again after ${Math.round(performance.now() - healed)} ms`);
      await load.accepts(two, performance.now(), 60 * SECOND, 20);
    });
    reader.close();
    const held = await until('POP3 answers at it', 60 * SECOND, () => mailAt(two, 'ann'));
    expect(held.filter((message) => message.includes('Subject: meanwhile\r\n'))).toHaveLength(1);
    expect(await load.wrong(60 * SECOND)).toEqual([]);
    await verified(cluster.one);
  }, 600 * SECOND);
});
