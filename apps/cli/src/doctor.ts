import { constants } from 'node:fs';
import { access, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Config, ConfigRefused, readConfig } from '@kiroku/infra/config/config.js';
import { isInitialised } from '@kiroku/infra/postgres/data-folder.js';
import { findBinaries } from '@kiroku/infra/postgres/binaries.js';
import { serverIdentity } from '@kiroku/infra/postgres/identity.js';
import { runningServer } from '@kiroku/infra/supervise/pid-file.js';
import type { Command } from 'commander';

interface Finding { readonly check: string; readonly state: 'ok' | 'warning' | 'wrong'; readonly says: string }

const GIB = 1024 ** 3;

/** `kiroku doctor`: looks at the machine, the settings and the data folder. Needs no running server and changes nothing. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check settings, data folder, ports, disk and the running server')
    .option('--json', 'a JSON list of findings')
    .action(async ({ json }: { json?: boolean }) => {
      const findings = await examine();
      process.stdout.write(json ? `${JSON.stringify(findings)}\n` : findings.map((f) => `${f.state.padEnd(8)}${f.check}: ${f.says}\n`).join(''));
      process.exitCode = findings.some((f) => f.state === 'wrong') ? 1 : 0;
    });
}

async function examine(): Promise<readonly Finding[]> {
  let config: Config;
  try {
    config = readConfig(process.env);
  } catch (error) {
    if (error instanceof ConfigRefused) return error.problems.map((says) => ({ check: 'settings', state: 'wrong', says }));
    throw error;
  }
  const settings = config.warnings.map((says): Finding => ({ check: 'settings', state: 'warning', says }));
  const found = await Promise.all([checkNode(), checkFolder(config), checkDisk(config), checkPostgres(config), checkKey(config), ...checkPorts(config)]);
  return [...(settings.length > 0 ? settings : [{ check: 'settings', state: 'ok', says: 'complete' } as const]), ...found.flat()];
}

const checkNode = async (): Promise<Finding> => {
  const major = Number(process.versions.node.split('.')[0]);
  return { check: 'node', state: major >= 24 ? 'ok' : 'wrong', says: `version ${process.versions.node}${major >= 24 ? '' : ': Kiroku runs on 24, which npm brings'}` };
};

async function checkFolder({ data }: Config): Promise<Finding> {
  const there = await stat(data).catch(() => undefined);
  if (!there) return { check: 'data folder', state: 'ok', says: `${data} is not there yet: the first start makes it` };
  try {
    await access(data, constants.W_OK);
    const probe = join(data, `.doctor-${process.pid}`);
    const file = await open(probe, 'wx', 0o600);
    await file.sync();
    await file.close();
    await rm(probe);
    return { check: 'data folder', state: 'ok', says: `${data} can be written` };
  } catch (error) {
    return { check: 'data folder', state: 'wrong', says: `${data} cannot be written: ${(error as Error).message}` };
  }
}

async function checkDisk({ data }: Config): Promise<Finding> {
  const at = await statfs(data).catch(() => statfs('.'));
  const free = (at.bavail * at.bsize) / GIB;
  return { check: 'disk', state: free < 1 ? 'wrong' : free < 5 ? 'warning' : 'ok', says: `${free.toFixed(1)} GiB free` };
}

async function checkPostgres({ data, postgres }: Config): Promise<Finding> {
  if (postgres) return { check: 'postgres', state: 'ok', says: 'an outside server is set (KIROKU_POSTGRES_URL); whether it answers shows at the start' };
  try {
    const made = isInitialised(join(data, 'postgres'));
    const { version } = await findBinaries(serverIdentity(join(data, 'postgres')));
    return { check: 'postgres', state: 'ok', says: `embedded ${version}, ${made ? 'its folder fits' : 'not initialised yet'}` };
  } catch (error) {
    return { check: 'postgres', state: 'wrong', says: (error as Error).message };
  }
}

async function checkKey({ data }: Config): Promise<Finding[]> {
  const files = await readdir(data).catch(() => [] as string[]);
  const loose: Finding[] = [];
  for (const name of ['server.key', 'admin.token', 'postgres.password'].filter((n) => files.includes(n))) {
    const { mode } = await stat(join(data, name));
    if (mode & 0o077) loose.push({ check: 'secrets', state: 'wrong', says: `${join(data, name)} can be read by others: chmod 600 it` });
  }
  return loose.length > 0 ? loose : [{ check: 'secrets', state: 'ok', says: 'only their owner can read the files that hold any' }];
}

function checkPorts(config: Config): readonly Promise<Finding>[] {
  const running = runningServer(config.data);
  const ports = { smtp: config.smtpPort, submission: config.submissionPort, smtps: config.smtpsPort, pop3: config.pop3Port, pop3s: config.pop3sPort, http: config.httpPort };
  return Object.entries(ports).map(async ([name, port]): Promise<Finding> => {
    if (port === undefined) return { check: name, state: 'ok', says: 'switched off' };
    const answers = await reachable(config.bind, port);
    if (running) return { check: name, state: answers ? 'ok' : 'wrong', says: answers ? `answers on ${config.bind}:${port}` : `the server runs (process ${running.pid}) but ${config.bind}:${port} does not answer` };
    return { check: name, state: answers ? 'wrong' : 'ok', says: answers ? `${config.bind}:${port} is taken by another program` : `${config.bind}:${port} is free` };
  });
}

function reachable(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port, timeout: 2_000 });
    const end = (answer: boolean) => { socket.destroy(); resolve(answer); };
    socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false));
  });
}
