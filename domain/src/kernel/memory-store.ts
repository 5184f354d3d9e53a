import { type Append, CheckpointMoved, type CheckpointMove, type EventStore, VersionConflict } from './event-store.js';
import type { Recorded } from './event.js';
import type { Engine } from './execute.js';

/** An event store in memory, for the domain's own tests; all that is appended is in `history`, in order. */
export class MemoryStore implements EventStore {
  readonly history: { readonly stream: string; readonly event: Recorded }[] = [];
  readonly #checkpoints = new Map<string, number>();
  /** Calls of `append`, also those that were refused. */
  appends = 0;
  /** Runs once before the next append is looked at: what somebody else does meanwhile. */
  meanwhile: (() => Promise<unknown>) | undefined;

  #events(stream: string): readonly Recorded[] {
    return this.history.filter((kept) => kept.stream === stream).map((kept) => kept.event);
  }

  async read(stream: string, after = 0) {
    const events = this.#events(stream);
    return { version: events.length, events: events.slice(after) };
  }

  async readLast(streams: readonly string[]) {
    const wanted = new Set(streams);
    const last = new Map<string, { version: number; event: Recorded }>();
    for (const { stream, event } of this.history)
      if (wanted.has(stream)) last.set(stream, { version: (last.get(stream)?.version ?? 0) + 1, event });
    return last;
  }

  async append(appends: readonly Append[], checkpoints: readonly CheckpointMove[] = []): Promise<void> {
    const { meanwhile } = this;
    this.meanwhile = undefined;
    await meanwhile?.();
    this.appends++;
    const streams = appends.map((a) => a.stream);
    if (new Set(streams).size < streams.length || appends.some((a) => a.events.length === 0)) throw new RangeError('a stream twice, or without events');
    const last = await this.readLast(streams);
    const moved = appends.filter(({ stream, expected }) => (last.get(stream)?.version ?? 0) !== expected).map((a) => a.stream);
    if (moved.length > 0) throw new VersionConflict(moved);
    for (const { consumer, topic, partition, from } of checkpoints)
      if ((await this.checkpoint(consumer, topic, partition)) !== from) throw new CheckpointMoved(consumer);
    for (const { stream, events } of appends)
      for (const event of events) this.history.push({ stream, event: JSON.parse(JSON.stringify(event)) as Recorded });
    for (const { consumer, topic, partition, to } of checkpoints) this.#checkpoints.set(`${consumer} ${topic} ${partition}`, to);
  }

  async checkpoint(consumer: string, topic: string, partition: number): Promise<number> {
    return this.#checkpoints.get(`${consumer} ${topic} ${partition}`) ?? 0;
  }
}

/** 2026-01-05 09:00 in Japan. */
export const NINE = Date.UTC(2026, 0, 5, 0, 0);

/** An engine whose time stands still and whose ids count up. */
export function testEngine(): Engine & { readonly store: MemoryStore } {
  let n = 0;
  const uuid = () => `00000000-0000-7000-8000-${String(++n).padStart(12, '0')}`;
  return { store: new MemoryStore(), clock: { now: () => NINE }, ids: { uuid, queueId: () => String(++n).padStart(15, '0') } };
}
