import type { EventLog, Subscription } from '@kiroku/domain/kernel/event-log.js';
import type { DecisionCopy } from '@kiroku/infra/event-log/kafka-decisions.js';
import { Politeness } from '@kiroku/infra/platform/politeness.js';
import { checkpointOf } from '@kiroku/infra/read-model/view-runner.js';
import type pg from 'pg';

export const FORWARDER = 'forwarder';
const BATCH = 1_000;
/** ms: nobody inside waits for the copy, and larger batches cost less. */
const PACE = 100;
/** ms while the machine is busy. */
const BUSY_PACE = 1_000;

/**
 * Copies every decision to where readers outside find it, once and in order. One worker at a time does it; where it goes on is told by
 * the copy itself, so a crash between copying and noting it doubles nothing.
 */
export function runForwarder(log: Pick<EventLog, 'consume'>, copy: Pick<DecisionCopy, 'next' | 'append'>, pool: pg.Pool, trouble: (error: unknown) => void): Promise<Subscription> {
  return log.consume({
    group: FORWARDER,
    topics: ['decision'],
    batch: BATCH,
    pace: new Politeness(PACE, BUSY_PACE).pace,
    start: async (topic, partition) => copy.next(await checkpointOf(pool, FORWARDER, topic, partition)),
    handle: async ({ events, next }) => {
      await copy.append(events);
      // For the eyes of the administrator, and for a copy that retention has emptied.
      await pool.query({
        name: 'forwarded',
        text: `INSERT INTO history.checkpoint VALUES ($1, 'decision', 0, $2) ON CONFLICT (consumer, topic, partition) DO UPDATE SET position = excluded.position`,
        values: [FORWARDER, next],
      });
    },
    trouble,
  });
}
