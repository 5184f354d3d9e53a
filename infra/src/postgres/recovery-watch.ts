import { childrenOf, titleOf } from '@kiroku/infra/supervise/process-table.js';

/** ms between looks. */
const LOOK = 1_000;
/** ms that a recovery may be without the process that recovers: PostgreSQL gives its other processes 5 s to end before that one starts. */
const ALLOWED = 12_000;

/**
 * When one of PostgreSQL's processes is killed, all end and one of them recovers. If that one is killed as well (a machine without memory kills
 * twice), the postmaster takes it for a part of the first death and waits for ever (seen with 18.4): nobody is served, nothing ends. Such a
 * server is given up, for its keeper to start it again. One that recovers for long is left alone.
 */
export class RecoveryWatch {
  #looking: NodeJS.Timeout | undefined;
  #without = 0;

  /** @param giveUp ends the postmaster; the last thing that is called. */
  constructor(private readonly postmaster: () => number | undefined, private readonly giveUp: () => void, private readonly look = LOOK, private readonly allowed = ALLOWED) {}

  /** To be told each line of the server's log. */
  heard(line: string): void {
    if (/LOG: {2}terminating any other active server processes/.test(line)) {
      this.#without = 0;
      this.#looking ??= setInterval(() => this.#recovers(), this.look).unref();
    } else if (/LOG: {2}database system is (ready to accept connections|shut down)/.test(line)) this.stop();
  }

  stop(): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  #recovers(): void {
    const pid = this.postmaster();
    if (pid === undefined) return this.stop();
    // Those that have just ended have no title; where /proc hides the processes of others there is none to be seen, and nothing is known.
    const titles = childrenOf(pid).flatMap((child) => titleOf(child) ?? []);
    const without = titles.length > 0 && !titles.some((title) => title.startsWith('postgres: startup'));
    this.#without = without ? this.#without + this.look : 0;
    if (this.#without < this.allowed) return;
    this.stop();
    this.giveUp();
  }
}
