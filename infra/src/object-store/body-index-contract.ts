import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BodyEntry, BodyIndex } from './body-index.js';

const name = (i: number): string => i.toString(16).padStart(64, '0');
const entry = (i: number, more: Partial<BodyEntry> = {}): BodyEntry => ({
  sha256: name(i),
  segment: 3,
  offset: i * 100,
  size: 36,
  storedAt: 1_750_000_000_000 + i,
  ...more,
});

/** What every body index promises. @param make an empty one, and how to be rid of it. */
export function describeBodyIndex(
  title: string,
  make: () => Promise<{ readonly index: BodyIndex; readonly another: () => Promise<BodyIndex>; readonly close: () => Promise<void> }>,
): void {
  describe(`the ${title} body index`, () => {
    let made: Awaited<ReturnType<typeof make>>;
    let index: BodyIndex;
    beforeEach(async () => {
      made = await make();
      index = made.index;
    });
    afterEach(() => made.close());

    it('finds what was put, number for number, and nothing else', async () => {
      const large = entry(2, { segment: 0, offset: 2 ** 47 + 1, size: 5_000_000_000 });
      await index.put([large, entry(1)]);
      expect(await index.find([name(1), name(2), name(3)])).toEqual(new Map([[name(1), entry(1)], [name(2), large]]));
      expect(await index.find([])).toEqual(new Map());
    });

    it('keeps the first copy of a body, also within one call', async () => {
      await index.put([entry(1)]);
      await index.put([entry(1, { segment: 9, storedAt: entry(1).storedAt + 5 }), entry(2), entry(2, { segment: 9 })]);
      // Stored again: it stays where it is, but it is younger now.
      expect((await index.find([name(1)])).get(name(1))).toEqual(entry(1, { storedAt: entry(1).storedAt + 5 }));
      expect((await index.live()).get(3)?.bodies ?? 0).toBeGreaterThanOrEqual(1);
      expect([...(await index.find([name(1), name(2)])).keys()].sort()).toEqual([name(1), name(2)]);
    });

    it('tells of bodies that it knows elsewhere, and of no others', async () => {
      expect(await index.put([entry(1), entry(2)])).toEqual([]);
      expect(await index.put([entry(1), entry(3), entry(3, { segment: 9 })])).toEqual([]);
      expect(await index.put([entry(2, { segment: 9, storedAt: entry(2).storedAt + 5 }), entry(4)])).toEqual([entry(2, { storedAt: entry(2).storedAt + 5 })]);
    });

    it('takes no entries as well as thousands', async () => {
      await index.put([]);
      await index.put(Array.from({ length: 5000 }, (_, i) => entry(i)));
      expect((await index.find(Array.from({ length: 5000 }, (_, i) => name(i)))).size).toBe(5000);
    });

    it('forgets what is removed', async () => {
      await index.put([entry(1), entry(2)]);
      await index.remove([name(2), name(7)]);
      await index.remove([]);
      expect([...(await index.find([name(1), name(2)])).keys()]).toEqual([name(1)]);
    });

    it('does not forget what was stored at the given time or later, be it for another time', async () => {
      await index.put([entry(1), entry(2)]);
      await index.put([entry(1, { storedAt: entry(9).storedAt })]);
      await index.remove([name(1), name(2)], entry(9).storedAt);
      expect([...(await index.find([name(1), name(2)])).keys()]).toEqual([name(1)]);
    });

    it('moves a row only from where the caller saw it', async () => {
      await index.put([entry(1), entry(2)]);
      const to = { segment: 8, offset: 64 };
      await index.move([
        { sha256: name(1), from: entry(1), to },
        { sha256: name(2), from: { segment: 3, offset: 1 }, to },
        { sha256: name(7), from: entry(7), to },
      ]);
      await index.move([]);
      expect(await index.find([name(1), name(2), name(7)])).toEqual(
        new Map([[name(1), { ...entry(1), ...to }], [name(2), entry(2)]]),
      );
    });

    it('knows what each segment holds', async () => {
      await index.put([entry(1), entry(2), entry(3, { segment: 0, size: 1000 })]);
      expect(await index.live()).toEqual(new Map([[3, { bodies: 2, bytes: 72 }], [0, { bodies: 1, bytes: 1000 }]]));
      expect(await index.live([3, 3, 9])).toEqual(new Map([[3, { bodies: 2, bytes: 72 }]]));
      expect(await index.live([])).toEqual(new Map());
      await index.clear();
      expect(await index.live()).toEqual(new Map());
    });

    it('keeps its identity when cleared, and no other index has the same', async () => {
      const identity = await index.identity();
      expect(identity).toMatch(/^[0-9a-f-]{16,}$/);
      await index.clear();
      expect(await index.identity()).toBe(identity);
      expect(await (await made.another()).identity()).not.toBe(identity);
    });

    it('lets one maintainer work at a time, also after one failed', async () => {
      const order: string[] = [];
      const task = (who: string) =>
        index.exclusively(async (held) => {
          order.push(`${who} in`);
          await held();
          await index.put([entry(1)]);
          order.push(`${who} out`);
        });
      const failing = index.exclusively(() => Promise.reject(new Error('broken')));
      await expect(failing).rejects.toThrow('broken');
      await Promise.all([task('a'), task('b')]);
      expect([order[0]!.slice(2), order[1]!.slice(2), order[2]!.slice(2)]).toEqual(['in', 'out', 'in']);
    });
  });
}
