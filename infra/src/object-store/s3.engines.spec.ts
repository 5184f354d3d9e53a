import { afterAll, beforeAll } from '@jest/globals';
import pg from 'pg';
import { testPostgres, type TestPostgres } from '@kiroku/infra/postgres/testing.js';
import { describeObjectStore } from './contract.js';
import { MemoryBodyIndex } from './memory-index.js';
import { OBJECT_BODY_SQL, PgBodyIndex } from './pg-index.js';
import { TestBucket } from './s3-testing.js';

let s3: TestBucket;
let db: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  [s3, db] = await Promise.all([TestBucket.make(), testPostgres()]);
  pool = new pg.Pool({ ...db.connection, max: 4 });
  await pool.query(OBJECT_BODY_SQL);
});
afterAll(async () => {
  await pool.end();
  await Promise.all([s3.stop(), db.close()]);
});

describeObjectStore('S3', async () => {
  const [prefix, index] = [s3.prefix(), new MemoryBodyIndex()];
  return { store: await s3.open({ prefix, index }), damage: (ref, at) => s3.damage(prefix, index, ref, at) };
});

describeObjectStore('S3 (index in PostgreSQL)', async () => {
  const [prefix, index] = [s3.prefix(), new PgBodyIndex(pool)];
  await index.clear();
  return { store: await s3.open({ prefix, index }), damage: (ref, at) => s3.damage(prefix, index, ref, at) };
});
