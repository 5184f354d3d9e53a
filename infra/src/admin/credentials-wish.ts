import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { checkSecret, type CredentialsRefusal, type GatewayCredentials } from '@kiroku/domain/routing/credentials.js';
import { type Grant, type OAuthClient, sameClient } from '@kiroku/domain/routing/oauth-client.js';
import { openOAuthSecrets, type OAuthSecrets, sealGatewaySecret, sealOAuthSecrets } from '../auth/gateway-secret.js';
import { SealBroken, type ServerKey } from '../auth/seal.js';

/** Client and secrets as an administrator gives them; in a change, what is absent stays. */
export interface OAuthWish {
  readonly clientSecret?: string | undefined;
  readonly refreshToken?: string | undefined;
  readonly tokenUrl?: string | undefined;
  readonly clientId?: string | undefined;
  readonly scope?: string | undefined;
  readonly grant?: Grant | undefined;
}

/** Either a fixed secret or an OAuth client. */
export interface SecretWish {
  readonly secret?: string | undefined;
  readonly oauth?: OAuthWish | undefined;
}

/** For the decider. */
interface Sealed {
  readonly sealed?: string;
  readonly oauth?: OAuthClient | null;
}

const refuse = (detail: string): never => {
  throw new Refusal<CredentialsRefusal>('bad-credentials', detail);
};

/** @throws Refusal `bad-credentials`, which never repeats a secret. */
export function sealNew({ secret, oauth }: SecretWish, key: ServerKey, name: string): { readonly sealed: string; readonly oauth?: OAuthClient } {
  if (secret !== undefined && oauth) return refuse('either a fixed secret or an OAuth client');
  if (oauth) return sealClient(oauth, undefined, key, name);
  return { sealed: sealGatewaySecret(checkSecret(secret ?? ''), key, name) };
}

/** @throws Refusal `bad-credentials` */
export function sealChange({ secret, oauth }: SecretWish, state: GatewayCredentials, key: ServerKey, name: string): Sealed {
  if (secret !== undefined && oauth) return refuse('either a fixed secret or an OAuth client');
  if (secret !== undefined) return { sealed: sealGatewaySecret(checkSecret(secret), key, name), ...(state.oauth && { oauth: null }) };
  if (!oauth) return {};
  const client = clientOf(oauth, state.oauth);
  if (oauth.clientSecret === undefined && oauth.refreshToken === undefined) return { oauth: client };
  return sealClient(oauth, state, key, name);
}

function clientOf(wish: OAuthWish, before: OAuthClient | undefined): OAuthClient {
  const { tokenUrl = before?.tokenUrl, clientId = before?.clientId, scope = before?.scope ?? '', grant = before?.grant } = wish;
  if (tokenUrl === undefined || clientId === undefined || grant === undefined) return refuse('an OAuth client needs a token URL, a client id and a grant');
  return { tokenUrl, clientId, scope, grant };
}

/** Secrets that are not given anew stay as long as they go to the same place. */
function sealClient(wish: OAuthWish, state: GatewayCredentials | undefined, key: ServerKey, name: string): { readonly sealed: string; readonly oauth: OAuthClient } {
  const before = state?.oauth;
  const client = clientOf(wish, before);
  const kept = state && before && sameClient(client, before) ? openable(state.sealed, key, name) : {};
  const { clientSecret = kept.clientSecret, refreshToken = kept.refreshToken } = wish;
  if (client.grant === 'client-credentials' && refreshToken !== undefined) return refuse('a refresh token needs the grant refresh-token');
  if (client.grant === 'client-credentials' && clientSecret === undefined) return refuse('the grant client-credentials needs a client secret');
  if (client.grant === 'refresh-token' && refreshToken === undefined) return refuse('the grant refresh-token needs a refresh token');
  for (const secret of [clientSecret, refreshToken]) if (secret !== undefined) checkSecret(secret);
  const secrets: OAuthSecrets = { ...(clientSecret !== undefined && { clientSecret }), ...(refreshToken !== undefined && { refreshToken }) };
  return { sealed: sealOAuthSecrets(secrets, key, name), oauth: client };
}

/** What was sealed with another server key is lost: it has to be given anew. */
function openable(sealed: string, key: ServerKey, name: string): OAuthSecrets {
  try {
    return openOAuthSecrets(sealed, key, name);
  } catch (error) {
    if (error instanceof SealBroken) return {};
    throw error;
  }
}
