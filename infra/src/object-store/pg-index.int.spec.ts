import { afterAll, beforeAll } from '@jest/globals';
import pg from 'pg';
import { testPostgres, type TestPostgres } from '@kiroku/infra/postgres/testing.js';
import { describeBodyIndex } from './body-index-contract.js';
import { OBJECT_BODY_SQL, PgBodyIndex } from './pg-index.js';

const databases: TestPostgres[] = [];
const pools: pg.Pool[] = [];

async function open(): Promise<{ index: PgBodyIndex; pool: pg.Pool }> {
  const db = await testPostgres();
  databases.push(db);
  const pool = new pg.Pool({ ...db.connection, max: 4 });
  pools.push(pool);
  await pool.query(OBJECT_BODY_SQL);
  return { index: new PgBodyIndex(pool), pool };
}

let shared: Awaited<ReturnType<typeof open>>;
beforeAll(async () => {
  shared = await open();
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await Promise.all(databases.map((db) => db.close()));
});

describeBodyIndex('PostgreSQL', async () => ({
  index: shared.index,
  another: async () => (await open()).index,
  close: () => shared.index.clear(),
}));
