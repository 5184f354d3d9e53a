import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openPool } from '../database.js';
import { testHistory, type TestHistory } from '../testing.js';
import { warmUp } from './warm-up.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

/** Statements prepared on each of the pool's idle connections. */
async function prepared(pool: ReturnType<typeof openPool>): Promise<readonly (readonly string[])[]> {
  const clients = await Promise.all(Array.from({ length: pool.totalCount }, () => pool.connect()));
  const all = await Promise.all(clients.map(async (client) => (await client.query<{ name: string }>('SELECT name FROM pg_prepared_statements')).rows.map(({ name }) => name)));
  for (const client of clients) client.release();
  return all;
}

describe('connections that have been warmed up', () => {
  it('have run each statement of a first LOGIN and SELECT', async () => {
    const pool = openPool(h.connection, 4, () => undefined, { byKey: true, kept: 2 });
    await warmUp(pool, 2);
    const all = await prepared(pool);
    expect(all).toHaveLength(2);
    for (const names of all) expect(names).toEqual(expect.arrayContaining(['credentials', 'folder-by-path', 'mailbox-tail-begin', 'mailbox-tail', 'mailbox-whole']));
    await pool.end();
  });

  it('are given back when a statement fails', async () => {
    const pool = openPool({ ...h.connection, database: 'postgres' }, 2, () => undefined, { kept: 2 });
    await expect(warmUp(pool, 2)).rejects.toThrow('does not exist');
    expect(pool.idleCount + pool.waitingCount).toBe(pool.totalCount);
    await pool.end();
  });
});
