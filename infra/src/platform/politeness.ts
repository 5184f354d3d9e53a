import { cpus } from 'node:os';

/** Share of the machine's time that must be idle for work to go on as usual. */
const ROOM = 0.25;
/** So much more of it must be idle for a busy machine to have time again: a short gap in a burst is not its end. */
const OVER = 0.15;
/** ms between two looks at the machine. */
const LOOK = 500;

/**
 * Work that nobody waits for gives way: while the machine has no time to spare it is done in larger steps, which cost less in all.
 * Priorities alone do not do this: a burst leaves short gaps that would be filled, each time in front of the next reply.
 */
export class Politeness {
  #before: ProcessorTimes;
  #measured: number;
  #busy = false;

  /**
   * Both in ms between two steps: as usual, and while the machine is busy.
   * @param room share of the machine's time that must be idle.
   * @param times ms of all processors together. @param clock ms.
   */
  constructor(
    private readonly usual: number,
    private readonly longest: number,
    private readonly room = ROOM,
    private readonly times: () => ProcessorTimes = processorTimes,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.#before = times();
    this.#measured = clock();
  }

  /** ms between two steps, from now on. */
  readonly pace = (): number => (this.busy() ? this.longest : this.usual);

  /** Has the machine no time to spare at this moment? */
  readonly busy = (): boolean => {
    const now = this.clock();
    if (now - this.#measured >= LOOK) {
      const after = this.times();
      const all = after.all - this.#before.all;
      this.#busy = all > 0 && (after.idle - this.#before.idle) / all < this.room + (this.#busy ? OVER : 0);
      this.#before = after;
      this.#measured = now;
    }
    return this.#busy;
  };
}

export interface ProcessorTimes {
  readonly idle: number;
  readonly all: number;
}

/** ms of all processors together since the machine started. */
export function processorTimes(): ProcessorTimes {
  let [idle, all] = [0, 0];
  for (const { times: t } of cpus()) {
    idle += t.idle;
    all += t.idle + t.user + t.nice + t.sys + t.irq;
  }
  return { idle, all };
}
