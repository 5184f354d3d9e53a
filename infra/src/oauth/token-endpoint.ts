import type { OAuthClient } from '@kiroku/domain/routing/oauth-client.js';
import { LONGEST_SECRET } from '@kiroku/domain/routing/credentials.js';
import {
  allowInsecureRequests, type AuthorizationServer, type Client, type ClientAuth, clientCredentialsGrantRequest, ClientSecretPost, customFetch, None,
  processClientCredentialsResponse, processRefreshTokenResponse, refreshTokenGrantRequest, ResponseBodyError, type TokenEndpointResponse,
} from 'oauth4webapi';
import type { OAuthSecrets } from '../auth/gateway-secret.js';
import { postForm, Unanswered } from './post-form.js';

export interface TokenEndpointOptions {
  /** ms for all; default 10 s. */
  readonly timeout?: number;
  /** Authorities to trust instead of the usual ones, PEM: for tests. */
  readonly ca?: string;
}

/** What a token endpoint gave. */
export interface Issued {
  readonly accessToken: string;
  /** ms; absent when the server does not say. */
  readonly lifetime?: number;
  /** Takes the place of the one that was used. */
  readonly refreshToken?: string;
}

/**
 * No token. `brief` is for the reply that mail waits with, `detail` for administrators alone; printable, no secrets in either.
 * `refused`: the server does not want to, and asking again changes nothing before somebody does.
 */
export class NoToken extends Error {
  constructor(
    readonly brief: string,
    readonly refused: boolean,
    readonly detail = brief,
  ) {
    super(detail);
  }
}

const TIME = 10_000;
const LONGEST_DETAIL = 300;
/** RFC 6749 appendix A.12. */
const TOKEN = /^[\x20-\x7e]+$/;
/** RFC 6749 appendix A.7, and not a whole story. */
const ERROR_CODE = /^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/;

/**
 * Asks a token endpoint (RFC 6749 §4.4, §6). A client's secret goes in the form (client_secret_post): Microsoft, Google and all others
 * that are known take it there.
 * @throws NoToken
 */
export async function requestToken(client: OAuthClient, secrets: OAuthSecrets, options: TokenEndpointOptions = {}): Promise<Issued> {
  const { host } = new URL(client.tokenUrl);
  try {
    return issued(await ask(client, secrets, options));
  } catch (error) {
    if (error instanceof NoToken) throw error;
    if (error instanceof Unanswered) throw new NoToken(error.message, false);
    if (error instanceof ResponseBodyError) throw refusal(host, error, secrets);
    const { cause } = error as { readonly cause?: unknown };
    if (cause instanceof Response) throw new NoToken(`${host} answers ${cause.status}`, cause.status >= 400 && cause.status < 500 && cause.status !== 429);
    // The library's other words quote the answer, which holds tokens.
    throw new NoToken(`${host} gives an answer that holds no token that can be used`, false);
  }
}

async function ask({ tokenUrl, clientId, scope, grant }: OAuthClient, { clientSecret, refreshToken = '' }: OAuthSecrets, { timeout = TIME, ca }: TokenEndpointOptions): Promise<TokenEndpointResponse> {
  const server: AuthorizationServer = { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl };
  const client: Client = { client_id: clientId };
  const by: ClientAuth = clientSecret === undefined ? None() : ClientSecretPost(clientSecret);
  const signal = AbortSignal.timeout(timeout);
  const options = {
    [customFetch]: async (url: string, { body, headers }: { readonly body: URLSearchParams; readonly headers: Record<string, string> }): Promise<Response> =>
      withoutIdToken(await postForm(url, headers, body.toString(), { signal, ...(ca !== undefined && { ca }) })),
    // Only loopback gets that far.
    ...(tokenUrl.startsWith('http:') && { [allowInsecureRequests]: true }),
  };
  const wish = scope === '' ? {} : { scope };
  return grant === 'client-credentials'
    ? processClientCredentialsResponse(server, client, await clientCredentialsGrantRequest(server, client, by, wish, options))
    : processRefreshTokenResponse(server, client, await refreshTokenGrantRequest(server, client, by, refreshToken, { ...options, additionalParameters: wish }));
}

/** Who the user is does not matter here, and checking it would need the issuer's keys. */
async function withoutIdToken(response: Response): Promise<Response> {
  const { status, headers } = response;
  const text = await response.text();
  if (status !== 200 || !text.includes('id_token')) return new Response(text === '' ? null : text, { status, headers });
  const answer = parsed(text);
  if (typeof answer === 'object' && answer !== null) delete (answer as { id_token?: unknown }).id_token;
  return new Response(JSON.stringify(answer), { status, headers });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws Error when it cannot be used. */
function issued({ access_token, token_type, expires_in, refresh_token }: TokenEndpointResponse): Issued {
  const usable = (token: string): boolean => token.length <= LONGEST_SECRET && TOKEN.test(token);
  if (!usable(access_token) || token_type !== 'bearer' || (refresh_token !== undefined && !usable(refresh_token))) throw new Error('no token that can be used');
  return {
    accessToken: access_token, ...(expires_in !== undefined && Number.isFinite(expires_in) && { lifetime: Math.max(0, expires_in * 1_000) }),
    ...(refresh_token !== undefined && { refreshToken: refresh_token }),
  };
}

/** The server's own words help (Microsoft's say what to repair), unless they repeat a secret. */
function refusal(host: string, { error, error_description, status }: ResponseBodyError, { clientSecret, refreshToken }: OAuthSecrets): NoToken {
  const secrets = [clientSecret, refreshToken].filter((secret) => secret !== undefined);
  const safe = (text: string): boolean => !secrets.some((secret) => text.includes(secret) || text.includes(encodeURIComponent(secret)));
  const code = ERROR_CODE.test(error) && safe(error) ? error : 'an error without a name';
  const words = typeof error_description === 'string' && safe(error_description) ? error_description.replace(/[^\x20-\x7e]+/g, ' ').trim().slice(0, LONGEST_DETAIL) : '';
  const brief = `${host} refuses: ${code}`;
  return new NoToken(brief, status !== 429, words === '' ? brief : `${brief} (${words})`);
}
