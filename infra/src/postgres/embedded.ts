import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { Locked, LockFile } from '@kiroku/infra/supervise/lock-file.js';
import { findBinaries } from './binaries.js';
import type { PostgresConnection } from './connection.js';
import { FolderRefused, initialise, isInitialised, passwordFor, stopOrphans, takeFromRoot } from './data-folder.js';
import { RecoveryWatch } from './recovery-watch.js';
import { serverIdentity, type Identity } from './identity.js';
import { ServerProcess, type ServerExit } from './server-process.js';
import { SERVER_SETTINGS } from './settings.js';
import { openSocketFolder } from './socket-folder.js';

export interface EmbeddedOptions {
  /** KIROKU_DATA, made if absent. The database is its folder `postgres`, the password its file `postgres.password`. */
  readonly data: string;
  /** Gets PostgreSQL's log, line by line. */
  readonly log: (line: string) => void;
  /** Added to, and stronger than, SERVER_SETTINGS. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How long recovery after a crash may take, in ms. */
  readonly patience?: number;
  /** The npm package's folder, where tests put one elsewhere. */
  readonly package?: string;
}

/** A running PostgreSQL of our own. */
export interface EmbeddedPostgres {
  /** For `new pg.Pool`. The same after a restart on the same folder. */
  readonly connection: Extract<PostgresConnection, { host: string }>;
  /** The postmaster's. */
  readonly pid: number;
  /** Resolves when it has ended, by `stop` or otherwise, and its folder can be started again. Never rejects. */
  readonly exited: Promise<ServerExit>;
  /** Fast shutdown, after 30 s an immediate one. Safe to call at any time, also twice. */
  stop(): Promise<void>;
}

const USER = 'kiroku';
const DATABASE = 'kiroku';
/** Codes of a server that is not there yet (net) or not ready yet (SQLSTATE cannot_connect_now). */
const NOT_YET = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P03']);

/**
 * Starts the PostgreSQL that npm brought, on its own folder and only on a Unix socket, and resolves when it answers.
 * Makes the database at the first start and recovers it after a crash of anything. When we die, it is stopped by its guard.
 * As root it runs under an unprivileged user, wherever the folder lies.
 * @throws FolderRefused when the folder is in use, of another version, or not ours: the message says what to do.
 * @throws Error with PostgreSQL's last words when it ends or does not answer in time.
 */
export async function startPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { data } = options;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const lock = lockOrRefuse(join(data, 'postgres'));
  try {
    return await startLocked(options, () => lock.release());
  } catch (error) {
    lock.release();
    throw error;
  }
}

function lockOrRefuse(folder: string): LockFile {
  try {
    return LockFile.take(`${folder}.lock`);
  } catch (error) {
    if (error instanceof Locked) throw new FolderRefused(`${folder} is in use by another running Kiroku: stop it first`);
    throw error;
  }
}

async function startLocked({ data, log, settings, patience = 600_000, package: from }: EmbeddedOptions, release: () => void) {
  const folder = join(data, 'postgres');
  const initialised = isInitialised(folder);
  const identity = serverIdentity(folder);
  const binaries = await findBinaries(identity, from);
  const password = passwordFor(`${folder}.password`, initialised, () => randomBytes(24).toString('base64url'));
  if (initialised) {
    takeFromRoot(folder, identity);
    await stopOrphans(folder);
  }
  const socketFolder = openSocketFolder(folder, identity);
  const closeSocketFolder = () => rmSync(socketFolder, { recursive: true, force: true });
  let server: ServerProcess | undefined;
  try {
    if (!initialised) {
      await withPasswordFile(socketFolder, password, identity, (passwordFile) =>
        initialise({ binaries, identity, folder, user: USER, passwordFile, sync: true }),
      );
    }
    const all = { ...SERVER_SETTINGS, ...settings };
    const watch = new RecoveryWatch(() => (server?.exit ? undefined : server?.pid), () => void server?.giveUp());
    const heard = (line: string): void => {
      watch.heard(line);
      log(line);
    };
    server = await ServerProcess.start({ binaries, identity, folder, socketFolder, settings: all, log: heard });
    const connection = { host: socketFolder, port: 5432, user: USER, password, database: DATABASE, ssl: false } as const;
    await untilReady(server, connection, patience);
    return embedded(connection, server, release, closeSocketFolder);
  } catch (error) {
    await server?.stop();
    closeSocketFolder();
    throw error;
  }
}

function embedded(
  connection: EmbeddedPostgres['connection'],
  server: ServerProcess,
  release: () => void,
  closeSocketFolder: () => void,
): EmbeddedPostgres {
  const exited = server.exited.then((exit) => {
    release();
    return exit;
  });
  const stop = async () => {
    if (server.exit) return; // the next server may use that socket folder already
    await server.stop();
    closeSocketFolder();
  };
  return { connection, pid: server.pid, exited, stop };
}

async function withPasswordFile(folder: string, password: string, as: Identity | undefined, use: (file: string) => Promise<void>) {
  const file = join(folder, 'password');
  writeFileSync(file, `${password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    if (as) chownSync(file, as.uid, as.gid);
    await use(file);
  } finally {
    rmSync(file, { force: true });
  }
}

async function untilReady(server: ServerProcess, connection: EmbeddedPostgres['connection'], patience: number): Promise<void> {
  const deadline = performance.now() + patience;
  for (let pause = 5; ; pause = Math.min(pause * 1.5, 200)) {
    try {
      return await prepare(connection);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      const { exit } = server;
      if (exit) throw new Error(`PostgreSQL ended (${exit.signal ?? exit.code}): ${exit.said.join('\n')}`);
      if (code === '28P01') throw new FolderRefused('the password in postgres.password is not the database’s: restore that file');
      if (!NOT_YET.has(code ?? '')) throw error;
      if (performance.now() > deadline) throw new Error(`PostgreSQL does not answer after ${patience} ms: ${message}`);
      await wait(pause);
    }
  }
}

/** Sees to our database. What goes wrong in a client's statement is told to that client: the log is for what nobody else hears. */
async function prepare(connection: EmbeddedPostgres['connection']): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  client.on('error', () => undefined); // also rejects the query below
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) {
      await client.query(`ALTER ROLE ${USER} SET log_min_messages = 'fatal'`);
      await client.query(`CREATE DATABASE ${DATABASE}`);
    }
  } finally {
    await client.end().catch(() => undefined);
  }
}
