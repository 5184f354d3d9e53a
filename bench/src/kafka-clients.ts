import { startKafka, type KafkaRig } from '@kiroku/infra/rig/engines/kafka.js';
import { median } from './settle.js';

/** What a Kafka client is measured by, in terms that all of them have. */
export interface KafkaClient {
  readonly name: string;
  /** An idempotent producer that waits for all in-sync replicas. */
  producer(brokers: readonly string[]): Promise<KafkaProducer>;
  /** Reads the topic from its beginning; tells how many records came, each time some do. */
  consumer(brokers: readonly string[], topic: string, came: (records: number) => void): Promise<Closable>;
}

export interface Closable {
  close(): Promise<void>;
}

export interface KafkaProducer extends Closable {
  /** One request; resolves when it is acknowledged. */
  send(topic: string, partition: number, records: readonly KafkaRecord[]): Promise<void>;
}

export interface KafkaRecord {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** A cell of the table; the median over the rounds of each figure. */
export interface KafkaClientRow {
  readonly client: string;
  readonly work: 'produce' | 'fetch';
  /** Bytes of a record's value. */
  readonly size: number;
  /** Records in one request; 0 for fetching. */
  readonly batch: number;
  readonly recordsPerSecond: number;
  /** Milliseconds from sending a batch to its acknowledgement; 0 for fetching. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of processor time of the client's process, the brokers' not counted. */
  readonly cpuPerRecord: number;
}

const LANES = 4; // partitions, each with one batch on its way
const SIZES = [1024, 3072];
const BATCHES = [1, 50, 500];
const BYTES_TO_FETCH = 64 << 20;

/**
 * Compares Kafka clients on three brokers of this machine. Brokers and client share its cores: throughput says as much of the
 * brokers as of the client, processor time per record is the client's own.
 */
export async function benchKafkaClients(clients: readonly KafkaClient[], quick: boolean, say: (text: string) => void): Promise<KafkaClientRow[]> {
  const rig = await startKafka({
    brokers: 3,
    jvm: ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC'],
    settings: { 'message.max.bytes': String(4 << 20) }, // a batch of 500 records is one message here
  });
  try {
    for (const client of clients) await produce(rig, client, 1024, 10, quick ? 1_000 : 5_000); // the brokers' code is compiled by then
    const rounds: KafkaClientRow[] = [];
    for (let round = 1; round <= (quick ? 1 : 3); round++) {
      for (const size of SIZES) {
        for (const batch of BATCHES) for (const client of clients) rounds.push(await produce(rig, client, size, batch, quick ? 1_000 : 3_000));
        for (const client of clients) rounds.push(await consume(rig, client, size));
      }
      say(`kafka clients: round ${round} done`);
    }
    return medians(rounds);
  } finally {
    await rig.stop();
  }
}

async function produce(rig: KafkaRig, client: KafkaClient, size: number, batch: number, ms: number): Promise<KafkaClientRow> {
  const topic = await freshTopic(rig);
  const producer = await client.producer(rig.brokers);
  const records = recordsOf(size, batch);
  const lane = async (partition: number, until: number): Promise<number[]> => {
    const times: number[] = [];
    for (let now = performance.now(); now < until; ) {
      await producer.send(topic, partition, records);
      const then = now;
      times.push((now = performance.now()) - then);
    }
    return times;
  };
  const lanes = (duration: number): Promise<number[][]> =>
    Promise.all(Array.from({ length: LANES }, (_, partition) => lane(partition, performance.now() + duration)));
  await lanes(ms / 3); // compiled code, connections, the brokers' metadata
  const { result, seconds, cpu } = await measured(() => lanes(ms));
  await producer.close();
  const times = result.flat().sort((a, b) => a - b);
  const sent = times.length * batch;
  const percentile = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { client: client.name, work: 'produce', size, batch, recordsPerSecond: sent / seconds, p50: percentile(0.5), p99: percentile(0.99), cpuPerRecord: cpu / sent };
}

async function consume(rig: KafkaRig, client: KafkaClient, size: number): Promise<KafkaClientRow> {
  const topic = await freshTopic(rig);
  const records = Math.round(BYTES_TO_FETCH / size / 400) * 400;
  const producer = await kafkajs.producer(rig.brokers);
  for (let sent = 0; sent < records; sent += 100) await producer.send(topic, (sent / 100) % LANES, recordsOf(size, 100));
  await producer.close();
  // Joining a group takes as long as its coordinator likes: the clock starts with the first records, which are not counted.
  let first = 0;
  let read = 0;
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const consumer = await client.consumer(rig.brokers, topic, (came) => {
    read += came;
    first ||= came;
    started.resolve();
    if (read >= records) ended.resolve();
  });
  await started.promise;
  const { seconds, cpu } = await measured(() => ended.promise);
  await consumer.close();
  const counted = records - first;
  return { client: client.name, work: 'fetch', size, batch: 0, recordsPerSecond: counted / seconds, p50: 0, p99: 0, cpuPerRecord: cpu / counted };
}

async function measured<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number; cpu: number }> {
  const since = performance.now();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: (performance.now() - since) / 1_000, cpu: user + system };
}

