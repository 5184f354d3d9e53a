// How fast bodies become durable in files. Not a test: figures depend on the disk. From the repository's root:
//   node_modules/.bin/esbuild infra/src/object-store/bench/files-bench.ts --bundle --platform=node --format=esm \
//     --tsconfig=tsconfig.base.json --outfile=/tmp/files-bench.mjs && node_modules/.bin/node /tmp/files-bench.mjs [folder]
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { type FileObjectStore, openFileObjectStore } from '../files.js';
import { MemoryBodyIndex } from '../memory-index.js';

const SMALL = 3 * 1024;
const LARGE = 50 * 1024 * 1024;

async function timed<T>(what: string, task: () => Promise<T>, figure: (seconds: number) => string): Promise<T> {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const result = await task();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  process.stdout.write(`${what.padEnd(44)} ${figure(seconds).padStart(14)}   ${((user + system) / 1e4 / seconds).toFixed(0)} % CPU\n`);
  return result;
}

/** Runs `count` tasks, `width` at a time. */
async function inFlight<T>(width: number, count: number, task: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const i = next++;
      results[i] = await task(i);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

async function storeOne(store: FileObjectStore, seed: number): Promise<BodyRef> {
  const body = Buffer.from(TEMPLATE);
  body.writeUInt32LE(seed);
  const writer = store.create();
  await writer.write(body);
  return writer.commit();
}

async function drain(store: FileObjectStore, ref: BodyRef): Promise<void> {
  for await (const chunk of store.read(ref)) void chunk;
}

const TEMPLATE = randomBytes(SMALL);
const folder = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'files-bench-'));
const trouble = (error: unknown) => process.stderr.write(`${String(error)}\n`);
const store = await openFileObjectStore({ folder, index: new MemoryBodyIndex(), clock: { now: () => Date.now() }, trouble });

await inFlight(50, 5000, (i) => storeOne(store, 1_000_000_000 + i)); // warm-up
let seed = 0;
let refs: BodyRef[] = [];
for (const width of [1, 10, 50, 200]) {
  const count = width === 1 ? 4000 : 30_000;
  refs = await timed(
    `commit 3 KB, ${width} in flight`,
    () => inFlight(width, count, () => storeOne(store, seed++)),
    (s) => `${Math.round(count / s)} /s`,
  );
}
await timed('read 3 KB by hint, 50 in flight', () => inFlight(50, refs.length, (i) => drain(store, refs[i]!)), (s) => `${Math.round(refs.length / s)} /s`);
const bare = refs.map(({ sha256, size }) => ({ sha256, size }));
await timed('read 3 KB by index in memory, 50 in flight', () => inFlight(50, bare.length, (i) => drain(store, bare[i]!)), (s) => `${Math.round(bare.length / s)} /s`);

const chunk = randomBytes(64 * 1024);
const large = await timed(
  'commit 4 × 50 MB, one after the other',
  () =>
    inFlight(1, 4, async (i) => {
      const writer = store.create();
      await writer.write(Buffer.from([i]));
      for (let at = 0; at < LARGE; at += chunk.length) await writer.write(chunk);
      return writer.commit();
    }),
  (s) => `${((4 * LARGE) / 1e6 / s).toFixed(0)} MB/s`,
);
await timed('read 4 × 50 MB, checked', () => inFlight(1, 4, (i) => drain(store, large[i]!)), (s) => `${((4 * LARGE) / 1e6 / s).toFixed(0)} MB/s`);
await store.close();
await rm(folder, { recursive: true });
