import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { until } from '../until.js';

/**
 * Waits for the end of its pipe, which the kernel closes when we die, however we die; then kills every process that works below the
 * folder $0, until there is none, and removes it.
 */
const GUARD = `
cd / && cat >/dev/null
left() { ls -l /proc/[0-9]*/cwd 2>/dev/null | sed -n "s|.* /proc/\\([0-9]*\\)/cwd -> $0/.*|\\1|p"; }
rounds=0
while pids=$(left) && [ -n "$pids" ] && [ $rounds -lt 100 ]; do
  kill -9 $pids
  sleep 0.1
  rounds=$((rounds + 1))
done
rm -rf "$0"`;

/** A folder for an engine's data and processes; both are gone when this process has ended. */
export class Workplace {
  private constructor(readonly folder: string, private readonly guard: ChildProcess) {}

  static make(name: string): Workplace {
    const folder = mkdtempSync(`/tmp/kiroku-${name}-`);
    const guard = spawn('/bin/sh', ['-c', GUARD, folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    guard.unref();
    (guard.stdin as Socket | null)?.unref(); // it must not keep this process either
    return new Workplace(folder, guard);
  }

  /** A folder in it. */
  sub(name: string): string {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Kills what still runs in it and removes it, by the same way as our death would. */
  async remove(): Promise<void> {
    if (this.guard.exitCode !== null) return;
    this.guard.ref();
    this.guard.stdin?.end();
    await once(this.guard, 'exit');
  }
}

export interface ServerProgram {
  /** Its working folder, below the workplace's; its data may be there. */
  readonly folder: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it serves; `said` is what it has printed since this start. */
  readonly ready: (said: string) => boolean | Promise<boolean>;
  /** ms */
  readonly patience: number;
}

/** A server that can be killed, started again on its data, and held. */
export class EngineServer {
  #child: ChildProcess | undefined;

  constructor(readonly program: ServerProgram) {}

  /** The running process; 0 when there is none. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** @throws Error with the last lines of its log when it ends or does not serve in time. */
  async start(): Promise<void> {
    if (this.#child) throw new Error('it runs');
    const { folder, program, args, env, ready, patience } = this.program;
    const file = `${folder}.log`;
    const log = openSync(file, 'a', 0o600);
    const from = statSync(file).size;
    const options: SpawnOptions = { cwd: folder, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', log, log], detached: true };
    const child = spawn(program, args, options);
    closeSync(log);
    child.unref(); // the workplace's guard ends it when we end
    child.on('error', () => undefined); // no pid then
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    this.#child = child;
    const said = (): string => readFileSync(file).subarray(from).toString();
    let over = child.pid === undefined;
    child.once('exit', () => (over = true));
    try {
      await until(`${program} serves`, patience, async () => over || (await ready(said())));
    } catch (error) {
      await this.kill();
      throw new Error(`${program} does not serve\n${said().slice(-4_000)}`, { cause: error });
    }
    if (over) throw new Error(`${program} ended\n${said().slice(-4_000)}`);
  }

  /** SIGKILL, also of a held one; resolves when it has ended. Nothing when it does not run. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child?.pid) return;
    child.ref();
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** SIGSTOP: its connections stay open and nothing answers, from the return on: the kernel stops thread by thread. */
  pause(): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    this.#child?.kill('SIGSTOP');
    for (const until = Date.now() + 1_000; !isStopped(pid) && Date.now() < until; );
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }
}

function isStopped(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => /\) [Tt] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')));
  } catch {
    return false; // a thread that ended meanwhile
  }
}
