import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { LineSocket, type Target } from './line-socket.js';
import { startOf } from '../supervise/process-table.js';
import { freePorts } from './ports.js';
import { alive, processTree, signalAll } from './processes.js';
import { until } from './until.js';

export interface Ports {
  readonly smtp: number;
  readonly submission: number;
  readonly smtps: number;
  readonly pop3: number;
  readonly pop3s: number;
  readonly imap: number;
  readonly imaps: number;
  readonly http: number;
}

export interface KirokuOptions {
  /** Its data folder; a new temporary one, removed at the end, when absent. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds until every port answers. */
  readonly patience?: number;
  /** The address it binds to and is reached at, instead of the loopback one. */
  readonly host?: string;
  /**
   * In a session of its own, as a service manager starts it. Linux shares the machine among sessions first and among the processes of each
   * then (autogroup): in our own session it would share with the load generator what other servers have for themselves.
   */
  readonly session?: boolean;
  /** What stands before `./kiroku` so that it runs elsewhere, with the process id of what is started. */
  readonly within?: readonly string[];
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface PidFile {
  readonly pid: number;
  readonly roles: readonly { readonly role: string; readonly pid: number }[];
  readonly postgres?: { readonly pid: number };
}

const LOG_LINES_KEPT = 400;
const SERVES = '"msg":"Kiroku serves"'; // in its log, once all its roles do
const GRACE = 15_000; // ms for a stop by SIGTERM before SIGKILL

const running = new Set<Kiroku>();
process.on('exit', () => {
  for (const server of running) server.killAll();
});

/**
 * A real server, driven only by what design.md §6 fixes: `./kiroku`, KIROKU_* variables, ports. Where KIROKU_RIG_LOG names a folder, its
 * whole log is kept there.
 */
export class Kiroku {
  readonly #log: string[] = [];
  #child: ChildProcess | undefined;
  /** Process id → when it started: the same number may be another process later. */
  #seen = new Map<number, string | undefined>();

  private constructor(
    readonly data: string,
    readonly ports: Ports,
    private readonly options: KirokuOptions,
  ) {}

  /** Starts a server in a folder of its own on free ports and waits until all of them answer. */
  static async start(options: KirokuOptions = {}): Promise<Kiroku> {
    const data = options.data ?? mkdtempSync(join(tmpdir(), 'kiroku-'));
    chmodSync(data, 0o755); // PostgreSQL runs as another user when we are root, and has to get through
    const [smtp = 0, submission = 0, smtps = 0, pop3 = 0, pop3s = 0, imap = 0, imaps = 0, http = 0] = await freePorts(8);
    const server = new Kiroku(data, { smtp, submission, smtps, pop3, pop3s, imap, imaps, http }, options);
    try {
      await server.up();
    } catch (error) {
      const tail = server.logTail();
      await server.remove();
      throw new Error(`the server did not start\n${tail}`, { cause: error });
    }
    return server;
  }

