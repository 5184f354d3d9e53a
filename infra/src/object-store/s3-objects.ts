import type { BodyIndex, Place } from './body-index.js';
import type { Bucket, StoredObject } from './s3-bucket.js';
import { decodeTail, type Directory, encodeTail, FOOTER_BYTES, tailNeeded } from './s3-format.js';
import { decodeName, encodeName, NAME_LENGTH, type Names, type ObjectName, placeIn } from './s3-name.js';
import { wholeOf } from './s3-requests.js';

/** Below the prefix: the objects with bodies. */
export const BODIES = 'bodies/';
/** A first look at an object's end brings the directory of up to a thousand bodies. Bytes. */
const FIRST_LOOK = 64 * 1024;

export const keyOf = (name: ObjectName): string => BODIES + encodeName(name);

/** Nothing for a key that is not one of ours. */
export const nameOf = (key: string): ObjectName | undefined =>
  key.length === BODIES.length + NAME_LENGTH && key.startsWith(BODIES) ? decodeName(key.slice(BODIES.length)) : undefined;

export interface PackedBody {
  readonly sha256: string;
  readonly size: number;
  /** Epoch ms. */
  readonly storedAt: number;
  readonly parts: readonly Uint8Array[];
}

/** Makes the objects. */
export class Objects {
  readonly #active = new Set<string>();

  constructor(
    readonly bucket: Bucket,
    private readonly names: Names,
  ) {}

  /** Being made by this process: in the bucket perhaps, in the index not yet. */
  isActive(key: string): boolean {
    return this.#active.has(key);
  }

  /** Names an object. Until `end` maintenance of this process leaves it alone; that of others, for the time of grace. */
  begin(): ObjectName {
    const name = this.names.next();
    this.#active.add(keyOf(name));
    return name;
  }

  end(name: ObjectName): void {
    this.#active.delete(keyOf(name));
  }

  /**
   * One object with these bodies, durable when it resolves.
   * @param waited ms that somebody has waited for it already.
   * @returns where each lies, in their order.
   */
  async pack(name: ObjectName, bodies: readonly PackedBody[], waited = 0): Promise<{ readonly places: readonly Place[]; readonly bytes: number }> {
    let offset = 0;
    const entries = bodies.map(({ sha256, size, storedAt }) => {
      const entry = { sha256, size, storedAt, offset };
      offset += size;
      return entry;
    });
    const bytes = Buffer.concat([...bodies.flatMap(({ parts }) => parts), encodeTail(entries)]);
    await this.bucket.putBody(keyOf(name), bytes, waited);
    return { places: entries.map((entry) => placeIn(name, entry.offset)), bytes: bytes.length };
  }

  /** What the object says it holds; nothing when it is gone. */
  async directory({ key, size }: Pick<StoredObject, 'key' | 'size'>): Promise<Directory | undefined> {
    const look = await this.bucket.tail(key, Math.min(FIRST_LOOK, Math.max(size, 1)));
    if (!look) return undefined;
    const end = wholeOf(look);
    const needed = tailNeeded(end.subarray(-FOOTER_BYTES), look.of);
    if (needed === undefined || needed <= end.length) return decodeTail(end, look.of);
    const whole = await this.bucket.tail(key, needed);
    return whole && decodeTail(wholeOf(whole), whole.of);
  }
}

const INDEXED = 'index/';

/**
 * Which index knows all objects: a note in the bucket. Without the note of its own index a store takes a body that it does not find for
 * unknown, not for missing.
 */
export class IndexMark {
  constructor(
    private readonly bucket: Bucket,
    private readonly index: BodyIndex,
  ) {}

  async isComplete(): Promise<boolean> {
    return (await this.bucket.size(INDEXED + (await this.index.identity()))) !== undefined;
  }

  /** A bucket without bodies is known to any index. */
  async markIfEmpty(): Promise<void> {
    if (!(await this.isComplete()) && !(await this.bucket.has(BODIES))) await this.mark();
  }

  async mark(): Promise<void> {
    await this.bucket.putNote(INDEXED + (await this.index.identity()), '');
  }

  /** Of every index: the one that follows a lost one too. */
  async unmark(versioned: boolean): Promise<void> {
    for await (const page of this.bucket.list(INDEXED)) for (const { key } of page) await this.bucket.removeAll(key, versioned);
  }
}
