import { cpus } from 'node:os';

/** Share of the machine's time that must be idle for views to go on as usual. */
const ROOM = 0.15;
/** ms that views wait at most while clients keep the machine busy. */
const LONGEST = 10_000;

/**
 * Views give way: while the machine has no time to spare they wait, up to 10 s at a time, and catch up in large steps when the rush is over.
 * Priorities alone do not do this: a burst leaves short gaps that views would fill, each time in front of the next reply.
 */
export class Politeness {
  #before = times();
  #measured = performance.now();
  #busy = false;

  constructor(private readonly usual: number) {}

  /** ms between two steps of a view, from now on. */
  readonly pace = (): number => {
    const now = performance.now();
    if (now - this.#measured >= this.usual) {
      const after = times();
      const all = after.all - this.#before.all;
      this.#busy = all > 0 && (after.idle - this.#before.idle) / all < ROOM;
      this.#before = after;
      this.#measured = now;
    }
    return this.#busy ? LONGEST : this.usual;
  };
}

function times(): { readonly idle: number; readonly all: number } {
  let [idle, all] = [0, 0];
  for (const { times: t } of cpus()) {
    idle += t.idle;
    all += t.idle + t.user + t.nice + t.sys + t.irq;
  }
  return { idle, all };
}
