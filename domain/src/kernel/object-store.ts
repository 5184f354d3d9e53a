/**
 * A body's name: its content. `at` is a hint where it was put, written by the adapter and understood by it alone;
 * it may be stale or missing, then the adapter's index answers.
 */
export interface BodyRef {
  /** Lower-case hex, 64 characters. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  readonly at?: string;
}

/** The store cannot write now (disk full, store unreachable or refusing). Temporary: answer 4xx, keep nothing, try again later. */
export class StoreUnavailable extends Error {}

/** It lies elsewhere, and nobody answers there: nothing is said about its space. */
export class StoreOutOfReach extends StoreUnavailable {}

/** No such body. */
export class BodyMissing extends Error {
  constructor(readonly sha256: string) {
    super(`no body ${sha256}`);
  }
}

/** The stored bytes do not have the hash that names them. Never served as mail. */
export class BodyDamaged extends Error {
  constructor(readonly sha256: string) {
    super(`body ${sha256} is damaged`);
  }
}

/** One body on its way in. Small ones stay in memory until `commit`, larger ones stream to the store. */
export interface BodyWriter {
  /** Bytes taken so far. */
  readonly size: number;
  /**
   * Takes a chunk; the writer may keep a reference until commit, so the caller must not change it.
   * @returns nothing, or a promise to wait for before the next write (a slow disk slows the sender; memory stays bounded).
   * A failure of the store is kept and thrown by `commit`.
   */
  write(chunk: Uint8Array): void | Promise<void>;
  /** Durable when it resolves. @throws StoreUnavailable; then nothing is kept. */
  commit(): Promise<BodyRef>;
  /** Forgets the body. Safe at any time, also after commit (then it does nothing). */
  abort(): Promise<void>;
}

export interface Range {
  readonly offset: number;
  readonly length: number;
}

export interface ObjectStore {
  create(): BodyWriter;
  /**
   * The whole body, or a range of it, as chunks of at most 256 KiB.
   * Whole reads are checked against the SHA-256: when the check fails the last chunk is withheld and BodyDamaged thrown.
   * Ranges of packed bodies are checked too; ranges of large bodies are not.
   * @throws BodyMissing, BodyDamaged, RangeError when the range does not lie inside the body.
   */
  read(ref: BodyRef, range?: Range): AsyncIterable<Uint8Array>;
  /**
   * Small bodies that lie ready, whole and checked, with as few reads as can be; in the order of `refs`. Undefined where a body is large,
   * missing, damaged or has to be looked for: `read` tells which. All of them are in memory at once, so the caller bounds their sizes.
   */
  readMany(refs: readonly BodyRef[]): Promise<readonly (Uint8Array | undefined)[]>;
  /**
   * Forgets these bodies; their space is won back by `compact`. Unknown ones are ignored.
   * @param storedBefore epoch ms; a body that was stored (also: again) then or later stays, so that retention cannot remove what
   * a message accepted meanwhile refers to. Default: whatever its age.
   */
  delete(sha256: readonly string[], storedBefore?: number): Promise<void>;
  /** Wins back the space of deleted bodies and of what a crash left half-written. Returns bytes won back. Readers go on meanwhile. */
  compact(): Promise<number>;
  usage(): Promise<{ readonly bodies: number; readonly bytes: number; readonly storedBytes: number }>;
  /** Flushes and closes; later writes fail with StoreUnavailable. */
  close(): Promise<void>;
}
