import {
  type Consumer, type Entry, type EventLog, type Fact, partitionOf, type Positioned, type Subscription, type Topic,
} from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import { Pace } from './pace.js';
import { runPartition } from './run-partition.js';

const PARTITIONS: Readonly<Record<Topic, number>> = { mail: 4, session: 2, decision: 1 };

/** The event log in memory, for tests: same promises, but nothing outlives the process. */
export class MemoryEventLog implements EventLog {
  readonly #topics = new Map<string, Positioned[]>();
  /** Below these positions. */
  readonly #forgotten = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #changes = 0;
  readonly #groups = new Map<string, Set<object>>();

  constructor(private readonly upgrades: Upgrades = {}) {}

  partitions(topic: Topic): number {
    return PARTITIONS[topic];
  }

  append(entries: readonly Entry[]): Promise<void> {
    for (const { topic, key, event } of entries) this.put(topic, key, event);
    this.wake();
    return Promise.resolve();
  }

  /** For MemoryEventStore: decisions enter the log as they are appended. */
  put(topic: Topic, key: string, event: Recorded, version?: number): void {
    const events = this.#events(topic, partitionOf(key, PARTITIONS[topic]));
    // Through JSON, as every real engine does: what does not survive it must not pass a test.
    events.push({ position: events.length, key, ...(version !== undefined && { version }), event: JSON.parse(JSON.stringify(event)) as Recorded });
  }

  wake(): void {
    this.#changes++;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  head(topic: Topic, partition: number): Promise<number> {
    return Promise.resolve(this.#events(topic, partition).length);
  }

  read(topic: Topic, partition: number, from: number, limit: number, types?: ReadonlySet<string>, ahead?: (next: number) => void): Promise<readonly Positioned[]> {
    const first = Math.max(from, this.#forgotten.get(`${topic}/${partition}`) ?? 0);
    const page = this.#events(topic, partition).slice(first, first + limit);
    if (page.length > 0) ahead?.(first + page.length);
    const events = types ? page.filter((p) => types.has(p.event.type) || p === page.at(-1)) : page;
    return Promise.resolve(events.map((p) => ({ ...p, event: upcast(p.event, this.upgrades) })));
  }

  async at(topic: Topic, partition: number, positions: readonly number[]): Promise<readonly Positioned[]> {
    const wanted = new Set(positions);
    return (await this.read(topic, partition, 0, Infinity)).filter((e) => wanted.has(e.position));
  }

  forgettable(_: Fact, __: number, before: number): Promise<number> {
    return Promise.resolve(before);
  }

  forget(topic: Fact, partition: number, before: number): Promise<void> {
    this.#forgotten.set(`${topic}/${partition}`, before);
    return Promise.resolve();
  }

  consume(consumer: Consumer): Promise<Subscription> {
    const member = {};
    const members = this.#groups.get(consumer.group) ?? new Set<object>();
    this.#groups.set(consumer.group, members.add(member));
    const stopping = new AbortController();
    // One process: the first live member has all partitions, the others wait for it to leave.
    const mine = () => members.values().next().value === member;
    const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 5)); // tests do not wait for real pauses
    const pace = new Pace(consumer, { stopping: stopping.signal, seen: () => this.#changes, pause });
    const loops = consumer.topics.flatMap((topic) =>
      Array.from({ length: PARTITIONS[topic] }, (_, partition) =>
        runPartition(this, consumer, topic, partition, {
          batch: consumer.batch,
          stopping: stopping.signal,
          mine,
          seen: () => this.#changes,
          wait: (since) => new Promise<void>((resolve) => {
            if (this.#changes !== since) resolve();
            this.#waiting.add(resolve);
            stopping.signal.addEventListener('abort', () => resolve(), { once: true });
          }),
          pause,
          next: () => pace.next(),
        }),
      ),
    );
    return Promise.resolve({
      stop: async () => {
        stopping.abort();
        this.wake();
        await Promise.all(loops);
        members.delete(member);
        this.wake();
      },
    });
  }

  #events(topic: Topic, partition: number): Positioned[] {
    const name = `${topic}/${partition}`;
    const found = this.#topics.get(name);
    if (found) return found;
    const made: Positioned[] = [];
    this.#topics.set(name, made);
    return made;
  }
}
