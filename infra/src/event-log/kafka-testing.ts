import { migrate } from '@kiroku/migrations/migrate.js';
import type pg from 'pg';
import { PostgresEventStore } from '../event-store/postgres.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from '../read-model/database.js';
import type { History } from './contract.js';
import { Hints } from './hints.js';
import { type KafkaEventLog, openKafkaLog } from './kafka.js';
import type { KafkaOptions } from './kafka-options.js';

/** One process of several on the same database and brokers. For `*.engines.spec.ts`. */
export interface KafkaMember extends History {
  readonly log: KafkaEventLog;
  readonly store: PostgresEventStore;
  readonly pool: pg.Pool;
  /** Errors that nobody could be told. */
  readonly troubles: unknown[];
}

export async function emptyDatabase(): Promise<TestPostgres> {
  const db = await testPostgres();
  await migrate(db.connection);
  return db;
}

export async function openMember(db: TestPostgres, options: KafkaOptions): Promise<KafkaMember> {
  const troubles: unknown[] = [];
  const trouble = (error: unknown): void => void troubles.push(error);
  const pool = openPool(db.connection, 4, trouble);
  const hints = new Hints(db.connection, pool, trouble);
  const end = async (): Promise<void> => {
    await hints.close();
    await pool.end();
  };
  try {
    const log = await openKafkaLog(options, { pool, hints, trouble });
    const close = async (): Promise<void> => {
      await log.close();
      await end();
    };
    return { log, store: new PostgresEventStore(pool, hints, []), pool, troubles, close };
  } catch (error) {
    await end();
    throw error;
  }
}
