import type { QueuedMessage } from '@kiroku/domain/delivery/queue-events.js';
import type { QueueRow } from '@kiroku/domain/delivery/queue-view.js';
import type { RowName } from '@kiroku/infra/read-model/queue.js';
import type { InTurn } from './fair-queue.js';

export const keyOf = ({ message_id, address }: RowName): string => `${message_id} ${address}`;

/** A recipient in memory. */
export interface Entry extends InTurn {
  readonly key: string;
  readonly messageId: string;
  readonly partition: number;
  readonly row: QueueRow;
  readonly message: QueuedMessage;
}

/** @param messages what was read already, by message: all recipients of one share it. */
export function entryOf(row: QueueRow, messages: Map<string, QueuedMessage>): Entry {
  let message = messages.get(row.message_id);
  if (!message) messages.set(row.message_id, (message = JSON.parse(row.message) as QueuedMessage));
  return {
    key: keyOf(row), messageId: row.message_id, together: row.via === '[]' ? row.message_id : `${row.message_id} ${row.envelope_sender ?? ''} ${forwarderOf(row) ?? ''}`,
    destination: row.destination, sender: row.sender, priority: row.priority, partition: row.partition,
    row, message,
  };
}

/** The alias here that sends it on; what is sent on says so (Delivered-To), so that a loop is seen when it comes back. */
export const forwarderOf = ({ via }: Pick<QueueRow, 'via'>): string | undefined => (via === '[]' ? undefined : (JSON.parse(via) as readonly string[]).at(-1));
