import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BodyDamaged, BodyMissing, type BodyRef } from '@kiroku/domain/kernel/object-store.js';
import type { BodyEntry, BodyIndex } from './body-index.js';
import { get, put } from './contract.js';
import type { FileObjectStore } from './files.js';
import { NOON, TestFolder } from './files-folder.js';
import { thisProcess } from './files-owner.js';
import { MemoryBodyIndex } from './memory-index.js';
import { bytesOf } from './test-bytes.js';

const LARGE = 300_000;
const HOUR = 3_600_000;
const bare = ({ sha256, size }: BodyRef): BodyRef => ({ sha256, size });

let folder: TestFolder;
let store: FileObjectStore;
beforeEach(async () => {
  folder = await TestFolder.make();
  store = await folder.open();
});
afterEach(() => folder.remove());

const bodies = Array.from({ length: 10 }, (_, i) => bytesOf(1000 + i, i));

async function putAll(into = store, some = bodies): Promise<BodyRef[]> {
  return Promise.all(some.map((body) => put(into, body)));
}

async function expectAll(from: FileObjectStore, refs: readonly BodyRef[]): Promise<void> {
  for (const [i, ref] of refs.entries()) {
    expect((await get(from, ref)).equals(bodies[i]!)).toBe(true);
    expect((await get(from, bare(ref))).equals(bodies[i]!)).toBe(true);
  }
}

/** A process that was killed: its mark stays and names nobody alive. */
async function bury(id: string): Promise<void> {
  const { token } = await thisProcess();
  const [boot, namespace] = token.split('_');
  await writeFile(join(folder.path, 'segments', `${id}.open`), `${boot}_${namespace}_2147483646_1`);
}

async function rows(index: BodyIndex, refs: readonly BodyRef[]): Promise<BodyEntry[]> {
  const found = await index.find(refs.map((ref) => ref.sha256));
  return refs.map((ref) => found.get(ref.sha256)!);
}

describe('a body that the index does not know', () => {
  it('is found in the segment that its process still writes', async () => {
    const refs = await putAll();
    await expectAll(await folder.open({ index: new MemoryBodyIndex(), writer: false }), refs);
  });

  it('is found again when more was written to that segment', async () => {
    const reader = await folder.open({ index: new MemoryBodyIndex(), writer: false });
    for (const body of bodies) expect((await get(reader, bare(await put(store, body)))).equals(body)).toBe(true);
  });

  it('is found when it is large', async () => {
    const ref = await put(store, bytesOf(LARGE, 1));
    const reader = await folder.open({ index: new MemoryBodyIndex(), writer: false });
    expect((await get(reader, bare(ref))).length).toBe(LARGE);
  });

  it('is put into it when its process is dead', async () => {
    const refs = [...(await putAll()), await put(store, bytesOf(LARGE, 1))];
    folder.now += 2 * HOUR;
    const index = new MemoryBodyIndex();
    const other = await folder.open({ index });
    expect(await other.recoverIndex()).toBe(1); // the large one: the segment has a living owner
    await bury('000000000001');
    expect(await other.recoverIndex()).toBe(10);
    expect(await other.recoverIndex()).toBe(0);
    expect((await rows(index, refs)).every((row) => row !== undefined)).toBe(true);
    expect((await folder.files('segments')).map((f) => f.slice(0, 34))).toEqual([
      expect.stringMatching(/000000000001\.indexed\./),
      'segments/000000000001.seg',
    ]);
  });
});

