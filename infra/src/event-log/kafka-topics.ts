import { type Topic, TOPICS } from '@kiroku/domain/kernel/event-log.js';
import type { Admin } from 'kafkajs';
import type pg from 'pg';
import { transaction } from '../read-model/database.js';
import { KafkaAway } from './kafka-away.js';
import type { KafkaCluster } from './kafka-cluster.js';
import { type KafkaOptions, credentialsOf, openSocket, TIMES } from './kafka-options.js';
import type { ClusterState } from './kafka-requests.js';
import { mendTimers } from './kafkajs-timers.js';

/** Of topics that are made here: more members can share them than machines are likely to be. Only one reads `decision`: its order is one. */
const PARTITIONS: Readonly<Record<Topic, number>> = { mail: 12, session: 4, decision: 1 };
/** Bytes of the largest batch that our topics take. */
const MOST = 16 << 20;
/** In every cluster at least; what is smaller would cut batches into pieces. */
const SMALLEST = 1 << 20;

export interface KafkaTopics {
  readonly names: Readonly<Record<Topic, string>>;
  readonly partitions: Readonly<Record<Topic, number>>;
  /** Bytes of the largest batch that all of them take. */
  readonly most: number;
  /** What about them endangers the history, in words for the administrator. */
  readonly warnings: readonly string[];
}

export const namesOf = (prefix: string): Readonly<Record<Topic, string>> => ({ mail: `${prefix}.mail`, session: `${prefix}.session`, decision: `${prefix}.decision` });

/**
 * Makes the topics that are missing, kept for ever: what is forgotten, and when, is decided in the settings of this server. Tiered
 * storage may be switched on for them (`remote.storage.enable`, `local.retention.ms`), since `retention.ms` stays -1.
 * Looks also whether the others are what they were: same cluster, same number of partitions.
 * @throws KafkaAway while brokers are missing that have to keep copies of new topics; Error saying what has changed: keys would lie
 * elsewhere, or checkpoints point into another log.
 */
export async function openTopics(cluster: KafkaCluster, options: KafkaOptions, pool: pg.Pool): Promise<KafkaTopics> {
  const names = namesOf(options.prefix);
  return transaction(pool, async (db) => {
    await db.query('SELECT pg_advisory_xact_lock(4714)'); // who starts at the same time finds them made
    const { rows } = await db.query<Known>('SELECT topic, name, partitions, cluster FROM history.kafka_topic');
    let state = await untilKnown(cluster, rows.flatMap(({ topic, name }) => (names[topic as Topic] === name ? [name] : [])));
    const missing = TOPICS.filter((topic) => partitionsIn(state, names[topic]) === 0);
    for (const { topic, name } of rows)
      if (missing.some((m) => m === topic && names[m] === name)) throw new Error(`Kafka: topic ${name} is gone: it held the history. Bring it back, or restore a backup`);
    if (missing.length > 0) {
      mustHaveRoom(options, state.brokers.length);
      await withAdmin(options, (admin) => makeTopics(admin, missing, options, state.brokers.length));
      state = await untilLed(cluster, Object.values(names));
    }
    const partitions = Object.fromEntries(TOPICS.map((topic) => [topic, partitionsIn(state, names[topic])])) as Record<Topic, number>;
    for (const topic of TOPICS) {
      const known = rows.find((row) => row.topic === topic);
      if (known) compare(known, { topic, name: names[topic], partitions: partitions[topic], cluster: state.clusterId });
      else await db.query('INSERT INTO history.kafka_topic (topic, name, partitions, cluster) VALUES ($1, $2, $3, $4)', [topic, names[topic], partitions[topic], state.clusterId]);
    }
    const settings = await patiently(() => withAdmin(options, (admin) => settingsOf(admin, Object.values(names))));
    return { names, partitions, most: Math.min(MOST, ...TOPICS.map((topic) => Number(settings.get(names[topic])?.get('max.message.bytes') ?? MOST))), warnings: warningsOf(state, settings) };
  });
}

interface Known { readonly topic: string; readonly name: string; readonly partitions: number; readonly cluster: string | null }

function compare(known: Known, found: Known): void {
  if (known.name !== found.name) throw new Error(`Kafka: the history lies in topic ${known.name}, not in ${found.name}: set the prefix back`);
  if (known.cluster !== found.cluster) throw new Error(`Kafka: the history lies in cluster ${known.cluster}; these brokers are of cluster ${found.cluster}`);
  if (known.partitions !== found.partitions)
    throw new Error(`Kafka: topic ${found.name} has ${found.partitions} partitions and had ${known.partitions}. Keys would lie elsewhere than before, out of order: partitions of a topic in use cannot be changed`);
}

const partitionsIn = (state: ClusterState, name: string): number => state.topics.find(({ topic, code }) => topic === name && code === 0)?.partitions.length ?? 0;

