import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { get } from './contract.js';
import { TestFolder } from './files-folder.js';
import { bytesOf } from './test-bytes.js';

const MIB = 1024 * 1024;

/** What counts is what is held, not when V8 looks for garbage. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let folder: TestFolder;
beforeEach(async () => {
  folder = await TestFolder.make();
});
afterEach(() => folder.remove());

describe('the memory of the files store', () => {
  it('stays small while a large body streams in and out', async () => {
    const store = await folder.open();
    const chunk = bytesOf(64 * 1024, 1);
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    const look = () => {
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    };
    const writer = store.create();
    for (let at = 0; at < 100 * MIB; at += chunk.length) {
      await writer.write(chunk);
      look();
    }
    const ref = await writer.commit();
    expect(peak).toBeLessThan(8 * MIB);
    expect(store.held).toBe(0);
    let got = 0;
    let parts = 0;
    for await (const part of store.read(ref)) {
      got += part.length;
      if (++parts % 20 > 0) continue;
      collectGarbage();
      look();
    }
    expect(got).toBe(100 * MIB);
    expect(parts).toBeGreaterThan(300);
    expect(peak).toBeLessThan(8 * MIB);
  });

  it('makes a sender wait that is faster than the disk', async () => {
    const store = await folder.open();
    const writer = store.create();
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 40; i++) {
      const wait = writer.write(bytesOf(64 * 1024, i));
      if (wait) waits.push(wait);
    }
    expect(waits.length).toBeGreaterThan(0);
    await Promise.all(waits);
    expect((await get(store, await writer.commit())).length).toBe(40 * 64 * 1024);
  });

  it('is not exceeded by many unfinished bodies: they go to disk early, and nobody waits for anybody', async () => {
    const store = await folder.open({ memory: MIB });
    const writers = Array.from({ length: 200 }, () => store.create());
    let peak = 0;
    for (let round = 0; round < 10; round++) {
      for (const [i, writer] of writers.entries()) {
        await writer.write(bytesOf(2000, round * 200 + i));
        peak = Math.max(peak, store.held);
      }
    }
    expect(peak).toBeLessThan(2 * MIB);
    const refs = await Promise.all(writers.map((writer) => writer.commit()));
    expect(store.held).toBe(0);
    expect(refs.some((ref) => ref.at!.startsWith('L:'))).toBe(true);
    for (const [i, ref] of refs.entries()) {
      const body = Buffer.concat(Array.from({ length: 10 }, (_, round) => bytesOf(2000, round * 200 + i)));
      expect((await get(store, ref)).equals(body)).toBe(true);
    }
  });

  it('is given back by bodies that are aborted, at any size', async () => {
    const store = await folder.open();
    const writers = [10, 3000, 300_000, 900_000].map((size) => {
      const writer = store.create();
      void writer.write(bytesOf(size, 1));
      return writer;
    });
    expect(store.held).toBeGreaterThan(0);
    await Promise.all(writers.map((writer) => writer.abort()));
    expect(store.held).toBe(0);
    expect(await folder.files('large/incoming')).toEqual([]);
  });
});
