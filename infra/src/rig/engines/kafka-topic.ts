import { randomUUID } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import kafkajs, { type Admin, type KafkaMessage } from 'kafkajs';
import { mendTimers } from '../../event-log/kafkajs-timers.js';
import { until } from '../until.js';
import type { KafkaRig } from './kafka.js';

mendTimers();
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.ZSTD] = () => ({ compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer), decompress: async (bytes: Buffer) => zstdDecompressSync(bytes) });

/** As any program outside would be: kafkajs' own consumer and admin client. */
const clientOf = ({ brokers }: Pick<KafkaRig, 'brokers'>) => new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 100, retries: 20 } });

async function withAdmin<T>(rig: Pick<KafkaRig, 'brokers'>, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = clientOf(rig).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Partition → the offset behind its last record. */
export async function endsOf(rig: Pick<KafkaRig, 'brokers'>, topic: string): Promise<Map<number, number>> {
  const offsets = await withAdmin(rig, (admin) => admin.fetchTopicOffsets(topic));
  return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
}

/** Resolves when every copy of every partition of these topics has all that was acknowledged. */
export async function replicated(rig: Pick<KafkaRig, 'brokers'>, topics: readonly string[], ms: number): Promise<void> {
  await until('all copies have caught up', ms, async () => {
    const metadata = await withAdmin(rig, (admin) => admin.fetchTopicMetadata({ topics: [...topics] }));
    return metadata.topics.every(({ partitions }) => partitions.every(({ isr, replicas }) => isr.length === replicas.length));
  });
}

/** All records of a topic of one partition, as a consumer gets them. */
export async function recordsOf(rig: Pick<KafkaRig, 'brokers'>, topic: string, ms: number): Promise<readonly KafkaMessage[]> {
  const end = (await endsOf(rig, topic)).get(0) ?? 0;
  const records: KafkaMessage[] = [];
  const consumer = clientOf(rig).consumer({ groupId: `reader-${randomUUID()}` });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void records.push(message) });
    await until(`${end} records of ${topic} are read`, ms, () => Number(records.at(-1)?.offset ?? -1) >= end - 1);
    return records;
  } finally {
    await consumer.disconnect();
  }
}
