import type { Recorded } from './event.js';
import type { Topic } from './event-log.js';

/** Someone appended to one of these streams since it was read. Read again, decide again, append again. */
export class VersionConflict extends Error {
  constructor(readonly streams: readonly string[]) {
    super(`somebody else appended to ${streams.slice(0, 5).join(', ')}`);
  }
}

/** A consumer's checkpoint is not where the caller thought: another process has taken the partition over. Nothing was appended. */
export class CheckpointMoved extends Error {
  constructor(readonly consumer: string) {
    super(`the checkpoint of ${consumer} was moved by somebody else`);
  }
}

/** Events for one stream. `expected` is the stream's version as last read; 0 = the stream must not exist. */
export interface Append {
  readonly stream: string;
  readonly expected: number;
  readonly events: readonly Recorded[];
}

/** Moves a consumer's checkpoint in the same transaction as the append: exactly-once for what the consumer decides. */
export interface CheckpointMove {
  readonly consumer: string;
  readonly topic: Topic;
  readonly partition: number;
  /** Must equal the stored position, 0 if none is stored. */
  readonly from: number;
  readonly to: number;
}

/**
 * Decisions, in streams. A stream's version is the number of its events; the first event has version 1.
 * Every decision is also readable from the event log's topic `decision`, once and in the order of the streams.
 * The views marked inline are up to date when `append` returns (promise 3 of the design).
 */
export interface EventStore {
  /** Oldest first, from version `after` + 1 on; an unknown stream is `{ version: 0, events: [] }`. */
  read(stream: string, after?: number): Promise<{ readonly version: number; readonly events: readonly Recorded[] }>;
  /** The last event of each stream; unknown streams are absent. One round trip for all. */
  readLast(streams: readonly string[]): Promise<ReadonlyMap<string, { readonly version: number; readonly event: Recorded }>>;
  /**
   * Appends to all streams and moves all checkpoints, or does nothing. Each stream at most once per call, no empty event list.
   * Durable when it resolves.
   * @throws VersionConflict naming every stream that moved.
   * @throws CheckpointMoved
   * @throws any other error: the outcome is unknown (the connection broke); read before trying again.
   */
  append(appends: readonly Append[], checkpoints?: readonly CheckpointMove[]): Promise<void>;
  /** Where `consumer` goes on in that partition; 0 = from the start. */
  checkpoint(consumer: string, topic: Topic, partition: number): Promise<number>;
}
