import { join } from 'node:path';
import type { Config } from '@kiroku/infra/config/config.js';
import { lookAtPostgres, postgresProblem } from '@kiroku/infra/config/check-postgres.js';
import { placesOf } from '@kiroku/infra/config/engines-in-use.js';
import { Hints } from '@kiroku/infra/event-log/hints.js';
import { PostgresEventLog } from '@kiroku/infra/event-log/postgres.js';
import { systemClock } from '@kiroku/infra/ids/ids.js';
import type { BodiesReport } from '@kiroku/infra/migrate-engine/bodies.js';
import type { DatabaseReport } from '@kiroku/infra/migrate-engine/database.js';
import type { FactsReport } from '@kiroku/infra/migrate-engine/facts.js';
import { moveBodies } from '@kiroku/infra/migrate-engine/move-bodies.js';
import { moveDatabase } from '@kiroku/infra/migrate-engine/move-database.js';
import { type Mode, moveLog } from '@kiroku/infra/migrate-engine/move-log.js';
import { openEmptyKafkaLog } from '@kiroku/infra/migrate-engine/kafka-target.js';
import { MigrationRefused, type Steps } from '@kiroku/infra/migrate-engine/steps.js';
import { holdingDatabase } from '@kiroku/infra/migrate-engine/while-stopped.js';
import { hintOf as fileHint } from '@kiroku/infra/object-store/files-writer.js';
import { openFileObjectStore } from '@kiroku/infra/object-store/files.js';
import { PgBodyIndex } from '@kiroku/infra/object-store/pg-index.js';
import { openS3ObjectStore } from '@kiroku/infra/object-store/s3.js';
import { hintOf as s3Hint } from '@kiroku/infra/object-store/s3-name.js';
import { kafkaOptions } from '@kiroku/infra/platform/engines.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { UPGRADES } from '@kiroku/infra/read-model/views.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import type pg from 'pg';

/** Trouble beside the copy's own requests: said, once each, as it may explain what comes next. */
function teller(): (error: unknown) => void {
  const said = new Set<string>();
  return (error) => {
    const message = error instanceof Error ? error.message : String(error);
    if (said.size < 100 && !said.has(message)) process.stderr.write(`kiroku: ${message}\n`);
    said.add(message);
  };
}

/** The installation's database as this release wants it, with no server on it. */
async function stopped<T>(config: Config, work: (pool: pg.Pool, address: PostgresConnection) => Promise<T>): Promise<T> {
  return withDatabase(config, async (address) => {
    await migrate(address);
    const pool = openPool(address, 6, teller());
    try {
      return await holdingDatabase(pool, Date.now(), () => work(pool, address));
    } finally {
      await pool.end();
    }
  });
}

/** The facts from PostgreSQL to the topics that the settings name. */
export function logToKafka(config: Config, mode: Mode, steps: Steps): Promise<FactsReport> {
  if (!config.kafkaBrokers) throw new MigrationRefused('KIROKU_KAFKA_BROKERS must say where to');
  // KurrentDB's history names positions in the log as well: they would come back with it.
  if (config.eventStore === 'kurrentdb') throw new MigrationRefused('the event log cannot be moved while the decisions are in KurrentDB: choose Kafka before the first start');
  const options = kafkaOptions(config);
  return stopped(config, async (pool, address) => {
    const hints = new Hints(address, pool, teller());
    const engine = (await placesOf({ ...config, eventLog: 'kafka' }, false))['event-log'];
    let target: Awaited<ReturnType<typeof openEmptyKafkaLog>> | undefined;
    const open = async () => (target = await openEmptyKafkaLog(options, { pool, hints, upgrades: UPGRADES, trouble: teller() }));
    try {
      return await moveLog({ pool, source: new PostgresEventLog(pool, hints, UPGRADES), target: open, engine, now: Date.now }, mode, steps);
    } finally {
      await target?.close();
      await hints.close();
    }
  });
}

/** The bodies from the files of the data folder to the bucket that the settings name. */
export function bodiesToS3(config: Config, mode: Mode, steps: Steps, leaveDamaged: boolean): Promise<BodiesReport> {
  const { s3Endpoint: endpoint, s3Bucket: bucket, s3AccessKey: accessKey, s3SecretKey: secretKey, s3Region: region, s3Prefix: prefix, s3Encryption: encryption, s3ObjectLock = 0 } = config;
  if (!endpoint || !bucket || !accessKey || !secretKey) throw new MigrationRefused('KIROKU_S3_ENDPOINT, KIROKU_S3_BUCKET, KIROKU_S3_ACCESS_KEY and KIROKU_S3_SECRET_KEY must say where to');
  return stopped(config, async (pool, address) => {
    const trouble = teller();
    const source = await openFileObjectStore({ folder: join(config.data, 'objects'), index: new PgBodyIndex(pool), trouble, clock: systemClock });
    const engine = (await placesOf({ ...config, objectStore: 's3' }, false))['object-store'];
    try {
      if (mode === 'move') await source.recoverIndex(); // what a crash kept from the index
      return await moveBodies({
        pool, address, source, engine, leaveDamaged, now: Date.now, hints: { source: fileHint, target: s3Hint },
        target: (index) => openS3ObjectStore({ endpoint, bucket, accessKey, secretKey, region, prefix, encryption, objectLockDays: s3ObjectLock, createBucket: true, index, clock: systemClock, trouble }),
      }, mode, steps);
    } finally {
      await source.close();
    }
  });
}

/** The embedded database of the data folder to the one that the settings name. */
export async function databaseToPostgres(config: Config, mode: Mode, steps: Steps): Promise<DatabaseReport> {
  const { postgres: target, ...embedded } = config;
  if (!target) throw new MigrationRefused('KIROKU_POSTGRES_URL must name the database to move to');
  const { refused } = await lookAtPostgres(target);
  if (refused.length > 0) throw new MigrationRefused(refused.map(postgresProblem).join('; '));
  return stopped(embedded, async (_, source) => {
    await migrate(target);
    return moveDatabase(source, target, mode, Date.now, steps);
  });
}
