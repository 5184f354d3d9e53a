/** How new access tokens are asked for: by the client's own secret, or by a refresh token that a user's consent gave (RFC 6749 §4.4, §6). */
export const GRANTS = ['client-credentials', 'refresh-token'] as const;
export type Grant = (typeof GRANTS)[number];

/** What an authorization server knows this server as; the secrets that go with it are sealed apart. */
export interface OAuthClient {
  /** https, or http on loopback. */
  readonly tokenUrl: string;
  readonly clientId: string;
  /** Parted by single spaces; '' = as the server sees fit. */
  readonly scope: string;
  readonly grant: Grant;
}

/** An OAuth client as it is kept. */
export interface KeptOAuthClient extends OAuthClient {
  /** Epoch ms of the last change of client or secrets by an administrator, made larger than the one before: tokens of before are no more used. */
  readonly setAt: number;
}

export const LONGEST_TOKEN_URL = 2_048;
export const LONGEST_CLIENT_ID = 512;
export const LONGEST_SCOPE = 1_024;

/** RFC 6749 appendix A.4. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/;
/** RFC 6749 appendix A.1. */
const CLIENT_ID = /^[\x20-\x7e]+$/;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** @returns what is wrong, undefined when nothing is. Never quotes a secret: a URL with a password in it is not repeated. */
export function oauthProblem({ tokenUrl, clientId, scope }: OAuthClient): string | undefined {
  if (!isTokenUrl(tokenUrl)) return `token URL: expected https (http on loopback only), without user, password or fragment, up to ${LONGEST_TOKEN_URL} characters`;
  if (clientId.length > LONGEST_CLIENT_ID || !CLIENT_ID.test(clientId)) return `client id: expected 1 to ${LONGEST_CLIENT_ID} printable ASCII characters`;
  if (scope !== '' && (scope.length > LONGEST_SCOPE || !SCOPE.test(scope))) return `scope: expected names parted by single spaces, up to ${LONGEST_SCOPE} characters`;
  return undefined;
}

function isTokenUrl(text: string): boolean {
  if (text.length > LONGEST_TOKEN_URL || /[\s\p{Cc}#]/u.test(text) || !URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  return username === '' && password === '' && (protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname)));
}

/** Another server, another client or another grant: what was sealed for the one before must not be sent there. */
export const sameClient = (one: OAuthClient, other: OAuthClient): boolean =>
  one.tokenUrl === other.tokenUrl && one.clientId === other.clientId && one.grant === other.grant;
