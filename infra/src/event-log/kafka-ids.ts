import { randomInt } from 'node:crypto';
import type { Ids } from '@kiroku/domain/kernel/clock.js';
import { partitionOf } from '@kiroku/domain/kernel/event-log.js';

/** ms. Many round trips to the brokers, and as long as a delivery on a busy machine waits between two looks at a partition. */
const RUN = 200;
/** Ids looked at for one of the partition wanted: in vain once in a thousand times with 36 partitions, and then any will do. */
const MOST = 256;

/**
 * Queue ids of which those that a process makes at about the same time belong to one partition of `mail`, then to another: its appends are
 * batches of many messages in one partition instead of one message in each. To brokers and readers a batch costs about as much as a message.
 */
export function idsInRuns(ids: Ids, partitions: number, elapsed: () => number = () => performance.now(), first = randomInt(2 ** 40)): Ids {
  let run = -1;
  let wanted = 0;
  return {
    uuid: () => ids.uuid(),
    queueId() {
      const now = Math.floor(elapsed() / RUN);
      if (now !== run) [run, wanted] = [now, partitionOf(String(first + now), partitions)];
      for (let looked = 1; ; looked++) {
        const id = ids.queueId();
        if (looked >= MOST || partitionOf(id, partitions) === wanted) return id;
      }
    },
  };
}
