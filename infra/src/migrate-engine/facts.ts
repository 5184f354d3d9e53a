import { createHash, type Hash } from 'node:crypto';
import { type Entry, type EventLog, partitionOf, type Positioned, type Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { MigrationRefused, type Steps } from './steps.js';

export type FactTopic = Exclude<Topic, 'decision'>;
export const FACT_TOPICS: readonly FactTopic[] = ['mail', 'session'];

/** Events read at once from each partition, and appended at once. */
const PAGE = 2_000;
const BATCH = 1_000;
/** Characters of events appended at once, about. */
const BATCH_SIZE = 4 << 20;

type Reading = Pick<EventLog, 'partitions' | 'head' | 'read'>;
interface Keyed { readonly key: string; readonly event: Recorded }

/** What lies in a partition: how many events, and a hash over all of them in order. */
export interface Content { readonly events: number; readonly sha256: string }

export interface FactsReport {
  readonly events: number;
  /** Of these, there already from a copy that was cut off. */
  readonly kept: number;
  /** Partitions of the target that differ from what was copied. */
  readonly differences: readonly string[];
}

/**
 * Copies all facts of one log to another. Keys are spread over the target's partitions anew and keep their order; different keys are in
 * the order of time but for what is appended together. The order depends on the source alone, so a copy that was
 * cut off goes on behind what is there, which has to be its beginning. Nobody may append to either meanwhile.
 * Afterwards the target is read and compared, event by event.
 * @throws MigrationRefused when the target holds anything else.
 */
export async function copyFacts(source: Reading, target: Reading & Pick<EventLog, 'append'>, steps: Steps): Promise<FactsReport> {
  let [events, kept] = [0, 0];
  const differences: string[] = [];
  const total = 2 * (await factsIn(source));
  let done = 0;
  const tell = (more: number): void => steps.progress({ done: (done += more), total });
  for (const topic of FACT_TOPICS) {
    const found = await contents(target, topic, steps, () => undefined);
    const copied = await copyTopic(source, target, topic, found, steps, tell);
    for (const { events: there } of found) kept += there;
    for (const { events: there } of copied) events += there;
    differences.push(...different(topic, copied, await contents(target, topic, steps, tell)));
  }
  return { events, kept, differences };
}

/** Compares what a copy would be with what is there. Writes nothing. */
export async function compareFacts(source: Reading, target: Reading, steps: Steps): Promise<FactsReport> {
  let events = 0;
  const differences: string[] = [];
  const total = (await factsIn(source)) + (await factsIn(target));
  let done = 0;
  const tell = (more: number): void => steps.progress({ done: (done += more), total });
  for (const topic of FACT_TOPICS) {
    const sums = sumsOf(target.partitions(topic));
    for await (const facts of inOrder(source, topic, steps.signal)) {
      for (const fact of facts) sums[partitionOf(fact.key, sums.length)]?.add(fact);
      tell(facts.length);
    }
    const wanted = sums.map((sum) => sum.content());
    for (const { events: there } of wanted) events += there;
    differences.push(...different(topic, wanted, await contents(target, topic, steps, tell)));
  }
  return { events, kept: events, differences };
}

export async function factsIn(log: Reading): Promise<number> {
  let events = 0;
  for (const topic of FACT_TOPICS) for (let p = 0; p < log.partitions(topic); p++) events += (await log.head(topic, p)) - (await firstIn(log, topic, p));
  return events;
}

/** Retention may have removed the oldest. */
const firstIn = async (log: Reading, topic: Topic, partition: number): Promise<number> =>
  (await log.read(topic, partition, 0, 1))[0]?.position ?? (await log.head(topic, partition));

async function copyTopic(
  source: Reading, target: Reading & Pick<EventLog, 'append'>, topic: FactTopic, found: readonly Content[], { signal }: Steps, tell: (events: number) => void,
): Promise<readonly Content[]> {
  const sums = sumsOf(found.length);
  for await (const facts of inOrder(source, topic, signal)) {
    const fresh: Entry[] = [];
    for (const fact of facts) {
      const partition = partitionOf(fact.key, sums.length);
      const [sum, there] = [sums[partition] as Sum, found[partition] as Content];
      const old = sum.events < there.events;
      sum.add(fact);
      if (!old) fresh.push({ topic, ...fact });
      else if (sum.events === there.events && sum.content().sha256 !== there.sha256) throw refused(topic, partition);
    }
    if (fresh.length > 0) await target.append(fresh);
    tell(facts.length);
  }
  const copied = sums.map((sum) => sum.content());
  const longer = copied.findIndex(({ events }, partition) => events < (found[partition]?.events ?? 0));
  if (longer >= 0) throw refused(topic, longer);
  return copied;
}

const refused = (topic: string, partition: number): MigrationRefused =>
  new MigrationRefused(`what lies in partition ${partition} of the target's topic ${topic} is no copy of this log: take another prefix, or remove the target's topics`);

const different = (topic: string, wanted: readonly Content[], found: readonly Content[]): readonly string[] =>
  wanted.flatMap(({ events, sha256 }, partition) => (found[partition]?.sha256 === sha256 ? [] : [`${topic}/${partition}: ${found[partition]?.events ?? 0} events, ${events} expected`]));

async function contents(log: Reading, topic: FactTopic, { signal }: Steps, tell: (events: number) => void): Promise<readonly Content[]> {
  const found: Content[] = [];
  for (let partition = 0; partition < log.partitions(topic); partition++) {
    const sum = new Sum();
    for await (const events of pages(log, topic, partition)) {
      signal?.throwIfAborted();
      for (const event of events) sum.add(event);
      tell(events.length);
    }
    found.push(sum.content());
  }
  return found;
}

/** A hash over keys and events in order; whatever order an engine gives the fields of the envelope. */
class Sum {
  events = 0;
  readonly #hash: Hash = createHash('sha256');

  add({ key, event: { id, type, version, at, actor, correlation, causation, data } }: Keyed): void {
    this.events++;
    this.#hash.update(`${JSON.stringify([key, id, type, version, at, actor, correlation, causation ?? null, data])}\n`);
  }

  content(): Content {
    return { events: this.events, sha256: this.#hash.copy().digest('hex') };
  }
}

const sumsOf = (partitions: number): Sum[] => Array.from({ length: partitions }, () => new Sum());

async function* pages(log: Reading, topic: FactTopic, partition: number): AsyncGenerator<readonly Positioned[], void> {
  const end = await log.head(topic, partition);
  for (let from = 0; from < end; ) {
    const events = await log.read(topic, partition, from, PAGE);
    const last = events.at(-1);
    if (!last) return;
    yield events;
    from = last.position + 1;
  }
}

interface Lane { readonly next: AsyncGenerator<readonly Positioned[], void>; events: readonly Positioned[]; at: number }

/** All facts of a topic, partitions merged by time: at each step the partition whose next event is the oldest, of equals the first. */
async function* inOrder(log: Reading, topic: FactTopic, signal: AbortSignal | undefined): AsyncGenerator<readonly Keyed[]> {
  const lanes: Lane[] = Array.from({ length: log.partitions(topic) }, (_, partition) => ({ next: pages(log, topic, partition), events: [], at: 0 }));
  await Promise.all(lanes.map(refill));
  let [batch, size]: [Keyed[], number] = [[], 0];
  for (;;) {
    let first: Lane | undefined;
    for (const lane of lanes) if (lane.at < lane.events.length && (first === undefined || timeOf(lane) < timeOf(first))) first = lane;
    if (first === undefined) break;
    const { key, event } = first.events[first.at++] as Positioned;
    batch.push({ key, event });
    size += JSON.stringify(event.data).length;
    if (first.at === first.events.length) await refill(first);
    if (batch.length < BATCH && size < BATCH_SIZE) continue;
    signal?.throwIfAborted();
    yield byKey(batch);
    [batch, size] = [[], 0];
  }
  if (batch.length > 0) yield byKey(batch);
}

/** A log keeps together what one append holds of a key, so the order in which it arrives is known only if it is given so. */
const byKey = (batch: readonly Keyed[]): readonly Keyed[] => [...Map.groupBy(batch, ({ key }) => key).values()].flat();

const timeOf = ({ events, at }: Lane): number => (events[at] as Positioned).event.at;

async function refill(lane: Lane): Promise<void> {
  const page: IteratorResult<readonly Positioned[], void> = await lane.next.next();
  lane.events = page.done === true ? [] : page.value;
  lane.at = 0;
}