/** A broker that has just started may not know yet what there is: topics that were there count as gone when they are for this long. ms */
const GONE = 5_000;
async function untilKnown(cluster: KafkaCluster, names: readonly string[]): Promise<ClusterState> {
  for (const until = performance.now() + GONE; ; ) {
    const state = await cluster.refresh();
    if (names.every((name) => partitionsIn(state, name) > 0) || performance.now() > until) return state;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** New topics are as safe as there are brokers when they are made: while brokers start, that is too early. */
function mustHaveRoom({ brokers, replication }: KafkaOptions, there: number): void {
  const copies = replication ?? Math.min(3, new Set(brokers).size);
  if (there < copies)
    throw new KafkaAway(`Kafka: ${there} of ${copies} brokers are there; new topics are made when all are. With fewer on purpose, set KIROKU_KAFKA_REPLICATION=${there}`);
}

/** Brokers hear of a new topic one after the other. */
async function untilLed(cluster: KafkaCluster, names: readonly string[]): Promise<ClusterState> {
  for (let tries = 0; ; tries++) {
    const state = await cluster.refresh();
    const led = names.every((name) => partitionsIn(state, name) > 0 && state.topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0)));
    if (led) return state;
    if (tries >= 150) throw new Error('Kafka: new topics have no leaders yet: try again');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function withAdmin<T>(options: KafkaOptions, use: (admin: Admin) => Promise<T>): Promise<T> {
  const { Kafka, logLevel } = (await import('kafkajs')).default;
  mendTimers();
  const { ssl, sasl } = credentialsOf(options);
  const admin = new Kafka({
    brokers: [...options.brokers], clientId: options.clientId ?? 'kiroku', logLevel: logLevel.NOTHING, socketFactory: openSocket,
    connectionTimeout: TIMES.connect, requestTimeout: TIMES.request, retry: { retries: 3, initialRetryTime: 200 },
    ...(ssl && { ssl }), ...(sasl && { sasl }),
  }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** A broker may not know yet what another has just told us. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++)
    try {
      return await ask();
    } catch (error) {
      if (tries >= 20 || (error as { type?: string }).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
}

async function makeTopics(admin: Admin, topics: readonly Topic[], { prefix, partitions, replication }: KafkaOptions, brokers: number): Promise<void> {
  const copies = replication ?? Math.min(3, brokers);
  const settings = {
    'min.insync.replicas': copies >= 3 ? '2' : '1', 'unclean.leader.election.enable': 'false', 'cleanup.policy': 'delete',
    'retention.ms': '-1', 'retention.bytes': '-1', 'max.message.bytes': String(MOST), 'compression.type': 'producer',
  };
  await admin.createTopics({
    waitForLeaders: false,
    topics: topics.map((topic) => ({
      topic: namesOf(prefix)[topic],
      numPartitions: (topic === 'decision' ? undefined : partitions?.[topic]) ?? PARTITIONS[topic],
      replicationFactor: copies,
      configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
    })),
  });
}

async function settingsOf(admin: Admin, names: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const { ConfigResourceTypes } = (await import('kafkajs')).default;
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })) });
  return new Map(resources.map(({ resourceName, configEntries }) => [resourceName, new Map(configEntries.map(({ configName, configValue }) => [configName, configValue]))]));
}

/** Settings under which something acknowledged could be lost, or read in another shape than written. */
export function warningsOf(state: Pick<ClusterState, 'brokers' | 'topics'>, settings: ReadonlyMap<string, ReadonlyMap<string, string>>): readonly string[] {
  return [...settings].flatMap(([name, its]) => {
    const is = (setting: string): string => its.get(setting) ?? '';
    const copies = Math.min(...(state.topics.find(({ topic }) => topic === name)?.partitions.map(({ replicas }) => replicas) ?? [0]));
    const checks: readonly (readonly [boolean, string])[] = [
      [copies < 3 && state.brokers.length >= 3, `has ${copies} ${copies === 1 ? 'copy' : 'copies'} of each partition, and there are ${state.brokers.length} brokers: 3 survive the loss of one while another is down for maintenance`],
      [copies >= 3 && Number(is('min.insync.replicas')) < 2, 'has min.insync.replicas below 2: what is acknowledged may be on one broker only, and be lost with it'],
      [is('unclean.leader.election.enable') === 'true', 'allows unclean leader elections: a broker that missed events may take over, and they are lost'],
      [is('cleanup.policy') !== 'delete', `has cleanup.policy ${is('cleanup.policy')}: compaction removes all but the last event of a key. It must be delete`],
      [is('retention.ms') !== '-1', `forgets events after ${is('retention.ms')} ms (retention.ms): retention is decided in Kiroku's settings, and a reader that is behind would miss them`],
      [is('retention.bytes') !== '-1', `forgets events beyond ${is('retention.bytes')} bytes per partition (retention.bytes): a reader that is behind would miss them`],
      [Number(is('max.message.bytes')) < SMALLEST, `takes at most ${is('max.message.bytes')} bytes at once (max.message.bytes): events of mail to very many recipients are refused`],
      [!['producer', 'zstd', 'gzip', 'uncompressed'].includes(is('compression.type')), `recompresses with ${is('compression.type')} (compression.type), which cannot be read here`],
    ];
    return checks.flatMap(([wrong, text]) => (wrong ? [`Kafka topic ${name} ${text}`] : []));
  });
}
