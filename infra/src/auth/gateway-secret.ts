import { credentialsStream } from '@kiroku/domain/routing/credentials.js';
import { seal, type ServerKey, unseal } from './seal.js';

/** The secret of gateway credentials as events and rows hold it: useless without the server key, and under any other name. */
export const sealGatewaySecret = (secret: string, key: ServerKey, name: string): string => seal(secret, key, credentialsStream(name));

/** @throws SealBroken */
export const openGatewaySecret = (sealed: string, key: ServerKey, name: string): string => unseal(sealed, key, credentialsStream(name));

/** What an OAuth client proves itself by: its secret, a user's refresh token, or both. */
export interface OAuthSecrets {
  readonly clientSecret?: string;
  readonly refreshToken?: string;
}

/** As another owner than a fixed secret: neither opens as the other. */
const oauthOwner = (name: string): string => `${credentialsStream(name)} oauth`;

export const sealOAuthSecrets = ({ clientSecret, refreshToken }: OAuthSecrets, key: ServerKey, name: string): string =>
  seal(JSON.stringify({ clientSecret, refreshToken }), key, oauthOwner(name));

/** @throws SealBroken */
export const openOAuthSecrets = (sealed: string, key: ServerKey, name: string): OAuthSecrets => JSON.parse(unseal(sealed, key, oauthOwner(name))) as OAuthSecrets;
