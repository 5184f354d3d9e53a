import { X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import type { Health } from '@kiroku/infra/admin/operations.js';
import { lookAtPostgres, type PostgresProblem } from '@kiroku/infra/config/check-postgres.js';
import { type Config, readConfig } from '@kiroku/infra/config/config.js';
import { isInitialised } from '@kiroku/infra/postgres/data-folder.js';
import { findBinaries } from '@kiroku/infra/postgres/binaries.js';
import { serverIdentity } from '@kiroku/infra/postgres/identity.js';
import { lookAtReplica, type ReplicaProblem } from '@kiroku/infra/postgres/replica-look.js';
import { runningServer } from '@kiroku/infra/supervise/pid-file.js';
import { EXPIRES_SOON } from '@kiroku/infra/telemetry/warnings.js';
import { Failed } from './client.js';
import { type Adder, leaf, type Run, Told } from './command.js';
import { configProblems } from './config-words.js';
import { type Check, CHECKS, FINDINGS, type Says, STATES } from './doctor-words.js';
import { fill, say } from './texts.js';
import { warningWords } from './warnings.js';

interface Finding { readonly check: Check; readonly state: keyof typeof STATES; readonly says: Says; readonly about: readonly (string | number)[] }

const GIB = 1024 ** 3;
const finding = (check: Check, state: Finding['state'], says: Says, ...about: readonly (string | number)[]): Finding => ({ check, state, says, about });
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** `kiroku doctor`: looks at the machine, the settings and the data folder, and asks the server if it runs. Needs no running server and changes nothing. */
export const addDoctorCommand: Adder = (program, terminal) => {
  leaf(program, terminal, 'doctor', 'check settings, data folder, ports, disk, certificates and the running server', async (run) => {
    const findings = await examine(run);
    const words = ({ says, about }: Finding): string => fill(FINDINGS[says][run.language], about);
    if (run.json) run.value(findings.map((f) => ({ check: f.check, state: f.state, says: words(f) })));
    else run.out(findings.map((f) => `${run.text(STATES[f.state]).padEnd(run.language === 'ja' ? 4 : 8)}${run.text(CHECKS[f.check])}: ${words(f)}\n`).join(''));
    if (findings.some((f) => f.state === 'wrong')) throw new Told();
  });
};

async function examine(run: Run): Promise<readonly Finding[]> {
  const { language, terminal: { env } } = run;
  let config: Config;
  try {
    const { KIROKU_TOKEN: _, ...settings } = env;
    config = readConfig(settings);
  } catch (error) {
    const problems = configProblems(error, language);
    if (!problems) throw error;
    return problems.map((problem) => finding('settings', 'wrong', 'said', problem));
  }
  const settings = configProblems(config.warnings, language)?.map((warning) => finding('settings', 'warning', 'said', warning)) ?? [];
  const found = await Promise.all([
    checkFolder(config), checkDisk(config), checkPostgres(config), checkReplica(config), checkEngines(config), checkKey(config), checkCertificates(config, run), checkServer(config, run), ...checkPorts(config),
  ]);
  return [...(settings.length > 0 ? settings : [finding('settings', 'ok', 'complete')]), checkNode(), ...found.flat()];
}

function checkNode(): Finding {
  const good = Number(process.versions.node.split('.')[0]) >= 24;
  return finding('node', good ? 'ok' : 'wrong', good ? 'nodeGood' : 'nodeOld', process.versions.node);
}

async function checkFolder({ data }: Config): Promise<Finding> {
  const there = await stat(data).catch(() => undefined);
  if (!there) return finding('data folder', 'ok', 'folderToBe', data);
  try {
    await access(data, constants.W_OK);
    const probe = join(data, `.doctor-${process.pid}`);
    const file = await open(probe, 'wx', 0o600);
    await file.sync();
    await file.close();
    await rm(probe);
    return finding('data folder', 'ok', 'folderGood', data);
  } catch (error) {
    return finding('data folder', 'wrong', 'folderBad', data, reasonOf(error));
  }
}

async function checkDisk({ data }: Config): Promise<Finding> {
  const at = await spaceOf(data);
  const free = (at.bavail * at.bsize) / GIB;
  return finding('disk', free < 1 ? 'wrong' : free < 5 ? 'warning' : 'ok', 'free', free.toFixed(1));
}

/** Of the disk on which the folder lies, or will lie. */
const spaceOf = (folder: string): Promise<{ readonly bavail: number; readonly bsize: number }> =>
  statfs(folder).catch((error: unknown) => {
    if (dirname(folder) === folder) throw error;
    return spaceOf(dirname(folder));
  });

async function checkPostgres({ data, postgres }: Config): Promise<Finding | readonly Finding[]> {
  if (postgres) return checkOutside(postgres);
  try {
    const made = isInitialised(join(data, 'postgres'));
    const { version } = await findBinaries(serverIdentity(join(data, 'postgres')));
    return finding('postgres', 'ok', made ? 'embeddedMade' : 'embeddedNew', version);
  } catch (error) {
    return finding('postgres', 'wrong', 'said', reasonOf(error));
  }
}

async function checkOutside(address: NonNullable<Config['postgres']>): Promise<readonly Finding[]> {
  try {
    const { version, refused, warnings, connections, taken } = await lookAtPostgres(address);
    const found = [...refused.map((problem) => ofPostgres('wrong', problem)), ...warnings.map((problem) => ofPostgres('warning', problem))];
    return found.length > 0 ? found : [finding('postgres', 'ok', 'outsideGood', version, taken, connections)];
  } catch (error) {
    return [finding('postgres', 'wrong', 'outsideAway', reasonOf(error))];
  }
}

function ofPostgres(state: Finding['state'], problem: PostgresProblem): Finding {
  switch (problem.kind) {
    case 'too-old': return finding('postgres', state, 'tooOld', problem.version, problem.least);
    case 'untested': return finding('postgres', state, 'untested', problem.version, problem.tested);
    case 'encoding': return finding('postgres', state, 'encoding', problem.encoding);
    case 'read-only': return finding('postgres', state, 'readOnly');
    case 'may-not-create': return finding('postgres', state, 'mayNotCreate', problem.user, problem.where);
    case 'not-durable': return finding('postgres', state, 'notDurable', problem.setting, problem.value);
  }
}

const REPLICA: Readonly<Record<ReplicaProblem, Says>> = {
  'not-following': 'replicaNotFollowing', 'another-server': 'replicaAnotherServer', 'another-database': 'replicaAnotherDatabase', 'no-rights': 'replicaNoRights',
};

async function checkReplica({ postgres, postgresReplica, postgresReplicaLag: limit }: Config): Promise<readonly Finding[]> {
  if (!postgres || !postgresReplica) return [];
  const look = await lookAtReplica(postgres, postgresReplica).catch(() => undefined);
  if (!look) return []; // the primary is away, which is said already
  if (look.kind === 'away') return [finding('replica', 'warning', 'replicaAway', look.why)];
  if (look.kind === 'wrong') return [finding('replica', 'wrong', REPLICA[look.problem])];
  if (!Number.isFinite(look.lag)) return [finding('replica', 'warning', 'replicaUnknown')];
  const behind = Math.round(look.lag / 1_000);
  return [behind > limit ? finding('replica', 'warning', 'replicaBehind', behind, limit) : finding('replica', 'ok', 'replicaFollows', behind)];
}

/** Only whether somebody listens there: whether it is the right one shows at the start. A URL is not shown, as it may hold a password. */
async function checkEngines(config: Config): Promise<readonly Finding[]> {
  const places: (readonly [Check, string])[] = [
    ...(config.eventLog === 'kafka' ? (config.kafkaBrokers ?? []).map((broker) => ['kafka', broker] as const) : []),
    ...(config.eventStore === 'kurrentdb' ? hostsOf(config.kurrentdbUrl ?? '', 2113).map((host) => ['kurrentdb', host] as const) : []),
    ...(config.objectStore === 's3' ? hostsOf(config.s3Endpoint ?? '', config.s3Endpoint?.startsWith('https:') ? 443 : 80).map((host) => ['s3', host] as const) : []),
  ];
  return Promise.all(places.map(async ([check, place]) => {
    const [, host = '', port] = /^(.*):(\d+)$/.exec(place) ?? [];
    const answers = await reachable(host.replace(/^\[(.*)\]$/, '$1'), Number(port));
    return finding(check, answers ? 'ok' : 'wrong', answers ? 'engineAnswers' : 'engineSilent', place);
  }));
}

/** The hosts of a URL, several with commas, without user and password. */
const hostsOf = (url: string, usual: number): readonly string[] =>
  (/^[^:]+:\/\/(?:[^@/]*@)?([^/?]+)/.exec(url)?.[1] ?? '').split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:${usual}`));

async function checkKey({ data }: Config): Promise<readonly Finding[]> {
  const files = await readdir(data).catch(() => [] as string[]);
  const loose: Finding[] = [];
  for (const name of ['server.key', 'admin.token', 'postgres.password'].filter((n) => files.includes(n))) {
    const { mode } = await stat(join(data, name));
    if (mode & 0o077) loose.push(finding('secrets', 'wrong', 'secretsLoose', join(data, name)));
  }
  return loose.length > 0 ? loose : [finding('secrets', 'ok', 'secretsGood')];
}

async function checkCertificates({ data }: Config, run: Run): Promise<readonly Finding[]> {
  const folder = join(data, 'tls');
  const names = (await readdir(folder).catch(() => [] as string[])).filter((name) => name.endsWith('.crt')).sort();
  if (names.length === 0) return [finding('certificates', 'ok', 'noCertificate')];
  return Promise.all(names.map(async (name) => {
    try {
      const until = new X509Certificate(await readFile(join(folder, name))).validToDate.getTime();
      const left = until - Date.now();
      const says = left <= 0 ? 'certificateOver' : left < EXPIRES_SOON ? 'certificateSoon' : 'certificateGood';
      return finding('certificates', left <= 0 ? 'wrong' : left < EXPIRES_SOON ? 'warning' : 'ok', says, `tls/${name}`, run.time(until));
    } catch (error) {
      return finding('certificates', 'wrong', 'certificateBad', `tls/${name}`, reasonOf(error));
    }
  }));
}

/** What the running server says of itself: roles, restarts, messages set aside. */
async function checkServer({ data }: Config, run: Run): Promise<readonly Finding[]> {
  const running = runningServer(data);
  if (!running) return [finding('server', 'ok', 'stopped')];
  try {
    const { body } = await run.api.anyway<Health>('/health');
    // Disk and certificates have been looked at already.
    const more = body.warnings.filter(({ kind }) => kind === 'restarts' || kind === 'quarantine' || kind === 'access-token')
      .map((warning) => finding('server', 'warning', 'said', warningWords(warning, run.language, Date.now(), (at) => run.time(at))));
    if (body.status !== 'trouble') return [finding('server', 'ok', 'runs', running.pid), ...more];
    const ailing = body.roles.filter(({ ok }) => !ok)
      .map(({ role, processes }) => `${role}: ${processes.map((p) => p.trouble).filter((trouble) => trouble !== null).join('; ') || say(run.language, 'missing')}`);
    return [finding('server', 'wrong', 'unwell', running.pid, body.database ? ailing.join(', ') : say(run.language, 'databaseAway')), ...more];
  } catch (error) {
    const why = error instanceof Failed ? say(run.language, error.saying, ...error.about) : reasonOf(error);
    return [finding('server', 'warning', 'notAsked', running.pid, why)];
  }
}

const PORTS = ['smtp', 'submission', 'smtps', 'pop3', 'pop3s', 'imap', 'imaps', 'http'] as const;

function checkPorts(config: Config): readonly Promise<Finding>[] {
  const running = runningServer(config.data);
  return PORTS.map(async (name) => {
    const port = config[`${name}Port`];
    if (port === undefined) return finding(name, 'ok', 'portOff');
    const place = `${config.bind}:${port}`;
    const answers = await reachable(config.bind, port);
    if (running) return answers ? finding(name, 'ok', 'portAnswers', place) : finding(name, 'wrong', 'portSilent', running.pid, place);
    return answers ? finding(name, 'wrong', 'portTaken', place) : finding(name, 'ok', 'portFree', place);
  });
}

function reachable(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port, timeout: 2_000 });
    const end = (answer: boolean) => { socket.destroy(); resolve(answer); };
    socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false));
  });
}
