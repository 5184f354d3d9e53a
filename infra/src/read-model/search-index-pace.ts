import { setTimeout as pause } from 'node:timers/promises';
import { Politeness, processorTimes } from '../platform/politeness.js';
import { Slots } from './search-index-slots.js';

/** ms of work between two looks at how busy the machine is, and before each look: as usual, and while it is busy. A quarter of one processor's time at most. */
const SPELL = 30;
const USUAL = 100;
const BUSY = 2_000;
/** ms of work, and of rest after it, where nothing else went on while this rested. */
const LONG_SPELL = 100;
const REST = 40;
/** Share of the machine's time that must be idle: more than for work that somebody waits for in the end. */
const ROOM = 0.4;
/** Nothing else goes on: so much of the machine's time was idle in a rest, and so little of it this process's own. Processor time is told in ticks of 10 ms. */
const ALONE = 0.7;
const OWN = 0.25;

/**
 * Does a spell of work when the machine has time for it; `more` says whether the spell goes on. Undefined, and nothing done, when it was told to stop. Spells of one gate
 * never overlap, so none may be begun within another.
 */
export type Gate = <T>(signal: AbortSignal, work: (more: () => boolean) => Promise<T>) => Promise<T | undefined>;

/** Begins to watch; the answer says whether nothing else has gone on since, here or elsewhere on the machine. */
export type Watch = () => () => boolean;

export interface Idleness {
  /** Has the machine no time to spare? */
  readonly busy?: () => boolean;
  /** ms of pause, as usual and while the machine is busy. */
  readonly usual?: number;
  readonly longest?: number;
  readonly watch?: Watch;
  /** How often clients have asked this process for something: a spell ends when they do, since it uses the thread that answers them. */
  readonly asked?: () => number;
  /** ms. */
  readonly now?: () => number;
}

/** Opens while the machine has time to spare, and not before a pause. What else goes on is seen while this rests: then none of it is its own. */
export function whenIdle({ busy = new Politeness(USUAL, BUSY, ROOM).busy, usual = USUAL, longest = BUSY, watch = watchMachine, asked = () => 0, now = () => performance.now() }: Idleness = {}): Gate {
  const turn = new Slots(1);
  let alone = false;
  const rest = async (ms: number, signal: AbortSignal): Promise<void> => {
    const [quiet, before] = [watch(), asked()];
    await pause(ms, undefined, { signal }).catch(() => undefined);
    alone = quiet() && asked() === before;
  };
  return (signal, work) => turn.run(async () => {
    if (alone) await rest(Math.min(REST, usual), signal);
    while (!signal.aborted && !alone) {
      await rest(busy() ? longest : usual, signal);
      if (!busy()) break;
      alone = false;
    }
    if (signal.aborted) return undefined;
    const [until, before] = [now() + (alone ? LONG_SPELL : SPELL), asked()];
    return work(() => !signal.aborted && now() < until && asked() === before);
  });
}

function watchMachine(): () => boolean {
  const [before, own, since] = [processorTimes(), process.cpuUsage(), performance.now()];
  return () => {
    const [after, used] = [processorTimes(), process.cpuUsage(own)];
    const all = after.all - before.all;
    return all > 0 && (after.idle - before.idle) / all >= ALONE && (used.user + used.system) / 1000 < OWN * (performance.now() - since);
  };
}
