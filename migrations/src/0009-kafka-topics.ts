import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which topics of which Kafka cluster hold the history, where the event log is kept there: checkpoints are positions in these and in
 * no others. A changed number of partitions would re-order keys. `producer_id` is that of the one writer of the copied decisions.
 */
export class KafkaTopics0009 implements MigrationInterface {
  readonly name = 'KafkaTopics1795305600009';
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE history.kafka_topic (
        topic text PRIMARY KEY, name text NOT NULL, partitions integer NOT NULL, cluster text, producer_id bigint, epoch smallint
      );
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
