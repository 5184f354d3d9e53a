import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GroupCommands } from '@kiroku/domain/directory/group-commands.js';
import { type KafkaEventLog, openKafkaLog } from '../../event-log/kafka.js';
import { recordsOf } from '../../rig/engines/kafka-topic.js';
import { type KafkaRig, startKafka } from '../../rig/engines/kafka.js';
import { describeGroupAccess } from './group-access-contract.js';
import { type MailboxWorld, mailboxWorld, ORIGIN } from './testing.js';

let rig: KafkaRig;
beforeAll(async () => void (rig = await startKafka()), 120_000);
afterAll(() => rig.stop());

async function open(prefix: string): Promise<MailboxWorld & { readonly log: KafkaEventLog }> {
  const world = await mailboxWorld();
  const { pool, hints } = world.h;
  const log = await openKafkaLog({ brokers: rig.brokers, prefix, partitions: { mail: 2, session: 1 }, compression: 'gzip' }, { pool, hints });
  return { ...world, log, h: { ...world.h, log }, close: async () => { await log.close(); await world.close(); } };
}

describeGroupAccess('Kafka', () => open('groups'));

describe('a group of a thousand on Kafka', () => {
  let w: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => void (w = await open('thousand')), 60_000);
  afterAll(() => w.close());

  it('is in the topic of decisions, whole, with its end', async () => {
    await w.directory.addDomain('x.test', { accountLimit: 0 }, ORIGIN);
    const crowd = Array.from({ length: 1_000 }, (_, i) => ({ accountId: w.h.engine.ids.uuid(), address: `crowd${i}@x.test`, fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'sealed', reversible: false }));
    for (let i = 0; i < crowd.length; i += 500) await w.directory.addAccounts(crowd.slice(i, i + 500), ORIGIN);
    const groups = new GroupCommands(w.h.engine);
    await groups.add('all@x.test', crowd.map(({ address }) => address), ORIGIN);
    await groups.delete('all@x.test', ORIGIN);
    const made = await w.log.read('decision', 0, 0, 100_000);
    await w.log.decisionCopy.next(0);
    await w.log.decisionCopy.append(made);
    const copied = (await recordsOf(rig, 'thousand.decision', 60_000)).map(({ value }) => (JSON.parse(value?.toString() ?? '{}') as { id?: string }).id);
    expect(copied).toEqual(made.map(({ event }) => event.id));
    expect(made.filter(({ event }) => event.type === 'MembershipsChanged')).toHaveLength(2_000);
  }, 120_000);
});
