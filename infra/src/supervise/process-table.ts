import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';

const LINUX = process.platform === 'linux';

/**
 * When a process started, in a unit only good for comparing: pid and start together name one process until the next boot.
 * @returns undefined when there is no such process, or only its zombie.
 */
export function startOf(pid: number): string | undefined {
  try {
    if (!LINUX) return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the program's name, in brackets, may hold anything; the state is the first field after it, starttime the 20th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** ms of CPU time per tick: USER_HZ, 100 on every Linux (proc(5)). */
const TICK = 10;

/** CPU time in ms that a process's main thread has used so far. Other threads (garbage collection, hashing) do not count. Undefined without /proc. */
export function cpuOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // utime is the 12th field after the name, stime the 13th
    return (Number(fields[11]) + Number(fields[12])) * TICK;
  } catch {
    return undefined;
  }
}

const all = (): number[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);

/**
 * The processes that work in `folder` (by inode: renaming the folder or hiding its path changes nothing) and run one of these programs.
 * Sees what /proc shows to us: all as root, our own otherwise. Empty on systems without /proc.
 */
export function processesIn(folder: string, programs: readonly string[]): number[] {
  if (!LINUX) return [];
  const place = statSync(folder, { throwIfNoEntry: false });
  if (!place) return [];
  return all()
    .filter((pid) => {
      try {
        const program = basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
        if (!programs.includes(program)) return false;
        const { dev, ino } = statSync(`/proc/${pid}/cwd`);
        return dev === place.dev && ino === place.ino;
      } catch {
        return false; // ended meanwhile, or not ours to look at
      }
    });
}

/** The processes that this one started and that still run; of those that /proc shows to us. Empty on systems without /proc. */
export function childrenOf(pid: number): number[] {
  if (!LINUX) return [];
  return all()
    .filter((child) => {
      try {
        const stat = readFileSync(`/proc/${child}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid; // ppid is the second field after the name
      } catch {
        return false; // ended meanwhile
      }
    });
}

/** What a process calls itself, with its arguments. Undefined when it has ended, or /proc does not show it to us. */
export function titleOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() || undefined;
  } catch {
    return undefined;
  }
}
