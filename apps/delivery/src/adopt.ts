import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import { messageOf } from '@kiroku/domain/delivery/notices.js';
import type { QueuedRecipient, QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import type { QueueRow } from '@kiroku/domain/delivery/queue-view.js';
import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import type { Notify } from '@kiroku/domain/mail/events.js';
import type pg from 'pg';
import type { Accepted } from './pieces.js';

const PAGE = 2_000;

type Unread = Pick<QueueRow, 'message_id' | 'address' | 'recipient' | 'via' | 'notify' | 'orcpt'>;

/**
 * Takes over what release 0.1 left waiting: it recorded who is on another server (`RecipientRouted`), not with what message. The
 * acceptance is looked up in the log, once, and `MessageQueued` appended; from then on it is like all the others.
 * @returns messages taken over.
 */
export async function adoptUnread(pool: pg.Pool, log: EventLog, engine: Engine): Promise<number> {
  const { rows } = await pool.query<Unread>(`SELECT message_id, address, recipient, via, notify, orcpt FROM view.queue_1 WHERE state = 'unread'`);
  if (rows.length === 0) return 0;
  const waiting = Map.groupBy(rows, (row) => row.message_id);
  let adopted = 0;
  for (let partition = 0; partition < log.partitions('mail') && waiting.size > 0; partition++)
    for (let from = 0; ; ) {
      const events = await log.read('mail', partition, from, PAGE);
      const last = events.at(-1);
      if (!last) break;
      from = last.position + 1;
      for (const { event } of events) {
        const recipients = event.type === 'MessageAccepted' ? waiting.get(event.correlation) : undefined;
        if (!recipients) continue;
        await adopt(engine, event as Accepted, recipients);
        waiting.delete(event.correlation);
        adopted++;
      }
    }
  return adopted;
}

async function adopt(engine: Engine, accepted: Accepted, rows: readonly Unread[]): Promise<void> {
  const { messageId } = accepted.data;
  const recipients = rows.map(({ address, recipient, via, notify, orcpt }): QueuedRecipient => ({
    address, recipient, via: JSON.parse(via) as string[], ...(notify !== null && { notify: JSON.parse(notify) as Notify[] }), ...(orcpt !== null && { orcpt }),
  }));
  const fact: QueueEvent = { type: 'MessageQueued', data: { messageId, message: messageOf(accepted), recipients, priority: 0 } };
  const stream = messageStream(messageId);
  const version = (await engine.store.readLast([stream])).get(stream)?.version ?? 0;
  const events = record([fact], engine, { actor: 'system:delivery', correlation: messageId, causation: accepted.id }, {});
  await engine.store.append([{ stream, expected: version, events }]).catch((error: unknown) => {
    if (!(error instanceof VersionConflict)) throw error; // another process was faster
  });
}
