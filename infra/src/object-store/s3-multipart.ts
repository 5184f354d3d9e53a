import type { Bucket } from './s3-bucket.js';
import { codeOf, isAbsent, isPassing, unavailable } from './s3-errors.js';
import type { Requests } from './s3-requests.js';

/** Objects that are sent in parts. All of it rejects with StoreUnavailable. */
export class Multipart {
  constructor(
    private readonly requests: Requests,
    private readonly bucket: Pick<Bucket, 'size'>,
  ) {}

  begin(key: string): Promise<string> {
    const { client, bucket } = this.requests.options;
    return this.requests.ask('multipart', () => client.initiateNewMultipartUpload(bucket, this.requests.full(key), this.requests.bodyHeaders()));
  }

  /** @param part counted from 1. @returns its ETag. */
  async putPart(key: string, upload: string, part: number, bytes: Buffer): Promise<string> {
    const query = `partNumber=${part}&uploadId=${encodeURIComponent(upload)}`;
    const headers = this.requests.digest(bytes);
    const reply = await this.requests.ask('multipart', () => this.requests.send({ method: 'PUT', key, query, headers }, bytes, [200]));
    return (reply.headers.etag ?? '').replaceAll('"', '');
  }

  /** @param size bytes that the object must have then. */
  async complete(key: string, upload: string, etags: readonly string[], size: number): Promise<void> {
    const { client, bucket } = this.requests.options;
    const parts = etags.map((etag, i) => ({ part: i + 1, etag }));
    try {
      await this.requests.raw('multipart', () => client.completeMultipartUpload(bucket, this.requests.full(key), upload, parts));
    } catch (error) {
      // Where the reply to an earlier attempt was lost, the upload is gone because it is complete.
      if (isPassing(error) || (await this.bucket.size(key)) !== size) throw unavailable(error);
    }
  }

  async abort(key: string, upload: string): Promise<void> {
    const query = `uploadId=${encodeURIComponent(upload)}`;
    try {
      await this.requests.raw('multipart', () => this.requests.send({ method: 'DELETE', key, query }, '', [200, 204]));
    } catch (error) {
      if (codeOf(error) !== 'NoSuchUpload' && !isAbsent(error)) throw unavailable(error);
    }
  }

  /** The first thousand uploads that nobody has completed. */
  async list(below: string): Promise<readonly { readonly key: string; readonly upload: string; readonly begunAt: number }[]> {
    const { client, bucket, prefix } = this.requests.options;
    const page = await this.requests.ask('list', () => client.listIncompleteUploadsQuery(bucket, this.requests.full(below), '', '', ''));
    return page.uploads.map(({ key, uploadId, initiated }) => ({ key: String(key).slice(prefix.length), upload: String(uploadId), begunAt: initiated.getTime() }));
  }
}
