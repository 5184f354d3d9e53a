import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type BodyRef, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { get, put } from './contract.js';
import { TestFolder } from './files-folder.js';
import { bytesOf } from './test-bytes.js';

/** A file system of 4 MB; nothing where mounting is not allowed. */
function tinyDisk(): string | undefined {
  const path = mkdtempSync(join(tmpdir(), 'kiroku-tiny-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'ignore' });
    return path;
  } catch {
    rmdirSync(path);
    return undefined;
  }
}

const disk = tinyDisk();
afterAll(() => {
  if (!disk) return;
  execFileSync('umount', [disk]);
  rmdirSync(disk);
});

let folder: TestFolder;
let filler: string;
beforeEach(async () => {
  folder = await TestFolder.make(disk);
  filler = join(folder.path, 'filler');
});
afterEach(() => folder.remove());

/** Stores, ten at a time and then singly, until nothing fits any more. */
async function fill(size: number, segmentBytes = 2 ** 28) {
  const store = await folder.open({ segmentBytes });
  const refs: BodyRef[] = [];
  const refusals: unknown[] = [];
  let seed = 0;
  for (const width of [10, 1]) {
    for (let inARow = 0; inARow < 20; ) {
      const results = await Promise.allSettled(Array.from({ length: width }, () => put(store, bytesOf(size, seed++))));
      const failed = results.filter((result) => result.status === 'rejected');
      refusals.push(...failed.map((result): unknown => result.reason));
      for (const result of results) if (result.status === 'fulfilled') refs.push(result.value);
      inARow = failed.length === 0 ? 0 : inARow + 1;
    }
  }
  return { store, refs, refusals };
}

describe('a full disk', () => {
  // Without the right to mount, files-crash.int.spec.ts meets the same path by a limit on the length of files.
  if (!disk) {
    it('cannot be made here: mounting needs root', () => expect(process.getuid?.()).not.toBe(0));
    return;
  }

  it.each([3000, 300_000])('refuses bodies of %d bytes, keeps what was acknowledged, and recovers when there is space', async (size) => {
    await writeFile(filler, Buffer.alloc(2_000_000));
    const { store, refs, refusals } = await fill(size);
    expect(refusals.length).toBeGreaterThanOrEqual(40);
    for (const refusal of refusals) {
      expect(refusal).toBeInstanceOf(StoreUnavailable);
      expect((refusal as Error).message).toContain('ENOSPC');
    }

    for (const ref of refs) expect((await get(store, ref)).length).toBe(size);
    expect((await store.usage()).bodies).toBe(refs.length);
    expect((await folder.files('segments')).filter((file) => file.endsWith('.seg')).length).toBeLessThanOrEqual(2);
    expect(await folder.files('large/incoming')).toEqual([]);
    expect(store.held).toBe(0);
    expect(folder.troubles).toEqual([]);

    await rm(filler);
    const later = await put(store, bytesOf(size, 200_000));
    expect((await get(store, later)).equals(bytesOf(size, 200_000))).toBe(true);
    for (const ref of refs) expect((await get(store, ref)).length).toBe(size);
  });

  it('is freed by deleting and compacting', async () => {
    const { store, refs } = await fill(3000, 400_000);
    await store.delete(refs.slice(5).map((ref) => ref.sha256));
    expect(await store.compact()).toBeGreaterThan(3_000_000);
    for (const ref of refs.slice(0, 5)) expect((await get(store, ref)).length).toBe(3000);
    await put(store, bytesOf(1_000_000, 1));
  });
});
