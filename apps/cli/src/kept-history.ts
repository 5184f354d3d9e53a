import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '@kiroku/infra/config/config.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import { Failed } from './client.js';

/**
 * The database for commands about what a server has kept, with or without a running server.
 * @throws Failed where no server ever kept anything: a mistyped KIROKU_DATA does not become a new, empty data folder.
 */
export async function withKeptHistory<T>(config: Config, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
  // A folder that we may not look into is another matter, and told as such.
  if (!config.postgres && !statSync(join(config.data, 'postgres', 'PG_VERSION'), { throwIfNoEntry: false })) throw new Failed('nothingKept', [config.data]);
  return withDatabase(config, async (connection) => {
    if (!(await hasTables(connection))) throw new Failed('nothingKept', [config.postgres ? 'PostgreSQL' : config.data]);
    return work(connection);
  });
}

async function hasTables(connection: PostgresConnection): Promise<boolean> {
  const pool = openPool(connection, 1);
  try {
    return (await pool.query<{ there: boolean }>(`SELECT to_regclass('history.head') IS NOT NULL AS there`)).rows[0]?.there === true;
  } finally {
    await pool.end();
  }
}
