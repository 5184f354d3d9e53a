import { join } from 'node:path';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { type BodyRef, type BodyWriter, type ObjectStore, type Range } from '@kiroku/domain/kernel/object-store.js';
import type { BodyEntry, BodyIndex } from './body-index.js';
import { Appender } from './files-append.js';
import { Compaction } from './files-compaction.js';
import { Descriptors } from './files-descriptors.js';
import { LargeObjects } from './files-large.js';
import { thisProcess } from './files-owner.js';
import { Neighbours } from './files-neighbours.js';
import { Reader } from './files-reader.js';
import { type Progress, Recovery } from './files-recovery.js';
import { Segments } from './files-segments.js';
import { Unindexed } from './files-unindexed.js';
import { FileBodyWriter, type Shelf } from './files-writer.js';
import { WriteBehind } from './files-write-behind.js';
import { Budget, sha256Of } from './parts.js';

export interface FileObjectStoreOptions {
  /** Shared by all processes of one machine. Made if missing. */
  readonly folder: string;
  /** The same index for all processes of the folder. */
  readonly index: BodyIndex;
  /** Default true. A store that does not write takes no segment and cannot compact. */
  readonly writer?: boolean;
  /** Told of what went wrong beside the callers' own requests; the store goes on. */
  readonly trouble: (error: unknown) => void;
  readonly clock: Clock;
  /** Bytes of unfinished bodies held in memory by this process; beyond it they go to disk early. Default 64 MiB. */
  readonly memory?: number;
  /** A segment that has reached this many bytes is followed by a new one. Default 256 MiB. */
  readonly segmentBytes?: number;
  /** Segments kept open for reading. Default 64. */
  readonly openSegments?: number;
}

const MIB = 1024 * 1024;

/**
 * Bodies in files: small ones packed into segments, large ones a file each. Several processes may use the folder at once.
 * @throws when the folder cannot be made or written.
 */
export async function openFileObjectStore(options: FileObjectStoreOptions): Promise<FileObjectStore> {
  const owner = await thisProcess();
  const budget = new Budget(options.memory ?? 64 * MIB);
  const segments = new Segments(join(options.folder, 'segments'));
  const large = new LargeObjects(join(options.folder, 'large'), owner, options.clock, budget);
  await segments.prepare();
  if (await large.prepare()) await large.markIndexed(await options.index.identity());
  return new FileObjectStore(options, { owner, budget, segments, large });
}

type Pieces = Pick<Shelf, 'budget' | 'large'> & {
  readonly owner: Awaited<ReturnType<typeof thisProcess>>;
  readonly segments: Segments;
};

export class FileObjectStore implements ObjectStore {
  readonly #index: BodyIndex;
  readonly #writeBehind: WriteBehind;
  readonly #appender: Appender | undefined;
  readonly #descriptors: Descriptors;
  readonly #reader: Reader;
  readonly #neighbours: Neighbours;
  readonly #recovery: Recovery;
  readonly #shelf: Shelf;
  #closed = false;

