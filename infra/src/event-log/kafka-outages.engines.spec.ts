import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { partitionOf } from '@kiroku/domain/kernel/event-log.js';
import { type KafkaRig, startKafka } from '../rig/engines/kafka.js';
import type { TestPostgres } from '../postgres/testing.js';
import { until } from '../rig/until.js';
import { fact, readAll } from './contract.js';
import { emptyDatabase, type KafkaMember, openMember } from './kafka-testing.js';

let rig: KafkaRig;
let db: TestPostgres;
beforeAll(async () => {
  [rig, db] = await Promise.all([startKafka({ brokers: 3 }), emptyDatabase()]);
});
afterAll(async () => {
  await db.close();
  await rig.stop();
});

const MAIL = 6;
const open = (patience?: number): Promise<KafkaMember> =>
  openMember(db, { brokers: rig.brokers, prefix: 'outage', partitions: { mail: MAIL, session: 2 }, ...(patience !== undefined && { patience }) });
const all = async (h: KafkaMember) => (await Promise.all(Array.from({ length: MAIL }, (_, p) => readAll(h.log, 'mail', p, 5_000)))).flat();
const numberOf = (event: { data: unknown }): number => (event.data as { n: number }).n;

/** Appenders that go on whatever happens, each with a key of its own and one append after the other. */
function appenders(h: KafkaMember, round: string, count: number) {
  const acknowledged = new Map<string, number[]>();
  const rejected = new Map<string, number[]>();
  let going = true;
  const loops = Array.from({ length: count }, async (_, a) => {
    const key = `${round}-${a}`;
    acknowledged.set(key, []);
    rejected.set(key, []);
    for (let n = 0; going; n++)
      await h.log.append([{ topic: 'mail', key, event: fact(n) }]).then(() => acknowledged.get(key)?.push(n), () => rejected.get(key)?.push(n));
  });
  const total = (): number => [...acknowledged.values()].reduce((sum, its) => sum + its.length, 0);
  return {
    total,
    more: async (by: number) => {
      const goal = total() + by;
      await until(`${by} more appends`, 60_000, () => total() >= goal);
    },
    /** Each acknowledged event once, each rejected one at most once, and each key in the order of its appends. */
    check: async () => {
      going = false;
      await Promise.all(loops);
      const events = await all(h);
      for (const [key, its] of acknowledged) {
        const kept = events.filter((e) => e.key === key).map((e) => numberOf(e.event));
        const open = new Set(rejected.get(key));
        expect(kept.filter((n) => !open.has(n))).toEqual(its);
        expect(new Set(kept).size).toBe(kept.length);
      }
      return { acknowledged: total(), rejected: [...rejected.values()].flat().length };
    },
  };
}

describe('the Kafka event log when brokers fail', () => {
  it('loses, doubles and reorders nothing while one broker after the other is killed and comes back', async () => {
    const h = await open();
    const work = appenders(h, 'kill', 24);
    for (const broker of [0, 1, 2]) {
      await work.more(500);
      await rig.kill(broker);
      await work.more(500);
      await rig.start(broker);
    }
    await work.more(500);
    const { acknowledged, rejected } = await work.check();
    expect(acknowledged).toBeGreaterThan(3_000);
    // An election takes less than an append waits.
    expect(rejected).toBe(0);
    expect(h.troubles).toEqual([]);
    await h.close();
  });

  it('loses, doubles and reorders nothing while brokers hang', async () => {
    const h = await open();
    const work = appenders(h, 'hang', 24);
    for (const broker of [0, 1]) {
      await work.more(300);
      rig.pause(broker);
      await work.more(300);
      // Long enough that a partition led by it has been asked for in vain.
      await until('another leader for all', 60_000, async () => (await Promise.all(Array.from({ length: 24 }, (_, a) => h.log.head('mail', partitionOf(`hang-${a}`, MAIL))))).length === 24);
      rig.resume(broker);
    }
    await work.more(300);
    await work.check();
    await h.close();
  });

  it('rejects in bounded time while no broker answers, and takes appends again when they are back', async () => {
    const h = await open(3_000);
    await h.log.append([{ topic: 'session', key: 'before', event: fact(1) }]);
    await rig.kill();
    for (const [n, words, ms] of [[2, /not acknowledged in 3000 ms/, 6_000], [3, /no broker answers: .*ECONNREFUSED/, 2_500]] as const) {
      const began = performance.now();
      await expect(h.log.append([{ topic: 'session', key: 'before', event: fact(n) }])).rejects.toThrow(words);
      expect(performance.now() - began).toBeLessThan(ms);
    }
    await expect(h.log.head('session', 0)).rejects.toThrow(/Kafka/);
    await rig.start();
    await until('an append', 60_000, () => h.log.append([{ topic: 'session', key: 'before', event: fact(4) }]).then(() => true));
    const kept = (await readAll(h.log, 'session', partitionOf('before', 2))).map((p) => numberOf(p.event));
    // The last was asked for again and again, and an append whose fate is unknown may be there.
    expect(kept.filter((n) => n !== 4)).toEqual([1]);
    expect(kept.at(-1)).toBe(4);
    await h.close();
  });

  it('rejects in bounded time while brokers take requests and do not answer, and repeats nothing later', async () => {
    const h = await open(3_000);
    const key = 'silence';
    await h.log.append([{ topic: 'session', key, event: fact(1) }]);
    rig.pause(0, 1, 2);
    await expect(h.log.append([{ topic: 'session', key, event: fact(2) }])).rejects.toThrow(/not acknowledged/);
    rig.resume(0, 1, 2);
    await until('an append', 60_000, () => h.log.append([{ topic: 'session', key, event: fact(3) }]).then(() => true));
    const kept = (await readAll(h.log, 'session', partitionOf(key, 2))).filter((p) => p.key === key).map((p) => numberOf(p.event));
    expect(kept.filter((n) => n === 1)).toHaveLength(1);
    expect(kept.filter((n) => n === 2).length).toBeLessThanOrEqual(1);
    expect(kept.filter((n) => n === 3).length).toBeGreaterThanOrEqual(1);
    await h.close();
  });

  it('lets a consumer go on where it stood when the leader of its partition is killed', async () => {
    const h = await open();
    const seen: number[] = [];
    const key = 'followed';
    const partition = partitionOf(key, MAIL);
    const subscription = await h.log.consume({
      group: 'survivor', topics: ['mail'], batch: 100, trouble: () => undefined,
      start: async (_, p) => (p === partition ? (positions.at(-1) ?? start) + 1 : h.log.head('mail', p)),
      handle: ({ events }) => {
        for (const { key: its, position, event } of events) if (its === key) {
          seen.push(numberOf(event));
          positions.push(position);
        }
        return Promise.resolve();
      },
    });
    const positions: number[] = [];
    const start = (await h.log.head('mail', partition)) - 1;
    let back = Promise.resolve();
    for (let n = 0; n < 60; n++) {
      if (n === 20) back = rig.kill(0).then(() => rig.start(0));
      if (n === 40) {
        await back; // two of three must be there
        await rig.kill(1);
      }
      await h.log.append([{ topic: 'mail', key, event: fact(n) }]);
    }
    await until('all of them', 60_000, () => seen.length >= 60);
    expect(seen).toEqual(Array.from({ length: 60 }, (_, n) => n));
    await subscription.stop();
    await rig.start();
    await h.close();
  });
});
