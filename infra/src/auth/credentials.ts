import * as z from 'zod';
import type { ScramKeys } from './authenticator.js';
import { checkPassword, hashPassword, scramKeys } from './passwords.js';
import { seal, SealBroken, type ServerKey, unseal } from './seal.js';

/** What an account's password leaves behind. Never stored but sealed. */
export interface Credentials {
  /** See `hashPassword`. */
  readonly hash: string;
  readonly scram: ScramKeys;
  /** The password as it was set, for APOP and CRAM-MD5; only where the account allows them. */
  readonly secret?: string;
}

const shape = z.object({
  hash: z.string(),
  scram: z.object({ salt: z.string(), iterations: z.number(), storedKey: z.string(), serverKey: z.string() }),
  secret: z.string().exactOptional(),
});

/**
 * Costs about 40 ms on the thread pool.
 * @param password 1 to 128 characters, at most 256 bytes of UTF-8, no control characters.
 * @throws Refusal `bad-password`
 */
export async function makeCredentials(password: string, { reversible }: { readonly reversible: boolean }): Promise<Credentials> {
  const prepared = checkPassword(password);
  const [hash, scram] = await Promise.all([hashPassword(prepared), scramKeys(prepared)]);
  return reversible ? { hash, scram, secret: password } : { hash, scram };
}

/** The text that an account's events and rows hold: useless without the server key, and for any other account. */
export const sealCredentials = (credentials: Credentials, key: ServerKey, accountId: string): string =>
  seal(JSON.stringify(credentials), key, accountId);

/** @throws SealBroken */
export function openCredentials(sealed: string, key: ServerKey, accountId: string): Credentials {
  const opened = shape.safeParse(JSON.parse(unseal(sealed, key, accountId)));
  if (!opened.success) throw new SealBroken();
  return opened.data;
}
