import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { BodyEntry, BodyIndex } from './body-index.js';
import type { Appender } from './files-append.js';
import { closeFd } from './files-io.js';
import type { LargeCopy, LargeObjects } from './files-large.js';
import type { Owner } from './files-owner.js';
import { scan, type ScannedRecord } from './files-record.js';
import type { SegmentFile, Segments } from './files-segments.js';

const ENTRIES = 2000;
export interface RecoveryOptions {
  readonly segments: Segments;
  readonly large: LargeObjects;
  readonly index: BodyIndex;
  /** None in a process that only reads. */
  readonly appender: Appender | undefined;
  readonly owner: Owner;
  readonly clock: Clock;
}

export interface Progress {
  readonly done: number;
  readonly of: number;
}

/** Brings the index up to what the folder holds. To be run under the index's lock. */
export class Recovery {
  constructor(private readonly options: RecoveryOptions) {}

  /** Tells the index of what dead processes left, or of everything when it is a new one. @returns bodies offered to it. */
  async recover(): Promise<number> {
    const { segments, index, large } = this.options;
    const identity = await index.identity();
    let found = 0;
    for (const file of await segments.list(identity)) {
      if (file.indexed || (await this.isOwned(file))) continue;
      found += await this.#indexSegment(file.id);
      await segments.markIndexed(file.id, identity);
      await segments.release(file.id);
    }
    if (!(await large.isIndexed(identity))) found += await this.#indexSettled(identity);
    found += await this.#indexLarge(await large.freshCopies(false));
    return found;
  }

  /** First the marks go, then the rows: a reader who misses a row reads the unmarked segments. */
  async rebuild(onProgress: (progress: Progress) => void): Promise<number> {
    const { segments, index, large } = this.options;
    const identity = await index.identity();
    await segments.unmarkAll();
    await large.unmark();
    await index.clear();
    const files = await segments.list(identity);
    const of = files.length + 1;
    let found = 0;
    for (const [done, file] of files.entries()) {
      onProgress({ done, of });
      const owned = await this.isOwned(file);
      found += await this.#indexSegment(file.id);
      if (owned) continue; // its owner marks it
      await segments.markIndexed(file.id, identity);
      await segments.release(file.id);
    }
    onProgress({ done: files.length, of });
    found += await this.#indexSettled(identity);
    found += await this.#indexLarge(await large.freshCopies(true));
    onProgress({ done: of, of });
    return found;
  }

  async isOwned({ id, open }: SegmentFile): Promise<boolean> {
    if (!open) return false;
    if (id === this.options.appender?.segment) return true;
    const mark = await this.options.segments.owner(id);
    return mark !== undefined && (await this.options.owner.isAlive(mark.token, mark.touchedAt, this.options.clock.now()));
  }

  async #indexSegment(id: number): Promise<number> {
    let found = 0;
    let entries: BodyEntry[] = [];
    const put = async () => {
      await this.options.index.put(entries);
      found += entries.length;
      entries = [];
    };
    for await (const { sha256, size, storedAt, offset } of recordsOf(this.options.segments, id)) {
      entries.push({ sha256, size, storedAt, segment: id, offset });
      if (entries.length === ENTRIES) await put();
    }
    await put();
    return found;
  }

  async #indexSettled(identity: string): Promise<number> {
    let found = 0;
    for await (const copies of this.options.large.settledCopies()) found += await this.#indexLarge(copies);
    await this.options.large.markIndexed(identity);
    return found;
  }

  async #indexLarge(copies: readonly LargeCopy[]): Promise<number> {
    const entries: BodyEntry[] = [];
    for (const { sha256, copy } of copies) {
      const stat = await this.options.large.stat({ sha256, copy });
      if (stat) entries.push({ sha256, segment: 0, offset: copy, ...stat });
    }
    for (let i = 0; i < entries.length; i += ENTRIES) await this.options.index.put(entries.slice(i, i + ENTRIES));
    for (const { sha256, offset } of entries) await this.options.large.settle({ sha256, copy: offset });
    return entries.length;
  }
}

/** The complete records of one segment; none when its owner has just given it up empty. */
export async function* recordsOf(segments: Segments, id: number): AsyncGenerator<ScannedRecord> {
  if (!(await segments.exists(id))) return;
  const fd = await segments.open(id);
  try {
    yield* scan(fd);
  } finally {
    await closeFd(fd);
  }
}
