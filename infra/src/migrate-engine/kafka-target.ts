import { KafkaCluster } from '../event-log/kafka-cluster.js';
import type { KafkaOptions } from '../event-log/kafka-options.js';
import { namesOf, openTopics } from '../event-log/kafka-topics.js';
import { KafkaEventLog, type KafkaLogParts } from '../event-log/kafka.js';

/** The log on Kafka before any checkpoint points into it: those that the database has are of the log that moves. */
export async function openEmptyKafkaLog(options: KafkaOptions, parts: KafkaLogParts): Promise<KafkaEventLog> {
  // What an earlier attempt noted of its topics binds nobody while the history is elsewhere: another prefix may be taken.
  await parts.pool.query(`DELETE FROM history.kafka_topic WHERE NOT EXISTS (SELECT FROM ops.engine WHERE port = 'event-log' AND engine = 'kafka')`);
  const cluster = new KafkaCluster(options, Object.values(namesOf(options.prefix)));
  try {
    return new KafkaEventLog(cluster, await openTopics(cluster, options, parts.pool), options, parts);
  } catch (error) {
    cluster.close();
    throw error;
  }
}
