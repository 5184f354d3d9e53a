import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BodyDamaged,
  BodyMissing,
  type BodyRef,
  type ObjectStore,
  type Range,
  StoreUnavailable,
} from '@kiroku/domain/kernel/object-store.js';
import { bytesOf } from './test-bytes.js';

/** A store under test, empty, and a way to spoil a stored body behind its back. */
export interface Specimen {
  readonly store: ObjectStore;
  /** Changes one byte of the stored body, `at` bytes from its start. */
  damage(ref: BodyRef, at: number): Promise<void>;
}

const CHUNK = 256 * 1024;
const LARGE = 3 * CHUNK + 17;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function put(store: ObjectStore, bytes: Uint8Array, chunk = 64 * 1024): Promise<BodyRef> {
  const writer = store.create();
  for (let at = 0; at < bytes.length; at += chunk) await writer.write(bytes.subarray(at, at + chunk));
  return writer.commit();
}

export async function chunksOf(store: ObjectStore, ref: BodyRef, range?: Range): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(ref, range)) chunks.push(chunk);
  return chunks;
}

export const get = async (store: ObjectStore, ref: BodyRef, range?: Range): Promise<Buffer> =>
  Buffer.concat(await chunksOf(store, ref, range));

const withoutHint = ({ sha256: name, size }: BodyRef): BodyRef => ({ sha256: name, size });

