import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { alive, processTree, signalAll } from '../processes.js';
import { until } from '../until.js';

/** The program's path, also where only administrators look; undefined when it is not installed. */
export function which(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, program)).find(executable);
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const { pid } of children) if (pid) signalAll(processTree(pid), 'SIGKILL');
});

/**
 * A process that runs until it is ended here, or with this process.
 * @param output file descriptor for what it says on standard output; dropped when absent, as its errors are.
 * @param session gives it a session of its own, see `KirokuOptions`; a signal from the terminal then reaches only us.
 */
export function daemon(file: string, args: readonly string[], { output, session = false }: { readonly output?: number; readonly session?: boolean } = {}): ChildProcess {
  const child = endWithUs(spawn(file, args, { stdio: ['ignore', output ?? 'ignore', 'ignore'], detached: session }));
  child.on('error', () => undefined); // the wait for its port tells
  return child;
}

/** The child and what it started are killed when this process ends, however it ends. */
export function endWithUs<T extends ChildProcess>(child: T): T {
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

/** SIGTERM, and SIGKILL for what is left of its tree after 10 s. */
export async function end(child: ChildProcess): Promise<void> {
  if (!child.pid) return;
  const tree = processTree(child.pid);
  child.kill('SIGTERM');
  const gone = (): boolean => !tree.some(alive);
  await until('it has ended', 10_000, gone).catch(() => signalAll(tree.filter(alive), 'SIGKILL'));
}
