import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BodyMissing, StoreOutOfReach, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import type { BodyEntry } from './body-index.js';
import { get, put } from './contract.js';
import { MemoryBodyIndex } from './memory-index.js';
import type { S3ObjectStore } from './s3.js';
import { objectOf } from './s3-name.js';
import { keyOf } from './s3-objects.js';
import { PART } from './s3-upload.js';
import { inLanes } from './s3-retry.js';
import { TestBucket } from './s3-testing.js';
import { bytesOf } from './test-bytes.js';

const HOUR = 60 * 60_000;
const LARGE = 400_000;

let s3: TestBucket;
let prefix: string;
let index: FailingIndex;
/** Epoch ms, moved by the tests. */
let now: number;
let troubles: unknown[];
const stores: S3ObjectStore[] = [];
beforeAll(async () => {
  s3 = await TestBucket.make();
});
beforeEach(() => {
  prefix = s3.prefix();
  index = new FailingIndex();
  now = Date.now();
  troubles = [];
});
afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())));
afterAll(() => s3.stop());

/** An index whose database can go away. */
class FailingIndex extends MemoryBodyIndex {
  away = false;
  override put(entries: readonly BodyEntry[]): Promise<readonly BodyEntry[]> {
    return this.away ? Promise.reject(new Error('the database has gone away')) : super.put(entries);
  }
}

async function open(more: Parameters<TestBucket['open']>[0] = {}): Promise<S3ObjectStore> {
  const store = await s3.open({ prefix, index, clock: { now: () => now }, trouble: (error) => troubles.push(error), ...more });
  stores.push(store);
  return store;
}

const hex = (bodies: readonly { readonly sha256: string }[]): string[] => bodies.map(({ sha256 }) => sha256);
const rows = async (of: MemoryBodyIndex, names: readonly string[]) => [...(await of.find(names)).values()].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));

describe('a body that reached the bucket but not the index', () => {
  it.each([3000, LARGE, PART + 5])('of %d bytes was promised to nobody, can be stored again, and its first copy is removed', async (size) => {
    const store = await open();
    index.away = true;
    await expect(put(store, bytesOf(size, 1))).rejects.toBeInstanceOf(StoreOutOfReach);
    index.away = false;
    expect((await s3.objects(prefix)).length).toBe(1);
    const ref = await put(store, bytesOf(size, 1));
    expect((await s3.objects(prefix)).length).toBe(2);
    expect(await store.compact()).toBeGreaterThan(size);
    expect((await s3.objects(prefix)).length).toBe(1);
    expect((await get(store, ref)).length).toBe(size);
  });
});

describe('what nothing refers to', () => {
  it('is removed only after the time of grace, by whoever comes then', async () => {
    const store = await open({ grace: HOUR });
    const refs = await Promise.all([3000, LARGE].map((size) => put(store, bytesOf(size, size))));
    await store.delete(hex(refs));
    expect(await store.compact()).toBe(0);
    now += HOUR - 1;
    expect(await store.compact()).toBe(0);
    expect((await s3.objects(prefix)).length).toBe(2);
    now += 1;
    const other = await open({ grace: HOUR });
    expect(await other.compact()).toBeGreaterThan(3000 + LARGE);
    expect(await s3.objects(prefix)).toEqual([]);
    expect(await other.compact()).toBe(0);
  });

  it('is removed, however many objects that are', async () => {
    const store = await open();
    const ref = await put(store, bytesOf(10, 1));
    const name = (i: number) => `${prefix}/bodies/00000000000${i.toString(36).padStart(5, '0')}`;
    await inLanes(16, Array.from({ length: 1050 }, (_, i) => i), async (i) => void (await s3.client.putObject(s3.bucket, name(i), Buffer.from('left by somebody'))));
    const left = 1050 * 'left by somebody'.length;
    const { storedBytes } = await store.usage();
    expect(await store.compact()).toBe(left);
    expect((await store.usage()).storedBytes).toBe(storedBytes - left);
    expect((await get(store, ref)).length).toBe(10);
  });

  it('stays when something refers to it again by then', async () => {
    const store = await open({ grace: HOUR });
    const ref = await put(store, bytesOf(3000, 2));
    await store.delete([ref.sha256]);
    await store.compact();
    // Known to this process as stored a moment ago.
    await put(store, bytesOf(3000, 2));
    expect((await s3.objects(prefix)).length).toBe(1);
    now += HOUR;
    await store.compact();
    expect((await get(store, { sha256: ref.sha256, size: ref.size })).length).toBe(3000);
  });

  it('does not take along what another process is about to tell the index of', async () => {
    const [store, other] = [await open(), await open({ grace: HOUR })];
    let compacted: Promise<number> | undefined;
    // The other one works while the body is in the bucket and not yet in the index.
    index.put = async (entries) => {
      compacted = other.compact();
      await compacted;
      return FailingIndex.prototype.put.call(index, entries);
    };
    const ref = await put(store, bytesOf(3000, 3));
    expect(await compacted).toBe(0);
    index.put = FailingIndex.prototype.put.bind(index);
    now += HOUR;
    await other.compact();
    expect((await get(other, ref)).length).toBe(3000);
  });
});

