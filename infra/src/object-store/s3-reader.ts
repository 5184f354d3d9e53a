import { hash } from 'node:crypto';
import { BodyDamaged, BodyMissing, type BodyRef, type Range, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { type BodyEntry, type BodyIndex, type Place, samePlace } from './body-index.js';
import { checked } from './checked.js';
import { PACKED_MAX } from './files-record.js';
import { rangeOf } from './range.js';
import { type Run, runsOf, type Wanted } from './runs.js';
import type { Bucket } from './s3-bucket.js';
import { decodeTail, tailBytes } from './s3-format.js';
import { objectOf, offsetOf, placeOf } from './s3-name.js';
import { type IndexMark, keyOf } from './s3-objects.js';
import { wholeOf } from './s3-requests.js';
import { inLanes } from './s3-retry.js';

/** The port's limit for one chunk, bytes. */
const CHUNK = 256 * 1024;
/** Bytes of a large body that one request brings: no connection waits for a slow reader, and each reader holds only so much. */
const WINDOW = 1024 * 1024;
/** Bytes between two packed bodies that are read along: about what a round trip would have brought. */
const GAP = 64 * 1024;
/** Bytes of one request for many packed bodies. */
const TOGETHER = 2 * 1024 * 1024;
const LANES = 8;
/** A row can change its place while it is looked up: compaction. Not often in a row. */
const LOOKS = 3;

export interface ReaderOptions {
  readonly bucket: Bucket;
  readonly index: BodyIndex;
  readonly mark: IndexMark;
}

interface Asked extends Wanted {
  readonly ref: BodyRef;
  readonly place: Place;
  /** Its place in the answer. */
  readonly index: number;
}

export class Reader {
  constructor(private readonly options: ReaderOptions) {}

  async *read(ref: BodyRef, range?: Range): AsyncGenerator<Uint8Array> {
    const wanted = rangeOf(ref, range);
    if (ref.size <= PACKED_MAX) {
      const body = await this.#packed(ref);
      if (wanted.length > 0) yield body.subarray(wanted.offset, wanted.offset + wanted.length);
      return;
    }
    const place = await this.#large(ref);
    if (range) yield* this.#stream(ref, place, wanted);
    else yield* checked(this.#stream(ref, place, wanted), ref);
  }

  async #packed(ref: BodyRef): Promise<Buffer> {
    let damaged = false;
    const hint = placeOf(ref.at);
    const hinted = hint && ref.size > 0 ? await this.fetch(ref, hint) : undefined;
    if (hinted && hinted !== 'damaged') return hinted;
    for await (const row of this.#rows(ref)) {
      const found = await this.fetch(ref, row);
      if (found === 'damaged') damaged = true;
      else if (found) return found;
    }
    throw await this.#notFound(ref, damaged);
  }

  /**
   * The body at its place, if it lies there.
   * @returns nothing when there is no such object; `damaged` when something else is there, which is damage if the index named the place.
   */
  async fetch({ sha256, size }: Pick<BodyRef, 'sha256' | 'size'>, place: Place): Promise<Buffer | 'damaged' | undefined> {
    const key = keyOf(objectOf(place));
    if (size === 0) return (await this.options.bucket.size(key)) === undefined ? undefined : Buffer.alloc(0);
    const found = await this.options.bucket.get(key, offsetOf(place), size);
    if (!found) return undefined;
    const body = wholeOf(found);
    return body.length === size && hash('sha256', body, 'hex') === sha256 ? body : 'damaged';
  }

  /** What the index says, again when it says something else meanwhile. */
  async *#rows(ref: Pick<BodyRef, 'sha256' | 'size'>): AsyncGenerator<BodyEntry> {
    let before: BodyEntry | undefined;
    for (let look = 0; look < LOOKS; look++) {
      const row = (await this.options.index.find([ref.sha256])).get(ref.sha256);
      if (!row || row.size !== ref.size || (before && samePlace(before, row))) return;
      yield (before = row);
    }
  }

  async #notFound({ sha256 }: BodyRef, damaged: boolean): Promise<Error> {
    if (damaged) return new BodyDamaged(sha256);
    if (await this.options.mark.isComplete()) return new BodyMissing(sha256);
    return new StoreUnavailable('the index of bodies is not complete: it has to be rebuilt from the bucket');
  }

  /**
   * Where a large body lies. The index first: bytes would be served before a wrong hint shows. The hint where the index has nothing,
   * if the object's end agrees.
   */
  async #large(ref: BodyRef): Promise<Place> {
    let damaged = false;
    for await (const row of this.#rows(ref)) {
      const size = await this.options.bucket.size(keyOf(objectOf(row)));
      if (size === ref.size + tailBytes(1)) return row;
      damaged ||= size !== undefined;
    }
    const hint = placeOf(ref.at);
    if (hint && offsetOf(hint) === 0 && (await this.#isThere(ref, hint))) return hint;
    throw await this.#notFound(ref, damaged);
  }

  async #isThere({ sha256, size }: BodyRef, place: Place): Promise<boolean> {
    const tail = await this.options.bucket.tail(keyOf(objectOf(place)), tailBytes(1));
    return tail !== undefined && decodeTail(wholeOf(tail), tail.of).entries.some((entry) => entry.sha256 === sha256 && entry.size === size && entry.offset === 0);
  }

  async *#stream({ sha256 }: BodyRef, place: Place, { offset, length }: Range): AsyncGenerator<Buffer> {
    const key = keyOf(objectOf(place));
    for (let at = offset; at < offset + length; at += WINDOW) {
      const wanted = Math.min(WINDOW, offset + length - at);
      const found = await this.options.bucket.get(key, at, wanted);
      if (!found) throw new BodyMissing(sha256); // deleted while it was read
      if (found.length !== wanted) throw new BodyDamaged(sha256);
      for (const part of found.parts) for (let from = 0; from < part.length; from += CHUNK) yield part.subarray(from, from + CHUNK);
    }
  }

  async readMany(refs: readonly BodyRef[]): Promise<readonly (Uint8Array | undefined)[]> {
    const found = new Array<Uint8Array | undefined>(refs.length).fill(undefined);
    const tasks = [...(await this.#byObject(refs))].flatMap(([key, asked]) => runsOf(asked, GAP, TOGETHER).map((run) => ({ key, run })));
    await inLanes(LANES, tasks, ({ key, run }) => this.#take(key, run, found));
    return found;
  }

  async #byObject(refs: readonly BodyRef[]): Promise<ReadonlyMap<string, readonly Asked[]>> {
    const small = refs.flatMap((ref, index) => (ref.size <= PACKED_MAX && ref.size > 0 ? [{ ref, index, place: placeOf(ref.at) }] : []));
    const unhinted = small.filter(({ place }) => place === undefined).map(({ ref }) => ref.sha256);
    const rows = await this.options.index.find([...new Set(unhinted)]);
    const objects = new Map<string, Asked[]>();
    for (const { ref, index, place = rows.get(ref.sha256) } of small) {
      if (!place) continue;
      const key = keyOf(objectOf(place));
      const asked = { ref, index, place, offset: offsetOf(place), length: ref.size };
      const others = objects.get(key);
      if (others) others.push(asked);
      else objects.set(key, [asked]);
    }
    return objects;
  }

  async #take(key: string, { start, end, wanted }: Run<Asked>, found: (Uint8Array | undefined)[]): Promise<void> {
    const read = await this.options.bucket.get(key, start, end - start);
    if (!read) return;
    const bytes = wholeOf(read);
    for (const { ref, index, offset } of wanted) {
      const body = bytes.subarray(offset - start, offset - start + ref.size);
      if (body.length === ref.size && hash('sha256', body, 'hex') === ref.sha256) found[index] = body;
    }
  }
}
