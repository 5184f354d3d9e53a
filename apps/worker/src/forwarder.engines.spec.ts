import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { emptyDatabase, type KafkaMember, openMember } from '@kiroku/infra/event-log/kafka-testing.js';
import type { TestPostgres } from '@kiroku/infra/postgres/testing.js';
import { type KafkaRig, startKafka } from '@kiroku/infra/rig/engines/kafka.js';
import { mendTimers } from '@kiroku/infra/event-log/kafkajs-timers.js';
import { until } from '@kiroku/infra/rig/until.js';
import { Kafka, logLevel } from 'kafkajs';
import { FORWARDER, runForwarder } from './forwarder.js';

mendTimers();
let rig: KafkaRig;
beforeAll(async () => void (rig = await startKafka({ brokers: 3 })));
afterAll(() => rig.stop());

let db: TestPostgres;
let h: KafkaMember;
let prefix: string;
let prefixes = 0;
const member = (): Promise<KafkaMember> => openMember(db, { brokers: rig.brokers, prefix, partitions: { mail: 1, session: 1 }, compression: 'gzip' });
beforeEach(async () => {
  db = await emptyDatabase();
  prefix = `forward${++prefixes}`;
  h = await member();
});
afterEach(async () => {
  await h.close();
  await db.close();
});

const decided = (n: number): Recorded => ({ id: `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`, type: 'Decided', version: 1, at: n, actor: 'system:test', correlation: 'c', data: { n } });
/** `count` decisions in streams that grow in turn. */
async function decide(from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 10) {
    const stream = `s-${(n / 10) % 3}`;
    const { version } = await h.store.read(stream);
    await h.store.append([{ stream, expected: version, events: Array.from({ length: 10 }, (_, i) => decided(n + i)) }]);
  }
}
const checkpoint = async (): Promise<number | undefined> =>
  (await h.pool.query<{ position: number }>('SELECT position FROM history.checkpoint WHERE consumer = $1', [FORWARDER])).rows[0]?.position;
const all = () => h.log.read('decision', 0, 0, 10_000);

/** The copy as somebody outside reads it, with another client. */
async function outside(count: number) {
  const consumer = new Kafka({ brokers: [...rig.brokers], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 30 } }).consumer({ groupId: `${prefix}-${count}` });
  await consumer.connect();
  await consumer.subscribe({ topic: `${prefix}.decision`, fromBeginning: true });
  const found: { position: number; key: string; version: number; type: string; event: unknown }[] = [];
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers } }) => void found.push({
      position: Number(headers?.position?.toString()), key: key?.toString() ?? '', version: Number(headers?.version?.toString()), type: headers?.type?.toString() ?? '', event: JSON.parse(value?.toString() ?? ''),
    }),
  });
  await until(`${count} decisions outside`, 60_000, () => found.length >= count);
  await consumer.disconnect();
  return found;
}

describe('the forwarder', () => {
  it('copies every decision once and in order, those made later too, and one after the other forwarder', async () => {
    await decide(0, 500);
    const first = await runForwarder(h.log, h.log.decisionCopy, h.pool, (error) => { throw error; });
    await decide(500, 100);
    await until('the first 600', 60_000, async () => (await checkpoint()) === 600);
    await first.stop();
    await decide(600, 100);
    const second = await runForwarder(h.log, h.log.decisionCopy, h.pool, (error) => { throw error; });
    await until('all', 60_000, async () => (await checkpoint()) === 700);
    await second.stop();
    expect(await outside(700)).toEqual((await all()).map(({ position, key, version, event }) => ({ position, key, version, type: event.type, event })));
  });

  it('doubles nothing when it crashes between the copy and the note of it', async () => {
    await decide(0, 200);
    const copy = h.log.decisionCopy;
    let crashes = 0;
    const crashing = {
      next: (at: number) => copy.next(at),
      append: async (events: Parameters<typeof copy.append>[0]) => {
        await copy.append(events.slice(0, 30));
        if (crashes++ < 3) throw new Error('crashed');
        await copy.append(events.slice(30));
      },
    };
    const troubles: unknown[] = [];
    const forwarder = await runForwarder(h.log, crashing, h.pool, (error) => troubles.push(error));
    await until('all', 60_000, async () => (await checkpoint()) === 200);
    await forwarder.stop();
    expect(troubles).toHaveLength(3);
    expect((await outside(200)).map((d) => d.position)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  it('is refused by the brokers when it was thought dead and another has gone on', async () => {
    await decide(0, 100);
    const decisions = await all();
    const other = await member();
    const [dead, alive] = [h.log.decisionCopy, other.log.decisionCopy];
    await dead.append(decisions.slice(0, 20));
    expect(await alive.next(0)).toBe(20);
    await alive.append(decisions.slice(20, 60));
    await expect(dead.append(decisions.slice(20, 35))).rejects.toThrow(/another process has copied meanwhile/);
    // Exactly what the other has written is taken for its repetition.
    await dead.append(decisions.slice(20, 60));
    expect(await dead.next(0)).toBe(60);
    await dead.append(decisions.slice(60));
    await expect(alive.append(decisions.slice(60, 70))).rejects.toThrow(/another process/);
    expect((await outside(100)).map((d) => d.position)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    await other.close();
  });

  it('copies again from the start into a topic that is new, and from its note into one that retention has emptied', async () => {
    await decide(0, 100);
    const copy = h.log.decisionCopy;
    expect(await copy.next(50)).toBe(0);
    await copy.append((await all()).slice(0, 40));
    const admin = new Kafka({ brokers: [...rig.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.fetchTopicOffsets(`${prefix}.decision`);
    await admin.deleteTopicRecords({ topic: `${prefix}.decision`, partitions: [{ partition: 0, offset: '-1' }] });
    await admin.disconnect();
    expect(await copy.next(40)).toBe(40);
  });

  it('goes on behind decisions that are gone', async () => {
    await decide(0, 100);
    const decisions = await all();
    const copy = h.log.decisionCopy;
    await copy.append(decisions.slice(0, 20));
    await expect(copy.append(decisions.slice(50))).rejects.toThrow(/does not go on at 50/);
    await expect(copy.append(decisions.slice(50))).rejects.toThrow(/does not go on at 50/);
    await copy.append(decisions.slice(50));
    expect((await outside(70)).map((d) => d.position)).toEqual([...Array(20).keys(), ...Array.from({ length: 50 }, (_, n) => 50 + n)]);
  });

  it('goes on by itself when the broker it writes to is killed', async () => {
    const troubles: unknown[] = [];
    const forwarder = await runForwarder(h.log, h.log.decisionCopy, h.pool, (error) => troubles.push(error));
    for (let n = 0; n < 300; n += 10) {
      if (n === 100) await rig.kill(0);
      if (n === 200) {
        await rig.start(0);
        await rig.kill(1);
      }
      await decide(n, 10);
    }
    await until('all', 60_000, async () => (await checkpoint()) === 300);
    await forwarder.stop();
    await rig.start(1);
    expect((await outside(300)).map((d) => d.position)).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });
});