describe('an object that is mostly dead', () => {
  it('is rewritten together with others, and readers with old hints find its bodies', async () => {
    const store = await open();
    const refs = [];
    for (let pack = 0; pack < 5; pack++) refs.push(await Promise.all(Array.from({ length: 20 }, (_, i) => put(store, bytesOf(3000, pack * 20 + i)))));
    expect((await s3.objects(prefix)).length).toBe(5);
    const [kept, dead] = [refs.map((pack) => pack[7]!), refs.flatMap((pack) => pack.filter((_, i) => i !== 7))];
    await store.delete(hex(dead));
    await store.compact();
    expect((await s3.objects(prefix)).length).toBe(1);
    for (const [i, ref] of kept.entries()) expect((await get(store, ref)).equals(bytesOf(3000, i * 20 + 7))).toBe(true);
    expect((await store.readMany(kept.map(({ sha256, size }) => ({ sha256, size })))).every((body) => body?.length === 3000)).toBe(true);
    await expect(get(store, dead[0]!)).rejects.toBeInstanceOf(BodyMissing);
  });

  it('is kept when a body in it is damaged, and somebody is told', async () => {
    const store = await open();
    const refs = await Promise.all(Array.from({ length: 20 }, (_, i) => put(store, bytesOf(3000, i))));
    await store.delete(hex(refs.slice(2)));
    await s3.damage(prefix, index, refs[0]!, 5);
    expect(await store.compact()).toBe(0);
    expect((await s3.objects(prefix)).length).toBeGreaterThanOrEqual(1);
    expect(String(troubles[0])).toContain('1 damaged');
    expect((await get(store, refs[1]!)).length).toBe(3000);
  });
});

describe('a body that the index knows and the bucket has lost', () => {
  it.each([3000, LARGE])('of %d bytes is there again when it is stored again', async (size) => {
    const store = await open();
    await put(store, bytesOf(size, 4));
    for (const key of await s3.objects(prefix)) await s3.client.removeObject(s3.bucket, key);
    const ref = await put(store, bytesOf(size, 4));
    expect((await get(store, { sha256: ref.sha256, size })).equals(bytesOf(size, 4))).toBe(true);
  });
});

describe('two processes', () => {
  it('that store the same bodies at the same time keep them once', async () => {
    const [one, other] = [await open(), await open()];
    const bodies = [...Array.from({ length: 50 }, (_, i) => bytesOf(2000 + i, i)), bytesOf(LARGE, 99)];
    await Promise.all(bodies.flatMap((body) => [put(one, body), put(other, body)]));
    await one.compact();
    const { bodies: count, bytes, storedBytes } = await other.usage();
    expect({ count, bytes }).toEqual({ count: 51, bytes: bodies.reduce((sum, { length }) => sum + length, 0) });
    expect(storedBytes).toBeLessThan(2.1 * bytes);
    for (const body of bodies) expect((await get(other, await put(other, body))).equals(body)).toBe(true);
  });
});

describe('a body that another process has kept', () => {
  it('is put into the bucket once more at most: the next ones are looked up first, and the copy that nothing refers to is removed', async () => {
    const [one, other] = [await open(), await open()];
    const refs = [await put(one, bytesOf(3000, 1)), await put(one, bytesOf(3000, 2)), await put(one, bytesOf(3000, 3))];
    const first = await rows(index, hex(refs));
    const before = other.requests.put;
    for (const [i, ref] of refs.entries()) expect(await put(other, bytesOf(3000, i + 1))).toEqual(ref);
    expect(other.requests.put - before).toBe(1);
    expect((await rows(index, hex(refs))).map(({ segment, offset }) => ({ segment, offset }))).toEqual(first.map(({ segment, offset }) => ({ segment, offset })));
    expect((await s3.objects(prefix)).length).toBe(4);
    expect(await other.compact()).toBeGreaterThan(3000);
    expect((await s3.objects(prefix)).length).toBe(3);
    for (const [i, ref] of refs.entries()) expect((await get(other, ref)).equals(bytesOf(3000, i + 1))).toBe(true);
  });

  it.each([['before any look', 1], ['after one', 2]])('and whose object is gone is kept anew, %s', async (_, lost) => {
    const [one, other] = [await open(), await open()];
    const refs = [await put(one, bytesOf(3000, 1)), await put(one, bytesOf(3000, 2))];
    const [row] = await rows(index, [refs[lost - 1]!.sha256]);
    await s3.client.removeObject(s3.bucket, `${prefix}/${keyOf(objectOf(row!))}`);
    for (const seed of [1, 2]) await put(other, bytesOf(3000, seed));
    expect((await rows(index, [row!.sha256]))[0]).not.toMatchObject({ segment: row!.segment, offset: row!.offset });
    const third = await open();
    for (const [i, ref] of refs.entries()) expect((await get(third, { sha256: ref.sha256, size: ref.size })).equals(bytesOf(3000, i + 1))).toBe(true);
  });
});

