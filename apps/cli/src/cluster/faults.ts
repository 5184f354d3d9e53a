import { replicated } from '@kiroku/infra/rig/engines/kafka-topic.js';
import { signalAll } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { type Cluster, DECISIONS, MAIL } from './cluster.js';
import type { Load } from './load.js';

/** ms until the others have taken over what a lost machine did. */
export const TAKEOVER = 30_000;
/** ms for anything to work again; the machine may be busy with other things. */
const RECOVERY = 120_000;
/** Messages that each node has to accept after a fault. */
const AGAIN = 10;
/** ms without a 250 that say that an outage is felt. */
const FELT = 3_000;

export interface Fault {
  readonly what: string;
  readonly strike: () => void | Promise<void>;
  /** Resolves when what was broken works again, by itself or by what a supervisor would do. */
  readonly served?: () => Promise<void>;
  /** What comes back then, although it was not missed. */
  readonly back?: () => Promise<void>;
  /** To be done before the next fault, when mail has been seen to flow without it. */
  readonly mend?: () => Promise<void>;
}

/** Seconds, counted from the fault; how often senders were deferred or lost their connection. */
export interface Outcome {
  readonly fault: string;
  readonly 'works again': number | string;
  readonly 'first 250 at one': number;
  readonly 'first 250 at two': number;
  readonly 'longest pause at one': number;
  readonly 'longest pause at two': number;
  /** From a 250 to the last mailbox. */
  readonly 'slowest delivery': number;
  readonly deferrals: number;
  readonly breaks: number;
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10;

/** Strikes under load, and waits until mail flows again everywhere. */
export async function suffer(cluster: Cluster, load: Load, { what, strike, served, back, mend }: Fault): Promise<Outcome> {
  const { one, two } = cluster;
  await evenlyShared(cluster, RECOVERY);
  const before = load.refusals;
  const decisions = await cluster.decisions();
  const began = performance.now();
  await strike();
  const mended = async (): Promise<number | string> => {
    if (!served) return 'not needed';
    await served();
    const after = seconds(performance.now() - began);
    await back?.();
    return after;
  };
  const [again, first, second] = await Promise.all([mended(), load.accepts(one, began, RECOVERY), load.accepts(two, began, RECOVERY)]);
  const recovered = performance.now();
  await Promise.all([one, two].map((node) => load.accepts(node, recovered, RECOVERY, AGAIN)));
  await cluster.deliveredUpTo(await cluster.accepted(), RECOVERY);
  const after = load.refusals;
  const outcome: Outcome = {
    fault: what,
    'works again': again,
    'first 250 at one': seconds(first),
    'first 250 at two': seconds(second),
    'longest pause at one': seconds(load.longestPause(one, began)),
    'longest pause at two': seconds(load.longestPause(two, began)),
    'slowest delivery': seconds(load.slowestDelivery(await cluster.arrivals(decisions), began, recovered)),
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

export function engineFaults({ engines: { kafka, s3, postgres }, nodes }: Cluster, load: Load): Fault[] {
  return [
    {
      what: 'a broker of three',
      strike: () => kafka.kill(0),
      mend: async () => {
        await kafka.start(0);
        await replicated(kafka, [MAIL, DECISIONS], RECOVERY);
      },
    },
    {
      what: `S3, for ${seconds(FELT)} s`,
      strike: () => s3.kill(),
      served: async () => {
        const since = performance.now();
        await until('mail is no longer accepted', RECOVERY, () => nodes.every((node) => load.longestPause(node, since) > FELT));
        await s3.start();
      },
    },
    { what: 'PostgreSQL', strike: () => postgres.kill(), served: () => postgres.start() },
  ];
}

/** A machine that is switched off, and on when the other has been seen to do without it. */
export function nodeFault(cluster: Cluster): Fault {
  const { two } = cluster;
  return {
    what: 'the whole node two',
    strike: () => two.kiroku.killAll(),
    served: () => takenOver(cluster),
    back: () => two.kiroku.up(),
  };
}

/** Resolves when the first node does all the work, and has done what was waiting. */
export async function takenOver(cluster: Cluster): Promise<void> {
  const accepted = await cluster.accepted();
  await Promise.all([holdsAll(cluster, TAKEOVER), cluster.deliveredUpTo(accepted, TAKEOVER)]);
}

async function holdsAll(cluster: Cluster, ms: number): Promise<void> {
  const { name } = cluster.one;
  const partitions = (await cluster.accepted()).size;
  await until(`${name} delivers all mail`, ms, async () => {
    const held = await cluster.delivering();
    if (held.size === partitions && [...held.values()].every((holder) => holder === name)) return true;
    throw new Error(`of ${partitions} partitions are held: ${JSON.stringify([...held])}`);
  });
}

/**
 * Resolves when every delivery process of both nodes has its fair share of the partitions: nothing moves any more then. One partition each
 * would be less: the rest may still be with the other, or on its way.
 */
export async function evenlyShared(cluster: Cluster, ms: number): Promise<void> {
  const partitions = (await cluster.accepted()).size;
  const members = cluster.nodes.flatMap(({ name, deliveries }) => Array<string>(deliveries).fill(name)).sort();
  const fair = Math.ceil(partitions / members.length);
  await until('both nodes deliver their fair shares of mail', ms, async () => {
    const shares = await cluster.shares();
    const all = shares.reduce((sum, share) => sum + share.partitions, 0);
    if (all === partitions && shares.every((share) => share.partitions <= fair) && shares.map(({ node }) => node).sort().join() === members.join()) return true;
    throw new Error(`${partitions} partitions are shared like this: ${JSON.stringify(shares)}`);
  });
}

/** Everything at once; then everything is started, in no order, as often as it takes. */
export function wholeFault({ engines: { kafka, s3, postgres }, nodes }: Cluster): Fault {
  return {
    what: 'everything',
    strike: async () => {
      for (const { kiroku } of nodes) kiroku.killAll();
      await Promise.all([kafka.kill(), s3.kill(), postgres.kill()]);
    },
    served: async () => {
      const servers = nodes.map(({ name, kiroku }) => until(`node ${name} starts`, 2 * RECOVERY, () => kiroku.up().then(() => true)));
      await Promise.all([kafka.start(), s3.start(), postgres.start(), ...servers]);
    },
  };
}
