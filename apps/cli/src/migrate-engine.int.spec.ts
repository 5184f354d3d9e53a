import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readConfig } from '@kiroku/infra/config/config.js';
import { claimEngines } from '@kiroku/infra/config/engines-in-use.js';
import { type TestPostgres, testPostgres } from '@kiroku/infra/postgres/testing.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { LockFile } from '@kiroku/infra/supervise/lock-file.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import { addMigrateEngineCommand } from './migrate-engine.js';
import { command, type Spoken } from './testing/api-process.js';

const data = mkdtempSync('/tmp/kiroku-to-postgres-');
let db: TestPostgres;
let env: Record<string, string>;

beforeAll(async () => {
  db = await testPostgres();
  const { host, port, user, database } = db.connection;
  env = { LANG: 'C', KIROKU_DATA: data, KIROKU_POSTGRES_URL: `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}` };
  await withDatabase(readConfig({ KIROKU_DATA: data }), async (connection) => {
    await migrate(connection);
    const pool = openPool(connection, 2);
    await claimEngines(pool, readConfig({ KIROKU_DATA: data }));
    await pool.query(`INSERT INTO history.decision SELECT n, 's' || n, 1, 1, '["記録"]' FROM generate_series(0, 99) n`);
    await pool.end();
  });
}, 60_000);
afterAll(async () => {
  await db.close();
  rmSync(data, { recursive: true });
});
const kiroku = (...args: readonly string[]): Promise<Spoken> => command(env, ['migrate-engine', '--to', 'postgres', ...args], undefined, [addMigrateEngineCommand]);

describe('kiroku migrate-engine --to postgres', () => {
  it('is refused while the server runs on the folder', async () => {
    const lock = LockFile.take(join(data, 'kiroku.lock'));
    expect(await kiroku()).toMatchObject({ code: 1, err: `kiroku: the server runs on ${data}: stop it first\n` });
    lock.release();
  });

  it('copies the embedded database, which is then no longer used', async () => {
    expect(await kiroku('--dry-run')).toMatchObject({ code: 0, out: expect.stringMatching(/^dry run, nothing changed: \d+ tables/) });
    const { code, out } = await kiroku('--json');
    expect({ code, ...(JSON.parse(out) as object) }).toMatchObject({ code: 0, switched: true, differences: [] });
    const pool = openPool(db.connection, 2);
    expect((await pool.query('SELECT FROM history.decision')).rowCount).toBe(100);
    await claimEngines(pool, readConfig(env)); // the same folder of bodies, the other database
    await pool.end();
    expect(await kiroku('--verify')).toMatchObject({ code: 0, out: expect.stringMatching(/^the same on both sides/) });
    await withDatabase(readConfig({ KIROKU_DATA: data }), async (connection) => {
      const old = openPool(connection, 2);
      await expect(claimEngines(old, readConfig({ KIROKU_DATA: data }))).rejects.toThrow('this database has moved');
      await old.end();
    });
  }, 120_000);

  it('needs to be told where to', async () => {
    expect(await command({ LANG: 'C', KIROKU_DATA: data }, ['migrate-engine', '--to', 'postgres'], undefined, [addMigrateEngineCommand]))
      .toMatchObject({ code: 1, err: 'kiroku: KIROKU_POSTGRES_URL must name the database to move to\n' });
  });
});
