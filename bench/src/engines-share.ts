import { closeSync, openSync, readSync } from 'node:fs';
import { signalAll } from '@kiroku/infra/rig/processes.js';

/** ms between two looks. */
const LOOK = 5;
/** ms of processor time that a process with nothing to do may save up. */
const SAVED = 10;

interface Limited { readonly pid: number; readonly file: number; used: number; left: number; held: boolean }

/**
 * Holds processes (SIGSTOP) whenever they have used more than their share of a core, and lets them go on when it is due again: on one
 * machine, a process is as slow as on a small machine of its own, and several are as fast as several of those. Needs no rights but one's own.
 * Counted is the main thread, which is nearly all of a Node process.
 * @param share of one core, for each.
 * @returns ends it.
 */
export function limit(pids: readonly number[], share: number): () => void {
  const all = pids.map((pid): Limited => {
    const file = openSync(`/proc/${pid}/schedstat`, 'r');
    return { pid, file, used: usedBy(file) ?? 0, left: 0, held: false };
  });
  let before = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const its of all) look(its, (now - before) * share);
    before = now;
  }, LOOK);
  return () => {
    clearInterval(timer);
    signalAll(pids, 'SIGCONT');
    for (const { file } of all) closeSync(file);
  };
}

function look(its: Limited, due: number): void {
  const used = usedBy(its.file);
  if (used === undefined) return; // it has ended
  its.left = Math.min(SAVED, its.left + due - (used - its.used));
  its.used = used;
  const hold = its.left < 0;
  if (hold === its.held) return;
  its.held = hold;
  signalAll([its.pid], hold ? 'SIGSTOP' : 'SIGCONT');
}

const room = Buffer.alloc(100);

/** ms of processor time of the main thread. */
function usedBy(file: number): number | undefined {
  try {
    return Number(room.toString('latin1', 0, readSync(file, room, 0, room.length, 0)).split(' ')[0]) / 1e6;
  } catch {
    return undefined;
  }
}
