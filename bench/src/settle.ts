import { cpuSeconds } from '@kiroku/infra/rig/processes.js';
import { setTimeout as pause } from 'node:timers/promises';

/** Looks in a row, 250 ms apart: views that stood aside for clients come back within a second. */
const LOOKS = 6;

/** ms. The search index of 60,000 new messages alone takes a minute of half a core, and only while no client asks for anything. */
const MOST = 240_000;

/** Waits until the server has no work left (under 8 % of a core for 1.5 s: timers and pollers never rest): what one side still does must not slow the other. */
export async function settle(server: { processes(): number[] }): Promise<void> {
  const end = performance.now() + MOST;
  for (let quiet = 0; quiet < LOOKS && performance.now() < end; ) {
    const pids = server.processes();
    const before = cpuSeconds(pids);
    await pause(250);
    quiet = cpuSeconds(pids) - before < 0.0201 ? quiet + 1 : 0;
  }
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};
