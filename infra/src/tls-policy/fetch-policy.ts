import { request } from 'node:https';
import type { Dns } from '@kiroku/domain/routing/dns.js';
import { certificateFailure } from '@kiroku/domain/tls-policy/outcome.js';
import { POLICY_BYTES } from '@kiroku/domain/tls-policy/sts.js';
import { isPublicAddress } from './public-address.js';

export interface FetchOptions {
  readonly dns: Pick<Dns, 'a' | 'aaaa'>;
  /** ms for all, from the question to the last byte; default 10 s. */
  readonly timeout?: number;
  /** Authorities to trust instead of the usual ones, PEM; other ports than 443 and addresses of one's own network: for tests. */
  readonly ca?: string;
  readonly port?: number;
  readonly allowPrivate?: boolean;
}

/** `detail` is for logs. */
export type Fetched =
  | { readonly text: string }
  | { readonly failure: 'sts-policy-fetch-error' | 'sts-webpki-invalid'; readonly detail: string };
export type FetchPolicy = (domain: string) => Promise<Fetched>;

const MOST_ADDRESSES = 3;
const failed = (detail: string): Fetched => ({ failure: 'sts-policy-fetch-error', detail });

/**
 * Fetches policies as RFC 8461 §3.3 says: over HTTPS with a certificate of a trusted authority for `mta-sts.<domain>`, following no
 * redirect, 64 KB of text/plain at most. Never rejects.
 */
export const policyFetcher = (options: FetchOptions): FetchPolicy => async (domain) => {
  const signal = AbortSignal.timeout(options.timeout ?? 10_000);
  const addresses = await before(signal, addressesOf(`mta-sts.${domain}`, options));
  let last = failed(signal.aborted ? 'no answer in time' : `mta-sts.${domain} has no address that can be used`);
  for (const ip of addresses ?? []) {
    const { answer, reached } = await get(ip, domain, options, signal);
    if (reached || signal.aborted) return answer;
    last = answer;
  }
  return last;
};

async function addressesOf(name: string, { dns, allowPrivate = false }: FetchOptions): Promise<readonly string[]> {
  const answers = await Promise.allSettled([dns.a(name), dns.aaaa(name)]);
  return answers
    .flatMap((answer) => (answer.status === 'fulfilled' && answer.value.kind === 'found' ? answer.value.records : []))
    .filter((ip) => allowPrivate || isPublicAddress(ip))
    .slice(0, MOST_ADDRESSES);
}

/** undefined when the signal comes first. */
const before = <T>(signal: AbortSignal, promise: Promise<T>): Promise<T | undefined> =>
  Promise.race([promise, new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))]);

/** `reached`: a server answered, so the next address would not be asked for another policy. */
function get(ip: string, domain: string, { port = 443, ca }: FetchOptions, signal: AbortSignal): Promise<{ readonly answer: Fetched; readonly reached: boolean }> {
  const name = `mta-sts.${domain}`;
  return new Promise((resolve) => {
    const ask = request({
      host: ip, port, servername: name, path: '/.well-known/mta-sts.txt', agent: false, signal, minVersion: 'TLSv1.2', maxHeaderSize: 16 * 1024,
      headers: { host: name, accept: 'text/plain', 'accept-encoding': 'identity', 'user-agent': 'Kiroku' },
      ...(ca !== undefined && { ca }),
    });
    const end = (answer: Fetched, reached: boolean): void => {
      resolve({ answer, reached });
      ask.destroy();
    };
    ask.on('error', (error: NodeJS.ErrnoException) => {
      const certificate = certificateFailure(error.code);
      end(certificate ? { failure: 'sts-webpki-invalid', detail: `${name}: ${certificate}` } : failed(`${name}: ${error.code ?? error.message}`), certificate !== undefined);
    });
    ask.on('response', (response) => {
      const { statusCode = 0, headers } = response;
      if (statusCode !== 200) return end(failed(`${name} answers ${statusCode}`), true);
      if (!/^text\/plain[ \t]*(;|$)/i.test(headers['content-type'] ?? '')) return end(failed(`${name} does not answer with text/plain`), true);
      if (!/^(identity)?$/i.test(headers['content-encoding'] ?? '')) return end(failed(`${name} answers in another encoding`), true);
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > POLICY_BYTES) return end(failed(`the policy of ${name} is longer than ${POLICY_BYTES} bytes`), true);
        chunks.push(chunk);
      });
      response.on('end', () => end(response.complete ? { text: Buffer.concat(chunks).toString('utf8') } : failed(`${name} breaks off`), true));
      response.on('error', () => end(failed(`${name} breaks off`), true));
    });
    ask.end();
  });
}
