import { statfs as systemStatfs } from 'node:fs/promises';
import type { Clock } from '@kiroku/domain/kernel/clock.js';

/** Blocks that anybody may still write, and the bytes of one. */
export type Statfs = (folder: string) => Promise<{ readonly bavail: number; readonly bsize: number }>;

/** ms for which an answer of the system holds. */
const HOLDS = 1_000;

/** Bytes that can still be written where the data lies. */
export class DiskSpace {
  /** As last heard. */
  known = Infinity;
  #since = -Infinity;
  #asking: Promise<number> | undefined;

  /** @param folders that may be on disks of their own: the fullest counts. */
  constructor(
    private readonly folders: readonly string[],
    private readonly clock: Clock,
    private readonly trouble: (error: unknown) => void,
    private readonly statfs: Statfs = systemStatfs,
  ) {}

  /** At most a second old. Never rejects: a disk that cannot be asked keeps nobody out, writing will show. */
  free(): number | Promise<number> {
    // A clock that was set back must not keep an old answer.
    const age = this.clock.now() - this.#since;
    if (age >= 0 && age < HOLDS) return this.known;
    return (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)));
  }

  async #ask(): Promise<number> {
    let least = Infinity;
    try {
      for (const folder of this.folders) {
        const { bavail, bsize } = await this.statfs(folder);
        least = Math.min(least, bavail * bsize);
      }
    } catch (error) {
      this.trouble(error);
      least = Infinity;
    }
    this.known = least;
    this.#since = this.clock.now();
    return least;
  }
}
