// How fast bodies become durable in S3, beside files, and with how many requests. Not a test: figures depend on the machine. From the
// repository's root, with the test engines in place:
//   node_modules/.bin/esbuild infra/src/object-store/bench/s3-bench.ts --bundle --platform=node --format=esm --packages=external \
//     --tsconfig=tsconfig.base.json --outfile=infra/s3-bench.tmp.mjs && node_modules/.bin/node infra/s3-bench.tmp.mjs; rm infra/s3-bench.tmp.mjs
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BodyRef, ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { testPostgres } from '@kiroku/infra/postgres/testing.js';
import pg from 'pg';
import type { BodyIndex } from '../body-index.js';
import { openFileObjectStore } from '../files.js';
import { MemoryBodyIndex } from '../memory-index.js';
import { OBJECT_BODY_SQL, PgBodyIndex } from '../pg-index.js';
import { TestBucket } from '../s3-testing.js';

const SMALL = 3 * 1024;
const LARGE = 50 * 1024 * 1024;
const WIDTHS = [1, 10, 50, 200];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

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

async function timed<T>(what: string, count: number, task: () => Promise<T>, more: () => string = () => ''): Promise<T> {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const result = await task();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const figures = [`${Math.round(count / seconds)} /s`, `${((user + system) / count).toFixed(0)} µs CPU each`, more()];
  say(`${what.padEnd(46)} ${figures.map((figure) => figure.padStart(16)).join(' ')}`);
  return result;
}

const TEMPLATE = randomBytes(SMALL);
let seed = 0;
async function storeOne(store: ObjectStore): Promise<BodyRef> {
  const body = Buffer.from(TEMPLATE);
  body.writeUInt32LE(seed++);
  const writer = store.create();
  await writer.write(body);
  return writer.commit();
}

async function drain(store: ObjectStore, ref: BodyRef): Promise<void> {
  for await (const chunk of store.read(ref)) void chunk;
}

async function commits(name: string, store: ObjectStore, most: number, puts: () => number = () => 0): Promise<readonly BodyRef[]> {
  await inFlight(50, Math.min(most, 2000), () => storeOne(store)); // warm-up
  let refs: BodyRef[] = [];
  for (const width of WIDTHS) {
    const count = Math.min(most, width * 300);
    const before = puts();
    const requests = () => (puts() === 0 ? '' : `${(((puts() - before) * 1000) / count).toFixed(0)} PUTs per 1000`);
    refs = await timed(`${name}: commit 3 KB, ${width} senders`, count, () => inFlight(width, count, () => storeOne(store)), requests);
  }
  return refs;
}

/** Passes everything on, half of `ms` later each way. */
async function delayed(endpoint: string, ms: number): Promise<{ readonly endpoint: string; readonly close: () => void }> {
  const { hostname, port } = new URL(endpoint);
  const server = net.createServer((near) => {
    const far = net.connect(Number(port), hostname);
    near.on('data', (bytes) => void setTimeout(() => far.write(bytes), ms / 2));
    far.on('data', (bytes) => void setTimeout(() => near.write(bytes), ms / 2));
    for (const [one, other] of [[near, far], [far, near]] as const) one.on('close', () => other.destroy()).on('error', () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { endpoint: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`, close: () => server.close() };
}

const [s3, db] = await Promise.all([TestBucket.make(), testPostgres()]);
const pool = new pg.Pool({ ...db.connection, max: 8 });
await pool.query(OBJECT_BODY_SQL);
const folder = await mkdtemp(join(tmpdir(), 's3-bench-'));
const trouble = (error: unknown) => process.stderr.write(`${String(error)}\n`);

const files = await openFileObjectStore({ folder, index: new PgBodyIndex(pool), clock: { now: () => Date.now() }, trouble });
const inFiles = await commits('files, PostgreSQL', files, 15_000);
await timed('files: read 3 KB by hint, 50 at once', inFiles.length, () => inFlight(50, inFiles.length, (i) => drain(files, inFiles[i]!)));
await files.close();

const indexes: readonly (readonly [string, BodyIndex])[] = [['S3, PostgreSQL', new PgBodyIndex(pool)], ['S3, index in memory', new MemoryBodyIndex()]];
for (const [name, index] of indexes) {
  const store = await s3.open({ index, grace: 86_400_000 });
  const refs = await commits(name, store, 15_000, () => store.requests.put);
  await timed(`${name}: read 3 KB by hint, 50 at once`, 3000, () => inFlight(50, 3000, (i) => drain(store, refs[i]!)));
  await timed(`${name}: read 3 KB, 100 neighbours together`, refs.length, () =>
    inFlight(1, Math.floor(refs.length / 100), (i) => store.readMany(refs.slice(i * 100, i * 100 + 100))));
  await timed(`${name}: rebuild the index, bodies`, seed, () => store.rebuildIndex());
  await store.close();
}

const far = await delayed(s3.rig.endpoint, 30);
const distant = await s3.open({ endpoint: far.endpoint, grace: 86_400_000 });
await commits('S3, 30 ms away', distant, 6000, () => distant.requests.put);
await distant.close();
far.close();

const chunk = randomBytes(64 * 1024);
const store = await s3.open({ grace: 86_400_000 });
const megabytes = (4 * LARGE) / 1e6;
const large = await timed('S3: commit 4 × 50 MB one by one, MB', megabytes, () =>
  inFlight(1, 4, async (i) => {
    const writer = store.create();
    await writer.write(Buffer.from([i]));
    for (let at = 0; at < LARGE; at += chunk.length) await writer.write(chunk);
    return writer.commit();
  }));
await timed('S3: read 4 × 50 MB, checked, MB', megabytes, () => inFlight(1, 4, (i) => drain(store, large[i]!)));
await store.close();

await pool.end();
await rm(folder, { recursive: true });
await Promise.all([s3.stop(), db.close()]);