describe('an index that is away', () => {
  class Moody extends MemoryBodyIndex {
    away = false;
    override async put(entries: readonly BodyEntry[]): Promise<readonly BodyEntry[]> {
      if (this.away) throw new Error('the index is away');
      return super.put(entries);
    }
  }

  it('does not keep mail from being stored, and is told of it later', async () => {
    const index = new Moody();
    const other = await folder.open({ index });
    index.away = true;
    const refs = await putAll(other);
    await expect(other.delete([])).rejects.toThrow('away');
    await expectAll(other, refs);
    index.away = false;
    await other.delete([]);
    expect((await rows(index, refs)).every((row) => row?.segment === 1)).toBe(true);
  });

  it('gets what it missed from the segments when the process ends meanwhile', async () => {
    const index = new Moody();
    const other = await folder.open({ index });
    const refs = await putAll(other);
    index.away = true;
    await other.close();
    expect((await folder.files('segments')).filter((f) => !f.endsWith('.seg'))).toEqual([]);
    index.away = false;
    const next = await folder.open({ index });
    expect(await next.recoverIndex()).toBe(10);
    await expectAll(next, refs);
  });
});

describe('rebuilding the index', () => {
  it('gives the index that was before, while mail flows', async () => {
    const refs = [...(await putAll()), await put(store, bytesOf(LARGE, 1))];
    const second = await folder.open();
    refs.push(await put(second, bytesOf(500, 50)));
    await second.close();
    folder.now += 1000;
    refs.push(await put(store, bytesOf(500, 51)), await put(store, bytesOf(LARGE, 2)));
    const { bodies: count } = await store.usage();
    const before = await rows(folder.index, refs);
    expect(before.map((row) => row.storedAt)).toContain(NOON + 1000);

    const progress: number[] = [];
    const [offered, during] = await Promise.all([
      store.rebuildIndex(({ done, of }) => progress.push(done / of)),
      put(store, bytesOf(500, 52)),
    ]);
    expect(offered).toBeGreaterThanOrEqual(count);
    expect(await rows(folder.index, refs)).toEqual(before);
    expect((await store.usage()).bodies).toBe(count + 1);
    expect((await get(store, bare(during))).length).toBe(500);
    expect(progress[0]).toBe(0);
    expect(progress.at(-1)).toBe(1);
  });

  it('happens by itself when the database is a new one, before anything is compacted', async () => {
    const refs = [...(await putAll()), await put(store, bytesOf(LARGE, 1))];
    await store.close();
    folder.index = new MemoryBodyIndex();
    const next = await folder.open();
    expect(await next.compact()).toBe(0);
    await expectAll(next, refs.slice(0, 10));
    expect((await rows(folder.index, refs)).every((row) => row !== undefined)).toBe(true);
    expect((await next.usage()).bodies).toBe(11);
  });
});

