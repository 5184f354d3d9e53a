import { hash } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { BodyDamaged, BodyMissing, type BodyRef, type Range } from '@kiroku/domain/kernel/object-store.js';
import type { BodyIndex, Place } from './body-index.js';
import { checked } from './checked.js';
import type { Descriptors } from './files-descriptors.js';
import { closeFd, codeOf, readAt } from './files-io.js';
import type { LargeObjects } from './files-large.js';
import { decodeHeader, HEADER_BYTES, PACKED_MAX } from './files-record.js';
import type { Segments } from './files-segments.js';
import { rangeOf } from './range.js';
import type { Unindexed } from './files-unindexed.js';
import type { WriteBehind } from './files-write-behind.js';

/** The port's limit for one chunk, bytes. */
const CHUNK = 256 * 1024;
/** A row can change its place while it is looked up: compaction. Not often in a row. */
const LOOKS = 3;

const HINT = /^(\d{1,12}):(\d{1,12})$|^L:(\d{1,15})$/;

/** Nothing when the hint is not one of ours. */
export function placeOf(hint: string | undefined): Place | undefined {
  const [whole, segment, offset, copy] = HINT.exec(hint ?? '') ?? [];
  if (whole === undefined) return undefined;
  return copy === undefined ? { segment: Number(segment), offset: Number(offset) } : { segment: 0, offset: Number(copy) };
}

type Found = { readonly body: Buffer } | { readonly fd: number } | 'absent' | 'damaged';

export interface ReaderOptions {
  readonly segments: Segments;
  readonly large: LargeObjects;
  readonly descriptors: Descriptors;
  readonly index: BodyIndex;
  readonly writeBehind: WriteBehind;
  readonly unindexed: Unindexed;
}

export class Reader {
  constructor(private readonly options: ReaderOptions) {}

  async *read(ref: BodyRef, range?: Range): AsyncGenerator<Uint8Array> {
    const { offset, length } = rangeOf(ref, range);
    const found = await this.#find(ref);
    if ('body' in found) {
      if (length > 0) yield found.body.subarray(offset, offset + length);
      return;
    }
    try {
      if (range) yield* stream(found.fd, offset, length);
      else yield* checked(stream(found.fd, 0, ref.size), ref);
    } finally {
      await closeFd(found.fd);
    }
  }

  async #find(ref: BodyRef): Promise<Exclude<Found, string>> {
    let damaged = false;
    for await (const { place, promised } of this.#places(ref)) {
      const found = place.segment === 0 ? await this.#openLarge(ref, place.offset) : await this.#readPacked(ref, place);
      if (typeof found !== 'string') return found;
      damaged ||= found === 'damaged' || (promised && (await this.options.segments.bytes(place.segment)) > place.offset);
    }
    throw damaged ? new BodyDamaged(ref.sha256) : new BodyMissing(ref.sha256);
  }

  /** Where to look, cheapest first. `promised`: the index says that this body is there, so anything else there is damage. */
  async *#places({ sha256, at }: BodyRef): AsyncGenerator<{ readonly place: Place; readonly promised: boolean }> {
    const hint = placeOf(at);
    if (hint) yield { place: hint, promised: false };
    const { index, writeBehind, unindexed } = this.options;
    const pending = writeBehind.find(sha256);
    if (pending) yield { place: pending, promised: true };
    const seen = new Set<string>();
    for (let look = 0; look < LOOKS; look++) {
      const row = (await index.find([sha256])).get(sha256);
      const key = row && `${row.segment}:${row.offset}`;
      if (key === undefined || seen.has(key)) break;
      seen.add(key);
      yield { place: row!, promised: true };
    }
    for (const place of await unindexed.find(sha256)) yield { place, promised: false };
    const row = (await index.find([sha256])).get(sha256);
    if (row && !seen.has(`${row.segment}:${row.offset}`)) yield { place: row, promised: true };
  }

  async #readPacked({ sha256, size }: BodyRef, { segment, offset }: Place): Promise<Found> {
    if (size > PACKED_MAX) return 'absent';
    const { descriptors } = this.options;
    let record: Buffer;
    try {
      record = await descriptors.use(segment, (fd) => readAt(fd, offset, HEADER_BYTES + size));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 'absent';
      throw error;
    }
    const header = decodeHeader(record, 0);
    if (header?.sha256 !== sha256 || header.size !== size || record.length < HEADER_BYTES + size) {
      descriptors.evict(segment); // perhaps it was compacted away, and its number given out again
      return 'absent';
    }
    const body = record.subarray(HEADER_BYTES);
    return hash('sha256', body, 'hex') === sha256 ? { body } : 'damaged';
  }

  async #openLarge({ sha256, size }: BodyRef, copy: number): Promise<Found> {
    const fd = await this.options.large.open({ sha256, copy });
    if (fd === undefined) return 'absent';
    if (fstatSync(fd).size === size) return { fd };
    await closeFd(fd);
    return 'damaged';
  }
}

async function* stream(fd: number, offset: number, length: number): AsyncGenerator<Buffer> {
  for (let at = offset; at < offset + length; at += CHUNK) yield await readAt(fd, at, Math.min(CHUNK, offset + length - at));
}