describe('an upload that nobody completed', () => {
  it('is given up after a day, not before', async () => {
    const [store, other] = [await open(), await open()];
    const writer = store.create();
    await writer.write(bytesOf(2 * PART, 5));
    expect((await other.maintain()).aborted).toBe(0);
    now = Date.now() + 24 * HOUR + 1000;
    // Its own process is still at it.
    expect((await store.maintain()).aborted).toBe(0);
    expect((await other.maintain()).aborted).toBe(1);
    await expect(writer.commit()).rejects.toBeInstanceOf(StoreUnavailable);
    expect(store.held).toBe(0);
  });
});

describe('the index', () => {
  it('is rebuilt from the objects alone to the same content', async () => {
    const store = await open();
    const small = await Promise.all(Array.from({ length: 1500 }, (_, i) => put(store, bytesOf(50 + i, i))));
    const large = [await put(store, bytesOf(LARGE, 1)), await put(store, bytesOf(PART + 1, 2)), await put(store, new Uint8Array(0))];
    const names = hex([...small, ...large]);
    const before = await rows(index, names);
    expect(before.length).toBe(1503);
    const progress: { readonly done: number; readonly of: number }[] = [];
    expect(await store.rebuildIndex((step) => progress.push(step))).toBe(1503);
    expect(await rows(index, names)).toEqual(before);
    const objects = (await s3.objects(prefix)).length;
    expect([progress[0], progress.at(-1)]).toEqual([{ done: 0, of: objects }, { done: objects, of: objects }]);
  });

  it('that is a new one takes no body for missing until it has been told of all', async () => {
    const refs = await Promise.all([3000, LARGE].map(async (size) => put(await open(), bytesOf(size, size))));
    const bare = refs.map(({ sha256, size }) => ({ sha256, size }));
    const store = await open({ index: new MemoryBodyIndex() });
    for (const ref of bare) await expect(get(store, ref)).rejects.toBeInstanceOf(StoreUnavailable);
    for (const ref of refs) expect((await get(store, ref)).length).toBe(ref.size);
    expect(await store.recoverIndex()).toBe(2);
    expect(await store.recoverIndex()).toBe(0);
    for (const ref of bare) expect((await get(store, ref)).length).toBe(ref.size);
    await expect(get(store, { sha256: 'ab'.repeat(32), size: 5 })).rejects.toBeInstanceOf(BodyMissing);
  });

  it('that is a new one is told of all before anything is removed', async () => {
    const ref = await put(await open(), bytesOf(3000, 6));
    const store = await open({ index: new MemoryBodyIndex() });
    expect(await store.compact()).toBe(0);
    expect((await get(store, { sha256: ref.sha256, size: 3000 })).length).toBe(3000);
  });

  it('may be rebuilt while mail flows', async () => {
    const store = await open();
    await Promise.all(Array.from({ length: 200 }, (_, i) => put(store, bytesOf(1000, i))));
    const writing = Promise.all(Array.from({ length: 40 }, (_, i) => put(store, bytesOf(1000, 1000 + i))));
    await store.rebuildIndex();
    for (const { sha256, size } of await writing) expect((await get(store, { sha256, size })).length).toBe(1000);
    expect((await store.usage()).bodies).toBe(240);
  });
});

describe('object lock', () => {
  it('keeps what was deleted until its date, which is told and no error', async () => {
    const locked = await TestBucket.make({ lock: true });
    try {
      const store = await locked.open({ prefix, index, objectLockDays: 2, clock: { now: () => now } });
      stores.push(store);
      const refs = await Promise.all([3000, LARGE].map((size) => put(store, bytesOf(size, size))));
      await store.delete(hex(refs));
      const early = await store.maintain();
      expect(early).toMatchObject({ won: 0, kept: { objects: 2 } });
      expect(Math.abs(early.kept.until! - (now + 48 * HOUR))).toBeLessThan(60_000);
      // This machine believes that it is time; the server does not.
      now += 49 * HOUR;
      expect(await store.maintain()).toMatchObject({ won: 0, kept: { objects: 2 } });
      expect(await store.rebuildIndex()).toBe(2);
      for (const ref of refs) expect((await get(store, ref)).length).toBe(ref.size);
    } finally {
      await Promise.all(stores.splice(0).map((store) => store.close()));
      await locked.stop();
    }
  });

  it('apart, a bucket that keeps versions gives space back for good', async () => {
    const versioned = await TestBucket.make({ lock: true });
    try {
      const store = await versioned.open({ prefix, index });
      stores.push(store);
      await store.delete([(await put(store, bytesOf(3000, 8))).sha256]);
      expect(await store.compact()).toBeGreaterThan(3000);
      const left = [];
      for await (const item of versioned.client.listObjects(versioned.bucket, `${prefix}/bodies/`, true, { IncludeVersion: true }) as AsyncIterable<unknown>) left.push(item);
      expect(left).toEqual([]);
    } finally {
      await Promise.all(stores.splice(0).map((store) => store.close()));
      await versioned.stop();
    }
  });
});
