import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { BodyIndex } from './body-index.js';
import type { Bucket } from './s3-bucket.js';
import { nameOf } from './s3-objects.js';
import { wholeOf } from './s3-requests.js';
import { inLanes } from './s3-retry.js';

const DOOMED = 'doomed/';
/** Keys of one note: 25 KB each thousand. */
const KEYS = 10_000;
const LANES = 8;

export interface Doom {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

/** What the server keeps although nothing refers to it: object lock. */
export interface Kept {
  readonly objects: number;
  readonly bytes: number;
  /** Epoch ms until which the first of them is kept; nothing where the server alone knows. */
  readonly until: number | undefined;
}

export const NOTHING_KEPT: Kept = { objects: 0, bytes: 0, until: undefined };

export interface DoomedOptions {
  readonly bucket: Bucket;
  readonly index: BodyIndex;
  readonly clock: Clock;
  readonly versioned: boolean;
  /** ms */
  readonly grace: number;
  readonly isActive: (key: string) => boolean;
}

/** Until when the server keeps the object, by its name. Epoch ms, 0 when nothing is locked. */
export const lockedUntil = ({ lock }: Bucket, madeAt: number): number => (lock === 0 ? 0 : madeAt + lock);

/**
 * Objects to which nothing referred when somebody looked. They go when the time of grace has passed and still nothing does: another machine
 * may have had one on its way into the index, or have found an equal body in it just before. The list is in the bucket, so it does not
 * matter which process works on.
 */
export class Doomed {
  constructor(private readonly options: DoomedOptions) {}

  async #notes(): Promise<readonly { readonly note: string; readonly at: number; readonly dooms: readonly Doom[] }[]> {
    const notes = [];
    for await (const page of this.options.bucket.list(DOOMED)) {
      for (const { key, size } of page) {
        const at = Number(key.slice(DOOMED.length).split('-')[0]);
        const text = size > 0 ? await this.options.bucket.get(key, 0, size) : undefined;
        const dooms = (text ? wholeOf(text).toString('latin1') : '').split('\n').flatMap((line) => {
          const [object = '', bytes] = line.split(' ');
          return nameOf(object) ? [{ key: object, size: Number(bytes) }] : [];
        });
        notes.push({ note: key, at, dooms });
      }
    }
    return notes;
  }

  /** Keys on the list. */
  async keys(): Promise<ReadonlySet<string>> {
    return new Set((await this.#notes()).flatMap(({ dooms }) => dooms.map(({ key }) => key)));
  }

  async add(dooms: readonly Doom[]): Promise<void> {
    const at = String(this.options.clock.now()).padStart(15, '0');
    for (let i = 0; i < dooms.length; i += KEYS) {
      const some = dooms.slice(i, i + KEYS);
      const unique = some[0]!.key.slice(-16); // the first object of a note is in no other
      await this.options.bucket.putNote(`${DOOMED}${at}-${unique}`, some.map(({ key, size }) => `${key} ${size}\n`).join(''));
    }
  }

  /** Removes what is due. @param held rejects when another maintainer took over. */
  async remove(held: () => Promise<void>): Promise<{ readonly won: number; readonly kept: Kept }> {
    let won = 0;
    let kept = NOTHING_KEPT;
    for (const { note, at, dooms } of await this.#notes()) {
      if (at + this.options.grace > this.options.clock.now()) continue;
      const live = await this.options.index.live(dooms.flatMap(({ key }) => nameOf(key)?.segment ?? []));
      await held();
      const due = dooms.filter(({ key }) => !live.has(nameOf(key)!.segment) && !this.options.isActive(key));
      const result = await this.#removeEach(due);
      won += result.won;
      kept = together(kept, result.kept);
      await this.options.bucket.removeAll(note, this.options.versioned);
    }
    return { won, kept };
  }

  async #removeEach(dooms: readonly Doom[]): Promise<{ readonly won: number; readonly kept: Kept }> {
    let won = 0;
    let [objects, bytes] = [0, 0];
    await inLanes(LANES, dooms, async ({ key, size }) => {
      if ((await this.options.bucket.removeAll(key, this.options.versioned)) === undefined) won += size;
      else {
        objects++;
        bytes += size;
      }
    });
    return { won, kept: { objects, bytes, until: undefined } };
  }
}

export const together = (a: Kept, b: Kept): Kept => ({
  objects: a.objects + b.objects,
  bytes: a.bytes + b.bytes,
  until: a.until === undefined ? b.until : Math.min(a.until, b.until ?? Infinity),
});
