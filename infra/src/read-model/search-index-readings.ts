import { setImmediate as turn } from 'node:timers/promises';
import { BodyDamaged, BodyMissing, type BodyRef, type ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { Slots } from './search-index-slots.js';

/** Bodies read together: octets of all, and how many. Larger ones are read by themselves, in pieces. */
const OCTETS = 512 * 1024;
const MOST = 100;
/** Bodies looked into before others get their turn: a few ms. */
const AT_ONCE = 20;

/** @param body where it has been read already; else it is to be read from the store. @throws BodyMissing, BodyDamaged, StoreUnavailable */
export type Look<T> = (ref: BodyRef, body: Uint8Array | undefined) => T | Promise<T>;

/** Bodies that are being looked into: each once, however many ask for it meanwhile. */
export class Readings<T> {
  readonly #under = new Map<string, Promise<T | undefined>>();

  constructor(
    private readonly objects: Pick<ObjectStore, 'readMany'>,
    private readonly slots: Slots,
    private readonly look: Look<T>,
    private readonly trouble: (error: unknown) => void,
  ) {}

  /** In the order of `refs`, none twice. Undefined where a body is gone or damaged. @throws what the store throws. */
  async of(refs: readonly BodyRef[]): Promise<readonly (T | undefined)[]> {
    const fresh = refs.filter(({ sha256 }) => !this.#under.has(sha256));
    for (const group of groupsOf(fresh)) {
      const read = this.slots.run(() => this.#read(group));
      group.forEach(({ sha256 }, i) => this.#under.set(sha256, read.then((found) => found[i]).finally(() => this.#under.delete(sha256))));
    }
    return Promise.all(refs.map(({ sha256 }) => this.#under.get(sha256) ?? Promise.resolve(undefined)));
  }

  async #read(refs: readonly BodyRef[]): Promise<readonly (T | undefined)[]> {
    // Trouble is told by the single read of each.
    const bodies = isLarge(refs[0] as BodyRef) ? [] : await this.objects.readMany(refs).catch((): readonly undefined[] => []);
    const found: (T | undefined)[] = [];
    for (const [i, ref] of refs.entries()) {
      if (i > 0 && i % AT_ONCE === 0) await turn();
      try {
        const value = this.look(ref, bodies[i]);
        found.push(value instanceof Promise ? await value : value);
      } catch (error) {
        if (!(error instanceof BodyMissing || error instanceof BodyDamaged)) throw error;
        this.trouble(error);
        found.push(undefined);
      }
    }
    return found;
  }
}

/**
 * What a look at each body's octets says, which keeps nothing and tells nobody: for bodies that are looked into more closely where it says true. Also true
 * where a body is large, or cannot be read in one go with others.
 */
export async function glances(objects: Pick<ObjectStore, 'readMany'>, slots: Slots, refs: readonly BodyRef[], says: (body: Uint8Array, index: number) => boolean): Promise<readonly boolean[]> {
  const said = new Array<boolean>(refs.length).fill(true);
  let first = 0;
  await Promise.all(groupsOf(refs).map((group) => {
    const from = first;
    first += group.length;
    return slots.run(async () => {
      const bodies = isLarge(group[0] as BodyRef) ? [] : await objects.readMany(group).catch((): readonly undefined[] => []);
      for (const [i, body] of bodies.entries()) {
        if (i > 0 && i % AT_ONCE === 0) await turn();
        if (body) said[from + i] = says(body, from + i);
      }
    });
  }));
  return said;
}

const isLarge = ({ size }: BodyRef): boolean => size > OCTETS;

function groupsOf(refs: readonly BodyRef[]): readonly (readonly BodyRef[])[] {
  const groups: BodyRef[][] = [];
  let octets = Infinity;
  for (const ref of refs) {
    octets += ref.size;
    const last = groups.at(-1);
    if (last && octets <= OCTETS && last.length < MOST) last.push(ref);
    else {
      groups.push([ref]);
      octets = ref.size;
    }
  }
  return groups;
}