  constructor(
    private readonly options: FileObjectStoreOptions,
    private readonly pieces: Pieces,
  ) {
    const { index, clock, trouble } = options;
    const { segments, large, owner, budget } = pieces;
    this.#index = index;
    this.#writeBehind = new WriteBehind({ index, trouble, indexed: (entries) => this.#settle(entries) });
    const sealed = (id: number) => this.#sealed(id);
    const segmentBytes = options.segmentBytes ?? 256 * MIB;
    if (options.writer !== false) {
      this.#appender = new Appender({ segments, owner: owner.token, clock, segmentBytes, sealed, trouble });
    }
    this.#descriptors = new Descriptors((id) => segments.open(id), options.openSegments ?? 64);
    const unindexed = new Unindexed(segments, large, index);
    this.#reader = new Reader({ segments, large, index, unindexed, descriptors: this.#descriptors, writeBehind: this.#writeBehind });
    this.#neighbours = new Neighbours(this.#descriptors);
    this.#recovery = new Recovery({ segments, large, index, owner, clock, appender: this.#appender });
    const closed = () => this.#closed;
    this.#shelf = {
      budget,
      large,
      get closed() {
        return closed();
      },
      pack: (parts, size) => this.#pack(parts, size),
      stored: (entry) => this.#writeBehind.put(entry),
    };
  }

  create(): BodyWriter {
    if (!this.#appender) throw new Error('this object store was opened for reading');
    return new FileBodyWriter(this.#shelf);
  }

  async #pack(parts: readonly Uint8Array[], size: number): Promise<BodyEntry> {
    const sha256 = sha256Of(parts);
    const storedAt = this.options.clock.now();
    const header = { sha256, size, storedAt };
    const place = this.#appender!.recent(sha256) ?? (await this.#appender!.append(header, parts));
    const entry = { ...header, ...place };
    // Also for a second copy: the row of the first may have been deleted meanwhile.
    this.#writeBehind.put(entry);
    return entry;
  }

  read(ref: BodyRef, range?: Range): AsyncIterable<Uint8Array> {
    return this.#reader.read(ref, range);
  }

  readMany(refs: readonly BodyRef[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#neighbours.read(refs);
  }

  /** A body that another process stored within the last second may be unknown to the index, and so be kept. */
  async delete(sha256: readonly string[], storedBefore?: number): Promise<void> {
    await this.#writeBehind.flush();
    for (let i = 0; i < sha256.length; i += 1000) await this.#index.remove(sha256.slice(i, i + 1000), storedBefore);
  }

  async compact(): Promise<number> {
    const appender = this.#appender;
    if (!appender) throw new Error('this object store was opened for reading');
    const { segments, large, owner } = this.pieces;
    const { clock, trouble } = this.options;
    const common = { segments, large, owner, clock, index: this.#index };
    return this.#index.exclusively((held) => {
      const more = { appender, trouble, recovery: this.#recovery, writeBehind: this.#writeBehind };
      return new Compaction({ ...common, ...more }, held).run();
    });
  }

  /**
   * Tells the index of bodies that dead processes stored and did not tell it of; of all bodies when the index is a new one.
   * To be called when a worker starts; reading finds such bodies also before, more slowly.
   * @returns bodies offered to the index.
   */
  recoverIndex(): Promise<number> {
    return this.#index.exclusively(() => this.#recovery.recover());
  }

  /**
   * Empties the index and fills it from the files, while mail flows. Needed after the database was restored from a backup.
   * Deleted bodies whose space was not yet won back come back to life; delete them again.
   * @returns bodies offered to the index.
   */
  rebuildIndex(onProgress: (progress: Progress) => void = () => undefined): Promise<number> {
    return this.#index.exclusively(() => this.#recovery.rebuild(onProgress));
  }

  /** Reads the whole index and asks for the size of every file: for a report, not for every scrape. */
  async usage(): Promise<{ readonly bodies: number; readonly bytes: number; readonly storedBytes: number }> {
    await this.#writeBehind.flush();
    const live = [...(await this.#index.live()).values()];
    const [packed, large] = await Promise.all([this.pieces.segments.totalBytes(), this.pieces.large.totalBytes()]);
    return {
      bodies: live.reduce((sum, { bodies }) => sum + bodies, 0),
      bytes: live.reduce((sum, { bytes }) => sum + bytes, 0),
      storedBytes: packed + large,
    };
  }

  /** Bytes of unfinished bodies in memory. */
  get held(): number {
    return this.pieces.budget.used;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#appender?.close();
    await this.#writeBehind.close();
    this.#descriptors.close();
  }

  async #settle(entries: readonly BodyEntry[]): Promise<void> {
    for (const { sha256, segment, offset } of entries) {
      if (segment === 0) await this.pieces.large.settle({ sha256, copy: offset });
    }
  }

  async #sealed(id: number): Promise<void> {
    const { segments } = this.pieces;
    try {
      await this.#writeBehind.flush();
      // Entries that were given up are read from the segment again, so it must not count as indexed.
      if (!this.#writeBehind.takeDropped(id)) await segments.markIndexed(id, await this.#index.identity());
    } finally {
      // From here on others look after it; an entry written later could name a segment that is gone.
      this.#writeBehind.forget(id);
      await segments.release(id);
    }
  }
}