/** What every object store promises. */
export function describeObjectStore(name: string, make: () => Promise<Specimen>): void {
  describe(`the ${name} object store`, () => {
    let specimen: Specimen;
    let store: ObjectStore;
    beforeEach(async () => {
      specimen = await make();
      store = specimen.store;
    });
    afterEach(() => store.close());

    describe('a body', () => {
      it.each([0, 1, 3000, CHUNK - 1, CHUNK, CHUNK + 1, LARGE])('of %d bytes is named by its content and read back', async (size) => {
        const body = bytesOf(size, 1);
        const ref = await put(store, body);
        expect(ref).toMatchObject({ sha256: sha256(body), size });
        const chunks = await chunksOf(store, ref);
        expect(Buffer.concat(chunks).equals(body)).toBe(true);
        expect(Math.max(0, ...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(CHUNK);
      });

      it.each([1, 700, 5000])('may come in chunks of %d bytes', async (chunk) => {
        const body = bytesOf(9001, 2);
        const writer = store.create();
        for (let at = 0; at < body.length; at += chunk) await writer.write(body.subarray(at, at + chunk));
        expect(writer.size).toBe(9001);
        const ref = await writer.commit();
        expect((await get(store, ref)).equals(body)).toBe(true);
      });

      it('is found without its hint, with the hint of another, and with one that means nothing', async () => {
        for (const size of [2000, LARGE]) {
          const body = bytesOf(size, 3);
          const [ref, other] = [await put(store, body), await put(store, bytesOf(size, 4))];
          for (const at of [other.at, '', '7:0', '1:999999', 'L:1', '../../etc/passwd', '-1:5', '1:2:3']) {
            const asked = at === undefined ? withoutHint(ref) : { ...withoutHint(ref), at };
            expect((await get(store, asked)).equals(body)).toBe(true);
          }
          expect((await get(store, withoutHint(ref))).equals(body)).toBe(true);
        }
      });

      it('is kept once, however often it comes', async () => {
        for (const size of [2500, LARGE]) {
          const body = bytesOf(size, 5);
          await Promise.all([put(store, body), put(store, body)]);
          const ref = await put(store, body);
          expect((await get(store, ref)).equals(body)).toBe(true);
        }
        await store.compact();
        const { bodies, bytes } = await store.usage();
        expect({ bodies, bytes }).toEqual({ bodies: 2, bytes: 2500 + LARGE });
        expect((await get(store, { sha256: sha256(bytesOf(LARGE, 5)), size: LARGE })).length).toBe(LARGE);
      });

      it('is committed once, even when asked twice', async () => {
        const writer = store.create();
        await writer.write(bytesOf(10, 6));
        const [first, second] = [await writer.commit(), await writer.commit()];
        expect(second.sha256).toBe(first.sha256);
        expect((await store.usage()).bodies).toBe(1);
      });

      it('that nobody stored is missing', async () => {
        await put(store, bytesOf(100, 7));
        for (const size of [100, LARGE]) {
          const ref = { sha256: sha256(bytesOf(size, 8)), size };
          await expect(get(store, ref)).rejects.toEqual(new BodyMissing(ref.sha256));
          await expect(get(store, ref, { offset: 0, length: 1 })).rejects.toBeInstanceOf(BodyMissing);
        }
      });
    });

    describe('many bodies at once', () => {
      const many = async (refs: readonly BodyRef[]): Promise<readonly (string | undefined)[]> => (await store.readMany(refs)).map((body) => body && sha256(body));

      it('come whole and in the order in which they were asked for', async () => {
        const refs = await Promise.all(Array.from({ length: 40 }, (_, i) => put(store, bytesOf(1 + i * 997, 20 + i))));
        const shuffled = [...refs, ...refs].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
        // A store may leave out what it cannot read together.
        const found = await many(shuffled);
        expect(found.map((name, i) => name ?? shuffled[i]?.sha256)).toEqual(shuffled.map((ref) => ref.sha256));
        expect(await many([])).toEqual([]);
      });

      it('are left out where they are large, missing or damaged', async () => {
        const [good, large, bad] = [await put(store, bytesOf(2000, 61)), await put(store, bytesOf(LARGE, 62)), await put(store, bytesOf(3000, 63))];
        const missing = { ...good, sha256: sha256(bytesOf(5, 64)) };
        await specimen.damage(bad, 1234);
        const [first = good.sha256, ...others] = await many([good, large, missing, bad, { ...good, size: good.size + 1 }]);
        expect([first, ...others]).toEqual([good.sha256, undefined, undefined, undefined, undefined]);
      });
    });

    describe('a range', () => {
      it.each([3000, LARGE])('of a body of %d bytes is exactly those bytes', async (size) => {
        const body = bytesOf(size, 9);
        const ref = await put(store, body);
        const ranges: Range[] = [
          { offset: 0, length: 0 },
          { offset: 0, length: 1 },
          { offset: size - 1, length: 1 },
          { offset: size, length: 0 },
          { offset: 100, length: size - 100 },
          { offset: 0, length: size },
        ];
        for (const range of ranges) {
          const chunks = await chunksOf(store, ref, range);
          expect(Buffer.concat(chunks).equals(body.subarray(range.offset, range.offset + range.length))).toBe(true);
          expect(Math.max(0, ...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(CHUNK);
        }
      });

      it('that does not lie inside the body is the caller’s error', async () => {
        const ref = await put(store, bytesOf(100, 10));
        for (const [offset, length] of [[-1, 1], [0, 101], [100, 1], [101, 0], [0, -1], [0.5, 1], [0, NaN]] as const) {
          await expect(get(store, ref, { offset, length })).rejects.toBeInstanceOf(RangeError);
        }
      });
    });

    describe('a damaged body', () => {
      it.each([3000, LARGE])('of %d bytes is never served whole', async (size) => {
        const body = bytesOf(size, 11);
        const ref = await put(store, body);
        await specimen.damage(ref, size - 1);
        const served: Uint8Array[] = [];
        const reading = (async () => {
          for await (const chunk of store.read(ref)) served.push(chunk);
        })();
        await expect(reading).rejects.toEqual(new BodyDamaged(ref.sha256));
        expect(Buffer.concat(served).length).toBeLessThan(size);
      });

      it('that is packed does not serve a range either', async () => {
        const ref = await put(store, bytesOf(1000, 12));
        await specimen.damage(ref, 999);
        await expect(get(store, ref, { offset: 0, length: 10 })).rejects.toBeInstanceOf(BodyDamaged);
      });
    });

    describe('an aborted body', () => {
      it.each([3000, LARGE])('of %d bytes leaves nothing behind', async (size) => {
        const before = await store.usage();
        const body = bytesOf(size, 13);
        const writer = store.create();
        for (let at = 0; at < size; at += CHUNK) await writer.write(body.subarray(at, at + CHUNK));
        await writer.abort();
        await writer.abort();
        expect(await store.usage()).toEqual(before);
        await expect(get(store, { sha256: sha256(body), size })).rejects.toBeInstanceOf(BodyMissing);
      });

      it('cannot be committed', async () => {
        const writer = store.create();
        await writer.abort();
        await expect(writer.commit()).rejects.toThrow('aborted');
      });

      it('stays when it had been committed', async () => {
        const body = bytesOf(500, 14);
        const writer = store.create();
        await writer.write(body);
        const ref = await writer.commit();
        await writer.abort();
        expect((await get(store, ref)).equals(body)).toBe(true);
      });
    });

    describe('deleting', () => {
      it.each([[20, 3000], [3, LARGE]])('most of %d bodies of %d bytes wins their space back and spares the rest', async (count, size) => {
        const bodies = Array.from({ length: count }, (_, i) => bytesOf(size, 20 + i));
        const refs = await Promise.all(bodies.map((body) => put(store, body)));
        const before = await store.usage();
        await store.delete(refs.slice(1).map((ref) => ref.sha256));
        const won = await store.compact();
        const after = await store.usage();
        expect(won).toBe(before.storedBytes - after.storedBytes);
        expect(won).toBeGreaterThanOrEqual((count - 1) * size);
        expect(after).toMatchObject({ bodies: 1, bytes: size });
        expect((await get(store, refs[0]!)).equals(bodies[0]!)).toBe(true);
        for (const ref of refs.slice(1)) await expect(get(store, ref)).rejects.toBeInstanceOf(BodyMissing);
      });

      it('what is not there changes nothing', async () => {
        const ref = await put(store, bytesOf(100, 15));
        await store.delete([sha256(bytesOf(1, 16)), sha256(bytesOf(2, 16))]);
        await store.delete([]);
        expect((await store.usage()).bodies).toBe(1);
        expect((await get(store, ref)).length).toBe(100);
      });

      it('spares what was stored at the given time or later', async () => {
        const ref = await put(store, bytesOf(100, 18));
        await store.delete([ref.sha256], 1);
        await store.compact();
        expect((await get(store, withoutHint(ref))).length).toBe(100);
        await store.delete([ref.sha256], Number.MAX_SAFE_INTEGER);
        await store.compact();
        await expect(get(store, ref)).rejects.toBeInstanceOf(BodyMissing);
      });

      it.each([3000, LARGE])('does not keep a body of %d bytes from being stored again', async (size) => {
        const body = bytesOf(size, 17);
        await store.delete([(await put(store, body)).sha256]);
        const again = await put(store, body);
        await store.compact();
        expect((await get(store, again)).equals(body)).toBe(true);
        expect((await get(store, withoutHint(again))).equals(body)).toBe(true);
        await store.delete([again.sha256]);
        await store.compact();
        await expect(get(store, again)).rejects.toBeInstanceOf(BodyMissing);
      });

      it('and compacting may go on while others read and write', async () => {
        const bodies = Array.from({ length: 60 }, (_, i) => bytesOf(2000 + i, 100 + i));
        const refs = await Promise.all(bodies.map((body) => put(store, body)));
        await store.delete(refs.slice(10).map((ref) => ref.sha256));
        const busy = [0, 1, 2].map(async (round) => {
          for (let i = 0; i < 10; i++) {
            expect((await get(store, refs[i]!)).equals(bodies[i]!)).toBe(true);
            await put(store, bytesOf(1000, 200 + round * 10 + i));
          }
        });
        await Promise.all([store.compact(), ...busy]);
        for (let i = 0; i < 10; i++) expect((await get(store, refs[i]!)).equals(bodies[i]!)).toBe(true);
        expect((await store.usage()).bodies).toBe(40);
      });
    });

    it('keeps many writers at once apart', async () => {
      const bodies = Array.from({ length: 200 }, (_, i) => bytesOf(i % 20 === 0 ? LARGE + i : 100 + i, 300 + i));
      const refs = await Promise.all(bodies.map((body) => put(store, body, 1000 + body.length / 3)));
      for (const [i, ref] of refs.entries()) expect((await get(store, ref)).equals(bodies[i]!)).toBe(true);
      expect((await store.usage()).bodies).toBe(200);
    });

    it('takes nothing once it is closed', async () => {
      const [small, large] = [store.create(), store.create()];
      await small.write(bytesOf(10, 18));
      await large.write(bytesOf(LARGE, 18));
      await store.close();
      await expect(small.commit()).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(large.commit()).rejects.toBeInstanceOf(StoreUnavailable);
    });
  });
}
