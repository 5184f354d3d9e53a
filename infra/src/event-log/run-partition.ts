import type { Consumer, EventLog, Topic } from '@kiroku/domain/kernel/event-log.js';

/** What the loop over one partition needs from its log. */
export interface PartitionControl {
  readonly stopping: AbortSignal;
  /** Does this member own the partition at this moment? */
  mine(): boolean;
  /** Resolves when something may have changed: new events, ownership, stop. A hint; may resolve for nothing. */
  wait(): Promise<void>;
  /** A pause after trouble. @param failures in a row, at least 1. */
  pause(failures: number): Promise<void>;
}

/**
 * Reads one partition from `consumer.start()` on and hands it over slice by slice, until told to stop or until the partition is
 * no longer this member's. Trouble is reported and the partition read again from `start()`: what was handled but not stored comes twice.
 */
export async function runPartition(
  log: Pick<EventLog, 'read'>,
  consumer: Consumer,
  topic: Topic,
  partition: number,
  control: PartitionControl,
): Promise<void> {
  let position: number | undefined;
  let failures = 0;
  while (!control.stopping.aborted) {
    if (!control.mine()) {
      position = undefined;
      await control.wait();
      continue;
    }
    try {
      position ??= await consumer.start(topic, partition);
      const waiting = control.wait(); // asked before reading, so that an append in between is not slept through
      const events = await log.read(topic, partition, position, consumer.batch);
      const last = events.at(-1);
      if (last === undefined) {
        await waiting;
        continue;
      }
      await consumer.handle({ topic, partition, from: position, events, next: last.position + 1 });
      position = last.position + 1;
      failures = 0;
    } catch (error) {
      if (control.stopping.aborted) return;
      consumer.trouble(error);
      position = undefined;
      await control.pause(++failures);
    }
  }
}
