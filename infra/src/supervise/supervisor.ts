import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from '@kiroku/infra/config/config.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { Locked, LockFile } from './lock-file.js';
import { isAlive, lastServer, nameOf, removePidFile, runningServer, writePidFile, type ProcessName } from './pid-file.js';
import { PostgresKeeper } from './postgres-keeper.js';
import { RoleSlot, type Log, type Role } from './role-slot.js';
import type { Wait } from './waiting.js';

export interface SupervisorOptions {
  /** KIROKU_DATA; one server at a time runs on it. */
  readonly data: string;
  /** An outside PostgreSQL; without it the embedded one runs on the data folder. */
  readonly postgres?: PostgresConnection;
  readonly roles: readonly Role[];
  /** Told to every role. */
  readonly config?: Config;
  /** Of the listeners, to be told to the CLI. */
  readonly ports?: Readonly<Record<string, number>>;
  /**
   * Runs before any role starts: migrations, once the engines answer.
   * @param waits to be told what is waited for, and with nothing when that is over.
   * @param signal nobody needs it any more.
   */
  readonly prepare?: (postgres: PostgresConnection, waits: (wait?: Wait) => void, signal: AbortSignal) => Promise<void>;
  readonly log: Log;
  /** How long roles may take to drain, in ms. */
  readonly patience?: number;
  /** How long a role may take until it serves, in ms. */
  readonly readyWithin?: number;
  /** ms of CPU time without a sign of life after which a role counts as stuck, is ended and started again. */
  readonly stuckAfter?: number;
}

/** A signal came before all had started. */
export class StoppedEarly extends Error {}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Runs the roles' processes and the embedded PostgreSQL, and keeps them running:
 *
 *     const supervisor = new Supervisor({ data, roles, prepare: migrate, log });
 *     await supervisor.start();
 *     process.exitCode = await supervisor.untilStopped();
 *
 * A role that ends is started again with a growing pause; roles reconnect by themselves while PostgreSQL is restarted. If this process
 * is killed, the roles end because their channel to it closes, and PostgreSQL because its guard's pipe does.
 */
export class Supervisor {
  private lock: LockFile | undefined;
  private postgres: PostgresKeeper | undefined;
  private slots: readonly RoleSlot[] = [];
  private starting = true;
  private stopped: Promise<void> | undefined;
  private readonly self: ProcessName = nameOf(process.pid)!;
  private readonly startedAt = Date.now();
  private signals = 0;
  private readonly leaving = new AbortController();
  private preparing: Promise<void> | undefined;
  private waiting: Wait | undefined;
  private asked!: (stopped: Promise<void>) => void;
  /** Resolves when a signal asked for the end, and it has come. */
  private readonly ended = new Promise<void>((resolve) => (this.asked = resolve));
  private fail!: (error: Error) => void;
  /** Rejects when something ended that cannot be started again, or a signal came before all had started. */
  private readonly failed = new Promise<never>((_, reject) => (this.fail = reject));

  constructor(private readonly options: SupervisorOptions) {
    this.failed.catch(() => undefined);
  }

