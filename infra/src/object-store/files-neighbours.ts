import { hash } from 'node:crypto';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import type { Descriptors } from './files-descriptors.js';
import { readAt } from './files-io.js';
import { placeOf } from './files-reader.js';
import { decodeHeader, HEADER_BYTES, PACKED_MAX } from './files-record.js';
import { type Run, runsOf, type Wanted } from './runs.js';

/** Bytes between two records that are read along rather than passed over. */
const GAP = 8 * 1024;
/** Bytes of one read: the records that it brings stay in memory together. */
const WINDOW = 512 * 1024;

interface Asked extends Wanted {
  readonly ref: BodyRef;
  /** Its place in the answer. */
  readonly index: number;
}

/** Packed bodies that lie near each other, as mail that came in together does, read together. */
export class Neighbours {
  constructor(private readonly descriptors: Descriptors) {}

  /** Those whose hints are right; of whatever else undefined. */
  async read(refs: readonly BodyRef[]): Promise<readonly (Uint8Array | undefined)[]> {
    const found = new Array<Uint8Array | undefined>(refs.length).fill(undefined);
    await Promise.all(bySegment(refs).flatMap(([segment, asked]) => runsOf(asked, GAP, WINDOW).map((run) => this.#take(segment, run, found))));
    return found;
  }

  async #take(segment: number, { start, end, wanted }: Run<Asked>, found: (Uint8Array | undefined)[]): Promise<void> {
    let bytes: Buffer;
    try {
      bytes = await this.descriptors.use(segment, (fd) => readAt(fd, start, end - start));
    } catch {
      return; // gone, or trouble that the single read will tell of
    }
    for (const { ref, index, offset } of wanted) found[index] = bodyIn(bytes, offset - start, ref);
  }
}

function bodyIn(bytes: Buffer, at: number, { sha256, size }: BodyRef): Uint8Array | undefined {
  const from = at + HEADER_BYTES;
  const header = decodeHeader(bytes, at);
  if (header?.sha256 !== sha256 || header.size !== size || bytes.length < from + size) return undefined;
  const body = bytes.subarray(from, from + size);
  return hash('sha256', body, 'hex') === sha256 ? body : undefined;
}

function bySegment(refs: readonly BodyRef[]): readonly (readonly [number, readonly Asked[]])[] {
  const segments = new Map<number, Asked[]>();
  for (let index = 0; index < refs.length; index++) {
    const ref = refs[index] as BodyRef;
    const place = ref.size <= PACKED_MAX ? placeOf(ref.at) : undefined;
    if (!place || place.segment === 0) continue;
    const asked = { ref, index, offset: place.offset, length: HEADER_BYTES + ref.size };
    const others = segments.get(place.segment);
    if (others) others.push(asked);
    else segments.set(place.segment, [asked]);
  }
  return [...segments];
}
