import { KafkaCluster } from '@kiroku/infra/event-log/kafka-cluster.js';
import { KafkaReader } from '@kiroku/infra/event-log/kafka-fetch.js';
import { KafkaProducer } from '@kiroku/infra/event-log/kafka-producer.js';
import type { Place } from '@kiroku/infra/event-log/kafka-requests.js';
import { mendTimers } from '@kiroku/infra/event-log/kafkajs-timers.js';
import type { KafkaRig } from '@kiroku/infra/rig/engines/kafka.js';
import { replicated } from '@kiroku/infra/rig/engines/kafka-topic.js';
import { cpuSecondsOfTree } from '@kiroku/infra/rig/processes.js';

/**
 * Options of a broker's JVM for a few minutes on a small machine: a heap of fixed size, the collector that suits two cores, and the simple
 * compiler, early. The optimising one makes a request a third cheaper, but after 130,000 mails it still took more than that for itself.
 */
export const BROKER_JVM = ['-Xms256m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:-UsePerfData', '-XX:TieredStopAtLevel=1', '-XX:CompileThresholdScaling=0.1'] as const;

const TOPIC = 'warm-up';
const MADE_WITHIN = 60_000; // ms
/** ms of one step, and the most steps. */
const STEP = 2_000;
const STEPS = 10;
/** So many steps in a row whose requests cost more than this part of the cheapest before them: the compilers are done. */
const STEADY = 0.95;
const IN_A_ROW = 2;
/** As many and as long as one append of a busy server has; and a single one. */
const BATCHES = [24, 1];
const VALUE = JSON.stringify({ type: 'WarmedUp', version: 1, text: Array.from({ length: 60 }, (_, i) => (i * 7919).toString(36)) });

/**
 * Appends to the brokers and reads it again until a request does not get cheaper any more. Brokers run for months; in their first minutes
 * they interpret and compile, which costs them more than the requests do.
 */
export async function warmUp(rig: KafkaRig, say: (text: string) => void): Promise<void> {
  await makeTopic(rig);
  const cluster = new KafkaCluster({ brokers: rig.brokers, prefix: TOPIC }, [TOPIC]);
  await cluster.refresh();
  const producer = new KafkaProducer(cluster, { compression: 'zstd', most: 1 << 20, patience: 30_000, now: Date.now, grown: () => undefined });
  const lanes = rig.brokers.map((_, partition) => laneOf(producer, new KafkaReader(cluster), { topic: TOPIC, partition }));
  const costs: number[] = [];
  for (let best = Infinity, steady = 0; costs.length < STEPS && steady < IN_A_ROW; ) {
    const [before, until] = [cpuSecondsOfTree(rig.pids), performance.now() + STEP];
    const requests = (await Promise.all(lanes.map((lane) => lane(until)))).reduce((sum, its) => sum + its, 0);
    const cost = ((cpuSecondsOfTree(rig.pids) - before) * 1e6) / requests;
    steady = cost > STEADY * best ? steady + 1 : 0;
    best = Math.min(best, cost);
    costs.push(cost);
  }
  say(`brokers: an append and a read cost ${costs.map((its) => Math.round(its)).join(', ')} µs while they compiled themselves`);
  await producer.close();
  cluster.close();
}

/** @returns runs until a time by `performance.now()`; resolves to how often it appended. */
function laneOf(producer: KafkaProducer, reader: KafkaReader, place: Place): (until: number) => Promise<number> {
  let at = 0;
  let count = 0;
  return async (until) => {
    const before = count;
    while (performance.now() < until) {
      const records = Array.from({ length: BATCHES[count++ % BATCHES.length] ?? 1 }, (_, i) => ({ key: `${i}`, value: VALUE }));
      await producer.append({ place, records });
      at = (await reader.read(place, at, 1_000)).next;
    }
    return count - before;
  };
}

/** Waits until all brokers know of it: the admin client gives up at the first that does not yet. */
async function makeTopic(rig: KafkaRig): Promise<void> {
  const { Kafka, logLevel } = (await import('kafkajs')).default;
  mendTimers();
  const admin = new Kafka({ brokers: [...rig.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic: TOPIC, numPartitions: rig.brokers.length, replicationFactor: rig.brokers.length }] });
  await admin.disconnect();
  await replicated(rig, [TOPIC], MADE_WITHIN);
}
