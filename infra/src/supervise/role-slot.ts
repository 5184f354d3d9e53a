import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { Backoff } from './backoff.js';
import { type Restarts, RESTARTS_KEPT } from '@kiroku/infra/telemetry/warnings.js';
import { nameOf, type ProcessName } from './pid-file.js';
import { cpuOf } from './process-table.js';
import { type AbnormalEnd, RUNTIME, type RoleMessage, type Runtime } from './role-process.js';
import type { Wait } from './waiting.js';
import { Watchdog } from './watchdog.js';

/** A program that runs in `count` processes. */
export interface Role {
  readonly role: string;
  readonly count: number;
  /** Its main.js, which calls `runRole`. */
  readonly script: string;
  /** Options for Node, e.g. a limit of its heap. */
  readonly nodeOptions?: readonly string[];
  /** Besides the supervisor's own, which is stronger. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * For glibc's malloc. Few arenas: threads that come and go would each keep a share of memory. Fixed thresholds (bytes): left to itself
 * malloc raises them to 32 MB once a password was hashed (19 MiB each), and what hashing took is then never given back.
 */
const MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '1048576', MALLOC_TRIM_THRESHOLD_: '1048576' };

/** One line of the process log. Details hold no secrets. */
export type Log = (level: 'info' | 'warn' | 'error', message: string, details?: Readonly<Record<string, unknown>>) => void;

export interface SlotOptions {
  readonly role: Role;
  readonly index: number;
  readonly postgres: () => PostgresConnection;
  /** What every role is told besides. */
  readonly tell: Partial<Pick<Runtime, 'config' | 'roles'>>;
  readonly log: Log;
  /** The process is another one, or gone. */
  readonly changed: () => void;
  /** How long a process may take until it serves, in ms. */
  readonly readyWithin: number;
  /** See Watchdog. */
  readonly stuckAfter?: number;
}

/** Raised by the process itself: a failed check, memory used up, a crash in native code. */
const CRASHES: readonly string[] = ['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS'];
/** ms that a dead process's last words may take. */
const LAST_WORDS = 1_000;

interface Exit {
  readonly pid: number | undefined;
  readonly reason: string;
  readonly after?: AbnormalEnd;
  /** An engine was away: nothing is wrong with the role. */
  readonly away: boolean;
}

/** A place for one process of a role: whenever the process ends, another takes its place. */
export class RoleSlot {
  /** Resolves when the first process serves; rejects when it fails before: there is something wrong that a restart will not mend. */
  readonly started: Promise<void>;
  process: ProcessName | undefined;
  /** What the process waits for before it serves. */
  waiting: Wait | undefined;
  restarts: Restarts = { total: 0, lately: [] };
  private child: ChildProcess | undefined;
  /** How the last process ended, if that was abnormal. */
  private after: AbnormalEnd | undefined;
  private wasReady = false;
  private readonly stopping = new AbortController();
  private readonly ended: Promise<void>;
  private settle!: { resolve(): void; reject(error: Error): void };

  constructor(private readonly options: SlotOptions) {
    this.started = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.started.catch(() => undefined);
    this.ended = this.keepRunning();
  }

  get role(): { role: string; index: number } {
    return { role: this.options.role.role, index: this.options.index };
  }

  /** Lets the process end what it does, for at most `patience` ms. */
  async stop(patience: number): Promise<void> {
    this.stopping.abort();
    this.child?.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.options.log('warn', 'role killed: it did not end in time', this.role);
      this.kill();
    }, patience);
    await this.ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.stopping.abort();
    this.child?.kill('SIGKILL');
  }

  /** Ends the process gently; another takes its place. */
  replace(): void {
    this.child?.kill('SIGTERM');
  }

  private async keepRunning(): Promise<void> {
    const { log } = this.options;
    const { signal } = this.stopping;
    const backoff = new Backoff();
    while (!signal.aborted) {
      const began = performance.now();
      const { after, away, ...exit } = await this.runOnce();
      this.after = after;
      if (signal.aborted) break;
      const { role, index } = this.role;
      if (!this.wasReady && !away) return this.settle.reject(new Error(`${role} did not start: ${exit.reason}`));
      const pause = backoff.next(performance.now() - began);
      this.restarts = { total: this.restarts.total + 1, lately: [...this.restarts.lately, Date.now()].slice(-RESTARTS_KEPT) };
      log('error', 'role ended, is started again', { role, index, ...exit, pauseMs: pause });
      await wait(pause, undefined, { signal }).catch(() => undefined);
    }
    this.settle.reject(new Error(`${this.role.role} was stopped`));
  }

  private async runOnce(): Promise<Exit> {
    const { role, index, postgres, tell, log, changed, readyWithin, stuckAfter } = this.options;
    const runtime: Partial<Runtime> = { role: role.role, index, postgres: postgres(), restarts: this.restarts, ...(this.after && { after: this.after }), ...tell };
    const child = spawn(process.execPath, [...(role.nodeOptions ?? []), role.script], {
      env: { ...MALLOC, ...role.env, ...process.env, [RUNTIME]: JSON.stringify(runtime) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.child = child;
    let [failure, left, stuck, away]: [string | undefined, unknown, string | undefined, boolean] = [undefined, undefined, undefined, false];
    let watchdog: Watchdog | undefined;
    const hurry = () => setTimeout(() => {
      failure = `it did not serve within ${readyWithin} ms`;
      child.kill('SIGKILL');
    }, readyWithin);
    let late = hurry();
    child.on('message', (message: RoleMessage) => {
      if ('failed' in message) [failure, away] = [message.failed, message.away === true];
      else if ('waiting' in message) {
        clearTimeout(late);
        if (!message.waiting) late = hurry();
        this.waits(message.waiting ?? undefined);
      } else if ('left' in message) left = message.left;
      else if ('alive' in message) watchdog?.sign();
      else {
        clearTimeout(late);
        watchdog = new Watchdog(() => cpuOf(child.pid ?? 0), () => {
          stuck = 'endless loop';
          child.kill('SIGKILL');
        }, stuckAfter);
        this.wasReady = true;
        log('info', 'role serves', { ...this.role, pid: child.pid });
        this.settle.resolve();
      }
    });
    child.on('error', (error) => (failure ??= error.message));
    this.process = nameOf(child.pid);
    changed();
    const [code, signal] = (await exitOf(child)) as [number | null, string | null];
    clearTimeout(late);
    watchdog?.stop();
    if (child.connected) await once(child, 'disconnect', { signal: AbortSignal.timeout(LAST_WORDS) }).catch(() => undefined);
    if (this.waiting && failure === undefined) away = true; // whoever ended it
    this.child = this.process = this.waiting = undefined;
    changed();
    const reason = stuck ?? failure ?? signal ?? `exit code ${code}`;
    const abnormal = stuck !== undefined || (failure === undefined && (signal === null ? code !== 0 : CRASHES.includes(signal)));
    return { pid: child.pid, reason, away, ...(abnormal && { after: { reason, left } }) };
  }

  private waits(wait: Wait | undefined): void {
    const { log, changed } = this.options;
    this.waiting = wait;
    if (wait) log('warn', 'waiting for an engine', { ...this.role, ...wait });
    else log('info', 'the engine is there', this.role);
    changed();
  }
}

/** A program that cannot be started has no exit event. */
const exitOf = (child: ChildProcess): Promise<unknown[]> =>
  child.pid === undefined ? once(child, 'close').catch(() => [null, null]) : once(child, 'exit').catch(() => [null, null]);
