import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { ENGINE_LOCK } from '../config/engines-in-use.js';
import { guarded } from '../read-model/database.js';
import { Locked, LockFile } from '../supervise/lock-file.js';
import { MigrationRefused } from './steps.js';

/** ms after which a process that gives no sign of life is gone; twice what the API waits, as the clocks of machines differ. */
const GONE_AFTER = 20_000;

/** Keeps the server on this data folder from starting. @throws MigrationRefused when it runs. */
export async function holdingFolder<T>(data: string, work: () => Promise<T>): Promise<T> {
  if (!existsSync(data)) throw new MigrationRefused(`there is no data folder ${data}`);
  let lock: LockFile;
  try {
    lock = LockFile.take(join(data, 'kiroku.lock'));
  } catch (error) {
    if (error instanceof Locked) throw new MigrationRefused(`the server runs on ${data}: stop it first`);
    throw error;
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** Keeps servers of all machines from starting on this database. @throws MigrationRefused when one runs. */
export async function holdingDatabase<T>(pool: pg.Pool, now: number, work: () => Promise<T>): Promise<T> {
  return guarded(pool, async (guard) => {
    const { rows } = await guard.query<{ got: boolean }>('SELECT pg_try_advisory_lock($1) AS got', [ENGINE_LOCK]);
    if (rows[0]?.got !== true) throw new MigrationRefused('a server is starting, or another migration runs');
    const alive = await guard.query<{ role: string; host: string }>('SELECT role, host FROM ops.process WHERE seen_at > $1 ORDER BY seen_at DESC LIMIT 1', [now - GONE_AFTER]);
    // Whatever its clock says, and before its first sign of life: a role's connections are there as long as it is.
    const connected = await guard.query<{ name: string }>(
      `SELECT application_name AS name FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'kiroku kiroku-%' LIMIT 1`);
    if (connected.rows[0]) throw new MigrationRefused(`${connected.rows[0].name.slice('kiroku kiroku-'.length)} is connected to this database: stop all machines first`);
    const first = alive.rows[0];
    if (first) throw new MigrationRefused(`${first.role} runs on ${first.host}, or did a moment ago: stop all machines and wait ${GONE_AFTER / 1000} seconds`);
    return work();
  });
}
