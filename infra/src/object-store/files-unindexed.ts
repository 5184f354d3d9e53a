import type { BodyIndex, Place } from './body-index.js';
import { closeFd, codeOf } from './files-io.js';
import type { LargeObjects } from './files-large.js';
import { HEADER_BYTES, scan } from './files-record.js';
import type { Segments } from './files-segments.js';

interface Known {
  /** Everything before it was read. */
  end: number;
  readonly offsets: Map<string, number>;
}

/** Remembered at once; about 12 MB each for a full segment of 3 KB bodies. */
const REMEMBERED = 8;

/** Finds bodies that the index does not know yet: other processes tell it up to a second later, dead ones never did. */
export class Unindexed {
  readonly #known = new Map<number, Known>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly segments: Segments,
    private readonly large: LargeObjects,
    private readonly index: BodyIndex,
  ) {}

  async find(sha256: string): Promise<readonly Place[]> {
    const large = await this.large.find(sha256);
    // One scan at a time: those who wait find the work done.
    const run = this.#tail.then(() => this.#packed(sha256));
    this.#tail = run.catch(() => undefined);
    return [...(await run), ...large.map(({ copy }) => ({ segment: 0, offset: copy }))];
  }

  async #packed(sha256: string): Promise<readonly Place[]> {
    const files = await this.segments.list(await this.index.identity());
    const open = files.filter((file) => !file.indexed);
    const ids = new Set(open.map((file) => file.id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    const places: Place[] = [];
    for (const { id } of open.reverse()) {
      const offset = (await this.#read(id)).offsets.get(sha256);
      if (offset !== undefined) places.push({ segment: id, offset });
    }
    return places;
  }

  async #read(id: number): Promise<Known> {
    const known = this.#known.get(id) ?? { end: 0, offsets: new Map<string, number>() };
    if (this.#known.size < REMEMBERED) this.#known.set(id, known);
    try {
      const fd = await this.segments.open(id);
      try {
        for await (const { sha256, offset, size } of scan(fd, known.end)) {
          known.offsets.set(sha256, offset);
          known.end = offset + HEADER_BYTES + size;
        }
      } finally {
        await closeFd(fd);
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error; // compacted away meanwhile
    }
    return known;
  }
}
