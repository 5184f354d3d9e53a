import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { Descriptors } from './files-descriptors.js';
import { openFileObjectStore, type FileObjectStore } from './files.js';
import { put } from './contract.js';
import { Neighbours } from './files-neighbours.js';
import { MemoryBodyIndex } from './memory-index.js';
import { Segments } from './files-segments.js';
import { bytesOf } from './test-bytes.js';

describe('bodies that lie near each other', () => {
  let folder: string;
  let store: FileObjectStore;
  let refs: BodyRef[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'neighbours-'));
    store = await openFileObjectStore({ folder, index: new MemoryBodyIndex(), trouble: () => undefined, clock: { now: Date.now } });
    refs = [];
    for (let i = 0; i < 60; i++) refs.push(await put(store, bytesOf(i % 7 === 3 ? 60_000 : 3_000, 100 + i)));
  });
  afterAll(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });

  /** Reads through descriptors that count. */
  async function counted(wanted: readonly BodyRef[]) {
    const segments = new Segments(join(folder, 'segments'));
    const descriptors = new Descriptors((id) => segments.open(id), 4);
    let reads = 0;
    const use: Descriptors['use'] = (id, task) => {
      reads++;
      return descriptors.use(id, task);
    };
    const bodies = await new Neighbours({ use } as Descriptors).read(wanted);
    descriptors.close();
    return { reads, bodies };
  }

  it('are read together, up to half a megabyte', async () => {
    const { reads, bodies } = await counted(refs);
    expect(bodies.map((body) => body?.length)).toEqual(refs.map(({ size }) => size));
    expect(reads).toBe(2);
  });

  it('are read apart where much lies between them', async () => {
    const { reads, bodies } = await counted([refs[0], refs[12], refs[59]] as BodyRef[]);
    expect(bodies.every((body) => body !== undefined)).toBe(true);
    expect(reads).toBe(3);
  });

  it('need hints that are right', async () => {
    const [first, second] = refs as [BodyRef, BodyRef];
    const { bodies } = await counted([{ ...first, at: '99:0' }, { ...first, at: second.at as string }, { sha256: first.sha256, size: first.size }, { ...first, at: 'nonsense' }, second]);
    expect(bodies.map((body) => body?.length)).toEqual([undefined, undefined, undefined, undefined, second.size]);
  });
});
