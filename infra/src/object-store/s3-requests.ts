import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { Client } from 'minio';
import { isAbsent, unavailable } from './s3-errors.js';
import { Reach } from './s3-reach.js';
import { persistently } from './s3-retry.js';

export interface BucketOptions {
  readonly client: Client;
  readonly bucket: string;
  /** Empty, or ends in a slash. */
  readonly prefix: string;
  /** For every object that is made. */
  readonly headers: Readonly<Record<string, string>>;
  /** ms that the server keeps a body whatever is asked of it; 0: not at all. */
  readonly lock: number;
  /** The connection is encrypted: the request's signature then does not cover what is sent, so a digest goes along. */
  readonly secure: boolean;
  /** ms that a request may take with all its repetitions. */
  readonly patience: number;
  /** ms for which the server may fail before it is known to be away, and nobody waits for it. */
  readonly awayAfter: number;
  readonly clock: Clock;
}

/** What came back. */
export interface Reply {
  /** As they came. */
  readonly parts: readonly Buffer[];
  /** Together. */
  readonly length: number;
}

/** The most that one reply may bring into memory. Bytes. */
const REPLY_MAX = 64 * 1024 * 1024;
/** ms that a request gets at least, however long somebody has waited already. */
const LEAST = 1000;

/** Requests made, repetitions included. */
export interface Counts {
  put: number;
  get: number;
  head: number;
  list: number;
  remove: number;
  multipart: number;
}

type Request = Omit<Parameters<Client['makeRequestAsync']>[0], 'objectName'> & { readonly key: string };

/** Requests to one bucket, with repetitions and in the store's own terms. */
export class Requests {
  readonly counts: Counts = { put: 0, get: 0, head: 0, list: 0, remove: 0, multipart: 0 };

  readonly #reach: Reach;

  constructor(readonly options: BucketOptions) {
    this.#reach = new Reach(options.awayAfter);
  }

  full(key: string): string {
    return this.options.prefix + key;
  }

  /** @throws what the library throws, once repetitions have not helped. @param waited ms that patience has been tried for already. */
  raw<T>(kind: keyof Counts, attempt: () => Promise<T>, waited = 0): Promise<T> {
    const { patience } = this.options;
    return persistently(Math.max(patience - waited, Math.min(patience, LEAST)), () => {
      this.counts[kind]++;
      return attempt();
    }, this.#reach);
  }

  /** @throws StoreUnavailable */
  async ask<T>(kind: keyof Counts, attempt: () => Promise<T>, waited = 0): Promise<T> {
    try {
      return await this.raw(kind, attempt, waited);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Nothing where there is no such object. @throws StoreUnavailable */
  async askFor<T>(kind: keyof Counts, attempt: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.raw(kind, attempt);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw unavailable(error);
    }
  }

  /** One attempt; the reply has been read. */
  async send({ key, ...request }: Request, payload: Buffer | string, codes: number[]): Promise<Reply & Pick<IncomingMessage, 'headers'>> {
    const { client, bucket } = this.options;
    // Fresh headers for each attempt: the library writes into them.
    const reply = await client.makeRequestAsync({ ...request, bucketName: bucket, objectName: this.full(key), headers: { ...request.headers } }, payload, codes);
    return { ...(await drained(reply)), headers: reply.headers };
  }

  /** Over TLS the signature leaves the payload out. With object lock S3 asks for a digest in any case. */
  digest(bytes: Buffer): Record<string, string> {
    return this.options.secure || this.options.lock > 0 ? { 'content-md5': createHash('md5').update(bytes).digest('base64') } : {};
  }

  /** For an object with bodies. */
  bodyHeaders(): Record<string, string> {
    const { headers, lock, clock } = this.options;
    const all = { ...headers, 'content-type': 'application/octet-stream' };
    if (lock === 0) return all;
    const until = new Date(clock.now() + lock).toISOString();
    return { ...all, 'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': until };
  }
}

/** The bytes in one piece. */
export const wholeOf = ({ parts }: Pick<Reply, 'parts'>): Buffer => (parts.length === 1 ? parts[0]! : Buffer.concat(parts));

/** The whole reply. */
function drained(reply: IncomingMessage): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    reply.on('data', (part: Buffer) => {
      length += part.length;
      if (length > REPLY_MAX) reply.destroy(Object.assign(new Error('too long a reply'), { code: 'ReplyTooLong' }));
      else parts.push(part);
    });
    reply.on('error', reject);
    reply.on('close', () => reject(Object.assign(new Error('the reply broke off'), { code: 'ECONNRESET' })));
    reply.on('end', () => resolve({ parts, length }));
  });
}
