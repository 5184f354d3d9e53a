import { connect } from 'node:net';
import { hostname } from 'node:os';
import type { Text } from '@kiroku/domain/story/texts.js';
import { type Config, readConfig } from '@kiroku/infra/config/config.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import { isAlive, type PidFile, runningServer } from '@kiroku/infra/supervise/pid-file.js';
import { GONE_AFTER } from '@kiroku/infra/telemetry/heartbeat.js';
import { type Adder, leaf, type Run, Told } from './command.js';
import { fill } from './texts.js';

const WORDS = {
  ready: { en: 'ready: {}', ja: '準備完了: {}' },
  stopped: { en: 'no server runs on {}', ja: '{} でサーバーが動作していません' },
  starting: { en: 'the server is starting', ja: 'サーバーを起動しています' },
  waiting: { en: 'the start waits for {}', ja: '起動は {} の応答を待っています' },
  roleWaiting: { en: '{} waits for {}', ja: '{} は {} の応答を待っています' },
  notRun: { en: '{} is not run here', ja: '{} はここでは動作していません' },
  gone: { en: '{} is being started again', ja: '{} は再起動中です' },
  silent: { en: '{} does not answer on port {}', ja: '{} がポート {} で応答しません' },
  noSign: { en: '{} has given no sign of life for {} s', ja: '{} から {} 秒間応答がありません' },
  trouble: { en: '{}: {}', ja: '{}: {}' },
  noDatabase: { en: 'the database does not answer', ja: 'データベースが応答しません' },
} as const satisfies Record<string, Text>;

interface Fault { readonly word: Exclude<keyof typeof WORDS, 'ready'>; readonly about: readonly (string | number)[] }
const fault = (word: Fault['word'], ...about: readonly (string | number)[]): Fault => ({ word, about });

/** Which listeners a role has. */
const LISTENERS: Readonly<Record<string, readonly ('smtpPort' | 'submissionPort' | 'smtpsPort' | 'pop3Port' | 'pop3sPort' | 'imapPort' | 'imapsPort' | 'httpPort')[]>> = {
  smtp: ['smtpPort', 'submissionPort', 'smtpsPort'], pop3: ['pop3Port', 'pop3sPort'], imap: ['imapPort', 'imapsPort'], api: ['httpPort'],
};

/** `kiroku ready`: for the probes of containers. Asks this machine's processes and the database, not the admin API. */
export const addReadyCommand: Adder = (program, terminal) => {
  leaf<readonly [], { readonly role?: string; readonly live?: boolean }>(
    program, terminal, 'ready', 'whether the server on this data folder works, or one role of it; exit 1 when not', (run, _, { role, live }) => ready(run, role, live === true))
    .option('--role <role>', 'only this one')
    .option('--live', 'only whether it runs and its ports answer; says nothing of the database');
};

async function ready(run: Run, role: string | undefined, live: boolean): Promise<void> {
  const config = readConfig(run.terminal.env);
  const server = runningServer(config.data);
  const roles = role === undefined ? [...new Set(server?.roles.map((r) => r.role))] : [role];
  const faults = server ? await faultsOf(config, server, roles, live) : [fault('stopped', config.data)];
  const words = faults.map(({ word, about }) => fill(run.text(WORDS[word]), about));
  if (run.json) run.value({ ready: faults.length === 0, roles, problems: words });
  else run.out(faults.length === 0 ? `${fill(run.text(WORDS.ready), [roles.join(', ')])}\n` : `${words.join('\n')}\n`);
  if (faults.length > 0) throw new Told();
}

async function faultsOf(config: Config, server: PidFile, roles: readonly string[], live: boolean): Promise<readonly Fault[]> {
  // To wait is to live: a probe must not start again and again what waits for an engine.
  if (server.waiting !== undefined) return live ? [] : [fault('waiting', server.waiting)];
  if (server.roles.length === 0) return live ? [] : [fault('starting')];
  const processes = server.roles.filter((r) => roles.includes(r.role));
  const patient = new Set(processes.flatMap(({ role, waiting }) => (waiting === undefined ? [] : [role])));
  const faults = [
    ...roles.filter((role) => !processes.some((p) => p.role === role)).map((role) => fault('notRun', role)),
    ...processes.filter((p) => !isAlive(p)).map((p) => fault('gone', p.role)),
    ...(live ? [] : processes.flatMap(({ role, waiting }) => (waiting === undefined ? [] : [fault('roleWaiting', role, waiting)]))),
    ...(await Promise.all(roles.filter((role) => !patient.has(role)).map((role) => silent(config, role)))).flat(),
  ];
  return live || faults.length > 0 ? faults : signs(config, server, processes);
}

async function silent(config: Config, role: string): Promise<readonly Fault[]> {
  const ports = (LISTENERS[role] ?? []).map((name) => config[name]).filter((port) => port !== undefined);
  const answers = await Promise.all(ports.map((port) => reachable(config.bind, port)));
  return ports.flatMap((port, i) => (answers[i] ? [] : [fault('silent', role, port)]));
}

function reachable(bind: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind, port, timeout: 2_000 });
    const end = (answer: boolean): void => { socket.destroy(); resolve(answer); };
    socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false));
  });
}

/** What each process says of itself, at most some seconds ago: without the database it says nothing. */
async function signs(config: Config, server: PidFile, processes: PidFile['roles']): Promise<readonly Fault[]> {
  // Without this, an embedded PostgreSQL that is being started again would be started by us.
  if (!config.postgres && server.socket === undefined) return [fault('noDatabase')];
  try {
    const rows = await withDatabase(config, async (connection) => {
      const pool = openPool(connection, 1);
      try {
        return (await pool.query<{ pid: number; trouble: string | null }>(
          'SELECT pid, trouble FROM ops.process WHERE host = $1 AND pid = ANY ($2) AND seen_at > $3', [hostname(), processes.map((p) => p.pid), Date.now() - GONE_AFTER])).rows;
      } finally {
        await pool.end();
      }
    });
    return processes.flatMap(({ role, pid }) => {
      const sign = rows.find((row) => row.pid === pid);
      if (!sign) return [fault('noSign', role, GONE_AFTER / 1000)];
      return sign.trouble === null ? [] : [fault('trouble', role, sign.trouble)];
    });
  } catch {
    return [fault('noDatabase')];
  }
}
