import { readFile, readlink } from 'node:fs/promises';
import { startOf } from '@kiroku/infra/supervise/process-table.js';

/**
 * Who writes a file, in a form that another process can check: boot id, PID namespace, PID and start time. A PID alone
 * would be taken over by the next process that gets the same number.
 */
export interface Owner {
  /** Fit for a file name. */
  readonly token: string;
  /**
   * @param touchedAt when that owner last gave a sign of life, epoch ms. It decides only where the process cannot be
   * looked at: in another container.
   */
  isAlive(token: string, touchedAt: number, now: number): Promise<boolean>;
}

/** An owner in another container is dead after this long without a sign of life. ms */
const SILENCE_MAX = 5 * 60_000;
/** How often an owner gives one. ms */
export const SIGN_OF_LIFE_EVERY = 60_000;

/** Without /proc (macOS) these are empty. */
const orEmpty = (text: Promise<string>): Promise<string> => text.then((t) => t.trim(), () => '');

const startFit = (pid: number): string => (startOf(pid) ?? '').replace(/[^0-9A-Za-z]/g, '');

export async function thisProcess(): Promise<Owner> {
  const boot = await orEmpty(readFile('/proc/sys/kernel/random/boot_id', 'latin1'));
  const namespace = (await orEmpty(readlink('/proc/self/ns/pid'))).replace(/\D/g, '');
  return {
    token: `${boot}_${namespace}_${process.pid}_${startFit(process.pid)}`,
    async isAlive(token, touchedAt, now) {
      const [theirBoot, theirNamespace, pid, theirStart] = token.split('_');
      // Not yet written, or the disk was full: give it the same time.
      if (!theirStart) return now - touchedAt < SILENCE_MAX;
      if (theirBoot !== boot) return false;
      if (theirNamespace !== namespace) return now - touchedAt < SILENCE_MAX;
      return startFit(Number(pid)) === theirStart;
    },
  };
}
