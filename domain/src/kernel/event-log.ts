import type { Recorded } from './event.js';

/**
 * `mail`: facts about messages, keyed by queue id. `session`: connections and logins, keyed by session id.
 * `decision`: a copy of every decision of the event store, keyed by stream; only the event store's adapter writes it.
 */
export type Topic = 'mail' | 'session' | 'decision';
export const TOPICS: readonly Topic[] = ['mail', 'session', 'decision'];

/** The topics of facts: those that are appended to the log itself. */
export type Fact = Exclude<Topic, 'decision'>;

/** One fact to append. Facts with the same topic and key keep their order. */
export interface Entry {
  readonly topic: Fact;
  readonly key: string;
  readonly event: Recorded;
}

/** An event at its place. Positions count up from 0 per partition, without gaps as seen by readers. */
export interface Positioned<E extends Recorded = Recorded> {
  readonly position: number;
  /** The entry's key; for decisions the stream. */
  readonly key: string;
  /** Decisions only: the version that the stream has with this event. */
  readonly version?: number;
  readonly event: E;
}

/**
 * Consecutive events of one partition. `from` is the position the reader stood at, the consumer's checkpoint so far (retention may
 * have removed what was there, so the first event may lie above it); `next` is the checkpoint once they are handled.
 */
export interface Slice {
  readonly topic: Topic;
  readonly partition: number;
  readonly from: number;
  readonly events: readonly Positioned[];
  readonly next: number;
}

/** A member of a consumer group. The group's partitions are spread over its live members, each partition with one of them at a time. */
export interface Consumer {
  readonly group: string;
  readonly topics: readonly Topic[];
  /**
   * At most this many events per slice (it is a limit, not an amount waited for). Of a topic with fewer partitions than another of the
   * consumer's, so many times more: the topics then keep step.
   */
  readonly batch: number;
  /**
   * At least so many ms between the starts of two steps, in each of which all partitions are read; what a full slice left over is read at once.
   * So a consumer that nobody waits for does more per transaction. Asked before each step. Default 0.
   */
  pace?(): number;
  /** ms; when no event has come to any partition for so long the pace is not waited for: there is no rush to stand aside for. Default: it is. */
  readonly lull?: number;
  /** Asked each time a partition is gained. The consumer keeps the position itself, in the same transaction as its results. */
  start(topic: Topic, partition: number): Promise<number>;
  /**
   * Called with one slice per partition at a time; slices of different partitions may overlap in time.
   * The position is the consumer's to store. May see a slice twice after a crash or a takeover.
   * A rejection is reported and the partition read again from `start()` after a pause.
   */
  handle(slice: Slice): Promise<void>;
  /** Told of rejections of `handle` and of trouble reading; the log retries by itself. */
  trouble(error: unknown): void;
}

export interface Subscription {
  /** Resolves when no `handle` is running any more and the partitions are given back. */
  stop(): Promise<void>;
}

export interface AppendOptions {
  /** Nobody waits for it: it is not rejected sooner because the log is known to be away. */
  readonly patient?: boolean;
}

/**
 * Everything that happened, replayable from any position.
 * `append` is durable when it resolves. Entries of one call that share topic and key are kept together or not at all;
 * when it rejects, the outcome is unknown and the caller must not claim success.
 * A reader never skips an event that commits late: what lies below `head` is complete and never changes.
 */
export interface EventLog {
  append(entries: readonly Entry[], options?: AppendOptions): Promise<void>;
  partitions(topic: Topic): number;
  /** The position that the next event will get. */
  head(topic: Topic, partition: number): Promise<number>;
  /**
   * At most `limit` events from `from` on, oldest first; empty at the head. Retention may have removed the oldest: reading goes on at the first kept.
   * @param types events of other types may be missing, so that nobody need parse them; never the last of those looked at, which says how far that was.
   * @param ahead told where the next page begins, if that is known before the events of this one are parsed: it can be fetched meanwhile. Fewer
   * than `limit` events may come then although there are more.
   */
  read(topic: Topic, partition: number, from: number, limit: number, types?: ReadonlySet<string>, ahead?: (next: number) => void): Promise<readonly Positioned[]>;
  /** The events at these positions, in their order; what retention has removed is absent. For looking up few. */
  at(topic: Topic, partition: number, positions: readonly number[]): Promise<readonly Positioned[]>;
  /** The last position at or below `before` up to which facts can be forgotten: what lies together is forgotten together. */
  forgettable(topic: Fact, partition: number, before: number): Promise<number>;
  /** Removes the facts below a position that `forgettable` gave; nobody can read them any more. For retention. */
  forget(topic: Fact, partition: number, before: number): Promise<void>;
  consume(consumer: Consumer): Promise<Subscription>;
}

/** FNV-1a, 32 bit: which partition a key belongs to. The same in every adapter that chooses partitions itself. */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % partitions;
}
