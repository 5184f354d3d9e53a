import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Administrators } from '@kiroku/infra/admin/administrators.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { type TestPostgres, testPostgres } from '@kiroku/infra/postgres/testing.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { prepare } from './prepare.js';

let data: string;
let db: TestPostgres;
let other: TestPostgres;

beforeEach(async () => {
  data = mkdtempSync('/tmp/kiroku-prepare-');
  [db, other] = [await testPostgres(), await testPostgres()];
});
afterEach(async () => {
  await db.close();
  await other.close();
  rmSync(data, { recursive: true });
});

/** An installation with an administrator and a body. */
async function installed(): Promise<void> {
  await prepare(db.connection, data);
  const config = { ...readConfig({ KIROKU_DATA: data }), data };
  const platform = await openPlatform('test', { postgres: db.connection, config, connections: 3 });
  platform.logger.level = 'silent';
  const bodies = await openBodies(platform, config, true);
  try {
    await new Administrators(platform.pool, platform.engine).ensureFirst(data);
    const body = bodies.create();
    await body.write(Buffer.from('Subject: kept\r\n\r\n'));
    await body.commit();
  } finally {
    await bodies.close();
    await platform.close();
  }
}

/** As one with this setting for the replica. */
async function startWith(replica: string): Promise<void> {
  const { host, port, user, database } = db.connection;
  const before = { ...process.env };
  process.env['KIROKU_POSTGRES_URL'] = `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`;
  process.env['KIROKU_POSTGRES_REPLICA_URL'] = replica;
  try {
    await prepare({ connectionString: process.env['KIROKU_POSTGRES_URL'] }, data);
  } finally {
    process.env = before;
  }
}

describe('a start with a replica', () => {
  it('is refused when its URL leads to a server that is none, before anything is made', async () => {
    const { host, port, user, database } = db.connection;
    await expect(startWith(`postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`)).rejects.toThrow(/^KIROKU_POSTGRES_REPLICA_URL leads to the primary itself/);
    const pool = openPool(db.connection, 1);
    expect((await pool.query(`SELECT FROM pg_namespace WHERE nspname = 'history'`)).rows).toEqual([]);
    await pool.end();
  });

  it('goes on when it is merely away', async () => {
    await startWith('postgres://me:hush@127.0.0.1:1/none');
  }, 60_000);
});

describe('a start', () => {
  it('is repeated as often as it has to be', async () => {
    await prepare(db.connection, data);
    await prepare(db.connection, data);
    await installed();
    await prepare(db.connection, data);
  }, 60_000);

  it('is refused with a new database beside the bodies of another, however often it is tried', async () => {
    await installed();
    for (let tries = 0; tries < 2; tries++) await expect(prepare(other.connection, data)).rejects.toThrow(/^this database is new, and 1 bodies lie in .*objects/);
    await prepare(db.connection, data);
  }, 60_000);
});
