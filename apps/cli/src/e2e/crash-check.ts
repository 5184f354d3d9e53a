import { until } from '@kiroku/infra/rig/until.js';
import { sha1, type Sent, type Told } from './crash-load.js';
import { addressOf, DOMAIN, type ServerUnderTest } from './harness.js';

/** What a mailbox held so far: unique id → token. Grows with every look; only new messages are read. */
export class MailboxWitness {
  readonly #seen = new Map<string, string>();
  readonly damaged: string[] = [];

  constructor(
    private readonly server: Pick<ServerUnderTest, 'login'>,
    readonly user: string,
  ) {}

  /** Reads what is new. @param whole read every message again, and compare it. */
  async look(senders: Told, whole = false): Promise<void> {
    const client = await this.server.login(this.user);
    try {
      const uidl = await client.uidl();
      const present = new Set(uidl.values());
      for (const [uid, token] of this.#seen) if (!present.has(uid)) this.damaged.push(`${token} has vanished`);
      const wanted = [...uidl].filter(([, uid]) => whole || !this.#seen.has(uid)).map(([number]) => number);
      await client.retrAll(wanted, (message, number) => this.#note(uidl.get(number) ?? '', message, senders));
    } finally {
      await client.quit();
    }
  }

  /** How often each token is in the mailbox. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const token of this.#seen.values()) counts.set(token, (counts.get(token) ?? 0) + 1);
    return counts;
  }

  #note(uid: string, message: Buffer, senders: Told): void {
    const token = /^Subject: (\S+)\r$/m.exec(message.subarray(0, 8_192).toString('latin1'))?.[1] ?? 'no token';
    const before = this.#seen.get(uid);
    if (before !== undefined && before !== token) this.damaged.push(`${uid} was ${before} and is ${token}`);
    this.#seen.set(uid, token);
    const sent = senders.acknowledged.get(token) ?? senders.uncertain.get(token);
    if (!sent) this.damaged.push(`${token} was never sent`);
    else if (sha1(message.subarray(-sent.length)) !== sent.sha1) this.damaged.push(`${token} has another content`);
  }
}

/** What is wrong with the mailboxes, in words; empty when every promise was kept. */
export function brokenPromises(senders: Told, witnesses: readonly MailboxWitness[]): string[] {
  const wrong = witnesses.flatMap((witness) => witness.damaged);
  for (const witness of witnesses) {
    const counts = witness.counts();
    const meant = ([, sent]: [string, Sent]): boolean => sent.users.includes(witness.user);
    for (const [token] of [...senders.acknowledged].filter(meant)) {
      const count = counts.get(token) ?? 0;
      if (count !== 1) wrong.push(`${token} was acknowledged and is ${count} times in ${addressOf(witness.user)}`);
    }
    for (const [token] of [...senders.uncertain].filter(meant)) {
      const count = counts.get(token) ?? 0;
      if (count > 1) wrong.push(`${token} of unknown outcome is ${count} times in ${addressOf(witness.user)}`);
    }
  }
  return wrong;
}

/** Waits until all that was acknowledged is in its mailbox, then looks once more; resolves to what is wrong. */
export async function whatIsWrong(
  senders: Told,
  witnesses: readonly MailboxWitness[],
  options: { readonly ms: number; readonly whole?: boolean },
): Promise<string[]> {
  const missing = (witness: MailboxWitness): number => {
    const counts = witness.counts();
    return [...senders.acknowledged].filter(([token, { users }]) => users.includes(witness.user) && !counts.has(token)).length;
  };
  await Promise.all(
    witnesses.map((witness) =>
      until(`all acknowledged mail is in the mailbox of ${witness.user}`, options.ms, async () => {
        await witness.look(senders);
        return missing(witness) === 0;
      }).catch(() => undefined), // what is missing is told below, by its token
    ),
  );
  for (const witness of witnesses) await witness.look(senders, options.whole).catch((error: unknown) => witness.damaged.push(String(error)));
  return brokenPromises(senders, witnesses);
}

interface ViewRow {
  readonly view: string;
}

/** The names of all views that can be rebuilt. */
export async function viewsOf(server: ServerUnderTest): Promise<string[]> {
  const list = JSON.parse(await server.kiroku.must('replay', '--list', '--json')) as
    | readonly (string | ViewRow)[]
    | { readonly views: readonly (string | ViewRow)[] };
  return ('views' in list ? list.views : list).map((entry) => (typeof entry === 'string' ? entry : entry.view));
}

/** Rebuilds every view beside the old one and compares; resolves to what differs. */
export async function viewsThatDiffer(server: ServerUnderTest): Promise<string[]> {
  const different: string[] = [];
  for (const view of await viewsOf(server)) {
    const { code, stdout, stderr } = await server.kiroku.cli('replay', view, '--verify');
    if (code !== 0) different.push(`${view} of ${DOMAIN}: ${(stderr || stdout).slice(-500)}`);
  }
  return different;
}
