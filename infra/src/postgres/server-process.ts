import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Binaries } from './binaries.js';
import type { Identity } from './identity.js';
import { asArguments } from './settings.js';

/**
 * The data folder as PostgreSQL sees it. The folder may lie below one that the server's user cannot enter (/root, mktemp -d), and
 * its path may be longer than a path may be: the child is put into it before it changes user, and this link needs no way there.
 */
export const HERE = process.platform === 'linux' ? '/proc/self/cwd' : '.';

/**
 * Neither our secrets nor libpq's and the locale's variables are the server's business. The rest is for glibc's malloc, in bytes: each
 * statement takes and gives back some 150 KB, and by default the heap shrinks and grows (brk, and the kernel clears every page anew) with
 * every one of them: a quarter of the processor time of a short transaction (measured). A backend keeps up to a megabyte for that; larger
 * blocks are mapped by themselves and go back at once.
 */
export const ENVIRONMENT = {
  PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC',
  MALLOC_TOP_PAD_: String(256 << 10), MALLOC_TRIM_THRESHOLD_: String(1 << 20), MALLOC_MMAP_THRESHOLD_: String(512 << 10),
};

/**
 * Becomes PostgreSQL, after leaving a guard behind: a shell that waits for the end of our pipe, which the kernel closes when we die,
 * however we die; then it stops the server, if it still runs (signal $1 to begin with), and removes what is to be removed ($2).
 * It is nobody's child: PostgreSQL would take the end of an unknown child for a crash. Node closes the pipe when the server ends.
 */
const GUARDED = `
signal=$1; remove=$2; shift 2
exec 3<&0
((
  read -r _ <&3
  ours() { kill -0 $$ && { [ ! -e /proc/self/cwd ] || [ /proc/$$/cwd -ef . ]; }; }
  n=0
  ours && kill -$signal $$
  while ours && [ $n -lt 10 ]; do sleep 1; n=$((n + 1)); done
  ours && kill -QUIT $$
  [ -z "$remove" ] && exit
  while ours; do sleep 1; done
  cd / && rm -rf "$remove"
) >/dev/null 2>&1 &)
exec 3<&-
exec "$@" </dev/null`;

export interface ServerOptions {
  readonly binaries: Binaries;
  readonly identity: Identity | undefined;
  /** The data folder. */
  readonly folder: string;
  readonly socketFolder: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Gets each line that the server says; or an open file that does. */
  readonly log: ((line: string) => void) | number;
  /** What to do when we die: a fast shutdown, or an immediate one and the folder's removal. */
  readonly orphaned?: 'stop' | 'remove';
}

/** How the server ended. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines it said. */
  readonly said: readonly string[];
}

const LAST_LINES = 10;

/** One run of a postmaster and its guard. */
export class ServerProcess {
  readonly exited: Promise<ServerExit>;
  /** Set when it has ended. */
  exit: ServerExit | undefined;

  private constructor(private readonly child: ChildProcess, readonly pid: number, said: readonly string[]) {
    this.exited = once(child, 'exit').then((end: unknown[]) => {
      const [code, signal] = end as [number | null, NodeJS.Signals | null];
      return (this.exit = { code, signal, said });
    });
  }

  /** @throws when the program cannot be run at all. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const { binaries, identity, folder, socketFolder, settings, log, orphaned = 'stop' } = options;
    const server = asArguments({ ...settings, unix_socket_directories: socketFolder });
    const guard = orphaned === 'remove' ? ['QUIT', folder] : ['INT', ''];
    const child = spawn('/bin/sh', ['-c', GUARDED, 'kiroku', ...guard, binaries.postgres, '-D', HERE, ...server], {
      ...identity,
      cwd: folder,
      env: ENVIRONMENT,
      stdio: typeof log === 'number' ? ['pipe', log, log] : 'pipe',
      detached: true, // a terminal's ^C is for us: the server has to outlive those who still write
    });
    child.stdin?.on('error', () => undefined);
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream || typeof log === 'number') continue;
      createInterface({ input: stream }).on('line', (line) => {
        if (said.push(line) > LAST_LINES) said.shift();
        log(line);
      });
    }
    await once(child, 'spawn');
    return new ServerProcess(child, child.pid!, said);
  }

  /**
   * Fast shutdown: running transactions are rolled back, a checkpoint is written. After `patience` ms an immediate one, which
   * costs a recovery at the next start and loses nothing that was committed.
   */
  async stop(patience = 30_000): Promise<ServerExit> {
    return this.#end([['SIGINT', 0], ['SIGQUIT', patience], ['SIGKILL', patience + 5_000]]);
  }

  /** Immediate shutdown of a server that does nothing any more. */
  giveUp(): Promise<ServerExit> {
    return this.#end([['SIGQUIT', 0], ['SIGKILL', 5_000]]);
  }

  async #end(steps: readonly (readonly [signal: NodeJS.Signals, after: number])[]): Promise<ServerExit> {
    const timers = steps.map(([signal, after]) => setTimeout(() => this.kill(signal), after));
    try {
      return await this.exited;
    } finally {
      timers.forEach(clearTimeout);
    }
  }

  /** Our process may end although the server runs: the guard stops it then. */
  unref(): void {
    this.child.unref();
    (this.child.stdin as Socket | null)?.unref();
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.exit) this.child.kill(signal);
  }
}
