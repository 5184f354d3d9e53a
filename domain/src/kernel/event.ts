/** What happened: a literal name in the past tense and JSON data. Instants are epoch milliseconds, bytes are hex or base64 text. */
export interface Fact<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: Data;
}

/**
 * A fact as it is kept for ever: the envelope of every event of both lanes.
 *
 * `actor` says who: `session:<id>`, `account:<id>`, `admin:<name>` or `system:<part>`.
 * `correlation` is the message's queue id, the session id or the id of an admin request: a story is all events of one correlation.
 * `version` counts the shapes that `data` of this `type` has had (see `upcast`), starting at 1.
 */
export interface Recorded<Type extends string = string, Data = unknown> extends Fact<Type, Data> {
  /** UUIDv7, so ids sort by time. */
  readonly id: string;
  readonly version: number;
  /** Epoch ms. */
  readonly at: number;
  readonly actor: string;
  readonly correlation: string;
  /** Id of the event that led to this one. */
  readonly causation?: string;
}

/** Who and why, the part of the envelope that a caller knows. */
export interface Origin {
  readonly actor: string;
  readonly correlation: string;
  readonly causation?: string;
}

/** The union of `Recorded` for a union of facts, so that `switch (event.type)` narrows `event.data`. */
export type RecordedOf<F extends Fact> = F extends Fact<infer Type, infer Data> ? Recorded<Type, Data> : never;
