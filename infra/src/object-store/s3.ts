import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { type BodyRef, type BodyWriter, type ObjectStore, type Range, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import type { BodyIndex } from './body-index.js';
import type { Progress } from './files-recovery.js';
import { Admission } from './s3-admission.js';
import { Bucket } from './s3-bucket.js';
import { connectS3, type S3Client, type S3Connection } from './s3-client.js';
import { type Compacted, Compaction } from './s3-compaction.js';
import { Names } from './s3-name.js';
import { BODIES, IndexMark, Objects } from './s3-objects.js';
import { Reader } from './s3-reader.js';
import type { Counts } from './s3-requests.js';
import { Recovery } from './s3-recovery.js';
import { Shelf } from './s3-shelf.js';
import { Upload } from './s3-upload.js';
import { S3BodyWriter, type Workshop } from './s3-writer.js';

const MIB = 1024 * 1024;
/** ms: longer than a restart of the server takes, and shorter than clients wait at the end of a message. */
const AWAY_AFTER = 7_000;
const DAY = 24 * 60 * 60_000;

export interface S3ObjectStoreOptions extends S3Connection {
  readonly bucket: string;
  /** Keys begin with it and a slash. One database per bucket and prefix: compaction removes what its index does not know. */
  readonly prefix?: string;
  readonly encryption?: 'none' | 'AES256' | 'aws:kms';
  /** Days for which the server keeps every object, whatever is asked of it (COMPLIANCE mode). Default 0: not at all. */
  readonly objectLockDays?: number;
  /** Make the bucket when it is missing. Default false: opening fails then. */
  readonly createBucket?: boolean;
  /** The same index for all processes and machines of the bucket. */
  readonly index: BodyIndex;
  /** Default true. A store that does not write cannot compact. */
  readonly writer?: boolean;
  readonly clock: Clock;
  /** Told of what went wrong beside the callers' own requests; the store goes on. */
  readonly trouble: (error: unknown) => void;
  /** Bytes of unfinished bodies in memory, above which no new ones begin. Default 128 MiB. */
  readonly memory?: number;
  /** Large bodies on their way at once; each takes up to 10 MiB of memory. Default 24. */
  readonly largeBodies?: number;
  /** ms that a request may take with its repetitions; then StoreUnavailable. Default 30 s. */
  readonly patience?: number;
  /** ms for which the server may not answer before it counts as away, and requests are refused without waiting. Default 7 s. */
  readonly awayAfter?: number;
  /**
   * ms from the moment that nothing refers to an object to its removal; longer than any commit takes and any machine's clock is wrong.
   * Default a day: also the time in which a restored database can be rebuilt before its missing bodies are removed.
   */
  readonly grace?: number;
}

/**
 * Bodies in an S3 bucket: small ones packed, large ones an object each. Many processes on many machines may use it at once.
 * @throws StoreUnavailable when the bucket cannot be reached or used, TypeError when a setting makes no sense; both name the setting.
 */
export async function openS3ObjectStore(options: S3ObjectStoreOptions): Promise<S3ObjectStore> {
  const connection = await connectS3(options);
  try {
    const bucket = bucketOf(options, connection);
    if (!(await bucket.exists())) {
      if (!options.createBucket) throw new StoreUnavailable(`the S3 server has no bucket ${options.bucket}: make it, or check s3Bucket`);
      await bucket.create(options.region);
    }
    const mark = new IndexMark(bucket, options.index);
    if (options.writer !== false) await mark.markIfEmpty();
    return new S3ObjectStore(options, { connection, bucket, mark, versioned: await bucket.isVersioned() });
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** What every S3 server takes: lower case, digits, dots, dashes. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

function bucketOf(options: S3ObjectStoreOptions, { client }: S3Client): Bucket {
  const { bucket, encryption = 'none', objectLockDays = 0, patience = 30_000, awayAfter = AWAY_AFTER, clock } = options;
  if (!BUCKET.test(bucket)) throw new TypeError('s3Bucket is no name that a bucket can have');
  const prefix = (options.prefix ?? '').replace(/^\/+|\/+$/g, '');
  return new Bucket({
    client,
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    headers: encryption === 'none' ? {} : { 'x-amz-server-side-encryption': encryption },
    lock: objectLockDays * DAY,
    secure: options.endpoint.startsWith('https:'),
    patience,
    awayAfter,
    clock,
  });
}

interface Pieces {
  readonly connection: S3Client;
  readonly bucket: Bucket;
  readonly mark: IndexMark;
  readonly versioned: boolean;
}

export class S3ObjectStore implements ObjectStore {
  readonly #reader: Reader;
  readonly #objects: Objects;
  readonly #shelf: Shelf;
  readonly #workshop: Workshop;
  readonly #admission: Admission;
  readonly #grace: number;
  #closed = false;

  constructor(
    private readonly options: S3ObjectStoreOptions,
    private readonly pieces: Pieces,
  ) {
    const { index, clock } = options;
    const { bucket, mark } = pieces;
    this.#grace = options.grace ?? DAY;
    this.#objects = new Objects(bucket, new Names(clock));
    this.#reader = new Reader({ bucket, index, mark });
    this.#shelf = new Shelf({ bucket, objects: this.#objects, index, reader: this.#reader, clock, grace: this.#grace });
    this.#admission = new Admission(options.memory ?? 128 * MIB, options.largeBodies ?? 24, options.patience ?? 30_000);
    const closed = () => this.#closed;
    const parts = { bucket, objects: this.#objects, shelf: this.#shelf, budget: this.#admission, now: () => clock.now() };
    this.#workshop = {
      admission: this.#admission,
      shelf: this.#shelf,
      get closed() {
        return closed();
      },
      upload: () => new Upload(parts),
    };
  }

  create(): BodyWriter {
    this.#mustWrite();
    return new S3BodyWriter(this.#workshop);
  }

  #mustWrite(): void {
    if (this.options.writer === false) throw new Error('this object store was opened for reading');
  }

  /** @throws also StoreUnavailable. */
  read(ref: BodyRef, range?: Range): AsyncIterable<Uint8Array> {
    return this.#reader.read(ref, range);
  }

  /** @throws StoreUnavailable */
  readMany(refs: readonly BodyRef[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#reader.readMany(refs);
  }

  async delete(sha256: readonly string[], storedBefore?: number): Promise<void> {
    for (let i = 0; i < sha256.length; i += 1000) await this.options.index.remove(sha256.slice(i, i + 1000), storedBefore);
  }

  async compact(): Promise<number> {
    return (await this.maintain()).won;
  }

  /** `compact` with its whole result. What nothing refers to is removed by the first call after the time of grace. */
  maintain(): Promise<Compacted> {
    this.#mustWrite();
    const { bucket, versioned } = this.pieces;
    const { index, clock, trouble } = this.options;
    const common = { bucket, objects: this.#objects, index, reader: this.#reader, clock, grace: this.#grace, versioned, trouble };
    return index.exclusively(async (held) => {
      await this.#recovery().recover();
      return new Compaction(common, held).run();
    });
  }

  #recovery(): Recovery {
    const { bucket, mark, versioned } = this.pieces;
    const { index, trouble } = this.options;
    return new Recovery({ bucket, objects: this.#objects, index, mark, versioned, trouble });
  }

  /**
   * Tells the index of all bodies when it is a new one. To be called when a worker starts; until then reading what is not in the index
   * fails with StoreUnavailable, not with BodyMissing.
   * @returns bodies offered to the index.
   */
  recoverIndex(): Promise<number> {
    return this.options.index.exclusively(() => this.#recovery().recover());
  }

  /**
   * Empties the index and fills it from the bucket, while mail flows: a request for each object. Needed after the database was restored from
   * a backup, before the time of grace has passed. Bodies that were deleted and not yet removed come back to life; delete them again.
   * @returns bodies offered to the index.
   */
  rebuildIndex(onProgress: (progress: Progress) => void = () => undefined): Promise<number> {
    return this.options.index.exclusively(() => this.#recovery().rebuild(onProgress));
  }

  /** Reads the whole index and lists the bucket, a request per thousand objects: for a report, not for every scrape. */
  async usage(): Promise<{ readonly bodies: number; readonly bytes: number; readonly storedBytes: number }> {
    const live = [...(await this.options.index.live()).values()];
    let storedBytes = 0;
    for await (const page of this.pieces.bucket.list(BODIES)) storedBytes += page.reduce((sum, { size }) => sum + size, 0);
    return {
      bodies: live.reduce((sum, { bodies }) => sum + bodies, 0),
      bytes: live.reduce((sum, { bytes }) => sum + bytes, 0),
      storedBytes,
    };
  }

  /** Bytes of unfinished bodies in memory. */
  get held(): number {
    return this.#admission.used;
  }

  /** Requests made so far, repetitions included. */
  get requests(): Readonly<Counts> {
    return { ...this.pieces.bucket.counts };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#shelf.close();
    this.pieces.connection.close();
  }
}
