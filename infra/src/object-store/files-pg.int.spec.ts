import { afterAll, beforeAll } from '@jest/globals';
import pg from 'pg';
import { testPostgres, type TestPostgres } from '@kiroku/infra/postgres/testing.js';
import { describeObjectStore } from './contract.js';
import { TestFolder } from './files-folder.js';
import { OBJECT_BODY_SQL, PgBodyIndex } from './pg-index.js';

let db: TestPostgres;
let pool: pg.Pool;
const folders: TestFolder[] = [];
beforeAll(async () => {
  db = await testPostgres();
  pool = new pg.Pool({ ...db.connection, max: 4 });
  await pool.query(OBJECT_BODY_SQL);
});
afterAll(async () => {
  await Promise.all(folders.map((folder) => folder.remove()));
  await pool.end();
  await db.close();
});

describeObjectStore('files (index in PostgreSQL)', async () => {
  const folder = await TestFolder.make();
  folders.push(folder);
  const index = new PgBodyIndex(pool);
  await index.clear();
  return { store: await folder.open({ index }), damage: folder.damage.bind(folder) };
});
