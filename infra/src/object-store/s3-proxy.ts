import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Pair } from '../rig/test-ca.js';

/** What befalls a request on its way. */
export type Mishap =
  /** The server never hears of it; the answer has this status, with an S3 error or without a body. */
  | { readonly kind: 'refuse'; readonly status: number; readonly code?: string }
  /** The server does it, its answer is lost. */
  | { readonly kind: 'lose-reply' }
  /** A byte of what is sent changes. */
  | { readonly kind: 'corrupt' };

/** Stands between store and S3 server, in tests. */
export class S3Proxy {
  /** `METHOD path?query` of each request. */
  readonly seen: string[] = [];
  /** Decides what befalls a request. */
  mishap: (request: string) => Mishap | undefined = () => undefined;

  private constructor(
    private readonly server: http.Server,
    readonly endpoint: string,
  ) {}

  static async make(target: string, tls?: Pair): Promise<S3Proxy> {
    const server = tls ? https.createServer(tls) : http.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new S3Proxy(server, `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request: http.IncomingMessage, reply: http.ServerResponse) => void proxy.pass(target, request, reply).catch(() => reply.destroy()));
    return proxy;
  }

  /** The signature covers the host's name, which therefore goes along as it came. */
  async pass(target: string, request: http.IncomingMessage, reply: http.ServerResponse): Promise<void> {
    const body = await buffer(request);
    const line = `${request.method ?? ''} ${request.url ?? ''}`;
    this.seen.push(line);
    const mishap = this.mishap(line);
    if (mishap?.kind === 'refuse') {
      reply.writeHead(mishap.status, { 'content-type': 'application/xml' });
      reply.end(mishap.code === undefined ? '' : `<?xml version="1.0"?><Error><Code>${mishap.code}</Code><Message>no</Message></Error>`);
      return;
    }
    if (mishap?.kind === 'corrupt' && body.length > 0) body.writeUInt8(body.readUInt8(0) ^ 1, 0);
    const { hostname, port } = new URL(target);
    const passed = http.request({ hostname, port, method: request.method, path: request.url, headers: request.headers, agent: false });
    passed.end(body);
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => passed.on('response', resolve).on('error', reject));
    const bytes = await buffer(answer);
    if (mishap?.kind === 'lose-reply') return void reply.destroy();
    const { 'transfer-encoding': _chunked, ...headers } = answer.headers;
    reply.writeHead(answer.statusCode ?? 500, request.method === 'HEAD' ? headers : { ...headers, 'content-length': bytes.length });
    reply.end(bytes);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
