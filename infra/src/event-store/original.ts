import type { Append, CheckpointMove } from '@kiroku/domain/kernel/event-store.js';
import type { Pipeline } from '../read-model/projector.js';

/**
 * Where decisions are kept for good when PostgreSQL holds a copy of them. A transaction writes the copy and the inline views first; the
 * original takes the events when all of that has succeeded, and then the transaction commits. So nothing gets into the original that the
 * views cannot take, and what got there without the commit is copied later.
 */
export interface Original {
  /** Bytes that calls may have together to share a transaction. */
  readonly room: number;
  /** The first statement of the transaction: whoever else wants to append waits from here until its end. */
  begin(db: Pipeline, checkpoints: readonly CheckpointMove[]): Promise<Batch>;
  /** The transaction failed. @returns true when the copy was behind and no longer is: it may be tried again. */
  caughtUp(failure: unknown): Promise<boolean>;
}

export interface Batch {
  /** Resolves when the original has the events for good. */
  keep(appends: readonly Append[]): Promise<void>;
}

/** Nothing was appended: the events of one append are more than the original takes at once. */
export class TooLarge extends Error {}
