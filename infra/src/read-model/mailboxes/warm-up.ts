import type pg from 'pg';
import { PostgresDirectory } from '../directory.js';
import { accessByPlace } from './access.js';
import { readMailbox } from './snapshots.js';
import { Tail } from './tail.js';

/** Of no account and no mailbox. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * Runs what a client's first LOGIN and SELECT ask of PostgreSQL once on each of so many connections, for an account and a mailbox that are not there. A server
 * process takes 2 to 3 ms over the first run of each statement, which the first client would wait for. Nothing is written.
 */
export async function warmUp(pool: pg.Pool, connections: number): Promise<void> {
  const clients = await Promise.allSettled(Array.from({ length: connections }, () => pool.connect()));
  const open = clients.flatMap((its) => (its.status === 'fulfilled' ? [its.value] : []));
  try {
    await Promise.all(open.map((client) => askAll(client)));
  } finally {
    for (const client of open) client.release();
  }
}

async function askAll(client: pg.PoolClient): Promise<void> {
  // Of a pool only `query` is called.
  const pool = client as unknown as pg.Pool;
  const tail = new Tail(pool);
  await tail.current();
  await tail.current();
  await new PostgresDirectory(pool, () => '').find('nobody@localhost');
  await accessByPlace(pool, NOBODY, { owner: NOBODY, path: 'INBOX' });
  await readMailbox(pool, NOBODY);
}
