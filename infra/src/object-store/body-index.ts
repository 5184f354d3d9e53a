/** Where a copy of a body lies. Segment 0 holds the large bodies, a file each; there `offset` is the copy's number. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

export interface BodyEntry extends Place {
  /** Lower-case hex, 64 characters. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms. */
  readonly storedAt: number;
}

/** A row that changes its place, if it is still where the caller saw it. */
export interface Move {
  readonly sha256: string;
  readonly from: Place;
  readonly to: Place;
}

export interface Share {
  readonly bodies: number;
  /** Bytes of the bodies, without headers. */
  readonly bytes: number;
}

/**
 * Finds a packed body by its hash. It can always be rebuilt from the stored files, so it may lag behind them but must not
 * forget what it acknowledged: a segment is marked as indexed once `put` returned.
 */
export interface BodyIndex {
  /** Differs for every index ever made: a mark "indexed" counts for one index only. Hex and dashes. */
  identity(): Promise<string>;
  /**
   * Durable when it resolves. The first copy of a body keeps its place; a later one only makes `storedAt` later.
   * @returns the rows of bodies that have another place than the one given here.
   */
  put(entries: readonly BodyEntry[]): Promise<readonly BodyEntry[]>;
  /** Unknown ones are absent. */
  find(sha256: readonly string[]): Promise<ReadonlyMap<string, BodyEntry>>;
  /** @param storedBefore epoch ms; what was stored then or later, also for another time, stays. */
  remove(sha256: readonly string[], storedBefore?: number): Promise<void>;
  /** Rows that are gone or elsewhere by now stay as they are. */
  move(moves: readonly Move[]): Promise<void>;
  /**
   * What each segment still holds for the index. Reads the whole index: for maintenance, not for every request.
   * @param segments only these.
   */
  live(segments?: readonly number[]): Promise<ReadonlyMap<number, Share>>;
  clear(): Promise<void>;
  /**
   * Runs one task at a time over all processes that share the index. `held` rejects when the lock was lost meanwhile:
   * ask it before a step that cannot be undone.
   */
  exclusively<T>(task: (held: () => Promise<void>) => Promise<T>): Promise<T>;
}

export const samePlace = (a: Place, b: Place): boolean => a.segment === b.segment && a.offset === b.offset;
