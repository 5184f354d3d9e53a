import { ldapStream } from '@kiroku/domain/routing/ldap.js';
import { seal, type ServerKey, unseal } from './seal.js';

/** The password of an LDAP directory's bind DN as events and rows hold it: useless without the server key, and under any other name. */
export const sealLdapSecret = (secret: string, key: ServerKey, name: string): string => seal(secret, key, ldapStream(name));

/** @throws SealBroken */
export const openLdapSecret = (sealed: string, key: ServerKey, name: string): string => unseal(sealed, key, ldapStream(name));
