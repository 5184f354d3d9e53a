import { createServer as plainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as tlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { makeCertificate } from '../rig/test-ca.js';

/** What it says to a form: JSON and a status (200), or whatever is done by hand. */
export type TokenAnswer = { readonly status?: number; readonly json?: unknown; readonly body?: string; readonly type?: string; readonly headers?: Readonly<Record<string, string>> };

/** An authorization server's token endpoint for tests, on loopback. */
export interface TokenServer {
  readonly url: string;
  /** The authority of its certificate, PEM; undefined over plain HTTP. */
  readonly ca: string | undefined;
  /** Forms that came, in order. */
  readonly forms: Readonly<Record<string, string>>[];
  /** Header fields of the last request. */
  readonly headers: () => IncomingMessage['headers'];
  /** How it answers from now on; may wait. */
  answer: (form: Readonly<Record<string, string>>) => TokenAnswer | Promise<TokenAnswer>;
  close(): Promise<void>;
}

/** Tokens `token-1`, `token-2` … that are good for an hour. */
export async function tokenServer({ tls = true, names = ['127.0.0.1'] }: { readonly tls?: boolean; readonly names?: readonly string[] } = {}): Promise<TokenServer> {
  const ca = tls ? await makeCertificate({ commonName: 'Test CA', ca: true }) : undefined;
  const pair = ca && (await makeCertificate({ names, issuer: ca }));
  const forms: Record<string, string>[] = [];
  let headers: IncomingMessage['headers'] = {};
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    headers = request.headers;
    void text(request).then(async (body) => {
      const form = Object.fromEntries(new URLSearchParams(body));
      forms.push(form);
      const { status = 200, json, body: raw = JSON.stringify(json), type = 'application/json', headers: more = {} } = await server.answer(form);
      response.writeHead(status, { 'content-type': type, ...more }).end(raw);
    }).catch(() => response.destroy());
  };
  const http = pair ? tlsServer({ cert: pair.cert, key: pair.key }, handle) : plainServer(handle);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const server: TokenServer = {
    url: `${pair ? 'https' : 'http'}://127.0.0.1:${(http.address() as AddressInfo).port}/tenant/oauth2/v2.0/token`, ca: ca?.cert, forms, headers: () => headers,
    answer: () => bearer(`token-${forms.length}`),
    close: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return server;
}

/** @param expires_in seconds */
export const bearer = (access_token: string, more: Readonly<Record<string, unknown>> = {}): TokenAnswer => ({ json: { access_token, token_type: 'Bearer', expires_in: 3_600, ...more } });
export const oauthError = (error: string, more: Readonly<Record<string, unknown>> = {}, status = 400): TokenAnswer => ({ status, json: { error, ...more } });
