import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel says of other processes (Linux, /proc). A process that has ended is simply not counted. */

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** The fields of /proc/PID/stat after the name, which itself may hold spaces and parentheses: state, ppid, … */
const statOf = (pid: number): string[] => {
  const stat = read(`/proc/${pid}/stat`);
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
};

export function alive(pid: number): boolean {
  const [state] = statOf(pid);
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** These processes and all their descendants, parents first. */
export function processTree(...roots: number[]): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = Number(statOf(pid)[1]);
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid]);
  }
  const tree = new Set(roots.filter(alive));
  for (const pid of tree) for (const child of childrenOf.get(pid) ?? []) tree.add(child);
  return [...tree];
}

export interface Memory {
  /** Bytes resident, shared pages counted in every process. */
  readonly rss: number;
  /** Bytes resident, each shared page divided among those who share it: these may be added up. */
  readonly pss: number;
}

export function memoryOf(pids: readonly number[]): Memory {
  let rss = 0;
  let pss = 0;
  for (const pid of pids) {
    const rollup = read(`/proc/${pid}/smaps_rollup`);
    rss += 1024 * Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    pss += 1024 * Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
  }
  return { rss, pss };
}

/** Processor time that these processes have used so far, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  const TICKS = 100; // USER_HZ of every Linux port that Node runs on
  return pids.reduce((sum, pid) => {
    const stat = statOf(pid);
    return sum + (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) / TICKS;
  }, 0);
}

/** Open file descriptors of the process. */
export function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Sends the signal to each that is still there. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // ended meanwhile
    }
  }
}

/** As `cpuSeconds`, with what their children used that have ended: the whole of a tree whose processes come and go. */
export function cpuSecondsOfTree(pids: readonly number[]): number {
  const TICKS = 100;
  return pids.reduce((sum, pid) => sum + statOf(pid).slice(11, 15).reduce((ticks, field) => ticks + Number(field), 0) / TICKS, 0);
}
