import type { RecordedOf } from '@kiroku/domain/kernel/event.js';
import type { EventLog, Subscription } from '@kiroku/domain/kernel/event-log.js';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { entryOf } from '@kiroku/domain/mailbox/batch.js';
import type { MailboxEvent } from '@kiroku/domain/mailbox/mailbox.js';
import type pg from 'pg';
import type { BodyCache } from './search-index-cache.js';
import { type Gate, whenIdle } from './search-index-pace.js';

/** Bodies read at once: a few ms of work. */
const STEP = 50;
/** Events read at once, and ms between two readings. */
const SLICE = 500;
const USUAL = 100;

/**
 * Reads, newest first, the bodies of mailboxes that nobody has asked for yet, so that the first search or listing finds them known.
 * Gives way to all other work. For a start: it looks through all mailboxes; `followMail` goes on from there.
 * @param most bodies; what is left waits for the next call.
 * @param left is told how many of those that it found are still to be read.
 * @returns how many it read.
 */
export async function fillCache(pool: pg.Pool, cache: BodyCache, most: number, signal: AbortSignal, gate: Gate = whenIdle(), left: (bodies: number) => void = () => undefined): Promise<number> {
  // One look at the index for all; a body in several mailboxes is one.
  const listed = await gate(signal, () => pool.query<{ sha256: string; size: number; at: string | null }>({
    text: `SELECT encode(m.sha256, 'hex') AS sha256, max(m.body_size) AS size, max(m.at) AS at FROM view.mailbox_message_1 m
           WHERE NOT EXISTS (SELECT FROM cache.search_1 s WHERE s.sha256 = m.sha256) GROUP BY m.sha256 ORDER BY max(m.received_at) DESC LIMIT $1`,
    values: [most],
    ...PATIENT,
  }));
  const refs: readonly BodyRef[] = (listed?.rows ?? []).map(({ sha256, size, at }) => ({ sha256, size, ...(at !== null && { at }) }));
  return stepwise(refs, cache, signal, gate, left);
}

async function stepwise(refs: readonly BodyRef[], cache: BodyCache, signal: AbortSignal, gate: Gate, left: (bodies: number) => void): Promise<number> {
  let read = 0;
  let start = 0;
  while (!signal.aborted && start < refs.length) {
    left(refs.length - start);
    await gate(signal, async (more) => {
      do {
        read += await cache.ensure(refs.slice(start, start + STEP));
        start += STEP;
      } while (start < refs.length && more());
    });
  }
  left(0);
  return read;
}

/**
 * Reads the bodies of mail that comes in from now on, soon after it did, or when the machine has time for it. For one consumer group: a
 * process that does it is enough. Nothing is lost when it stops: what it has not read is read by whoever asks first.
 * @param left is told how many bodies of the events that it has before it are still to be read.
 * @param changed is told which mailboxes something has happened to.
 */
export async function followMail(
  log: EventLog, cache: BodyCache, trouble: (error: unknown) => void, gate: Gate = whenIdle(), left: (bodies: number) => void = () => undefined,
  changed: (mailboxes: readonly string[]) => Promise<void> = () => Promise.resolve(),
): Promise<Subscription> {
  const stopping = new AbortController();
  const following = await log.consume({
    group: 'body-cache', topics: ['decision'], batch: SLICE,
    pace: () => USUAL,
    start: (topic, partition) => log.head(topic, partition),
    handle: async ({ events }) => {
      const mailboxes = new Set(events.flatMap(({ event }) => (CHANGES.has(event.type) ? [(event as RecordedOf<MailboxEvent>).data.mailboxId] : [])));
      // Also where there is nothing to do: a full slice is followed by the next one at once.
      await gate(stopping.signal, () => (mailboxes.size > 0 ? changed([...mailboxes]).catch(trouble) : Promise.resolve()));
      await stepwise(events.flatMap(({ event }) => bodiesIn(event as RecordedOf<MailboxEvent>)), cache, stopping.signal, gate, left);
    },
    trouble,
  });
  return {
    stop: () => {
      stopping.abort();
      return following.stop();
    },
  };
}

const CHANGES: ReadonlySet<string> = new Set<MailboxEvent['type']>(['MessageAppended', 'MessagesAppended', 'FlagsChanged', 'MessageExpunged', 'MessagesExpunged']);

/** What is copied was read where it came from. */
function bodiesIn({ type, data }: RecordedOf<MailboxEvent>): readonly BodyRef[] {
  if (type === 'MessageAppended') return [{ sha256: data.sha256, size: data.bodySize, ...(data.at !== undefined && { at: data.at }) }];
  if (type !== 'MessagesAppended' || data.from !== undefined) return [];
  return data.sizes.map((_, i) => entryOf(data, data.firstUid + i)).map(({ sha256, bodySize, at }) => ({ sha256, size: bodySize, ...(at !== undefined && { at }) }));
}

/** Whole-table statements may take their time (ms); the driver reads this, its types do not know it. */
const PATIENT = { query_timeout: 3_600_000 } as object;

/**
 * Forgets what is known of bodies that no mailbox has any more, and of mailboxes that are no more. For the worker's sweep, after the bodies; harmless at any time, as what
 * is forgotten too early is found out again.
 * @returns rows removed.
 */
export async function sweepCache(pool: pg.Pool): Promise<number> {
  let removed = 0;
  for (const table of ['cache.search_1', 'cache.body_1']) {
    const { rowCount } = await pool.query({
      text: `DELETE FROM ${table} c WHERE NOT EXISTS (SELECT FROM view.mailbox_message_1 m WHERE m.sha256 = c.sha256)`,
      ...PATIENT,
    });
    removed += rowCount ?? 0;
  }
  await pool.query({ text: 'DELETE FROM cache.mailbox_1 c WHERE NOT EXISTS (SELECT FROM view.mailbox_1 b WHERE b.id = c.mailbox_id)', ...PATIENT });
  return removed;
}