  /**
   * Resolves when all roles serve. From now on SIGTERM, SIGINT and SIGHUP stop everything gently, the second of them at once.
   * @throws StoppedEarly; when a role does not start, or another server runs on the folder. Then nothing is left running.
   */
  async start(): Promise<void> {
    const { data } = this.options;
    mkdirSync(data, { recursive: true, mode: 0o700 });
    this.lock = lockData(data);
    for (const signal of SIGNALS) process.on(signal, this.onSignal);
    try {
      await Promise.race([this.startAll(), this.failed]);
      this.starting = false;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Roles first, so that what they have accepted gets written; then PostgreSQL.
   * @param at once: roles are killed instead of drained. Also makes a drain under way end.
   */
  stop(at: 'gently' | 'once' = 'gently'): Promise<void> {
    if (at === 'once') for (const slot of this.slots) slot.kill();
    return (this.stopped ??= this.stopAll());
  }

  /**
   * Resolves when a signal has stopped everything, or PostgreSQL could not be started again.
   * @returns the exit code.
   */
  async untilStopped(): Promise<number> {
    try {
      await Promise.race([this.ended, this.failed]);
      return 0;
    } catch (error) {
      this.options.log('error', 'giving up', { reason: (error as Error).message });
      await this.stop();
      return 1;
    }
  }

  private readonly onSignal = (signal: NodeJS.Signals): void => {
    const at = this.signals++ ? 'once' : 'gently';
    this.options.log('info', 'stopping', { signal, at });
    if (!this.starting) this.asked(this.stop(at));
    else if (at === 'gently') this.fail(new StoppedEarly(`stopped by ${signal}`));
    else process.exit(1); // ends all else as our death by SIGKILL would
  };

  private async startAll(): Promise<void> {
    const { data, log, prepare, roles, config, readyWithin = 60_000, stuckAfter } = this.options;
    await endLeftovers(data, log);
    const connection = this.options.postgres ?? (await this.startPostgres());
    if (!this.stopped) await (this.preparing = prepare?.(connection, this.waits, this.leaving.signal));
    if (this.stopped) return;
    const postgres = () => this.postgres?.connection ?? connection;
    const changed = () => this.note();
    const tell = { ...(config && { config }), roles: roles.map(({ role }) => role) };
    this.slots = roles.flatMap((role) =>
      Array.from({ length: role.count }, (_, index) => new RoleSlot({ role, index, postgres, tell, log, changed, readyWithin, ...(stuckAfter !== undefined && { stuckAfter }) })),
    );
    this.note();
    await Promise.all(this.slots.map((slot) => slot.started));
  }

  private async startPostgres(): Promise<PostgresConnection> {
    const { data, log } = this.options;
    this.postgres = new PostgresKeeper({
      data,
      log,
      changed: () => this.note(),
      moved: () => this.slots.forEach((slot) => slot.replace()),
      failed: (error) => this.fail(error),
    });
    await this.postgres.start();
    return this.postgres.connection;
  }

  private readonly waits = (wait?: Wait): void => {
    this.waiting = wait;
    if (wait) this.options.log('warn', 'waiting for an engine', { ...wait });
    else this.options.log('info', 'the engine is there');
    this.note();
  };

  private async stopAll(): Promise<void> {
    const { data, patience = 30_000 } = this.options;
    this.leaving.abort();
    await this.preparing?.catch(() => undefined); // has been told
    await Promise.all(this.slots.map((slot) => slot.stop(patience)));
    await this.postgres?.stop();
    for (const signal of SIGNALS) process.off(signal, this.onSignal);
    if (this.lock) removePidFile(data);
    this.lock?.release();
    this.lock = undefined;
  }

  private note(): void {
    if (!this.lock) return;
    const postgres = nameOf(this.postgres?.pid);
    const roles = this.slots.flatMap((slot) => (slot.process ? [{ ...slot.role, ...slot.process, ...(slot.waiting && { waiting: slot.waiting.for }) }] : []));
    const { data, ports = {} } = this.options;
    writePidFile(data, { ...this.self, startedAt: this.startedAt, ports, ...(postgres && { postgres }), ...(this.postgres && { socket: this.postgres.connection.host }), ...(this.waiting && { waiting: this.waiting.for }), roles });
  }
}

function lockData(data: string): LockFile {
  try {
    return LockFile.take(join(data, 'kiroku.lock'));
  } catch (error) {
    if (!(error instanceof Locked)) throw error;
    const pid = runningServer(data)?.pid;
    throw new Error(`Kiroku is already running on ${data}${pid ? ` (process ${pid})` : ''}`);
  }
}

/** Roles of a supervisor that was killed end by themselves, but maybe after us: they would hold the ports. */
async function endLeftovers(data: string, log: Log, patience = 5_000): Promise<void> {
  const roles = lastServer(data)?.roles ?? [];
  const began = performance.now();
  for (let left = roles.filter(isAlive); left.length; left = left.filter(isAlive)) {
    if (performance.now() - began > patience) {
      log('warn', 'killing what an earlier server left running', { pids: left.map(({ pid }) => pid) });
      for (const role of left) if (isAlive(role)) process.kill(role.pid, 'SIGKILL');
    }
    await wait(20);
  }
  removePidFile(data);
}
