import type { Positioned, Topic } from './event-log.js';

/** A column's value as it goes to the database. Bytes are hex text with a leading `\x`. */
export type Cell = string | number | boolean | null;
export type Row = Readonly<Record<string, Cell>>;
export type ColumnType = 'text' | 'uuid' | 'bigint' | 'integer' | 'boolean' | 'bytea';

/** Rows of a part of the key whose `column` lies in one of the ranges, both ends included. */
export interface RemovedRanges {
  readonly part: Row;
  readonly column: string;
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

/** Rows of a part of the key, one for each value of `column` in `from`; copied they have `first`, `first + 1` … there, and what is `set`. */
export interface Copies {
  readonly part: Row;
  readonly column: string;
  readonly from: readonly number[];
  readonly first: number;
  readonly set: Row;
}

/**
 * A view: rows folded from events. Pure, so it can be dropped and rebuilt to the same content; the runner writes rows and
 * checkpoint in one transaction. Put into an event what its readers need: a projection that must look elsewhere cannot be rebuilt.
 *
 * `name` is the checkpoint's and the table's name, with its version: a new shape is a new name, a new table and a full replay
 * beside the old one.
 */
export interface Projection<R extends Row = Row> {
  /** e.g. `mailbox_message_1`: lower case, also the table in schema `view`. */
  readonly name: string;
  readonly topics: readonly Topic[];
  /** Inline views are written in the transaction of the event store's append; they may read only the topic `decision`. */
  readonly inline: boolean;
  /** Types of event that concern this view; others are not even looked at. */
  readonly types: readonly string[];
  /** Columns of the primary key, in order. */
  readonly key: readonly (keyof R & string)[];
  /** The table's columns and their types. JSON is kept as text: it can be compared. */
  readonly columns: Readonly<Record<keyof R & string, ColumnType>>;
  /** Keys of the rows that this event touches: the key columns' values. Most events touch one. */
  keysOf(positioned: Positioned): readonly Row[];
  /** Events of these types need no look at the old row: they make it anew or overwrite it whole. Saves reading it. */
  readonly blind?: readonly string[];
  /** The same for one row of an event whose other rows must be read: true when `apply` does not look at the old row of that key. */
  unread?(positioned: Positioned, key: Row): boolean;
  /**
   * Rows that this event touches are touched by events of its own stream only, and depend on nothing else: who appends at the version at
   * which it wrote them last need not read them again.
   */
  readonly owned?: boolean;
  /** A part of the key whose rows all go with this event, after what it does otherwise; undefined for most events. */
  removes?(positioned: Positioned): Row | undefined;
  /** Rows that go with this event, after what it does otherwise, named by ranges of one column of the key within a part of it. */
  removesRanges?(positioned: Positioned): RemovedRanges | undefined;
  /**
   * For an event that puts again what is in this view already: a runner may copy these rows instead of writing those of `apply`, which must
   * be equal. When a row to be copied is missing, it applies the event.
   */
  copies?(positioned: Positioned): Copies | undefined;
  /** The row after the event, or null when it is gone. `row` is undefined when there is none (always, for blind and unread ones, unless made in the same batch). */
  apply(row: R | undefined, positioned: Positioned, key: Row): R | null | undefined;
}