/** Not one repeated byte, in case someone compresses. */
function recordsOf(size: number, count: number): KafkaRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`018f2c3e-0000-7000-8000-${String(i).padStart(12, '0')}`),
    value: Buffer.from(Array.from({ length: size }, (_byte, at) => 32 + ((at * 31 + i * 17) % 95))),
  }));
}

let topics = 0;

async function freshTopic(rig: KafkaRig): Promise<string> {
  const topic = `bench-${++topics}`;
  const { Kafka, logLevel } = (await import('kafkajs')).default;
  const admin = new Kafka({ brokers: [...rig.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: LANES, replicationFactor: 3 }] });
  await admin.disconnect();
  return topic;
}

const medians = (rows: readonly KafkaClientRow[]): KafkaClientRow[] =>
  [...Map.groupBy(rows, ({ client, work, size, batch }) => `${work} ${size} ${batch} ${client}`).values()].flatMap((same) => {
    const of = (figure: 'recordsPerSecond' | 'p50' | 'p99' | 'cpuPerRecord'): number => median(same.map((row) => row[figure]));
    return same.slice(0, 1).map((row) => ({ ...row, recordsPerSecond: of('recordsPerSecond'), p50: of('p50'), p99: of('p99'), cpuPerRecord: of('cpuPerRecord') }));
  });

export const kafkajs: KafkaClient = {
  name: 'kafkajs',
  async producer(brokers) {
    const { Kafka, logLevel } = (await import('kafkajs')).default;
    const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries: 20 } }).producer({ idempotent: true });
    await again(() => producer.connect());
    return {
      send: async (topic, partition, records) => {
        await producer.send({ topic, acks: -1, messages: records.map(({ key, value }) => ({ key, value, partition })) });
      },
      close: () => producer.disconnect(),
    };
  },
  async consumer(brokers, topic, came) {
    const { Kafka, logLevel } = (await import('kafkajs')).default;
    const consumer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).consumer({ groupId: `kafkajs-${topic}` });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachBatch: ({ batch }) => Promise.resolve(came(batch.messages.length)) });
    return { close: () => consumer.disconnect() };
  },
};

export const platformatic: KafkaClient = {
  name: '@platformatic/kafka',
  async producer(brokers) {
    const { Producer } = await import('@platformatic/kafka');
    const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [...brokers], idempotent: true, acks: -1 });
    return {
      send: async (topic, partition, records) => {
        await producer.send({ messages: records.map(({ key, value }) => ({ topic, key, value, partition })) });
      },
      close: () => producer.close(),
    };
  },
  async consumer(brokers, topic, came) {
    const { Consumer } = await import('@platformatic/kafka');
    const consumer = new Consumer({ clientId: 'bench', groupId: `platformatic-${topic}`, bootstrapBrokers: [...brokers], autocommit: false });
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest' });
    stream.on('data', () => came(1));
    return { close: () => consumer.close(true) };
  },
};

/** The coordinator may be loading yet, for which kafkajs does not wait. */
async function again<T>(attempt: () => Promise<T>, left = 20): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (left === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return again(attempt, left - 1);
  }
}
