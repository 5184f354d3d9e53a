import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, openSync, closeSync, fsyncSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { processesIn } from '@kiroku/infra/supervise/process-table.js';
import type { Binaries } from './binaries.js';
import { give, type Identity } from './identity.js';
import { ENVIRONMENT, HERE } from './server-process.js';

/** The major version whose folders this release can open. */
export const MAJOR = 18;

/** The administrator has to do something first; trying again is of no use. The message says what. */
export class FolderRefused extends Error {}

/** Whether the folder holds a database that can be started; false when it has to be made. @throws FolderRefused */
export function isInitialised(folder: string): boolean {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found) return false;
  if (!found.isDirectory()) throw new FolderRefused(`${folder} is not a folder: move it away`);
  const self = process.getuid?.();
  if (self !== 0 && found.uid !== self) {
    throw new FolderRefused(`${folder} belongs to the user with uid ${found.uid}: start Kiroku as root or as that user`);
  }
  if (readdirSync(folder).length === 0) return false;
  let version: string;
  try {
    version = readFileSync(join(folder, 'PG_VERSION'), 'utf8').trim();
  } catch {
    throw new FolderRefused(`${folder} holds files but no PostgreSQL database (no PG_VERSION): move it away or restore it`);
  }
  if (version === String(MAJOR)) return true;
  const advice =
    Number(version) < MAJOR
      ? `upgrade it with pg_upgrade or dump it with version ${version} and restore the dump`
      : 'start the newer release of Kiroku that made it';
  throw new FolderRefused(`${folder} was made by PostgreSQL ${version}, this release of Kiroku brings ${MAJOR}: ${advice}`);
}

export interface InitOptions {
  readonly binaries: Binaries;
  readonly identity: Identity | undefined;
  readonly folder: string;
  readonly user: string;
  /** A file that the server's user can read; without one anybody who can enter the socket's folder can connect (tests). */
  readonly passwordFile?: string;
  /** False only for what need not survive the machine. */
  readonly sync: boolean;
}

/** Makes the database beside its place and renames it when it is whole: a folder of that name is never half-made. */
export async function initialise(options: InitOptions): Promise<void> {
  const { binaries, identity, folder, user, passwordFile, sync } = options;
  const made = `${folder}.new`;
  await stopOrphans(made);
  removeHalfMade(made);
  mkdirSync(made, { mode: 0o700 });
  if (identity) chownSync(made, identity.uid, identity.gid);
  const auth = passwordFile ? ['--auth=scram-sha-256', `--pwfile=${passwordFile}`] : ['--auth=trust'];
  await initdb(binaries, identity, made, ['-U', user, ...auth, ...(sync ? [] : ['--no-sync'])]);
  renameSync(made, folder);
  if (sync) syncFolder(dirname(folder));
}

function initdb({ initdb: program }: Binaries, identity: Identity | undefined, cwd: string, more: readonly string[]): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const args = ['-D', HERE, '--data-checksums', '--no-instructions', ...locale, '--text-search-config=simple', ...more];
  return new Promise((resolve, reject) => {
    execFile(program, args, { ...identity, cwd, env: ENVIRONMENT }, (error, out, complaint) =>
      error ? reject(new Error(`initdb failed: ${complaint || out || error.message}`)) : resolve(),
    );
  });
}

/** Nothing but what initdb makes is deleted: no folder that a server ever ran on, none with a database of ours. */
function removeHalfMade(made: string): void {
  if (!existsSync(made)) return;
  const base = join(made, 'base');
  const databases = existsSync(base) ? readdirSync(base) : [];
  if (existsSync(join(made, 'postmaster.opts')) || databases.some((oid) => Number(oid) > 5)) {
    throw new FolderRefused(`${made} seems to hold real data: move it away`);
  }
  rmSync(made, { recursive: true });
}

/** After root copied or restored the folder it is root's, who may not run PostgreSQL. */
export function takeFromRoot(folder: string, identity: Identity | undefined): void {
  if (identity && statSync(folder).uid === 0) give(folder, identity);
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  fsyncSync(handle);
  closeSync(handle);
}

/** Reads the database's password, or makes one. Durable before the database that it belongs to. */
export function passwordFor(file: string, initialised: boolean, make: () => string): string {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  if (initialised) throw new FolderRefused(`${file} is missing, and without it the database beside it cannot be opened: restore it`);
  const handle = openSync(`${file}.new`, 'w', 0o600);
  const password = make();
  writeFileSync(handle, `${password}\n`);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(`${file}.new`, file);
  syncFolder(dirname(file));
  return password;
}

/** ms after the time for a fast shutdown: that an immediate one has, and after which nothing more can be done. */
const KILLED_AFTER = 10_000;
const REFUSED_AFTER = 25_000;

/**
 * Stops what an earlier run left running on the folder, while nobody else can start there (the caller holds the lock).
 * A postmaster shuts down fast; backends whose postmaster was killed notice it themselves, mostly within milliseconds. Then forgets
 * the dead server's pid, which may be some other process's by now.
 * @param patience ms for a fast shutdown. Few: one that comes while PostgreSQL recovers from a killed backend waits for ever for the
 * checkpointer, which nobody tells to end, and an immediate one only costs a recovery.
 * @throws FolderRefused when processes do not end although they were killed.
 */
export async function stopOrphans(folder: string, patience = 3_000): Promise<void> {
  const began = performance.now();
  const signalled = new Set<string>();
  for (;;) {
    const pids = processesIn(folder, ['postgres', 'initdb']);
    if (pids.length === 0) break;
    const waited = performance.now() - began;
    if (waited > patience + REFUSED_AFTER) throw new FolderRefused(`processes ${pids.join(', ')} use ${folder} and do not end`);
    const postmaster = postmasterOf(folder);
    // Never SIGINT to a backend: to the checkpointer it means that the postmaster is shutting down.
    const parent = pids.find((pid) => pid === postmaster);
    const signal = waited < patience ? (parent ? 'SIGINT' : undefined) : waited < patience + KILLED_AFTER ? 'SIGQUIT' : 'SIGKILL';
    for (const pid of signal ? (parent ? [parent] : pids) : []) send(pid, signal!, signalled, folder);
    await wait(10);
  }
  if (process.platform === 'linux') rmSync(join(folder, 'postmaster.pid'), { force: true });
}

function send(pid: number, signal: NodeJS.Signals, signalled: Set<string>, folder: string): void {
  if (signalled.has(`${pid} ${signal}`)) return;
  signalled.add(`${pid} ${signal}`);
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') {
      throw new FolderRefused(`process ${pid} of another user runs PostgreSQL on ${folder}`);
    }
  }
}

function postmasterOf(folder: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(folder, 'postmaster.pid'), 'utf8'), 10);
  } catch {
    return undefined;
  }
}
