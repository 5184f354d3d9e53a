import { until } from '@kiroku/infra/rig/until.js';
import { sha1, type Sent, type Told } from './crash-load.js';
import { addressOf, type ServerUnderTest } from './harness.js';

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

/** Rebuilds every view beside the live one and compares; resolves to what is said of those that differ. */
export async function viewsThatDiffer({ kiroku }: ServerUnderTest): Promise<string[]> {
  const { code, stdout, stderr } = await kiroku.cli('replay', '--all', '--verify', '--json');
  if (code === 0) return [];
  const reports = stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { readonly differences?: readonly string[] });
  const different = reports.filter(({ differences = [] }) => differences.length > 0);
  return different.length > 0 ? different.map((report) => JSON.stringify(report).slice(0, 500)) : [`${code}: ${stderr.slice(-500)}`];
}
