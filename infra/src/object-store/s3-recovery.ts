import type { BodyEntry, BodyIndex } from './body-index.js';
import type { Progress } from './files-recovery.js';
import type { Bucket, StoredObject } from './s3-bucket.js';
import type { DirectoryEntry } from './s3-format.js';
import { placeIn } from './s3-name.js';
import { BODIES, type IndexMark, nameOf, type Objects } from './s3-objects.js';
import { inLanes } from './s3-retry.js';

const ENTRIES = 2000;
const LANES = 16;

export interface RecoveryOptions {
  readonly bucket: Bucket;
  readonly objects: Objects;
  readonly index: BodyIndex;
  readonly mark: IndexMark;
  readonly versioned: boolean;
  readonly trouble: (error: unknown) => void;
}

/** Brings the index up to what the bucket holds: from the ends of the objects. To be run under the index's lock. */
export class Recovery {
  constructor(private readonly options: RecoveryOptions) {}

  /** Tells a new index of everything. @returns bodies offered to it. */
  async recover(): Promise<number> {
    if (await this.options.mark.isComplete()) return 0;
    return this.#fill(() => undefined);
  }

  /** First the mark goes, then the rows: a reader who misses a row does not take its body for missing. */
  async rebuild(onProgress: (progress: Progress) => void): Promise<number> {
    await this.options.mark.unmark(this.options.versioned);
    await this.options.index.clear();
    return this.#fill(onProgress);
  }

  async #fill(onProgress: (progress: Progress) => void): Promise<number> {
    const { bucket, mark } = this.options;
    let of = 0;
    for await (const page of bucket.list(BODIES)) of += page.length;
    let [done, found] = [0, 0];
    onProgress({ done, of });
    for await (const page of bucket.list(BODIES)) {
      found += await this.#index(page);
      done += page.length;
      // Others may have come while the first list was read.
      onProgress({ done, of: (of = Math.max(of, done)) });
    }
    await mark.unmark(this.options.versioned);
    await mark.mark();
    return found;
  }

  async #index(page: readonly StoredObject[]): Promise<number> {
    const { objects, index, trouble } = this.options;
    // In the order of their names, whatever the order of the replies: the first copy of a body is the one that stays.
    const directories = new Array<readonly BodyEntry[]>(page.length).fill([]);
    await inLanes(LANES, page.entries(), async ([i, object]) => {
      const name = nameOf(object.key);
      const directory = name && (await objects.directory(object));
      if (!directory) return;
      if (directory.damaged > 0 || directory.entries.length === 0) trouble(new Error(`object ${object.key} has a damaged directory`));
      directories[i] = directory.entries.map(({ offset, ...entry }: DirectoryEntry) => ({ ...entry, ...placeIn(name, offset) }));
    });
    const entries = directories.flat();
    for (let i = 0; i < entries.length; i += ENTRIES) await index.put(entries.slice(i, i + ENTRIES));
    return entries.length;
  }
}
