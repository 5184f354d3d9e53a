import type { Consumer, EventLog, Topic } from '@kiroku/domain/kernel/event-log.js';

/** ms after trouble that goes on and on. */
const LONGEST_PAUSE = 5_000;

/** What the loop over one partition needs from its log. */
export interface PartitionControl {
  /** Events per slice, at most. */
  readonly batch: number;
  readonly stopping: AbortSignal;
  /** Does this member own the partition at this moment? */
  mine(): boolean;
  /** A number that changes when something may have changed: new events, ownership. */
  seen(): number;
  /** Resolves when that number is not, or no longer, `since`; when told to stop; and now and then for nothing. */
  wait(since: number): Promise<void>;
  /** ms; ends early when told to stop. */
  pause(ms: number): Promise<void>;
  /** Resolves when the consumer takes its next step. */
  next(): Promise<void>;
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
  let full = false;
  while (!control.stopping.aborted) {
    if (!control.mine()) {
      position = undefined;
      full = false;
      await control.wait(control.seen());
      continue;
    }
    if (!full) await control.next(); // what is left of a full slice is there already
    if (control.stopping.aborted || !control.mine()) continue;
    try {
      position ??= await consumer.start(topic, partition);
      const since = control.seen(); // asked before reading, so that an append in between is not slept through
      const events = await log.read(topic, partition, position, control.batch);
      const last = events.at(-1);
      if (last === undefined) await control.wait(since);
      else {
        await consumer.handle({ topic, partition, from: position, events, next: last.position + 1 });
        position = last.position + 1;
      }
      failures = 0;
      full = events.length >= control.batch;
    } catch (error) {
      if (control.stopping.aborted) return;
      consumer.trouble(error);
      position = undefined;
      full = false;
      await control.pause(Math.min(LONGEST_PAUSE, 100 * 2 ** failures++));
    }
  }
}
