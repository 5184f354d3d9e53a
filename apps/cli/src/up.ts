import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { type Config, ConfigRefused, readConfig } from '@kiroku/infra/config/config.js';
import { ROLES } from '@kiroku/infra/config/settings.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { type RoleMessage, RUNTIME, waitForEngines } from '@kiroku/infra/supervise/role-process.js';
import type { Role } from '@kiroku/infra/supervise/role-slot.js';
import { StoppedEarly, Supervisor } from '@kiroku/infra/supervise/supervisor.js';
import type { Wait } from '@kiroku/infra/supervise/waiting.js';
import { openLogger } from '@kiroku/infra/telemetry/logger.js';
import type { Language } from '@kiroku/domain/story/texts.js';
import { type Command, Option } from 'commander';
import type * as Texts from './texts.js';

type RoleName = (typeof ROLES)[number];

/** `kiroku up`: PostgreSQL and all roles as supervised processes, until SIGTERM. Needs no running server. */
export function registerUp(program: Command): void {
  program
    .command('up')
    .description('run the server: all roles, or some')
    .option('--roles <list>', `comma-separated, of ${ROLES.join(', ')}`, ROLES.join(','))
    .option('--json', 'accepted like everywhere: the log is JSON lines in any case')
    .addOption(new Option('--lang <language>', 'en or ja, for what is said on stderr; as LANG says by default. The log is English').choices(['en', 'ja']))
    .action(async ({ roles, lang }: { roles: string; lang?: string }) => {
      process.exitCode = await up(roles, lang);
    });
  // What a new database or a new release needs; run by `up` in a process of its own, whose memory ends with it.
  program.command('migrate', { hidden: true }).action(async () => {
    const { prepare } = await import('./prepare.js');
    const orphaned = (): void => process.exit(1); // another server may be starting
    process.on('disconnect', orphaned);
    waitForEngines(readConfig(process.env));
    const { postgres, data } = JSON.parse(process.env[RUNTIME] ?? '{}') as { postgres: PostgresConnection; data: string };
    await prepare(postgres, data);
    process.off('disconnect', orphaned);
  });
}

async function up(list: string, lang?: string): Promise<number> {
  const wanted = list.split(',').map((name) => name.trim()).filter((name) => name !== '');
  const unknown = wanted.filter((name) => !(ROLES as readonly string[]).includes(name));
  if (unknown.length > 0 || wanted.length === 0) return complain(lang, ({ say }, language) => say(language, 'noSuchRole', unknown.join(', ') || say(language, 'noRoleNamed'), ROLES.join(', ')));
  let config: Config;
  try {
    config = readConfig(process.env);
  } catch (error) {
    const { configRefusal } = await import('./config-words.js');
    if (error instanceof ConfigRefused) return complain(lang, (_, language) => configRefusal(error, language) ?? error.message);
    throw error;
  }
  process.title = 'kiroku';
  const logger = openLogger('supervisor');
  for (const warning of config.warnings) logger.warn(warning);
  let said: string | undefined;
  // Once for people, the log goes on about it.
  const tell = (wait: Wait | undefined): void => {
    if (wait && wait.for !== said) void complain(lang, ({ say }, language) => say(language, 'waitingFor', wait.for, wait.why));
    said = wait?.for ?? said;
  };
  const supervisor = new Supervisor({
    data: config.data,
    ...(config.postgres && { postgres: config.postgres }),
    roles: wanted.map((name) => roleOf(name as RoleName, config)),
    config,
    ports: portsOf(config),
    prepare: (postgres, waits, signal) => migrated(postgres, config, { signal, waits: (wait) => { waits(wait); tell(wait); } }),
    // Which role and process it is about; `role` and `pid` of the line itself are the supervisor's.
    log: (level, message, { role: about, pid: process, ...details } = {}) =>
      logger[level]({ ...(about !== undefined && { about }), ...(process !== undefined && { process }), ...details }, message),
  });
  try {
    const began = performance.now();
    await supervisor.start();
    logger.info({ ms: Math.round(performance.now() - began), bind: config.bind, ports: portsOf(config), data: config.data }, 'Kiroku serves');
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof StoppedEarly) {
      logger.info(message);
      return 0;
    }
    if (message.includes('\n')) logger.error({ trace: message }, 'could not start');
    return complain(lang, ({ say }, language) => firstLine(message) ?? say(language, 'couldNotStart'), 1);
  }
  return supervisor.untilStopped();
}

/** A trace is for the log; people get its message. */
const firstLine = (text: string): string | undefined => /(?:^|\n)(?:\w*Error: )?(?!\s|node:|file:|Node\.js|\/)(.+)/.exec(text.trim())?.[1];

/** In the user's language. The words are loaded when they are needed: this process lives long. @returns the exit code. */
async function complain(lang: string | undefined, words: (texts: typeof Texts, language: Language) => string, code = 2): Promise<number> {
  const texts = await import('./texts.js');
  process.stderr.write(`kiroku: ${words(texts, texts.languageOf(process.env, lang))}\n`);
  return code;
}

/** MiB of a young generation's half. Roles that handle much at once need more of it for speed, the others less for memory. */
const YOUNG: Partial<Record<RoleName, number>> = { smtp: 8, delivery: 3, imap: 3, worker: 2 };
const COUNTS = { smtp: 'smtpProcesses', delivery: 'deliveryProcesses', pop3: 'pop3Processes', imap: 'imapProcesses', worker: 'workerProcesses' } as const satisfies Partial<Record<RoleName, keyof Config>>;

/** An import of accounts hashes passwords on all cores: four threads, Node's default, may be fewer. */
const HASHING = { UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism())) };

/** Large bodies come in there: see `collect` in files-sink.ts. */
const COLLECTS: readonly RoleName[] = ['smtp'];

function roleOf(role: RoleName, config: Config): Role {
  return { role, count: role === 'api' ? 1 : config[COUNTS[role]], ...(role === 'api' && { env: HASHING }), nodeOptions: [`--max-semi-space-size=${YOUNG[role] ?? 1}`, ...(COLLECTS.includes(role) ? ['--expose-gc'] : [])], script: join(dirname(process.argv[1] ?? ''), '..', role, 'main.js') };
}

function portsOf(config: Config): Record<string, number> {
  const ports = { smtp: config.smtpPort, submission: config.submissionPort, smtps: config.smtpsPort, pop3: config.pop3Port, pop3s: config.pop3sPort, imap: config.imapPort, imaps: config.imapsPort, http: config.httpPort };
  return Object.fromEntries(Object.entries(ports).filter((entry): entry is [string, number] => entry[1] !== undefined));
}

/** Migrations in a process of their own, which waits for engines that are away. */
async function migrated(postgres: PostgresConnection, { data }: Config, { waits, signal }: { readonly waits: (wait?: Wait) => void; readonly signal: AbortSignal }): Promise<void> {
  const main = process.argv[1];
  if (main === undefined) throw new Error('started without a script');
  const child = spawn(process.execPath, ['--enable-source-maps', main, 'migrate'], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env: { ...process.env, [RUNTIME]: JSON.stringify({ postgres, data }) },
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
  child.on('message', (message: RoleMessage) => {
    if ('waiting' in message) waits(message.waiting ?? undefined);
  });
  signal.addEventListener('abort', () => child.kill());
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(firstLine(said) ?? 'the database could not be brought up to date');
}
