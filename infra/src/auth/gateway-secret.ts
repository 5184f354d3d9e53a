import { credentialsStream } from '@kiroku/domain/routing/credentials.js';
import { seal, type ServerKey, unseal } from './seal.js';

/** The secret of gateway credentials as events and rows hold it: useless without the server key, and under any other name. */
export const sealGatewaySecret = (secret: string, key: ServerKey, name: string): string => seal(secret, key, credentialsStream(name));

/** @throws SealBroken */
export const openGatewaySecret = (sealed: string, key: ServerKey, name: string): string => unseal(sealed, key, credentialsStream(name));
