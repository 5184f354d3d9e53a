import { type Append, CheckpointMoved, type CheckpointMove, type EventStore, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type { MemoryEventLog } from '../event-log/memory.js';

/** The event store in memory, for tests. Decisions also enter the given log, in order. */
export class MemoryEventStore implements EventStore {
  readonly #streams = new Map<string, Recorded[]>();
  readonly #checkpoints = new Map<string, number>();

  constructor(
    private readonly log?: MemoryEventLog,
    private readonly upgrades: Upgrades = {},
  ) {}

  read(stream: string, after = 0) {
    const events = this.#streams.get(stream) ?? [];
    return Promise.resolve({ version: events.length, events: events.slice(after).map((e) => upcast(e, this.upgrades)) });
  }

  readLast(streams: readonly string[]) {
    const found = streams.flatMap((stream) => {
      const events = this.#streams.get(stream) ?? [];
      const event = events.at(-1);
      return event ? [[stream, { version: events.length, event: upcast(event, this.upgrades) }] as const] : [];
    });
    return Promise.resolve(new Map(found));
  }

  append(appends: readonly Append[], checkpoints: readonly CheckpointMove[] = []): Promise<void> {
    if (appends.some((a) => a.events.length === 0)) return Promise.reject(new RangeError('an append without events'));
    if (new Set(appends.map((a) => a.stream)).size !== appends.length) return Promise.reject(new RangeError('a stream twice in one append'));
    const conflicts = appends.filter(({ stream, expected }) => (this.#streams.get(stream)?.length ?? 0) !== expected);
    if (conflicts.length > 0) return Promise.reject(new VersionConflict(conflicts.map((c) => c.stream)));
    for (const move of checkpoints)
      if ((this.#checkpoints.get(place(move.consumer, move.topic, move.partition)) ?? 0) !== move.from)
        return Promise.reject(new CheckpointMoved(move.consumer));
    for (const { stream, expected, events } of appends) {
      const kept = JSON.parse(JSON.stringify(events)) as Recorded[];
      this.#streams.set(stream, [...(this.#streams.get(stream) ?? []), ...kept]);
      events.forEach((event, i) => this.log?.put('decision', stream, event, expected + i + 1));
    }
    for (const { consumer, topic, partition, to } of checkpoints) this.#checkpoints.set(place(consumer, topic, partition), to);
    this.log?.wake();
    return Promise.resolve();
  }

  checkpoint(consumer: string, topic: Topic, partition: number): Promise<number> {
    return Promise.resolve(this.#checkpoints.get(place(consumer, topic, partition)) ?? 0);
  }
}

const place = (consumer: string, topic: Topic, partition: number): string => `${consumer}/${topic}/${partition}`;
