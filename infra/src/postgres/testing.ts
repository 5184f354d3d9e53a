import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, lstatSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { Locked, LockFile } from '@kiroku/infra/supervise/lock-file.js';
import { startOf } from '@kiroku/infra/supervise/process-table.js';
import { findBinaries, type Binaries } from './binaries.js';
import type { PostgresConnection } from './connection.js';
import { initialise } from './data-folder.js';
import { give, serverIdentity, type Identity } from './identity.js';
import { ServerProcess } from './server-process.js';
import { SERVER_SETTINGS, UNSAFE_SETTINGS } from './settings.js';

/** An empty database of a test file's own. */
export interface TestPostgres {
  /** For `new pg.Pool`. */
  readonly connection: Extract<PostgresConnection, { host: string }>;
  /** The postmaster's. */
  readonly pid: number;
  /** Drops the database, with whoever is still connected. */
  close(): Promise<void>;
}

/** Change it when what initdb is told changes. */
const TEMPLATE = 1;
const USER = 'kiroku';
const NOTE = 'server.json';

type Server = Pick<TestPostgres, 'connection' | 'pid'>;

/**
 * A fresh database on a throw-away PostgreSQL, for `*.int.spec.ts`:
 *
 *     let db: TestPostgres;
 *     let pool: pg.Pool;
 *     beforeAll(async () => { db = await testPostgres(); pool = new pg.Pool(db.connection); });
 *     afterAll(async () => { await pool.end(); await db.close(); });
 *
 * The server is shared by the test files that one Jest worker runs, so do not kill it: to test crashes use `startPostgres`.
 * It disappears, with its folder, when the worker ends, however that happens.
 * @param durable as the real one does it: fsync and all. Slower; a server of its own.
 * @param patience s; `close` waits so long at most for connections to be gone.
 */
export async function testPostgres({ durable = false, patience = 10 } = {}): Promise<TestPostgres> {
  const folder = `/tmp/kiroku-test-${process.pid}-${startOf(process.pid)}${durable ? '-durable' : ''}`;
  const server = (await running(folder)) ?? (await startServer(folder, durable));
  const database = `test_${randomBytes(6).toString('hex')}`;
  await query(server, `CREATE DATABASE ${database} TEMPLATE template0`);
  return {
    connection: { ...server.connection, database },
    pid: server.pid,
    close: async () => {
      await query(server, leftBy(database, patience));
      await query(server, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    },
  };
}

/** Waits, so many seconds at most, until connections that were ended are gone: one that is cut off while it ends has nobody to tell, and ends the test. */
const leftBy = (database: string, patience: number): string => `DO $$ BEGIN
  FOR i IN 1..${patience * 100} LOOP
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '${database}');
    PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
  END LOOP; END $$`;

function openCache(): string {
  const cache = `/tmp/kiroku-test-${process.getuid?.()}`;
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(cache);
  if (uid !== process.getuid?.() || mode & 0o077) throw new Error(`${cache} is not ours alone: remove it`);
  return cache;
}

/** Jest loads this module anew for each test file: what an earlier one started is known by its folder. */
async function running(folder: string): Promise<Server | undefined> {
  if (!existsSync(join(folder, NOTE))) return undefined;
  const server = JSON.parse(readFileSync(join(folder, NOTE), 'utf8')) as Server;
  return (await answers(server)) ? server : undefined;
}

async function startServer(folder: string, durable: boolean): Promise<Server> {
  const cache = openCache();
  const identity = serverIdentity(cache);
  const binaries = await findBinaries(identity);
  mkdirSync(folder, { mode: 0o700 });
  await promisify(execFile)('cp', ['-R', `${await template(cache, binaries, identity)}/.`, folder]);
  const log = openSync(join(folder, 'server.log'), 'wx+', 0o600);
  if (identity) give(folder, identity);
  const settings = { ...SERVER_SETTINGS, shared_buffers: '32MB', max_connections: '100', ...(durable ? {} : UNSAFE_SETTINGS) };
  const server = await ServerProcess.start({ binaries, identity, folder, socketFolder: folder, settings, log, orphaned: 'remove' });
  server.unref();
  const connection = { host: folder, port: 5432, user: USER, password: '', database: 'postgres', ssl: false } as const;
  const started = { connection, pid: server.pid };
  while (!(await answers(started))) {
    if (server.exit) throw new Error(`PostgreSQL ended: ${textOf(log)}`);
    await wait(5);
  }
  closeSync(log);
  writeFileSync(join(folder, NOTE), JSON.stringify(started), { mode: 0o600 });
  return started;
}

/** By descriptor: the guard has removed the file by now. */
function textOf(file: number): string {
  const text = Buffer.alloc(4096);
  return text.toString('utf8', 0, readSync(file, text, 0, text.length, 0));
}

const answers = (server: Server) =>
  query(server, 'SELECT').then(
    () => true,
    () => false,
  );

/** What initdb makes, made once per version and machine. */
async function template(cache: string, binaries: Binaries, identity: Identity | undefined): Promise<string> {
  const folder = join(cache, `template-${binaries.version}-${TEMPLATE}`);
  const lock = await locked(`${folder}.lock`);
  try {
    if (!existsSync(folder)) await initialise({ binaries, identity, folder, user: USER, sync: false });
    return folder;
  } finally {
    lock.release();
  }
}

async function locked(file: string): Promise<LockFile> {
  for (;;) {
    try {
      return LockFile.take(file);
    } catch (error) {
      if (!(error instanceof Locked)) throw error;
      await wait(50);
    }
  }
}

async function query({ connection }: Server, statement: string): Promise<void> {
  const client = new pg.Client(connection);
  client.on('error', () => undefined); // also rejects below
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end().catch(() => undefined);
  }
}
