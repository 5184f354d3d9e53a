import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type BodyRef, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { makeCertificate } from '../rig/test-ca.js';
import { until } from '../rig/until.js';
import { get, put } from './contract.js';
import { MemoryBodyIndex } from './memory-index.js';
import type { S3ObjectStore } from './s3.js';
import { type Mishap, S3Proxy } from './s3-proxy.js';
import { TestBucket } from './s3-testing.js';
import { bytesOf } from './test-bytes.js';

const MIB = 1024 * 1024;

let s3: TestBucket;
let proxy: S3Proxy;
const stores: S3ObjectStore[] = [];
beforeAll(async () => {
  s3 = await TestBucket.make();
});
beforeEach(async () => {
  proxy = await S3Proxy.make(s3.rig.endpoint);
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await proxy.close();
});
afterAll(() => s3.stop());

async function open(more: Parameters<TestBucket['open']>[0] = {}): Promise<S3ObjectStore> {
  const store = await s3.open(more);
  stores.push(store);
  return store;
}

const throughProxy = () => open({ endpoint: proxy.endpoint });

/** Befalls the first `times` requests of that kind. */
function befall(request: RegExp, times: number, mishap: Mishap): void {
  proxy.mishap = (line) => (request.test(line) && times-- > 0 ? mishap : undefined);
}

describe('an S3 server that is killed', () => {
  it('loses nothing that was committed, and is written to again by itself when it is back', async () => {
    const store = await open({ patience: 1500 });
    const committed: { readonly seed: number; readonly ref: BodyRef }[] = [];
    const refused: unknown[] = [];
    let [seed, done] = [0, false];
    const sender = async () => {
      while (!done) {
        const mine = seed++;
        try {
          committed.push({ seed: mine, ref: await put(store, bytesOf(mine % 50 === 0 ? MIB : 3000, mine)) });
        } catch (error) {
          refused.push(error);
        }
      }
    };
    const senders = Array.from({ length: 20 }, sender);
    await until('bodies to be committed', 30_000, () => committed.length > 300);
    await s3.rig.kill();
    await until('commits to be refused', 30_000, () => refused.length >= 20);
    await s3.rig.start();
    const before = committed.length;
    await until('bodies to be committed again', 30_000, () => committed.length > before + 100);
    done = true;
    await Promise.all(senders);
    for (const error of refused) expect(error).toBeInstanceOf(StoreUnavailable);
    for (const { seed: of, ref } of committed) expect((await get(store, ref)).equals(bytesOf(ref.size, of))).toBe(true);
    expect(store.held).toBe(0);
  });
});

/** A body that is put, and how long that took, in ms. */
async function timed(store: S3ObjectStore, seed: number): Promise<{ readonly ms: number; readonly ref?: BodyRef; readonly error?: unknown }> {
  const began = performance.now();
  const result = await put(store, bytesOf(3000, seed)).then((ref) => ({ ref }), (error: unknown) => ({ error }));
  return { ...result, ms: performance.now() - began };
}

describe('an S3 server that is away', () => {
  it.each([
    ['killed', () => s3.rig.kill(), () => s3.rig.start()],
    ['held', () => Promise.resolve(s3.rig.pause()), () => Promise.resolve(s3.rig.resume())],
  ])('because it was %s, is waited for once, not by those who come later, and what was refused is safe to send again', async (_how, lose, bring) => {
    const store = await open({ index: new MemoryBodyIndex() });
    await put(store, bytesOf(3000, 1));
    await lose();
    try {
      const first = await Promise.all([timed(store, 2), timed(store, 3)]);
      for (const { ms, error } of first) {
        expect(error).toBeInstanceOf(StoreUnavailable);
        expect(ms).toBeGreaterThan(5_000);
        expect(ms).toBeLessThan(10_000);
      }
      const later: number[] = [];
      for (const seed of [4, 5, 6]) {
        const { ms, error } = await timed(store, seed);
        expect(error).toBeInstanceOf(StoreUnavailable);
        later.push(ms);
      }
      // One of them may take a moment (900 ms) for a look, and the machine may have other work.
      expect(later.toSorted((a, b) => a - b)[1]).toBeLessThan(1_000);
      expect(Math.max(...later)).toBeLessThan(3_000);
      const large = store.create();
      const began = performance.now();
      await large.write(bytesOf(MIB, 7));
      await expect(large.commit()).rejects.toBeInstanceOf(StoreUnavailable);
      expect(performance.now() - began).toBeLessThan(2_000);
    } finally {
      await bring();
    }
    const again = await until('a body is kept', 10_000, () => put(store, bytesOf(3000, 2)));
    expect((await get(store, again)).equals(bytesOf(3000, 2))).toBe(true);
    // What came through nevertheless was promised to nobody; what is kept stays.
    await store.maintain();
    await store.maintain();
    expect((await get(store, again)).equals(bytesOf(3000, 2))).toBe(true);
    expect(store.held).toBe(0);
  });

  it('for a moment only is waited out', async () => {
    const store = await open();
    const before = store.requests.put;
    await s3.rig.kill();
    const kept = put(store, bytesOf(3000, 1));
    // 50, 100, … ms apart: some two seconds.
    await until('it was tried some times', 10_000, () => store.requests.put > before + 6);
    await s3.rig.start();
    expect((await get(store, await kept)).length).toBe(3000);
  });
});

