import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import { mendTimers } from '../../event-log/kafkajs-timers.js';
import { until } from '../until.js';
import { KAFKA_USER, startKafka, type KafkaRig } from './kafka.js';

mendTimers();
const clientOf = (rig: KafkaRig): Kafka => new Kafka({ brokers: [...rig.brokers], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 30 } });

async function withAdmin<T>(kafka: Kafka, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Not by the client's own waiting for leaders: it takes the first answer of a broker that has not heard of the topic yet for an error. */
const makeTopic = (kafka: Kafka, topic: string, numPartitions: number): Promise<void> =>
  withAdmin(kafka, async (admin) => {
    expect(await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions, replicationFactor: 3 }] })).toBe(true);
    await until(`${topic} has its leaders`, 30_000, async () => {
      const [found] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics;
      return found?.partitions.length === numPartitions && found.partitions.every(({ leader }) => leader >= 0);
    });
  });

async function firstOf(kafka: Kafka, topic: string): Promise<string | undefined> {
  const consumer = kafka.consumer({ groupId: `reader-of-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let found: string | undefined;
  await consumer.run({ eachMessage: async ({ message }) => void (found ??= message.value?.toString()) });
  await until('a record', 60_000, () => found !== undefined);
  await consumer.disconnect();
  return found;
}

describe('a Kafka cluster of three', () => {
  let rig: KafkaRig;
  let kafka: Kafka;
  let producer: Producer;
  beforeAll(async () => {
    rig = await startKafka({ brokers: 3 });
    kafka = clientOf(rig);
    producer = kafka.producer({ idempotent: true });
    // The coordinator may be loading yet, for which this client does not wait.
    await until('the producer has its id', 30_000, () => producer.connect().then(() => true));
  });
  afterAll(async () => {
    await producer.disconnect();
    await rig.stop();
  });

  it('takes records with one of them killed', async () => {
    await makeTopic(kafka, 'two-left', 1);
    await rig.kill(1);
    await producer.send({ topic: 'two-left', acks: -1, messages: [{ partition: 0, value: 'without the second' }] });
    await rig.start(1);
    expect(await firstOf(kafka, 'two-left')).toBe('without the second');
  });

  it('misses one that is held, and has it back when it goes on', async () => {
    // A client made anew each time: an old one would go on asking the held broker.
    const members = (): Promise<number> => {
      const client = new Kafka({ brokers: rig.brokers.slice(0, 2), logLevel: logLevel.NOTHING, requestTimeout: 2_000, retry: { retries: 0 } });
      return withAdmin(client, async (admin) => (await admin.describeCluster()).brokers.length);
    };
    rig.pause(2);
    await until('two are left', 60_000, async () => (await members()) === 2);
    rig.resume(2);
    await until('all are there', 60_000, async () => (await members()) === 3);
  });

  it('keeps an acknowledged record when every broker is killed', async () => {
    await makeTopic(kafka, 'kept', 1);
    await producer.send({ topic: 'kept', acks: -1, messages: [{ partition: 0, value: 'acknowledged' }] });
    await rig.kill();
    expect(rig.pids).toEqual([0, 0, 0]);
    await rig.start();
    expect(await firstOf(kafka, 'kept')).toBe('acknowledged');
  });
});

describe('a Kafka broker with TLS and passwords', () => {
  let rig: KafkaRig;
  beforeAll(async () => {
    rig = await startKafka({ security: 'sasl_ssl' });
  });
  afterAll(() => rig.stop());

  const secureClient = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password: string): Kafka =>
    new Kafka({
      brokers: [...rig.brokers],
      logLevel: logLevel.NOTHING,
      retry: { retries: 2 },
      ssl: { ca: rig.ca ?? '' },
      sasl: { mechanism: mechanism as 'plain', username: KAFKA_USER.user, password },
    });

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('lets in who proves to know the password by %s, and nobody else', async (mechanism) => {
    expect(await withAdmin(secureClient(mechanism, KAFKA_USER.password), (admin) => admin.listTopics())).toEqual([]);
    await expect(withAdmin(secureClient(mechanism, 'wrong'), (admin) => admin.listTopics())).rejects.toThrow();
  });
});
