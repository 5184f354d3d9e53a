import type { EventLog, Positioned, Slice, Topic } from '@kiroku/domain/kernel/event-log.js';

interface Place { readonly topic: Topic; readonly partition: number }
interface Page {
  readonly from: number;
  readonly events: Promise<readonly Positioned[]>;
  /** Where the next one begins, once that is known. */
  readonly next: number | undefined;
}
interface Lane extends Place {
  /** Position of the next event to hand out. */
  next: number;
  readonly end: number;
  /** Read and not yet handed out. */
  events: readonly Positioned[];
  page: Page | undefined;
  /** The page behind it: fetched while that one is parsed. */
  ahead: Page | undefined;
}

/** Events per page of one partition that is read alone: rows go to the database in as large pieces, and what is soon done with is seldom moved by the garbage collector. */
const PAGE = 4_000;
/** With others: an event and what followed from it, some seconds later under load, should come in one batch. */
const PAGE_IN_STEP = 10_000;

/**
 * Reads several partitions up to fixed ends, all in step by the time of their events: what follows from an event comes in the same
 * batch or soon after, so a view writes a row once where several events concern it. The order across partitions is only roughly that of time.
 * @param types events of other types may be missing.
 */
export async function* inStep(
  log: Pick<EventLog, 'read'>,
  places: readonly (Place & { readonly from: number; readonly end: number })[],
  types?: ReadonlySet<string>,
): AsyncGenerator<readonly Slice[]> {
  const lanes: Lane[] = places.map(({ topic, partition, from, end }) => ({ topic, partition, next: from, end, events: [], page: undefined, ahead: undefined }));
  const page = lanes.length === 1 ? PAGE : PAGE_IN_STEP;
  for (;;) {
    await Promise.all(lanes.map((lane) => fill(log, lane, page, types)));
    const open = lanes.filter((lane) => lane.events.length > 0);
    if (open.length === 0) return;
    const time = until(open);
    const slices = open.flatMap((lane) => take(lane, time));
    for (const lane of lanes) request(log, lane, page, types); // while these are handled
    yield slices;
  }
}

/** The time up to which all lanes have been read; one lane at least is used up by then. */
const until = (open: readonly Lane[]): number => Math.min(...open.map((lane) => (lane.events.at(-1) as Positioned).event.at));

/** Everything before the first event that is later; everything, where the lane ends there. */
function take(lane: Lane, time: number): readonly Slice[] {
  const { topic, partition, events, next: from } = lane;
  const last = events.at(-1) as Positioned;
  const later = last.event.at === time ? -1 : events.findIndex((e) => e.event.at > time);
  const count = later === -1 ? events.length : later;
  if (count === 0) return [];
  const taken = count === events.length ? events : events.slice(0, count);
  lane.events = events.slice(count);
  lane.next = (taken.at(-1) as Positioned).position + 1;
  return [{ topic, partition, from, events: taken, next: lane.next }];
}

function request(log: Pick<EventLog, 'read'>, lane: Lane, page: number, types?: ReadonlySet<string>): void {
  if (lane.events.length > 0 || lane.page !== undefined || lane.next >= lane.end) return;
  const { ahead } = lane;
  lane.ahead = undefined;
  lane.page = ahead?.from === lane.next ? ahead : fetchPage(log, lane, lane.next, page, types);
  if (lane.page.next !== undefined) lane.ahead = fetchPage(log, lane, lane.page.next, page, types);
}

function fetchPage(log: Pick<EventLog, 'read'>, lane: Lane, from: number, page: number, types?: ReadonlySet<string>): Page {
  let fetched: Page | undefined;
  let next: number | undefined;
  const behind = (position: number): void => {
    if (position >= lane.end) return;
    next = position;
    if (fetched && lane.page === fetched) lane.ahead = fetchPage(log, lane, next, page, types);
  };
  const events = log.read(lane.topic, lane.partition, from, Math.min(page, lane.end - from), types, behind);
  events.catch(() => undefined); // seen when it is waited for
  return (fetched = { from, events, get next() { return next; } });
}

async function fill(log: Pick<EventLog, 'read'>, lane: Lane, page: number, types?: ReadonlySet<string>): Promise<void> {
  request(log, lane, page, types);
  if (lane.page === undefined) return;
  const events = await lane.page.events;
  lane.page = undefined;
  lane.events = events.filter((e) => e.position < lane.end); // retention may have made it read on from beyond
  if (lane.events.length === 0) lane.next = lane.end;
}