  /** Runs `./kiroku up` (again) with the same data and ports; resolves when all its roles serve. */
  async up(): Promise<void> {
    running.add(this);
    const [file, args] = this.#command('up');
    const child = spawn(file, args, { env: this.#env(), stdio: ['ignore', 'pipe', 'pipe'], cwd: this.data, detached: this.options.session ?? false });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', this.#keepLog);
    // Answers alone may come from roles of a killed server, and a role that dies before it served ends the whole start.
    let [said, started] = ['', false];
    child.stdout.on('data', (text: string) => {
      if (started) return;
      said = said.slice(-SERVES.length) + text;
      started = said.includes(SERVES);
    });
    child.on('error', (error) => this.#keepLog(`cannot run ${file}: ${error.message}\n`));
    const ended = new Promise<never>((_, reject) => {
      child.once('exit', (code, signal) => reject(new Error(`./kiroku up ended with ${code ?? signal}`)));
    });
    ended.catch(() => undefined); // it may end any time later
    let over = false;
    child.once('exit', () => (over = true));
    const serves = until('all roles serve, and answer on every port', this.options.patience ?? 60_000, async () => over || (started && this.answers()));
    serves.catch(() => undefined);
    await Promise.race([serves, ended]);
    this.#remember();
  }

  /** Whether SMTP, POP3 and HTTP answer now. */
  async answers(): Promise<boolean> {
    const { host } = this;
    await greeted({ host, port: this.ports.smtp }, '220');
    await greeted({ host, port: this.ports.submission }, '220');
    await greeted({ host, port: this.ports.pop3 }, '+OK');
    await fetch(`http://${host}:${this.ports.http}/`, { signal: AbortSignal.timeout(3_000) }).then((answer) =>
      answer.arrayBuffer(),
    );
    return true;
  }

  get host(): string {
    return this.options.host ?? '127.0.0.1';
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** What `<data>/kiroku.pid` says now. */
  get pidFile(): PidFile {
    return JSON.parse(readFileSync(join(this.data, 'kiroku.pid'), 'utf8')) as PidFile;
  }

  /** Process ids of a role. */
  pidsOf(role: string): number[] {
    return this.pidFile.roles.filter((entry) => entry.role === role).map((entry) => entry.pid);
  }

  /** PostgreSQL's first process and its children. */
  postgresPids(): number[] {
    const { postgres } = this.pidFile;
    return postgres === undefined ? [] : processTree(postgres.pid);
  }

  /** Every process of this server: supervisor, roles, PostgreSQL and what they started. */
  processes(): number[] {
    this.#remember();
    return [...this.#seen.keys()].filter(alive);
  }

  /** One command of the command line against this server. */
  cli(...args: string[]): Promise<CommandResult> {
    return run(...this.#command(...args), this.#env());
  }

  #command(...args: string[]): [file: string, args: string[]] {
    const [file = '', ...rest] = [...(this.options.within ?? []), program(), ...args];
    return [file, rest];
  }

  /** As `cli`, but a code other than 0 is an error. */
  async must(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(...args);
    if (code !== 0) throw new Error(`kiroku ${args.join(' ')} ended with ${code}: ${stderr || stdout}`);
    return stdout;
  }

  async addDomain(domain: string): Promise<void> {
    await this.must('domain', 'add', domain);
  }

  /** @param digest whether CRAM-MD5 and APOP are to work, for which the server has to keep the password itself. */
  async addAccount(address: string, password: string, digest = false): Promise<void> {
    await this.must('account', 'add', address, '--password', password, ...(digest ? ['--digest', 'on'] : []));
  }

  /** The last lines of its log. */
  logTail(lines = 60): string {
    return this.#log.slice(-lines).join('\n');
  }

  /** Stops it as an administrator would; by force what is left after a while. Its data stay. */
  async stop(): Promise<'by itself' | 'by force'> {
    this.#remember();
    this.#child?.kill('SIGTERM');
    const gone = (): boolean => this.processes().length === 0;
    const how = await until('the server has stopped', GRACE, gone).then(() => 'by itself' as const, () => 'by force' as const);
    if (how === 'by force') this.killAll();
    await until('killed processes are gone', GRACE, gone);
    running.delete(this);
    return how;
  }

  /** Stops it and removes its data. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.data, { recursive: true, force: true, maxRetries: 5 });
  }

  /** SIGKILL to everything it started, at once and without waiting. */
  killAll(): void {
    signalAll(this.processes(), 'SIGCONT');
    signalAll(this.processes(), 'SIGKILL');
  }

  #env(): NodeJS.ProcessEnv {
    const { smtp, submission, smtps, pop3, pop3s, imap, imaps, http } = this.ports;
    const outside = Object.entries(process.env).filter(([name]) => !/^(KIROKU_|NODE_OPTIONS$|JEST_)/.test(name));
    return {
      ...Object.fromEntries(outside),
      KIROKU_DATA: this.data,
      KIROKU_BIND: this.host,
      KIROKU_SMTP_PORT: `${smtp}`,
      KIROKU_SUBMISSION_PORT: `${submission}`,
      KIROKU_SMTPS_PORT: `${smtps}`,
      KIROKU_POP3_PORT: `${pop3}`,
      KIROKU_POP3S_PORT: `${pop3s}`,
      KIROKU_IMAP_PORT: `${imap}`,
      KIROKU_IMAPS_PORT: `${imaps}`,
      KIROKU_HTTP_PORT: `${http}`,
      KIROKU_DNS: '127.0.0.1:1', // nobody there: a test that wants other servers brings a DNS server of its own
      ...this.options.env,
    };
  }

  /** Children of a killed supervisor are no longer below it: every process ever seen is remembered. */
  #remember(): void {
    const known = [...this.#seen].filter(([pid, start]) => start !== undefined && startOf(pid) === start).map(([pid]) => pid);
    const roots = [this.pid, ...known];
    if (existsSync(join(this.data, 'kiroku.pid'))) {
      try {
        const { roles, postgres } = this.pidFile;
        roots.push(...roles.map((entry) => entry.pid), ...(postgres === undefined ? [] : [postgres.pid]));
      } catch {
        // being written: the tree below the supervisor has to do
      }
    }
    this.#seen = new Map(processTree(...roots.filter((pid) => pid > 0)).map((pid) => [pid, startOf(pid)]));
  }

  readonly #keepLog = (text: string): void => {
    const folder = process.env.KIROKU_RIG_LOG;
    if (folder) appendFileSync(join(folder, `${basename(this.data)}.log`), text);
    this.#log.push(...text.split('\n').filter(Boolean));
    this.#log.splice(0, this.#log.length - LOG_LINES_KEPT);
  };
}

/** Runs a program to its end, its output in memory (both bounded by what the program prints). */
export function run(file: string, args: readonly string[], env = process.env, input?: string): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), 300_000);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined); // it need not read its input
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 128, stdout, stderr });
    });
  });
}

async function greeted(target: Target, expected: string): Promise<void> {
  const socket = await LineSocket.connect(target, 2_000);
  try {
    const line = await socket.readLine(3_000);
    if (!line.startsWith(expected)) throw new Error(`port ${target.port}: ${line}`);
  } finally {
    socket.close();
  }
}

/** `./kiroku` of this checkout; KIROKU_RIG_PROGRAM names another one. */
function program(): string {
  if (process.env.KIROKU_RIG_PROGRAM) return process.env.KIROKU_RIG_PROGRAM;
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'kiroku')) && existsSync(join(folder, 'nx.json'))) return join(folder, 'kiroku');
    if (folder === dirname(folder)) throw new Error('not inside a checkout of Kiroku');
  }
}