describe('compacting', () => {
  it('never touches a segment that a living process writes', async () => {
    const refs = await putAll();
    await store.delete(refs.slice(1).map((ref) => ref.sha256));
    const other = await folder.open();
    expect(await other.compact()).toBe(0);
    await expectAll(store, refs.slice(0, 1));
    await store.close();
    expect(await other.compact()).toBeGreaterThan(9000);
    await expectAll(other, refs.slice(0, 1));
  });

  it('is noticed by a reader that has the old segment open', async () => {
    const refs = await putAll();
    const reader = await folder.open({ writer: false });
    await expectAll(reader, refs);
    await store.delete(refs.slice(1).map((ref) => ref.sha256));
    await store.compact();
    await expectAll(reader, refs.slice(0, 1));
    await expect(get(reader, refs[1]!)).rejects.toBeInstanceOf(BodyMissing);
  });

  it('does not give out a segment’s number again', async () => {
    const refs = await putAll();
    await store.delete(refs.map((ref) => ref.sha256));
    expect(await store.compact()).toBeGreaterThan(10_000);
    expect((await put(store, bodies[0]!)).at).toBe('2:0');
  });

  it('spares a body that was stored again after another process deleted it', async () => {
    const other = await folder.open();
    const refs = await putAll();
    await store.delete([]); // writes the index
    await other.delete(refs.map((ref) => ref.sha256));
    expect(await put(store, bodies[0]!)).toEqual(refs[0]); // not written twice
    await store.close();
    await other.compact();
    await expectAll(other, refs.slice(0, 1));
    expect((await other.usage()).bodies).toBe(1);
  });

  it('keeps one of two copies that two processes stored', async () => {
    const other = await folder.open();
    const [first, second] = [await putAll(store), await putAll(other)];
    expect(first[0]!.at).not.toBe(second[0]!.at);
    await store.close();
    await other.close();
    const next = await folder.open();
    expect(await next.compact()).toBeGreaterThan(10_000);
    await expectAll(next, first);
    await expectAll(next, second);
    expect(await next.compact()).toBe(0);
  });

  it('keeps the copy at hand when the one that the index names is lost', async () => {
    const sha256 = (await put(store, bodies[0]!)).sha256;
    await store.close();
    await folder.index.clear();
    await folder.index.put([{ sha256, size: 1000, segment: 77, offset: 0, storedAt: NOON }]);
    const next = await folder.open();
    await next.compact();
    expect((await get(next, { sha256, size: 1000 })).equals(bodies[0]!)).toBe(true);
    expect(await next.compact()).toBe(0);
  });

  it('keeps a segment with a damaged body that is still wanted, and says so', async () => {
    const refs = await putAll();
    await store.delete(refs.slice(2).map((ref) => ref.sha256));
    await folder.damage(refs[1]!, 10);
    await store.compact();
    expect(folder.troubles.map(String)).toEqual([expect.stringContaining('segment 1 holds 1 damaged bodies')]);
    await expectAll(store, refs.slice(0, 1));
    await expect(get(store, refs[1]!)).rejects.toBeInstanceOf(BodyDamaged);
  });

  it('removes what dead processes left half-written, after an hour', async () => {
    const { token } = await thisProcess();
    const [boot, namespace] = token.split('_');
    const dead = `${boot}_${namespace}_2147483646_1`;
    const age = async (name: string, at: number) => {
      const path = join(folder.path, 'large', 'incoming', name);
      await writeFile(path, Buffer.alloc(1000));
      await utimes(path, at / 1000, at / 1000);
    };
    await age(`${dead}~old`, NOON - HOUR);
    await age(`${dead}~young`, NOON - HOUR + 1);
    await age(`${token}~ours`, NOON - HOUR);
    await age(`${boot}_1_1_1~silent-container`, NOON - HOUR);
    expect(await store.compact()).toBe(2000);
    expect((await folder.files('large/incoming')).map((f) => f.split('~')[1]).sort()).toEqual(['ours', 'young']);
  });

  it('removes empty segments and marks without a segment', async () => {
    await writeFile(join(folder.path, 'segments', '000000000004.seg'), '');
    await writeFile(join(folder.path, 'segments', '000000000005.open'), 'a_b_1_1');
    await store.compact();
    expect(await folder.files('segments')).toEqual(['segments/000000000004.gone']);
  });

  it('is not for a store that was opened for reading', async () => {
    const reader = await folder.open({ writer: false });
    await expect(reader.compact()).rejects.toThrow('opened for reading');
    expect(() => reader.create()).toThrow('opened for reading');
  });
});

describe('a damaged header', () => {
  it('where the index says that a body lies makes it damaged, not missing', async () => {
    const [ref] = await putAll();
    await store.delete([]); // writes the index
    await folder.damage(ref!, -20);
    await expect(get(store, ref!)).rejects.toBeInstanceOf(BodyDamaged);
  });
});

describe('a damaged copy', () => {
  it('is passed over when another process has stored the body as well', async () => {
    const other = await folder.open();
    const [[first], [second]] = [await putAll(store), await putAll(other)];
    await store.delete([]);
    await folder.damage(first!, 5);
    expect((await get(store, second!)).equals(bodies[0]!)).toBe(true);
    expect((await get(store, first!)).equals(bodies[0]!)).toBe(true);
  });
});

describe('a large file that is shorter than its body', () => {
  it('is damaged', async () => {
    const ref = await put(store, bytesOf(LARGE, 1));
    const [file] = (await folder.files('large')).filter((f) => f.includes(ref.sha256));
    await writeFile(join(folder.path, file!), Buffer.alloc(10));
    await expect(get(store, ref)).rejects.toBeInstanceOf(BodyDamaged);
  });
});
