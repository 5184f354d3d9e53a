import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { get, put } from './contract.js';
import type { S3ObjectStore } from './s3.js';
import { TestBucket } from './s3-testing.js';
import { bytesOf } from './test-bytes.js';

const MIB = 1024 * 1024;

/** What counts is what is held, not when V8 looks for garbage. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let s3: TestBucket;
const stores: S3ObjectStore[] = [];
beforeAll(async () => {
  s3 = await TestBucket.make();
});
afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())));
afterAll(() => s3.stop());

async function open(more: Parameters<TestBucket['open']>[0] = {}): Promise<S3ObjectStore> {
  const store = await s3.open(more);
  stores.push(store);
  return store;
}

/** Each sender sends its next body when the one before is kept. */
async function send(store: S3ObjectStore, senders: number, each: number, first = 0): Promise<number> {
  const before = store.requests.put;
  const sender = async (who: number) => {
    for (let i = 0; i < each; i++) await put(store, bytesOf(3000, first + who * 10_000 + i));
  };
  await Promise.all(Array.from({ length: senders }, (_, who) => sender(who)));
  return store.requests.put - before;
}

describe('packing', () => {
  it('makes a request for each body of a single sender, and few for many senders', async () => {
    const store = await open();
    expect(await send(store, 1, 30)).toBe(30);
    // 1000 bodies: at most a request for each ten.
    expect(await send(store, 50, 20, 5000)).toBeLessThan(100);
    expect((await store.usage()).bodies).toBe(1030);
  });

  it('reads neighbours together', async () => {
    const store = await open();
    const refs = await Promise.all(Array.from({ length: 300 }, (_, i) => put(store, bytesOf(3000, i))));
    const before = store.requests.get;
    const bodies = await store.readMany(refs);
    expect(bodies.every((body, i) => body && Buffer.from(body).equals(bytesOf(3000, i)))).toBe(true);
    expect(store.requests.get - before).toBeLessThan(10);
  });

  it('spares the second of two equal bodies', async () => {
    const store = await open({ grace: 3_600_000 });
    await put(store, bytesOf(3000, 1));
    const before = store.requests.put;
    await Promise.all([put(store, bytesOf(3000, 1)), put(store, bytesOf(3000, 1))]);
    expect(store.requests.put).toBe(before);
  });
});

describe('the memory of the S3 store', () => {
  it('stays small while a large body streams in and out', async () => {
    const store = await open();
    const chunk = bytesOf(64 * 1024, 1);
    const before = process.memoryUsage().arrayBuffers;
    let [peak, held] = [0, 0];
    let steps = 0;
    const look = () => {
      held = Math.max(held, store.held);
      if (++steps % 50 > 0) return;
      collectGarbage();
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    };
    const writer = store.create();
    for (let at = 0; at < 100 * MIB; at += chunk.length) {
      await writer.write(chunk);
      look();
    }
    const ref = await writer.commit();
    expect(held).toBeLessThan(11 * MIB);
    expect(store.held).toBe(0);
    let got = 0;
    for await (const part of store.read(ref)) {
      got += part.length;
      look();
    }
    expect(got).toBe(100 * MIB);
    expect(steps).toBeGreaterThan(500);
    expect(peak).toBeLessThan(24 * MIB);
  });

  it('lets a few large bodies in at a time, and all of them in the end', async () => {
    const store = await open({ largeBodies: 2 });
    let most = 0;
    const bodies = Array.from({ length: 8 }, (_, i) => bytesOf(6 * MIB, i));
    const refs = await Promise.all(
      bodies.map(async (body) => {
        const writer = store.create();
        for (let at = 0; at < body.length; at += 64 * 1024) {
          await writer.write(body.subarray(at, at + 64 * 1024));
          most = Math.max(most, store.held);
        }
        return writer.commit();
      }),
    );
    expect(most).toBeLessThan(24 * MIB);
    for (const [i, ref] of refs.entries()) expect((await get(store, ref)).equals(bodies[i]!)).toBe(true);
    expect(store.held).toBe(0);
  });

  it('does not begin a body when there is none left, and refuses it when that lasts', async () => {
    const store = await open({ memory: 100_000, patience: 3_000 });
    const slow = store.create();
    void slow.write(bytesOf(150_000, 1));
    const late = store.create();
    await late.write(bytesOf(1000, 2));
    await expect(late.commit()).rejects.toBeInstanceOf(StoreUnavailable);
    const next = put(store, bytesOf(1000, 3));
    expect((await slow.commit()).size).toBe(150_000);
    expect((await next).size).toBe(1000);
    expect(store.held).toBe(0);
  });
});
