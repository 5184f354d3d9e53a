import { buffer } from 'node:stream/consumers';
import { Client } from 'minio';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { type S3Rig, startS3 } from '@kiroku/infra/rig/engines/s3.js';
import type { BodyIndex } from './body-index.js';
import { MemoryBodyIndex } from './memory-index.js';
import { openS3ObjectStore, type S3ObjectStore, type S3ObjectStoreOptions } from './s3.js';
import { objectOf, offsetOf, placeOf } from './s3-name.js';
import { BODIES, keyOf } from './s3-objects.js';

/** A real S3 server with a bucket, in which each test has a prefix of its own. */
export class TestBucket {
  readonly client: Client;
  #prefixes = 0;

  private constructor(
    readonly rig: S3Rig,
    readonly bucket: string,
  ) {
    const { hostname, port } = new URL(rig.endpoint);
    const { accessKey, secretKey, region } = rig;
    this.client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey, region });
  }

  static async make({ lock = false } = {}): Promise<TestBucket> {
    const made = new TestBucket(await startS3(), 'bodies');
    await made.client.makeBucket(made.bucket, made.rig.region, { ObjectLocking: lock });
    return made;
  }

  prefix(): string {
    return `test-${++this.#prefixes}`;
  }

  options(more: Partial<S3ObjectStoreOptions> = {}): S3ObjectStoreOptions {
    const { endpoint, region, accessKey, secretKey } = this.rig;
    return {
      ...{ endpoint, region, accessKey, secretKey },
      bucket: this.bucket,
      prefix: this.prefix(),
      index: new MemoryBodyIndex(),
      clock: { now: () => Date.now() },
      trouble: (error) => {
        throw error;
      },
      grace: 0,
      ...more,
    };
  }

  open(more: Partial<S3ObjectStoreOptions> = {}): Promise<S3ObjectStore> {
    return openS3ObjectStore(this.options(more));
  }

  /** Changes one byte of a stored body behind the store's back. */
  async damage(prefix: string, index: BodyIndex, ref: BodyRef, at: number): Promise<void> {
    const place = placeOf(ref.at) ?? (await index.find([ref.sha256])).get(ref.sha256)!;
    const key = `${prefix}/${keyOf(objectOf(place))}`;
    const bytes = await buffer(await this.client.getObject(this.bucket, key));
    const where = offsetOf(place) + at;
    bytes.writeUInt8(bytes.readUInt8(where) ^ 1, where);
    await this.client.putObject(this.bucket, key, bytes);
  }

  /** Keys of the objects with bodies. */
  async objects(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const item of this.client.listObjectsV2(this.bucket, `${prefix}/${BODIES}`, true) as AsyncIterable<{ name?: string }>) if (item.name !== undefined) keys.push(item.name);
    return keys;
  }

  stop(): Promise<void> {
    return this.rig.stop();
  }
}
