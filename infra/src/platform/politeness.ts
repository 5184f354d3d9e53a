import { cpus } from 'node:os';

/** Share of the machine's time that must be idle for work to go on as usual. */
const ROOM = 0.15;
/** ms between two looks at the machine. */
const LOOK = 500;

/**
 * Work that nobody waits for gives way: while the machine has no time to spare it is done in larger steps, which cost less in all.
 * Priorities alone do not do this: a burst leaves short gaps that would be filled, each time in front of the next reply.
 */
export class Politeness {
  #before = processorTimes();
  #measured = performance.now();
  #busy = false;

  /**
   * Both in ms between two steps: as usual, and while the machine is busy.
   * @param room share of the machine's time that must be idle.
   */
  constructor(
    private readonly usual: number,
    private readonly longest: number,
    private readonly room = ROOM,
  ) {}

  /** ms between two steps, from now on. */
  readonly pace = (): number => (this.busy() ? this.longest : this.usual);

  /** Has the machine no time to spare at this moment? */
  readonly busy = (): boolean => {
    const now = performance.now();
    if (now - this.#measured >= LOOK) {
      const after = processorTimes();
      const all = after.all - this.#before.all;
      this.#busy = all > 0 && (after.idle - this.#before.idle) / all < this.room;
      this.#before = after;
      this.#measured = now;
    }
    return this.#busy;
  };
}

/** ms of all processors together since the machine started. */
export function processorTimes(): { readonly idle: number; readonly all: number } {
  let [idle, all] = [0, 0];
  for (const { times: t } of cpus()) {
    idle += t.idle;
    all += t.idle + t.user + t.nice + t.sys + t.irq;
  }
  return { idle, all };
}
