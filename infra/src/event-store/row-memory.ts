import type { Append } from '@kiroku/domain/kernel/event-store.js';
import type { Row } from '@kiroku/domain/kernel/projection.js';
import { LRUCache } from 'lru-cache';
import type { KnownRows } from '../read-model/projector.js';

/** Characters of all rows that are kept, and what a cell costs besides. */
const MOST = 4 << 20;
const CELL = 16;

interface Kept {
  /** Of the stream, when these were its rows. */
  readonly version: number;
  readonly rows: Map<string, Row | null>;
  readonly size: number;
}

/**
 * Rows of owned views (see `Projection`) as this process wrote them last, by stream. An append that succeeds at the version at which they
 * were written proves that nobody has changed them since; so they need not be read again.
 */
export class RowMemory {
  readonly #kept = new LRUCache<string, Kept>({ maxSize: MOST, sizeCalculation: ({ size }) => size });

  #epoch: number | undefined;

  /**
   * What is known where these appends begin.
   * @param epoch see `Hints`: rows of another one count for nothing, and so do all without one.
   */
  attempt(appends: readonly Append[], epoch: number | undefined): Attempt {
    if (epoch === undefined || epoch !== this.#epoch) this.#kept.clear();
    this.#epoch = epoch;
    return new Attempt(this.#kept, appends);
  }
}

/** One transaction. What it notes counts from its commit on. */
export class Attempt implements KnownRows {
  readonly #expected: ReadonlyMap<string, number>;
  readonly #noted = new Map<string, Map<string, Row | null>>();
  readonly #forgotten = new Set<string>();

  constructor(
    private readonly kept: LRUCache<string, Kept>,
    private readonly appends: readonly Append[],
  ) {
    this.#expected = new Map(appends.map(({ stream, expected }) => [stream, expected]));
  }

  get(stream: string, row: string): Row | null | undefined {
    if (this.#forgotten.has(stream)) return undefined;
    const noted = this.#noted.get(stream)?.get(row);
    return noted !== undefined ? noted : this.#before(stream)?.rows.get(row);
  }

  put(stream: string, row: string, now: Row | null): void {
    const noted = this.#noted.get(stream);
    if (noted) noted.set(row, now);
    else this.#noted.set(stream, new Map([[row, now]]));
  }

  forget(stream: string): void {
    this.#forgotten.add(stream);
  }

  committed(): void {
    for (const { stream, expected, events } of this.appends) {
      const before = this.#before(stream);
      const noted = this.#noted.get(stream);
      if (this.#forgotten.has(stream) || (!before && !noted)) this.kept.delete(stream);
      else this.kept.set(stream, merged(before, noted, expected + events.length));
    }
  }

  #before(stream: string): Kept | undefined {
    const kept = this.kept.get(stream);
    return kept?.version === this.#expected.get(stream) ? kept : undefined;
  }
}

function merged(before: Kept | undefined, noted: ReadonlyMap<string, Row | null> | undefined, version: number): Kept {
  const rows = before?.rows ?? new Map<string, Row | null>();
  let size = before?.size ?? CELL;
  for (const [name, row] of noted ?? []) {
    size += sizeOf(name, row) - (rows.has(name) ? sizeOf(name, rows.get(name) ?? null) : 0);
    rows.set(name, row);
  }
  return { version, rows, size };
}

function sizeOf(name: string, row: Row | null): number {
  let size = name.length + CELL;
  for (const cell of Object.values(row ?? {})) size += CELL + (typeof cell === 'string' ? cell.length : 0);
  return size;
}
