import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { type BodyRef, StoreOutOfReach } from '@kiroku/domain/kernel/object-store.js';
import type { BodyEntry, BodyIndex, Place } from './body-index.js';
import type { Bucket } from './s3-bucket.js';
import { tailBytes } from './s3-format.js';
import { codeOf } from './s3-errors.js';
import { objectOf } from './s3-name.js';
import { keyOf, type Objects } from './s3-objects.js';
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

const placeOf = ({ segment, offset }: Place): Place => ({ segment, offset });

function unavailable(cause: unknown): never {
  throw new StoreOutOfReach(`the index of bodies does not answer: ${codeOf(cause)}`, { cause });
}

interface Incoming {
  readonly sha256: string;
  readonly size: number;
  readonly parts: readonly Uint8Array[];
}

/** Of some bodies: those that lie in the bucket, and the rows of those that do not. */
interface Found {
  readonly whole: ReadonlyMap<string, Place>;
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
  /** Whether the index is asked before the bucket is: bodies that are there already come in runs, and nearly all others are new. */
  #askFirst = false;

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
    const { objects, clock } = this.options;
    const storedAt = clock.now();
    const different = [...new Map(bodies.map((body) => [body.sha256, body])).values()];
    const { whole, lost } = await this.#known(different);
    const fresh = different.filter(({ sha256 }) => !whole.has(sha256)).map((body) => ({ ...body, storedAt }));
    const name = objects.begin();
    try {
      const { places } = fresh.length > 0 ? await objects.pack(name, fresh, waited) : { places: [] };
      const all = new Map([...whole, ...fresh.map(({ sha256 }, i) => [sha256, places[i]!] as const)]);
      const entries = new Map(different.map(({ sha256, size }) => [sha256, { sha256, size, storedAt, ...placeOf(all.get(sha256)!) }]));
      await this.#keepPacked(entries, lost);
      return bodies.map(({ sha256 }) => entries.get(sha256)!);
    } finally {
      objects.end(name);
    }
  }

  /** Of a body that the index knows elsewhere the copy there counts if it is whole, else this one. */
  async #keepPacked(entries: Map<string, BodyEntry>, lost: readonly BodyEntry[]): Promise<void> {
    const elsewhere = await this.keep([...entries.values()], lost);
    if (elsewhere.length === 0) return;
    this.#askFirst = true;
    const there = await this.#lookAt(elsewhere);
    await this.#move(there.lost, entries);
    for (const row of elsewhere) {
      if (there.whole.has(row.sha256)) entries.set(row.sha256, row);
      this.#remember(entries.get(row.sha256)!);
    }
  }

  /**
   * Tells the index. A body that it knows elsewhere stays there, unless that copy is lost.
   * @param lost rows whose body is not there.
   * @returns rows of other bodies that it knows elsewhere: nobody has looked whether they are there.
   */
  async keep(entries: readonly BodyEntry[], lost: readonly BodyEntry[]): Promise<readonly BodyEntry[]> {
    const rows = await this.options.index.put(entries).catch(unavailable);
    await this.#move(lost, new Map(entries.map((entry) => [entry.sha256, entry])));
    const seen = new Set(lost.map(({ sha256 }) => sha256));
    const elsewhere = rows.filter(({ sha256 }) => !seen.has(sha256));
    const unseen = new Set(elsewhere.map(({ sha256 }) => sha256));
    for (const entry of entries) if (!unseen.has(entry.sha256)) this.#remember(entry);
    return elsewhere;
  }

  async #move(lost: readonly BodyEntry[], to: ReadonlyMap<string, Place>): Promise<void> {
    await this.options.index.move(lost.map((row) => ({ sha256: row.sha256, from: row, to: to.get(row.sha256)! }))).catch(unavailable);
  }

  /** Which of them lie in the bucket already, as far as it can be known before they are put there. */
  async #known(bodies: readonly Size[]): Promise<Found> {
    const recent = new Map<string, Place>();
    for (const { sha256 } of bodies) {
      const place = this.#recently(sha256);
      if (place) recent.set(sha256, place);
    }
    const others = bodies.filter(({ sha256 }) => !recent.has(sha256)).map(({ sha256 }) => sha256);
    if (!this.#askFirst || others.length === 0) return { whole: recent, lost: [] };
    const rows = await this.#rows(others);
    this.#askFirst = rows.size > 0;
    const { whole, lost } = await this.#lookAt([...rows.values()]);
    return { whole: new Map([...recent, ...whole]), lost };
  }

  /** Looked at with own eyes: a row alone would be a promise without a body. */
  async #lookAt(rows: readonly BodyEntry[]): Promise<Found> {
    const whole = new Map<string, Place>();
    const lost: BodyEntry[] = [];
    await inLanes(LANES, rows.values(), async (row) => {
      const found = await this.options.reader.fetch(row, row);
      if (found && found !== 'damaged') whole.set(row.sha256, row);
      else lost.push(row);
    });
    return { whole, lost };
  }

  async #rows(sha256: readonly string[]): Promise<ReadonlyMap<string, BodyEntry>> {
    return this.options.index.find(sha256).catch(unavailable);
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
