import type { QueueStory } from '@kiroku/infra/admin/queue-story.js';
import { ScriptedSmtp } from '@kiroku/infra/rig/scripted-smtp.js';
import { until } from '@kiroku/infra/rig/until.js';
import { Senders } from '../e2e/crash-load.js';
import { chance, upTo } from '../e2e/harness.js';
import { outboundFindings } from '../e2e/outbound-check.js';
import type { Cluster } from './cluster.js';

const DOMAIN = 'far.test';
const USERS = upTo(4).map((i) => `far${i}`);
const PACE = 600; // ms
const ANSWER = 75_000; // ms

/** Mail that both nodes send on to another server, under load, and what that server has taken. */
export class Outward {
  readonly #senders: readonly Senders[];

  private constructor(
    private readonly cluster: Cluster,
    private readonly sink: ScriptedSmtp,
  ) {
    this.#senders = cluster.nodes.map(({ name, kiroku: { host, ports } }, i) =>
      new Senders(ports.smtp, USERS, `out-${name}`, chance(100 + i), (user) => `${user}@${DOMAIN}`, { host, pace: PACE, answer: ANSWER }));
  }

  /** The other server listens where both nodes reach it. */
  static async start(cluster: Cluster): Promise<Outward> {
    const sink = await ScriptedSmtp.listen({}, { host: cluster.engineHost });
    const { kiroku } = cluster.one;
    await kiroku.must('relay-domain', 'add', DOMAIN, '--verify', 'none');
    await kiroku.must('gateway', 'add', DOMAIN, cluster.engineHost, `${sink.port}`);
    await kiroku.must('settings', 'set', 'outboundLoopback=on', `retry=${JSON.stringify({ base: { interval: 1_000, longest: 2_000 } })}`);
    return new Outward(cluster, sink);
  }

  /** Runs `work` while mail goes out at both nodes. */
  async during(work: () => Promise<void>): Promise<void> {
    for (const senders of this.#senders) senders.start(1);
    try {
      await work();
    } finally {
      await Promise.all(this.#senders.map((senders) => senders.stop()));
    }
  }

  /**
   * What is wrong, when nothing waits any more: what is missing, what is twice without an attempt of unknown outcome recorded for it (the
   * process ended between the other server's 250 and our record of it), and what senders were told.
   */
  async findings(ms: number): Promise<{ readonly wrong: readonly string[]; readonly acknowledged: number; readonly doubled: number }> {
    const { one } = this.cluster;
    await until('nothing waits to be sent', ms, async () => (JSON.parse(await one.kiroku.must('queue', 'list', '--json')) as unknown[]).length === 0);
    const of = (kind: 'acknowledged' | 'uncertain') => new Map(this.#senders.flatMap((senders) => [...senders[kind]]));
    const told = { acknowledged: of('acknowledged'), uncertain: of('uncertain') };
    const addressed = new Map([...told.acknowledged, ...told.uncertain].map(([token, sent]) => [token, { ...sent, users: sent.users.map((user) => `${user}@${DOMAIN}`) }]));
    const named = (kind: ReadonlyMap<string, unknown>) => new Map([...addressed].filter(([token]) => kind.has(token)));
    const mails = () => this.sink.messages.map(({ rcpt, body }) => ({ recipients: rcpt.map((path) => /<([^>]*)>/.exec(path)?.[1] ?? path), message: body.toString('latin1').replaceAll('\r\n', '\n') }));
    const decided = async (id: string): Promise<QueueStory> => JSON.parse(await one.kiroku.must('queue', 'show', id, '--json')) as QueueStory;
    const { wrong, doubled } = await outboundFindings({ decided }, { acknowledged: named(told.acknowledged), uncertain: named(told.uncertain) }, [{ mails }]);
    return { wrong: [...this.#senders.flatMap(({ surprises }) => surprises), ...wrong], acknowledged: told.acknowledged.size, doubled };
  }

  stop(): Promise<void> {
    return this.sink.close();
  }
}
