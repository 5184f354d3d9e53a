import type { BodyRef, ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { BodyDamaged, BodyMissing } from '@kiroku/domain/kernel/object-store.js';
import type { Steps } from './steps.js';

/** Small bodies in memory at once, and bodies under way. Bytes. */
const GROUP_BYTES = 16 << 20;
const SMALL = 256 << 10;
const LARGE_AT_ONCE = 4;
/** Bodies that lie ready are asked for in groups of so many at most. */
const GROUP = 500;

export interface BodiesReport {
  readonly bodies: number;
  readonly bytes: number;
  /** Missing or damaged in the source, or not the same in the target: SHA-256 and what is wrong; at most a hundred are named. */
  readonly problems: readonly string[];
  readonly problemCount: number;
}

const MOST_NAMED = 100;

class Tally {
  bodies = 0;
  bytes = 0;
  problemCount = 0;
  readonly problems: string[] = [];

  constructor(private readonly total: number, private readonly steps: Steps) {}

  good(size: number): void {
    this.bytes += size;
    this.#more();
  }

  bad(sha256: string, what: string): void {
    if (++this.problemCount <= MOST_NAMED) this.problems.push(`${sha256}: ${what}`);
    this.#more();
  }

  #more(): void {
    this.bodies++;
    this.steps.progress({ done: this.bodies, total: this.total });
  }
}

/** A body that cannot be read stops nothing: it is named. Everything else does (the target is full, or away). */
const trouble = (error: unknown): string | undefined =>
  error instanceof BodyMissing ? 'missing' : error instanceof BodyDamaged ? 'damaged' : undefined;

/**
 * Copies bodies from one store to another. Each is checked against its name while it is read, and the target names what it has
 * written by its own hash. Memory is bounded, whatever the bodies' sizes.
 * @param refs in the order in which the source reads them best.
 */
export async function copyBodies(source: ObjectStore, target: ObjectStore, refs: AsyncIterable<readonly BodyRef[]>, total: number, steps: Steps): Promise<BodiesReport> {
  const tally = new Tally(total, steps);
  const put = async (ref: BodyRef, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> => {
    const writer = target.create();
    try {
      for await (const chunk of chunks) {
        steps.signal?.throwIfAborted();
        await writer.write(chunk);
      }
      const stored = await writer.commit();
      if (stored.sha256 === ref.sha256 && stored.size === ref.size) tally.good(ref.size);
      else tally.bad(ref.sha256, `arrived as ${stored.sha256}, ${stored.size} bytes`);
    } catch (error) {
      await writer.abort();
      const what = trouble(error);
      if (what === undefined) throw error;
      tally.bad(ref.sha256, what);
    }
  };
  await each(source, refs, steps, (ref, body) => put(ref, body ? [body] : source.read(ref)));
  return tally;
}

/** Reads all of them from a store, which checks each against its name. */
export async function verifyBodies(store: ObjectStore, refs: AsyncIterable<readonly BodyRef[]>, total: number, steps: Steps): Promise<BodiesReport> {
  const tally = new Tally(total, steps);
  await each(store, refs, steps, async (ref, body) => {
    try {
      let size = body?.length ?? 0;
      if (!body) for await (const chunk of store.read(ref)) size += chunk.length;
      if (size === ref.size) tally.good(ref.size);
      else tally.bad(ref.sha256, `${size} bytes, not ${ref.size}`);
    } catch (error) {
      const what = trouble(error);
      if (what === undefined) throw error;
      tally.bad(ref.sha256, what);
    }
  });
  return tally;
}

/** Small ones many at once, because a store packs what comes together; large ones few. */
async function each(store: ObjectStore, refs: AsyncIterable<readonly BodyRef[]>, { signal }: Steps, work: (ref: BodyRef, body: Uint8Array | undefined) => Promise<void>): Promise<void> {
  for await (const group of groups(refs)) {
    signal?.throwIfAborted();
    const small = group.filter(({ size }) => size <= SMALL);
    const ready = await store.readMany(small);
    await Promise.all(small.map((ref, i) => work(ref, ready[i])));
    const large = group.filter(({ size }) => size > SMALL);
    signal?.throwIfAborted();
    await Promise.all(Array.from({ length: LARGE_AT_ONCE }, async () => {
      for (let ref = large.shift(); ref; ref = large.shift()) {
        signal?.throwIfAborted();
        await work(ref, undefined);
      }
    }));
  }
  signal?.throwIfAborted();
}

async function* groups(lists: AsyncIterable<readonly BodyRef[]>): AsyncGenerator<readonly BodyRef[]> {
  let [group, bytes]: [BodyRef[], number] = [[], 0];
  for await (const list of lists)
    for (const ref of list) {
      const size = Math.min(ref.size, SMALL);
      if (group.length > 0 && (group.length >= GROUP || bytes + size > GROUP_BYTES)) {
        yield group;
        [group, bytes] = [[], 0];
      }
      group.push(ref);
      bytes += size;
    }
  if (group.length > 0) yield group;
}
