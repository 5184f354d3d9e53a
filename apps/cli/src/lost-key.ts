import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { openPool } from '@kiroku/infra/read-model/database.js';

/** A key made anew would fit no password: better no server than one that nobody can log in to. @throws with what to do. */
export async function refuseLostKey(postgres: PostgresConnection, data: string): Promise<void> {
  const file = join(data, 'server.key');
  if (process.env.KIROKU_SERVER_KEY || existsSync(file)) return;
  const pool = openPool(postgres, 1);
  try {
    const { rows } = await pool.query<{ any: boolean }>('SELECT EXISTS (SELECT FROM view.account_1) AS any');
    if (rows[0]?.any === true)
      throw new Error(`${file} is missing, and accounts have passwords sealed with it: restore it from the backup; to give these passwords up, make a new key with "openssl rand -base64 32 > ${file}" and set every password anew`);
  } finally {
    await pool.end();
  }
}
