import { cpuSecondsOfTree } from '@kiroku/infra/rig/processes.js';
import { cpus } from 'node:os';

/** Processes by what they are. */
export type Groups = Readonly<Record<string, () => readonly number[]>>;

export interface Cost {
  /** Processor time of each group, µs per message. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Share of the machine's processor time that was used, by whomever. */
  readonly busy: number;
}

/** Begins to measure; to be called again when the messages are through. */
export function cost(groups: Groups, messages: number): () => Cost {
  const before = { used: usedBy(groups), machine: machineTimes() };
  return () => {
    const after = { used: usedBy(groups), machine: machineTimes() };
    return {
      cpu: Object.fromEntries([...after.used].map(([name, seconds]) => [name, ((seconds - (before.used.get(name) ?? 0)) * 1e6) / messages])),
      busy: (after.machine.busy - before.machine.busy) / (after.machine.all - before.machine.all),
    };
  };
}

const usedBy = (groups: Groups): ReadonlyMap<string, number> =>
  new Map(Object.entries(groups).map(([name, pids]) => [name, cpuSecondsOfTree(pids())]));

function machineTimes(): { readonly busy: number; readonly all: number } {
  let [busy, all] = [0, 0];
  for (const { times } of cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busy += used;
    all += used + times.idle;
  }
  return { busy, all };
}
