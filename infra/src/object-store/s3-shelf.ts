import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { type BodyRef, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import type { BodyEntry, BodyIndex, Place } from './body-index.js';
import type { Bucket } from './s3-bucket.js';
import { tailBytes } from './s3-format.js';
import { codeOf } from './s3-errors.js';
import { objectOf } from './s3-name.js';
import { keyOf, type Objects, type PackedBody } from './s3-objects.js';
import { Packer } from './s3-packer.js';
import type { Reader } from './s3-reader.js';
import { inLanes } from './s3-retry.js';
import { sha256Of } from './parts.js';

/** Bodies of which this process knows that they are whole: for equal ones that come within minutes. */
const RECENT_MAX = 20_000;
const RECENT_MS = 10 * 60_000;
const LANES = 8;

export interface ShelfOptions {
  readonly bucket: Bucket;
  readonly objects: Objects;
  readonly index: BodyIndex;
  readonly reader: Reader;
  readonly clock: Clock;
  /** ms between the moment when nothing refers to an object any more and its removal. */
  readonly grace: number;
}

const indexUnavailable = (cause: unknown): StoreUnavailable => new StoreUnavailable(`the index of bodies does not answer: ${codeOf(cause)}`, { cause });

interface Incoming {
  readonly sha256: string;
  readonly size: number;
  readonly parts: readonly Uint8Array[];
}

/** What came together. */
interface Sorted {
  readonly bodies: readonly Size[];
  /** Those to be put into the bucket. */
  readonly fresh: readonly PackedBody[];
  /** Those that lie there already. */
  readonly whole: ReadonlyMap<string, Place>;
  /** Rows whose bodies are not there. */
  readonly lost: readonly BodyEntry[];
}

type Size = Pick<BodyRef, 'sha256' | 'size'>;

/**
 * Puts bodies into the bucket, then into the index; only then are they kept. Bodies that got into the bucket but not into the index were
 * promised to nobody: maintenance removes them.
 */
export class Shelf {
  readonly #packer: Packer<Incoming, BodyEntry>;
  /** Oldest first. */
  readonly #recent = new Map<string, { readonly place: Place; readonly at: number }>();

  constructor(private readonly options: ShelfOptions) {
    this.#packer = new Packer((bodies, waited) => this.#send(bodies, waited));
  }

  /** Keeps a small body, with others in one object. @throws StoreUnavailable */
  pack(parts: readonly Uint8Array[], size: number): Promise<BodyEntry> {
    return this.#packer.add({ sha256: sha256Of(parts), size, parts }, size);
  }

  close(): Promise<void> {
    return this.#packer.close();
  }

  async #send(bodies: readonly Incoming[], waited: number): Promise<readonly BodyEntry[]> {
    const storedAt = this.options.clock.now();
    const different = [...new Map(bodies.map((body) => [body.sha256, body])).values()];
    const { whole, lost } = await this.#known(different);
    const fresh = different.filter(({ sha256 }) => !whole.has(sha256)).map((body) => ({ ...body, storedAt }));
    const entries = fresh.length > 0 ? await this.#keepNew({ bodies: different, fresh, whole, lost }, waited) : await this.#keepAt(different, whole, lost, storedAt);
    const bySha256 = new Map(entries.map((entry) => [entry.sha256, entry]));
    return bodies.map(({ sha256 }) => bySha256.get(sha256)!);
  }

  async #keepNew({ bodies, fresh, whole, lost }: Sorted, waited: number): Promise<readonly BodyEntry[]> {
    const { objects } = this.options;
    const name = objects.begin();
    try {
      const { places } = await objects.pack(name, fresh, waited);
      const all = new Map([...whole, ...fresh.map(({ sha256 }, i) => [sha256, places[i]!] as const)]);
      return await this.#keepAt(bodies, all, lost, fresh[0]!.storedAt);
    } finally {
      objects.end(name);
    }
  }

  async #keepAt(bodies: readonly Size[], places: ReadonlyMap<string, Place>, lost: readonly BodyEntry[], storedAt: number): Promise<readonly BodyEntry[]> {
    const entries = bodies.map(({ sha256, size }) => {
      const { segment, offset } = places.get(sha256)!;
      return { sha256, size, storedAt, segment, offset };
    });
    await this.keep(entries, lost);
    return entries;
  }

  /**
   * Tells the index. A body that it knows elsewhere stays there, unless that copy is lost.
   * @param lost rows whose body is not there.
   */
  async keep(entries: readonly BodyEntry[], lost: readonly BodyEntry[]): Promise<void> {
    try {
      await this.options.index.put(entries);
      const places = new Map(entries.map((entry) => [entry.sha256, entry]));
      await this.options.index.move(lost.map((row) => ({ sha256: row.sha256, from: row, to: places.get(row.sha256)! })));
    } catch (error) {
      throw indexUnavailable(error);
    }
    for (const entry of entries) this.#remember(entry);
  }

  /** Which of them lie in the bucket already, looked at with own eyes: a row alone would be a promise without a body. */
  async #known(bodies: readonly Size[]): Promise<{ readonly whole: ReadonlyMap<string, Place>; readonly lost: readonly BodyEntry[] }> {
    const whole = new Map<string, Place>();
    for (const { sha256 } of bodies) {
      const place = this.#recently(sha256);
      if (place) whole.set(sha256, place);
    }
    const rows = await this.#rows(bodies.filter(({ sha256 }) => !whole.has(sha256)).map(({ sha256 }) => sha256));
    const lost: BodyEntry[] = [];
    await inLanes(LANES, rows.values(), async (row) => {
      const found = await this.options.reader.fetch(row, row);
      if (found && found !== 'damaged') whole.set(row.sha256, row);
      else lost.push(row);
    });
    return { whole, lost };
  }

  async #rows(sha256: readonly string[]): Promise<ReadonlyMap<string, BodyEntry>> {
    try {
      return await this.options.index.find(sha256);
    } catch (error) {
      throw indexUnavailable(error);
    }
  }

  /** The row of an equal large body, and whether its object has the right length. */
  async knownLarge({ sha256, size }: Size): Promise<{ readonly row: BodyEntry; readonly whole: boolean } | undefined> {
    const row = (await this.#rows([sha256])).get(sha256);
    return row && { row, whole: (await this.options.bucket.size(keyOf(objectOf(row)))) === size + tailBytes(1) };
  }

  /** Never as old as maintenance takes to remove what nothing refers to. */
  #recently(sha256: string): Place | undefined {
    const known = this.#recent.get(sha256);
    if (known && performance.now() - known.at < Math.min(RECENT_MS, this.options.grace / 4)) return known.place;
    this.#recent.delete(sha256);
    return undefined;
  }

  #remember({ sha256, segment, offset }: BodyEntry): void {
    if (this.#recent.has(sha256)) return;
    this.#recent.set(sha256, { place: { segment, offset }, at: performance.now() });
    for (const oldest of this.#recent.keys()) {
      if (this.#recent.size <= RECENT_MAX) break;
      this.#recent.delete(oldest);
    }
  }
}
