import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { type BodyEntry, type BodyIndex, type Move, type Place, samePlace, type Share } from './body-index.js';
import { PACKED_MAX } from './files-record.js';
import type { Bucket, StoredObject } from './s3-bucket.js';
import { type Doom, Doomed, type Kept, lockedUntil, NOTHING_KEPT, together } from './s3-doomed.js';
import { type DirectoryEntry, ENTRY_BYTES, tailBytes } from './s3-format.js';
import { placeIn } from './s3-name.js';
import { BODIES, nameOf, type Objects, type PackedBody } from './s3-objects.js';
import type { Reader } from './s3-reader.js';

/** An upload that nobody has completed for so long was left by a process that died. ms */
const ABANDONED_AFTER = 24 * 60 * 60_000;
/** Objects looked up together. */
const OBJECTS = 50_000;
/** Bytes of the copies that go into one new object. */
const FULL = 4 * 1024 * 1024;

export interface CompactionOptions {
  readonly bucket: Bucket;
  readonly objects: Objects;
  readonly index: BodyIndex;
  readonly reader: Reader;
  readonly clock: Clock;
  readonly grace: number;
  readonly versioned: boolean;
  readonly trouble: (error: unknown) => void;
}

export interface Compacted {
  /** Bytes won back. */
  readonly won: number;
  readonly kept: Kept;
  /** Uploads that nobody would have completed. */
  readonly aborted: number;
}

interface Live {
  readonly row: BodyEntry;
  readonly body: PackedBody;
}

/**
 * Wins back space. To be run under the index's lock. Order for each body: its copy is durable, then the index points to it, then the old
 * object is doomed. A reader with the old hint asks the index.
 */
export class Compaction {
  readonly #doomed: Doomed;
  #copied = 0;
  #kept: Kept = NOTHING_KEPT;

  constructor(
    private readonly options: CompactionOptions,
    private readonly held: () => Promise<void>,
  ) {
    const { bucket, index, clock, grace, versioned, objects } = options;
    this.#doomed = new Doomed({ bucket, index, clock, grace, versioned, isActive: (key) => objects.isActive(key) });
  }

  async run(): Promise<Compacted> {
    const due = await this.#doomed.remove(this.held);
    const aborted = await this.#abortUploads();
    const known = await this.#doomed.keys();
    for await (const objects of this.#chunks(known)) await this.#look(objects);
    // With a time of grace the list has nothing due yet.
    const now = this.options.grace === 0 ? await this.#doomed.remove(this.held) : undefined;
    const won = due.won + (now?.won ?? 0) - this.#copied;
    return { won: Math.max(0, won), kept: [due.kept, this.#kept, now?.kept ?? NOTHING_KEPT].reduce(together), aborted };
  }

  async #abortUploads(): Promise<number> {
    const { bucket, clock, objects } = this.options;
    const before = clock.now() - ABANDONED_AFTER;
    let aborted = 0;
    for (;;) {
      const found = (await bucket.multipart.list(BODIES)).filter(({ key, begunAt }) => begunAt < before && !objects.isActive(key));
      if (found.length === 0) return aborted;
      for (const { key, upload } of found) await bucket.multipart.abort(key, upload);
      aborted += found.length;
    }
  }

  async *#chunks(known: ReadonlySet<string>): AsyncGenerator<readonly StoredObject[]> {
    let chunk: StoredObject[] = [];
    for await (const page of this.options.bucket.list(BODIES)) {
      chunk.push(...page.filter(({ key }) => nameOf(key) && !known.has(key)));
      if (chunk.length < OBJECTS) continue;
      yield chunk;
      chunk = [];
    }
    yield chunk;
  }

  async #look(listed: readonly StoredObject[]): Promise<void> {
    const { objects, index, bucket, clock } = this.options;
    // First the list, then what is under way, then the index: whoever has ended meanwhile is in it.
    const settled = listed.filter(({ key }) => !objects.isActive(key));
    const live = await index.live(settled.map(({ key }) => nameOf(key)!.segment));
    const dooms: Doom[] = [];
    let copies = new Copies(this.options, (bytes) => (this.#copied += bytes));
    for (const object of settled) {
      const share = live.get(nameOf(object.key)!.segment);
      if (share && !isWasteful(share, object.size)) continue;
      const until = lockedUntil(bucket, object.modifiedAt);
      if (until > clock.now()) this.#kept = together(this.#kept, { objects: 1, bytes: object.size, until });
      else if (!share) dooms.push(object);
      else {
        await this.held();
        await copies.add(object);
        if (copies.bytes < FULL) continue;
        dooms.push(...(await copies.finish()));
        copies = new Copies(this.options, (bytes) => (this.#copied += bytes));
      }
    }
    dooms.push(...(await copies.finish()));
    await this.#doomed.add(dooms);
  }
}

/** Less than half of it is still wanted. */
const isWasteful = ({ bodies, bytes }: Share, size: number): boolean => (bytes + tailBytes(bodies)) * 2 < size;

/** Live bodies of objects that are mostly dead, on their way into a new one. */
class Copies {
  bytes = 0;
  readonly #live: Live[] = [];
  readonly #from: Doom[] = [];

  constructor(
    private readonly options: CompactionOptions,
    private readonly copied: (bytes: number) => void,
  ) {}

  async add(object: StoredObject): Promise<void> {
    const { objects, index, trouble } = this.options;
    const name = nameOf(object.key)!;
    const directory = await objects.directory(object);
    if (!directory) return; // gone meanwhile
    const rows = await index.find(directory.entries.map(({ sha256 }) => sha256));
    let unread = directory.damaged;
    for (const entry of directory.entries) {
      const row = rows.get(entry.sha256);
      if (!row || !samePlace(row, placeIn(name, entry.offset))) continue;
      const bytes = await this.#fetch(entry, row);
      if (!bytes) unread++;
      else {
        this.#live.push({ row, body: { ...entry, parts: [bytes] } });
        this.bytes += bytes.length + ENTRY_BYTES;
      }
    }
    // The object is all that is left of them: a matter for people.
    if (unread > 0) trouble(new Error(`object ${object.key} holds ${unread} damaged bodies and is kept`));
    else this.#from.push(object);
  }

  async #fetch(entry: DirectoryEntry, place: Place): Promise<Buffer | undefined> {
    if (entry.size > PACKED_MAX) return undefined;
    const found = await this.options.reader.fetch(entry, place);
    return found === 'damaged' ? undefined : found;
  }

  /** @returns the objects that nothing refers to any more. */
  async finish(): Promise<readonly Doom[]> {
    const { objects, index } = this.options;
    if (this.#live.length === 0) return this.#from;
    const name = objects.begin();
    try {
      const { places, bytes } = await objects.pack(name, this.#live.map(({ body }) => body));
      this.copied(bytes);
      await index.move(this.#live.map(({ row, body }, i): Move => ({ sha256: body.sha256, from: row, to: places[i]! })));
    } finally {
      objects.end(name);
    }
    return this.#from;
  }
}
