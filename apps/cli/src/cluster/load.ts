import { until } from '@kiroku/infra/rig/until.js';
import { MailboxWitness, whatIsWrong } from '../e2e/crash-check.js';
import { Senders, type Sent, type Told } from '../e2e/crash-load.js';
import { chance } from '../e2e/harness.js';
import type { Cluster, Node } from './cluster.js';

const SENDERS = 3; // at each node
const PACE = 400; // ms: some 12 messages a second and node; what all have brought in is read several times in the end
const ANSWER = 75_000; // ms: longer than any engine is waited for, so that the server's own answer is heard

/** A steady load on both nodes, and what is in the mailboxes of it. */
export class Load implements Told {
  readonly #senders: ReadonlyMap<Node, Senders>;
  readonly #witnesses: readonly MailboxWitness[];

  constructor(cluster: Cluster, users: readonly string[]) {
    this.#senders = new Map(
      cluster.nodes.map((node, i) => {
        const { host, ports } = node.kiroku;
        return [node, new Senders(ports.smtp, users, node.name, chance(i + 1), undefined, { host, pace: PACE, answer: ANSWER })];
      }),
    );
    // Half of the mailboxes are read at each node.
    this.#witnesses = users.map((user, i) => new MailboxWitness({ login: (name) => (i % 2 === 0 ? cluster.one : cluster.two).pop3(name) }, user));
  }

  get acknowledged(): ReadonlyMap<string, Sent> {
    return new Map([...this.#senders.values()].flatMap(({ acknowledged }) => [...acknowledged]));
  }

  get uncertain(): ReadonlyMap<string, Sent> {
    return new Map([...this.#senders.values()].flatMap(({ uncertain }) => [...uncertain]));
  }

  get surprises(): readonly string[] {
    return [...this.#senders.values()].flatMap(({ surprises }) => surprises);
  }

  /** How often senders were told to come again later, or lost their connection. */
  get refusals(): { readonly deferrals: number; readonly breaks: number } {
    const all = [...this.#senders.values()];
    return { deferrals: all.reduce((sum, { deferrals }) => sum + deferrals, 0), breaks: all.reduce((sum, { breaks }) => sum + breaks, 0) };
  }

  /** Runs `work` under load, which has begun everywhere before. */
  async during(work: () => Promise<void>): Promise<void> {
    for (const senders of this.#senders.values()) senders.start(SENDERS);
    try {
      await Promise.all([...this.#senders.keys()].map((node) => this.accepts(node, performance.now(), 60_000, 5)));
      await work();
    } finally {
      await Promise.all([...this.#senders.values()].map((senders) => senders.stop()));
    }
  }

  /** ms from `since` until a node had acknowledged so many messages that were begun after it. */
  accepts(node: Node, since: number, ms: number, count = 1): Promise<number> {
    return until(`${node.name} accepts mail`, ms, () => {
      const at = this.#after(node, since);
      return at.length >= count && (at[count - 1] as number) - since;
    });
  }

  /** When a node acknowledged what was begun after `since`. */
  #after(node: Node, since: number): number[] {
    const all = [...(this.#senders.get(node)?.acknowledged.values() ?? [])];
    return all.filter(({ begun }) => begun >= since).flatMap(({ at }) => at ?? []).sort((a, b) => a - b);
  }

  /** The longest time, in ms, from `since` to now in which a node acknowledged nothing. */
  longestPause(node: Node, since: number): number {
    const times = [since, ...[...(this.#senders.get(node)?.acknowledged.values() ?? [])].flatMap(({ at = 0 }) => (at > since ? [at] : [])).sort((a, b) => a - b), performance.now()];
    return Math.max(...times.slice(1).map((at, i) => at - (times[i] as number)));
  }

  /** How many messages a node acknowledged that were begun between these two times. */
  acceptedAt(node: Node, from: number, to: number): number {
    return [...(this.#senders.get(node)?.acknowledged.values() ?? [])].filter(({ begun }) => begun >= from && begun < to).length;
  }

  /**
   * ms from the 250 to the last mailbox, the longest of what was acknowledged between these two times.
   * @param arrivals queue id → epoch ms
   */
  slowestDelivery(arrivals: ReadonlyMap<string, number>, from: number, to: number): number {
    const waits = [...this.acknowledged.values()].flatMap(({ id, at = 0 }) => (at < from || at >= to ? [] : (arrivals.get(id) ?? Infinity) - performance.timeOrigin - at));
    return Math.max(0, ...waits);
  }

  /** What is wrong with the mailboxes when all has arrived, every message read; and with what senders were told. */
  async wrong(ms: number): Promise<string[]> {
    return [...this.surprises, ...(await whatIsWrong(this, this.#witnesses, { ms, whole: true }))].slice(0, 20);
  }
}
