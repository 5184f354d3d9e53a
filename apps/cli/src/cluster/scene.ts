import { recordsOf } from '@kiroku/infra/rig/engines/kafka-topic.js';
import type { ImapClient } from '@kiroku/infra/rig/imap-client.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, letter, upTo } from '../e2e/harness.js';
import { type Cluster, DECISIONS, type Node } from './cluster.js';

const SECOND = 1_000;

/** Mail from outside. @returns its queue id. */
export async function post({ kiroku: { host, ports } }: Node, user: string, token: string): Promise<string> {
  const client = await SmtpClient.hello({ host, port: ports.smtp });
  const reply = await client.send('stranger@outside.test', [addressOf(user)], crlf(letter(token, addressOf(user))));
  await client.quit();
  const id = /id <([^>]+)>/.exec(reply.lines.join(' '))?.[1];
  if (reply.code !== 250 || id === undefined) throw new Error(`${reply.code} ${reply.lines.join(' ')}`);
  return id;
}

export async function mailAt(node: Node, user: string): Promise<string[]> {
  const client = await node.pop3(user);
  const { count } = await client.stat();
  const messages: string[] = [];
  await client.retrAll(upTo(count), (message) => messages.push(message.toString()));
  await client.quit();
  return messages;
}

/** Resolves when the client, which idles, has heard of so many messages. */
export async function hears(client: ImapClient, count: number): Promise<void> {
  for (;;) {
    const [, heard = '0'] = /^\* (\d+) EXISTS$/.exec(await client.line(30 * SECOND)) ?? [];
    if (Number(heard) >= count) return;
  }
}

/** What rebuilds of all views found. @throws Error when one differs. */
export const verified = ({ kiroku }: Node): Promise<string> => kiroku.must('replay', '--all', '--verify', '--json');

/** The decisions in the database and in the topic, a line each: position and id of the event. To be asked when nobody decides anything. */
export async function decisionsOf(cluster: Cluster): Promise<{ readonly made: readonly string[]; readonly copied: readonly string[] }> {
  return until('all decisions are copied', 60 * SECOND, async () => {
    const records = await recordsOf(cluster.engines.kafka, DECISIONS, 60 * SECOND);
    const copied = records.map(({ headers, value }) => `${headers?.position?.toString()} ${(JSON.parse(value?.toString() ?? '{}') as { id?: string }).id}`);
    const rows = await cluster.query<{ position: number; events: string }>('SELECT position, events FROM history.decision ORDER BY position');
    const made = rows.flatMap(({ position, events }) => (JSON.parse(events) as { id: string }[]).map(({ id }, i) => `${position + i} ${id}`));
    return copied.length >= made.length && { made, copied };
  });
}
