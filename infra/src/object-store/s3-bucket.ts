import { codeOf, isAbsent, isRefusedDeletion, unavailable } from './s3-errors.js';
import { type BucketOptions, type Counts, type Reply, Requests } from './s3-requests.js';
import { Multipart } from './s3-multipart.js';

export interface StoredObject {
  /** Without the prefix. */
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms. */
  readonly modifiedAt: number;
}

export interface Fetched extends Reply {
  /** Bytes of the whole object. */
  readonly of: number;
}

const PAGE = 1000;

/** One bucket below one prefix: what the store needs of S3, with repetitions. All of it rejects with StoreUnavailable. */
export class Bucket {
  readonly multipart: Multipart;
  readonly #requests: Requests;

  constructor(private readonly options: BucketOptions) {
    this.#requests = new Requests(options);
    this.multipart = new Multipart(this.#requests, this);
  }

  get counts(): Readonly<Counts> {
    return this.#requests.counts;
  }

  /** ms that the server keeps a body whatever is asked of it. */
  get lock(): number {
    return this.options.lock;
  }

  /** Durable when it resolves. Repeating it writes the same again. @param waited ms that patience has been tried for already. */
  putBody(key: string, bytes: Buffer, waited = 0): Promise<void> {
    return this.#put(key, bytes, this.#requests.bodyHeaders(), waited);
  }

  /** A note of the store's own, never locked. */
  putNote(key: string, text: string): Promise<void> {
    return this.#put(key, Buffer.from(text), this.options.headers);
  }

  async #put(key: string, bytes: Buffer, headers: Readonly<Record<string, string>>, waited = 0): Promise<void> {
    const all = { ...headers, ...this.#requests.digest(bytes) };
    await this.#requests.ask('put', () => this.#requests.send({ method: 'PUT', key, headers: all }, bytes, [200]), waited);
  }

  /** These bytes, fewer where the object ends before. Nothing when it does not exist or ends before `offset`. @param length at least 1. */
  get(key: string, offset: number, length: number): Promise<Fetched | undefined> {
    return this.#range(key, `bytes=${offset}-${offset + length - 1}`);
  }

  /** The last bytes, all where there are fewer. */
  tail(key: string, length: number): Promise<Fetched | undefined> {
    return this.#range(key, `bytes=-${length}`);
  }

  #range(key: string, range: string): Promise<Fetched | undefined> {
    // 206 alone: a server that passes over the range would send gigabytes.
    return this.#requests.askFor('get', async () => {
      const { parts, length, headers } = await this.#requests.send({ method: 'GET', key, headers: { range } }, '', [206]);
      const of = /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
      if (of === undefined) throw Object.assign(new Error('no Content-Range'), { code: 'MissingContentRange' });
      return { parts, length, of: Number(of) };
    });
  }

  /** Bytes, or nothing when there is no such object. */
  size(key: string): Promise<number | undefined> {
    return this.#requests.askFor('head', async () => Number((await this.#requests.send({ method: 'HEAD', key }, '', [200])).headers['content-length']));
  }

  /** Page by page, in the order of the keys' bytes. */
  async *list(below: string): AsyncGenerator<readonly StoredObject[]> {
    const { client, bucket, prefix } = this.options;
    let token = '';
    do {
      const page = await this.#requests.ask('list', () => client.listObjectsV2Query(bucket, this.#requests.full(below), token, '', PAGE, ''));
      yield page.objects.flatMap(({ name, size, lastModified }) =>
        name === undefined ? [] : [{ key: name.slice(prefix.length), size, modifiedAt: lastModified.getTime() }],
      );
      token = page.isTruncated ? page.nextContinuationToken : '';
    } while (token !== '');
  }

  /** Whether anything lies there. */
  async has(below: string): Promise<boolean> {
    const { client, bucket } = this.options;
    const page = await this.#requests.ask('list', () => client.listObjectsV2Query(bucket, this.#requests.full(below), '', '', 1, ''));
    return page.objects.length > 0;
  }

  /** @returns the server's code when it refuses, as it does for what is locked; nothing when the object is gone. */
  async remove(key: string, version?: string): Promise<string | undefined> {
    const query = version === undefined ? '' : `versionId=${encodeURIComponent(version)}`;
    try {
      await this.#requests.raw('remove', () => this.#requests.send({ method: 'DELETE', key, query }, '', [200, 204]));
      return undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      if (!isRefusedDeletion(error)) throw unavailable(error);
      return codeOf(error);
    }
  }

  /** Removes what is there for good, also from a bucket that keeps versions. @returns as `remove`. */
  async removeAll(key: string, versioned: boolean): Promise<string | undefined> {
    if (!versioned) return this.remove(key);
    let refused: string | undefined;
    for (const version of await this.#versions(key)) {
      const code = await this.remove(key, version);
      refused ??= code;
    }
    return refused;
  }

  #versions(key: string): Promise<readonly string[]> {
    const { client, bucket } = this.options;
    return this.#requests.ask('list', async () => {
      const found: string[] = [];
      for await (const item of client.listObjects(bucket, this.#requests.full(key), true, { IncludeVersion: true }) as AsyncIterable<{ name?: string; versionId?: string }>) {
        if (item.name === this.#requests.full(key) && item.versionId !== undefined) found.push(String(item.versionId));
      }
      return found;
    });
  }

  /** False also where the server does not say. */
  async isVersioned(): Promise<boolean> {
    try {
      const found = await this.#requests.raw('list', () => this.options.client.getBucketVersioning(this.options.bucket));
      return ['Enabled', 'Suspended'].includes(String((found as { Status?: string } | undefined)?.Status));
    } catch {
      return false;
    }
  }

  /** @returns false when there is no such bucket. */
  async exists(): Promise<boolean> {
    const { client, bucket } = this.options;
    try {
      // Unlike HEAD, its refusal has a body that says why.
      await this.#requests.raw('list', () => client.listObjectsV2Query(bucket, this.#requests.full(''), '', '', 1, ''));
      return true;
    } catch (error) {
      if (codeOf(error) === 'NoSuchBucket') return false;
      throw unavailable(error);
    }
  }

  /** Somebody else may be making it at the same moment. */
  async create(region: string): Promise<void> {
    const { client, bucket, lock } = this.options;
    try {
      await this.#requests.raw('put', () => client.makeBucket(bucket, region, lock > 0 ? { ObjectLocking: true } : {}));
    } catch (error) {
      if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(codeOf(error))) throw unavailable(error);
    }
  }
}
