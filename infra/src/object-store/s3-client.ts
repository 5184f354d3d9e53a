import http from 'node:http';
import https from 'node:https';
import type { Client } from 'minio';

export interface S3Connection {
  /** URL: scheme, host, port. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** PEM of the authority that signed the server's certificate. Default: those that Node.js trusts. */
  readonly ca?: string;
  /** Connections at once. Default 64. */
  readonly sockets?: number;
  /** ms without a byte in either direction after which a request has failed. Default 7 s: not longer than a server may be away unnoticed. */
  readonly silence?: number;
}

/** The library would repeat these itself, after writing to the console, and leave the reply unread: its connection would never be free again. */
const REPEATED_BY_LIBRARY = new Set([408, 429, 499, 500, 502, 503, 504, 520]);

export interface S3Client {
  readonly client: Client;
  /** Ends what is under way. */
  close(): void;
}

/** @throws TypeError when the endpoint is no URL of http or https. */
export async function connectS3({ endpoint, region, accessKey, secretKey, ca, sockets = 64, silence = 7_000 }: S3Connection): Promise<S3Client> {
  const url = endpointOf(endpoint);
  const secure = url.protocol === 'https:';
  const common = { keepAlive: true, maxSockets: sockets, maxFreeSockets: 16, scheduling: 'lifo' } as const;
  const agent = secure ? new https.Agent({ ...common, ...(ca === undefined ? {} : { ca }) }) : new http.Agent(common);
  const { Client } = await import('minio');
  const client = new Client({
    endPoint: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    useSSL: secure,
    region,
    accessKey,
    secretKey,
    transportAgent: agent,
    transport: transportOf(secure, silence),
    retryOptions: { disableRetry: true },
  });
  return { client, close: () => agent.destroy() };
}

function endpointOf(endpoint: string): URL {
  const url = URL.parse(endpoint);
  if (!url || !/^https?:$/.test(url.protocol) || (url.pathname !== '/' && url.pathname !== '') || url.username !== '') {
    throw new TypeError('s3Endpoint is a URL such as https://s3.example.org:9000, without a path');
  }
  return url;
}

/** `http.request` with a limit for silence: a server that stops answering fails the request instead of holding it for ever. */
function transportOf(secure: boolean, silence: number): { readonly request: typeof http.request } {
  const request = (options: https.RequestOptions, onReply: (reply: http.IncomingMessage) => void): http.ClientRequest => {
    const sent = (secure ? https : http).request({ ...options, timeout: silence }, (reply) => {
      if (REPEATED_BY_LIBRARY.has(reply.statusCode ?? 0)) reply.statusCode = (reply.statusCode ?? 0) + 1000;
      onReply(reply);
    });
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })));
    return sent;
  };
  return { request: request as typeof http.request };
}
