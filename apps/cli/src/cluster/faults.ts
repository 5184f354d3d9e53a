import { signalAll } from '@kiroku/infra/rig/processes.js';
import { replicated } from '@kiroku/infra/rig/engines/kafka-topic.js';
import { until } from '@kiroku/infra/rig/until.js';
import { type Cluster, DECISIONS, MAIL, type Node } from './cluster.js';
import type { Load } from './load.js';

/** ms for anything to work again; the machine may be busy with other things. */
const RECOVERY = 120_000;
const AGAIN = 10; // messages that a node has to accept after a fault

/** What breaks, and what an administrator's machines do about it by themselves. */
export interface Fault {
  readonly what: string;
  /** Resolves when all that was broken runs again; where nothing is named, the node's supervisor sees to it. */
  readonly strike: () => void | Promise<void>;
  /** Resolves when what was killed serves, not only others in its place. */
  readonly served?: () => Promise<void>;
  /** To be awaited before the next fault. */
  readonly mend?: () => Promise<void>;
}

/** Seconds after the fault, but for the counts. */
export interface Outcome {
  readonly fault: string;
  readonly 'serves again': number | undefined;
  readonly 'first 250 at one': number;
  readonly 'first 250 at two': number;
  readonly 'longest pause at one': number;
  readonly 'longest pause at two': number;
  /** All that had been accepted before the fault. */
  readonly 'old mail delivered': number;
  readonly deferrals: number;
  readonly breaks: number;
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10;

/** Strikes under load, and waits until all works again. */
export async function suffer(cluster: Cluster, load: Load, { what, strike, served, mend }: Fault): Promise<Outcome> {
  const { one, two } = cluster;
  const before = load.refusals;
  const accepted = await cluster.accepted();
  const began = performance.now();
  const since = (): number => seconds(performance.now() - began);
  const struck = Promise.resolve(strike()).then(async () => {
    await served?.();
    return served && since();
  });
  const [again, first, second, delivered] = await Promise.all([
    struck,
    load.accepts(one, began, RECOVERY),
    load.accepts(two, began, RECOVERY),
    struck.then(() => cluster.deliveredUpTo(accepted, RECOVERY)).then(since),
  ]);
  const recovered = performance.now();
  await Promise.all([one, two].map((node) => load.accepts(node, recovered, RECOVERY, AGAIN)));
  const after = load.refusals;
  const outcome: Outcome = {
    fault: what,
    'serves again': again,
    'first 250 at one': seconds(first),
    'first 250 at two': seconds(second),
    'longest pause at one': seconds(load.longestPause(one, began)),
    'longest pause at two': seconds(load.longestPause(two, began)),
    'old mail delivered': delivered,
    deferrals: after.deferrals - before.deferrals,
    breaks: after.breaks - before.breaks,
  };
  await mend?.();
  return outcome;
}

/** Each role's process at the second node. */
export function roleFaults({ two: { kiroku } }: Cluster): Fault[] {
  return ['smtp', 'delivery', 'pop3', 'imap', 'worker', 'api'].map((role) => {
    let killed: readonly number[] = [];
    return {
      what: `${role} at two`,
      strike: () => {
        killed = kiroku.pidsOf(role);
        if (killed.length === 0) throw new Error(`no ${role} runs`);
        signalAll(killed, 'SIGKILL');
      },
      served: async () => {
        await until(`${role} serves again`, RECOVERY, async () => {
          const pids = kiroku.pidsOf(role);
          return pids.length === killed.length && !pids.some((pid) => killed.includes(pid)) && (await kiroku.cli('ready', '--role', role)).code === 0;
        });
      },
    };
  });
}

export function engineFaults({ engines: { kafka, s3, postgres } }: Cluster, load: Load): Fault[] {
  /** Until then an engine stays away. */
  const noticed = async (): Promise<void> => {
    const { deferrals } = load.refusals;
    await until('senders are told of the trouble', RECOVERY, () => load.refusals.deferrals > deferrals);
  };
  return [
    {
      what: 'one broker of three, for good',
      strike: () => kafka.kill(0),
      mend: async () => {
        await kafka.start(0);
        await replicated(kafka, [MAIL, DECISIONS], RECOVERY);
      },
    },
    {
      what: 'S3, until senders are told',
      strike: async () => {
        await s3.kill();
        await noticed();
        await s3.start();
      },
    },
    {
      what: 'PostgreSQL, started at once',
      strike: async () => {
        await postgres.kill();
        await postgres.start();
      },
    },
  ];
}

/** A machine that is switched off, and on when all the others have been seen to do without it. */
export function nodeFault(cluster: Cluster, load: Load): Fault {
  const { one, two } = cluster;
  return {
    what: 'node two, for good',
    strike: async () => {
      const accepted = await cluster.accepted();
      const began = performance.now();
      two.kiroku.killAll();
      await Promise.all([cluster.deliveredUpTo(accepted, TAKEOVER), holdsAll(cluster, one, TAKEOVER)]);
      await load.accepts(one, began, RECOVERY, AGAIN);
      await two.kiroku.up();
    },
  };
}

/** ms until the others have taken over what a lost machine did. */
export const TAKEOVER = 30_000;

export async function holdsAll(cluster: Cluster, { name }: Node, ms: number): Promise<void> {
  const partitions = (await cluster.accepted()).size;
  await until(`${name} delivers all mail`, ms, async () => {
    const held = await cluster.delivering();
    if (held.size === partitions && [...held.values()].every((holder) => holder === name)) return true;
    throw new Error(`of ${partitions} partitions are held: ${JSON.stringify([...held])}`);
  });
}

export async function bothHold(cluster: Cluster, ms: number): Promise<void> {
  await until('both nodes deliver mail', ms, async () => new Set((await cluster.delivering()).values()).size === cluster.nodes.length);
}

/** Everything at once; then everything is started, in no order, as often as it takes. */
export function wholeFault({ engines: { kafka, s3, postgres }, nodes }: Cluster): Fault {
  return {
    what: 'everything',
    strike: async () => {
      for (const { kiroku } of nodes) kiroku.killAll();
      await Promise.all([kafka.kill(), s3.kill(), postgres.kill()]);
      const servers = nodes.map(({ name, kiroku }) => until(`node ${name} starts`, 2 * RECOVERY, () => kiroku.up().then(() => true)));
      await Promise.all([kafka.start(), s3.start(), postgres.start(), ...servers]);
    },
  };
}
