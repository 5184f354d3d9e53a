import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { secretOf } from '../config/secret.js';
import { readOrCreate } from './secret-file.js';

/** 32 bytes that all nodes of an installation share. Without it no stored credential can be read. */
export type ServerKey = Buffer;

const KEY = 32;
const NONCE = 12;
const TAG = 16;
const VERSION = 'v1.';

/** A sealed text was changed, belongs elsewhere, or was sealed with another server key. */
export class SealBroken extends Error {
  constructor() {
    super('a sealed text does not open: it was changed, moved, or sealed with another server key');
  }
}

/**
 * The key from `KIROKU_SERVER_KEY` or the file that `KIROKU_SERVER_KEY_FILE` names (base64), else from `<data>/server.key` (base64,
 * readable by its owner only), made on first start.
 * @throws Error when either is not base64 of 32 bytes.
 */
export async function loadServerKey(data: string, fromEnvironment = secretOf(process.env, 'KIROKU_SERVER_KEY')): Promise<ServerKey> {
  if (fromEnvironment !== undefined && fromEnvironment !== '') return decodeKey(fromEnvironment, 'KIROKU_SERVER_KEY');
  const path = join(data, 'server.key');
  return decodeKey(await readOrCreate(path, 0o600, () => `${randomBytes(KEY).toString('base64')}\n`), path);
}

function decodeKey(text: string, where: string): ServerKey {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== KEY || !/^[A-Za-z0-9+/_-]{43}=?$/.test(text.trim())) throw new Error(`${where} must be base64 of ${KEY} bytes`);
  return key;
}

/**
 * AES-256-GCM: nobody without the key can read or change the text, or move it to another owner.
 * Nonces are random: one key is good for 2^32 texts (NIST SP 800-38D §8.3).
 * @param owner bound to the text; the same is needed to open it.
 * @returns `v1.` and base64url of nonce, ciphertext and tag.
 */
export function seal(text: string, key: ServerKey, owner: string): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG });
  cipher.setAAD(Buffer.from(VERSION + owner));
  const body = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return VERSION + body.toString('base64url');
}

/** @throws SealBroken */
export function unseal(sealed: string, key: ServerKey, owner: string): string {
  const body = Buffer.from(sealed.slice(VERSION.length), 'base64url');
  if (!sealed.startsWith(VERSION) || body.length < NONCE + TAG) throw new SealBroken();
  const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAAD(Buffer.from(VERSION + owner));
  decipher.setAuthTag(body.subarray(-TAG));
  try {
    return decipher.update(body.subarray(NONCE, -TAG), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    throw new SealBroken();
  }
}