describe('an S3 server that no longer answers', () => {
  it('is not waited for longer than agreed, in writing and in reading', async () => {
    const store = await open({ patience: 1_500, silence: 700 });
    const ref = await put(store, bytesOf(3000, 1));
    const large = store.create();
    await large.write(bytesOf(MIB, 2));
    s3.rig.pause();
    try {
      const start = performance.now();
      const asked = [put(store, bytesOf(3000, 3)), large.commit(), get(store, ref), get(store, { sha256: ref.sha256, size: ref.size }), store.readMany([ref])];
      for (const answer of await Promise.allSettled(asked)) expect(answer).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) });
      expect(performance.now() - start).toBeLessThan(5000);
    } finally {
      s3.rig.resume();
    }
    expect((await get(store, ref)).length).toBe(3000);
    expect((await get(store, await put(store, bytesOf(3000, 3)))).length).toBe(3000);
  });
});

describe('a request to S3', () => {
  it.each([
    [503, 'SlowDown'],
    [503, undefined],
    [500, 'InternalError'],
    [502, undefined],
    [429, 'TooManyRequests'],
  ])('that is answered with %d %s is made again', async (status, code) => {
    const store = await throughProxy();
    befall(/^PUT/, 2, { kind: 'refuse', status, ...(code === undefined ? {} : { code }) });
    const ref = await put(store, bytesOf(3000, status));
    expect((await get(store, ref)).equals(bytesOf(3000, status))).toBe(true);
    expect(store.requests.put).toBe(4); // one of them the note of the index
  });

  it.each([3000, MIB, 12 * MIB])('whose answer is lost, for a body of %d bytes, stores it once', async (size) => {
    const store = await throughProxy();
    for (const request of [/^PUT .*bodies/, /^POST .*uploadId/]) {
      befall(request, 1, { kind: 'lose-reply' });
      const body = bytesOf(size, size + request.source.length);
      const ref = await put(store, body);
      expect((await get(store, ref)).equals(body)).toBe(true);
    }
    expect((await store.usage()).bodies).toBe(2);
  });

  it.each([3000, 12 * MIB])('whose bytes change on the way is refused by the server and made again, for a body of %d bytes', async (size) => {
    const store = await throughProxy();
    befall(/^PUT .*bodies/, 1, { kind: 'corrupt' });
    const ref = await put(store, bytesOf(size, 5));
    expect((await get(store, ref)).equals(bytesOf(size, 5))).toBe(true);
  });

  it('that is refused for good is not made again, and says which setting to look at', async () => {
    const store = await throughProxy();
    for (const [code, setting] of [['AccessDenied', 's3AccessKey'], ['RequestTimeTooSkewed', 'clock'], ['NoSuchBucket', 's3Bucket']] as const) {
      proxy.seen.length = 0;
      befall(/^PUT/, 9, { kind: 'refuse', status: 403, code });
      await expect(put(store, bytesOf(10, 6))).rejects.toThrow(setting);
      expect(proxy.seen.filter((line) => line.startsWith('PUT')).length).toBe(1);
    }
  });
});

describe('an S3 server over TLS', () => {
  it('is trusted by its own CA, and notices bytes that change on the way', async () => {
    const tls = await makeCertificate({ names: ['127.0.0.1'], ca: true });
    const secure = await S3Proxy.make(s3.rig.endpoint, tls);
    try {
      await expect(open({ endpoint: secure.endpoint, patience: 10_000 })).rejects.toThrow('CA');
      const store = await open({ endpoint: secure.endpoint, ca: tls.cert });
      let times = 1;
      secure.mishap = (line) => (/^PUT .*bodies/.test(line) && times-- > 0 ? { kind: 'corrupt' } : undefined);
      const ref = await put(store, bytesOf(3000, 7));
      expect((await get(store, ref)).equals(bytesOf(3000, 7))).toBe(true);
      expect(times).toBeLessThan(0);
    } finally {
      await Promise.all(stores.splice(0).map((store) => store.close()));
      await secure.close();
    }
  });
});

describe('opening', () => {
  const secret = 'not-the-secret-at-all';
  it.each([
    ['a wrong secret', { secretKey: secret }, 's3SecretKey'],
    ['an unknown access key', { accessKey: 'nobody', secretKey: secret }, 's3AccessKey'],
    ['a bucket that is not there', { bucket: 'elsewhere' }, 's3Bucket'],
    ['a name that no bucket can have', { bucket: 'No_Bucket' }, 's3Bucket'],
    ['a port where nothing listens', { endpoint: 'http://127.0.0.1:1', patience: 300 }, 's3Endpoint'],
    ['an endpoint with a path', { endpoint: 'http://127.0.0.1/bucket' }, 's3Endpoint'],
    ['an endpoint that is no URL', { endpoint: '127.0.0.1:9000' }, 's3Endpoint'],
  ])('with %s names the setting and no secret', async (_what, wrong, setting) => {
    const told: unknown = await open(wrong).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(told).toBeInstanceOf(Error);
    const { message, stack, cause } = told as Error;
    expect(message).toContain(setting);
    expect(JSON.stringify([message, stack, cause ?? null])).not.toMatch(new RegExp(`${secret}|${s3.rig.secretKey}`));
  });

  it('makes the bucket when that is wanted, also twice at once', async () => {
    const wish = { bucket: 'made-by-the-store', createBucket: true };
    const [one, other] = await Promise.all([open(wish), open(wish)]);
    expect((await get(one, await put(one, bytesOf(5, 1)))).length).toBe(5);
    expect((await get(other, await put(other, bytesOf(5, 1)))).length).toBe(5);
  });
});
