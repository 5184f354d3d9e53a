import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import type { PostgresConnection } from '../postgres/connection.js';
import { startPostgres } from '../postgres/embedded.js';
import { runningServer } from './pid-file.js';

/**
 * The database for commands that work without the admin API: the outside one, the running server's, or, when no server runs on
 * the data folder, the embedded one started for as long as `work` takes.
 */
export async function withDatabase<T>({ data, postgres }: Config, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
  if (postgres) return work(postgres);
  const running = runningServer(data);
  if (running?.socket !== undefined) {
    const password = readFileSync(join(data, 'postgres.password'), 'utf8').trim();
    return work({ host: running.socket, port: 5432, user: 'kiroku', password, database: 'kiroku', ssl: false });
  }
  const own = await startPostgres({ data, log: () => undefined });
  try {
    return await work(own.connection);
  } finally {
    await own.stop();
  }
}
