import { describe, expect, it } from '@jest/globals';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { MemoryObjectStore } from '../object-store/memory.js';
import { copyBodies, verifyBodies } from './bodies.js';

const steps = { progress: () => undefined };
async function filled(sizes: readonly number[]): Promise<{ store: MemoryObjectStore; refs: BodyRef[] }> {
  const store = new MemoryObjectStore();
  const refs: BodyRef[] = [];
  for (const [n, size] of sizes.entries()) {
    const writer = store.create();
    const body = new Uint8Array(size).fill(n % 251);
    body.set(new TextEncoder().encode(`${n}`).subarray(0, size));
    await writer.write(body);
    refs.push(await writer.commit());
  }
  return { store, refs };
}
async function* list(refs: readonly BodyRef[]): AsyncGenerator<readonly BodyRef[]> {
  for (let i = 0; i < refs.length; i += 400) yield refs.slice(i, i + 400);
}

describe('bodies that move to another store', () => {
  const sizes = [...Array.from({ length: 1_200 }, (_, i) => 10 + i), 300_000, 700_000, 1_000_000];

  it('all arrive, small and large', async () => {
    const { store, refs } = await filled(sizes);
    const target = new MemoryObjectStore();
    const seen: number[] = [];
    const report = await copyBodies(store, target, list(refs), refs.length, { progress: ({ done, total }) => seen.push(done / total) });
    expect(report).toMatchObject({ bodies: refs.length, bytes: sizes.reduce((a, b) => a + b), problemCount: 0 });
    expect([...target.bodies.keys()].sort()).toEqual([...store.bodies.keys()].sort()); // names are hashes
    expect(seen.at(-1)).toBe(1);
    expect(await verifyBodies(target, list(refs), refs.length, steps)).toMatchObject({ bodies: refs.length, problems: [] });
  });

  it('that are missing or damaged are named, and the others go on', async () => {
    const { store, refs } = await filled([100, 200, 300, 400_000]);
    store.bodies.delete((refs[1] as BodyRef).sha256);
    (store.bodies.get((refs[3] as BodyRef).sha256) as Uint8Array)[7] = 1;
    const target = new MemoryObjectStore();
    const report = await copyBodies(store, target, list(refs), refs.length, steps);
    expect(report).toMatchObject({ bodies: 4, bytes: 400, problemCount: 2, problems: [`${refs[1]?.sha256}: missing`, `${refs[3]?.sha256}: damaged`] });
    expect(target.bodies.size).toBe(2);
    expect((await verifyBodies(target, list(refs), refs.length, steps)).problems).toEqual([`${refs[1]?.sha256}: missing`, `${refs[3]?.sha256}: missing`]);
  });

  it('stop when the target is away, or when told to', async () => {
    const { store, refs } = await filled(sizes);
    const closed = new MemoryObjectStore();
    await closed.close();
    await expect(copyBodies(store, closed, list(refs), refs.length, steps)).rejects.toThrow('closed');
    const cut = new AbortController();
    await expect(copyBodies(store, new MemoryObjectStore(), list(refs), refs.length, { progress: () => cut.abort(new Error('cut off')), signal: cut.signal })).rejects.toThrow('cut off');
  });
});
