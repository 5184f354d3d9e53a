import type { SunkMail } from '@kiroku/infra/rig/remote/smtp-sink.js';
import { sha1, type Sent, type Told } from './crash-load.js';
import { type OutboundScene, triesOf } from './outbound-scene.js';

/** A server elsewhere. */
interface Sink { mails(): readonly Pick<SunkMail, 'recipients' | 'message'>[] }

/** What the servers elsewhere hold, and what was decided about it. */
export interface OutboundFindings {
  /** What is wrong, in words; empty when every promise was kept. */
  readonly wrong: readonly string[];
  /** Messages that arrived more than once at a recipient, each of them explained unless it is in `wrong`. */
  readonly doubled: number;
  /** Results that say that the outcome is not known. */
  readonly unknown: number;
}

/**
 * Every acknowledged message is at each of its recipients; more copies than one only as far as attempts with the outcome `unknown`
 * were recorded for that recipient; no content has changed. A story would not do: it follows the log, and may not tell of all of them yet.
 */
export async function outboundFindings(scene: Pick<OutboundScene, 'decided'>, senders: Told, sinks: readonly Sink[]): Promise<OutboundFindings> {
  const wrong: string[] = [];
  const copies = copiesIn(sinks, senders, wrong);
  let doubled = 0;
  let unknown = 0;
  const all = [...senders.acknowledged].map(([token, sent]) => ({ token, sent, least: 1 }))
    .concat([...senders.uncertain].map(([token, sent]) => ({ token, sent, least: 0 })));
  for (const { token, sent, least } of all) {
    const counts = sent.users.map((address) => ({ address, count: copies.get(`${token} ${address}`) ?? 0 }));
    for (const { address, count } of counts) if (count < least) wrong.push(`${token} was acknowledged and is not at ${address}`);
    const several = counts.filter(({ count }) => count > 1);
    if (several.length === 0) continue;
    const decided = await scene.decided(sent.id);
    for (const { address, count } of several) {
      const explained = triesOf(decided, address).filter((result) => result.outcome === 'unknown').length;
      doubled += 1;
      unknown += explained;
      if (count > 1 + explained) wrong.push(`${token} is ${count} times at ${address}, with ${explained} unknown outcomes (${sent.id})`);
    }
  }
  return { wrong, doubled, unknown };
}

/** `token recipient` → how often. */
function copiesIn(sinks: readonly Sink[], senders: Told, wrong: string[]): ReadonlyMap<string, number> {
  const copies = new Map<string, number>();
  for (const { recipients, message } of sinks.flatMap((sink) => sink.mails())) {
    const token = /^Subject: (\S+)$/m.exec(message.slice(0, 8_192))?.[1] ?? 'no token';
    const sent: Sent | undefined = senders.acknowledged.get(token) ?? senders.uncertain.get(token);
    // smtp-sink keeps no CR.
    const body = Buffer.from(message.replaceAll('\n', '\r\n'), 'latin1');
    if (!sent) wrong.push(`${token} was never sent`);
    else if (sha1(body.subarray(-sent.length)) !== sent.sha1) wrong.push(`${token} has another content`);
    for (const address of recipients) copies.set(`${token} ${address}`, (copies.get(`${token} ${address}`) ?? 0) + 1);
  }
  return copies;
}
