import { request } from 'node:https';
import { isIP } from 'node:net';
import type { Dns } from '@kiroku/domain/routing/dns.js';
import { isPublicAddress } from './public-address.js';

export interface PostOptions {
  readonly dns: Pick<Dns, 'a' | 'aaaa'>;
  /** ms for all, from the question to the answer; default 30 s. */
  readonly timeout?: number;
  /** Authorities to trust instead of the usual ones, PEM; addresses of one's own network: for tests. */
  readonly ca?: string;
  readonly allowPrivate?: boolean;
}

/** `forGood`: there is no use in trying again. `reason` is for administrators, in ASCII. */
export type Posted = { readonly taken: true } | { readonly taken: false; readonly reason: string; readonly forGood?: true };
export type PostReport = (uri: string, gzip: Uint8Array) => Promise<Posted>;

const MOST_ADDRESSES = 3;
const LONGEST_REASON = 200;

const no = (reason: string): Posted => ({ taken: false, reason: reason.replace(/[^\x20-\x7e]+/g, ' ').slice(0, LONGEST_REASON) });

/**
 * Posts reports about TLS (RFC 8460 §5.4): over HTTPS with a certificate of a trusted authority, to public addresses only, following no
 * redirect; what the server says beside its status is not read. Never rejects.
 */
export const reportPoster = (options: PostOptions): PostReport => async (uri, gzip) => {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return { ...no('not a https URI that can be used'), forGood: true } as Posted;
  const signal = AbortSignal.timeout(options.timeout ?? 30_000);
  const addresses = await Promise.race([addressesOf(url.hostname, options), new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))]);
  let last = no(addresses ? `${url.hostname} has no address that can be used` : `no answer in time from the DNS about ${url.hostname}`);
  for (const ip of addresses ?? []) {
    const { answer, reached } = await post(ip, url, gzip, options, signal);
    if (reached || signal.aborted) return answer;
    last = answer;
  }
  return last;
};

async function addressesOf(host: string, { dns, allowPrivate = false }: PostOptions): Promise<readonly string[]> {
  const literal = host.replace(/^\[(.*)\]$/, '$1');
  const answers = isIP(literal) ? [] : await Promise.allSettled([dns.a(host), dns.aaaa(host)]);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' && answer.value.kind === 'found' ? answer.value.records : []));
  return (isIP(literal) ? [literal] : found).filter((ip) => allowPrivate || isPublicAddress(ip)).slice(0, MOST_ADDRESSES);
}

/** `reached`: a server answered, so no other address is tried: the report might be taken twice. */
function post(ip: string, url: URL, gzip: Uint8Array, { ca }: PostOptions, signal: AbortSignal): Promise<{ readonly answer: Posted; readonly reached: boolean }> {
  return new Promise((resolve) => {
    let connected = false;
    const ask = request({
      host: ip, port: url.port === '' ? 443 : Number(url.port), ...(isIP(url.hostname) === 0 && { servername: url.hostname }), path: `${url.pathname}${url.search}`,
      method: 'POST', agent: false, signal, minVersion: 'TLSv1.2', maxHeaderSize: 16 * 1024,
      headers: { host: url.host, 'content-type': 'application/tlsrpt+gzip', 'content-length': gzip.length, 'user-agent': 'Kiroku' },
      ...(ca !== undefined && { ca }),
    });
    const end = (answer: Posted): void => {
      resolve({ answer, reached: connected });
      ask.destroy();
    };
    ask.on('socket', (socket) => socket.once('secureConnect', () => (connected = true)));
    ask.on('error', (error: NodeJS.ErrnoException) => end(no(`${url.hostname}: ${signal.aborted ? 'no answer in time' : (error.code ?? error.message)}`)));
    ask.on('response', ({ statusCode = 0 }) => end(statusCode >= 200 && statusCode < 300 ? { taken: true } : no(`${url.hostname} answers ${statusCode}`)));
    ask.end(gzip);
  });
}
