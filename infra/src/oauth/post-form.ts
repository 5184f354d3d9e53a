import { request as plain } from 'node:http';
import { request as overTls } from 'node:https';
import { certificateFailure } from '@kiroku/domain/tls-policy/outcome.js';

export interface PostFormOptions {
  /** Gives up: for all, from the question to the last byte. */
  readonly signal: AbortSignal;
  /** Authorities to trust instead of the usual ones, PEM: for tests. */
  readonly ca?: string;
}

/** Nobody answered, or nothing that is an answer. `message` is for administrators: printable, without secrets. */
export class Unanswered extends Error {}

/** Bytes; real answers have a few thousand. */
const LONGEST_ANSWER = 64 * 1024;

/**
 * Posts a form to a token endpoint: over TLS with a certificate of a trusted authority (plain HTTP is the caller's to forbid), following
 * no redirect, and reads 64 KiB of answer at most. Of the header only the content type is passed on.
 * @throws Unanswered
 */
export function postForm(url: string, headers: Readonly<Record<string, string>>, form: string, { signal, ca }: PostFormOptions): Promise<Response> {
  const { protocol, host } = new URL(url);
  return new Promise((resolve, reject) => {
    const ask = (protocol === 'http:' ? plain : overTls)(url, {
      method: 'POST', agent: false, signal, maxHeaderSize: 16 * 1024, ...(protocol === 'https:' && { minVersion: 'TLSv1.2' as const, ...(ca !== undefined && { ca }) }),
      headers: { ...headers, 'content-length': Buffer.byteLength(form), 'accept-encoding': 'identity', 'user-agent': 'Kiroku' },
    });
    const fail = (what: string): void => {
      reject(new Unanswered(`${host} ${what}`));
      ask.destroy();
    };
    ask.on('error', (error: NodeJS.ErrnoException) => fail(signal.aborted ? 'gave no answer in time' : `cannot be asked (${certificateFailure(error.code) ?? error.code ?? 'error'})`));
    ask.on('response', (response) => {
      const { statusCode = 0, headers: given } = response;
      if (statusCode < 200 || statusCode > 599) return fail(`answers ${statusCode}`);
      if (!/^(identity)?$/i.test(given['content-encoding'] ?? '')) return fail('answers in another encoding');
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > LONGEST_ANSWER) return fail(`answers with more than ${LONGEST_ANSWER} bytes`);
        chunks.push(chunk);
      });
      response.on('error', () => fail(signal.aborted ? 'gave no answer in time' : 'breaks off'));
      response.on('end', () => {
        if (!response.complete) return fail('breaks off');
        const empty = statusCode === 204 || statusCode === 205 || statusCode === 304;
        resolve(new Response(empty ? null : Buffer.concat(chunks), { status: statusCode, headers: { 'content-type': given['content-type'] ?? '' } }));
      });
    });
    ask.end(form);
  });
}
