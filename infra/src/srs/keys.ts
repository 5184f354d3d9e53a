import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { SrsKeys } from '@kiroku/domain/srs/srs.js';
import type { ServerKey } from '../auth/seal.js';

/** Bound to the purpose: what is signed here can be of no use anywhere else. */
const PURPOSE = 'kiroku srs v1';

/**
 * Signs forwarders' addresses by HMAC-SHA-256, with a key made of the server key (HKDF, RFC 5869), so that all nodes agree.
 * @param previous server keys of the past: addresses signed with them are still taken until they expire by themselves.
 */
export function srsKeys(present: ServerKey, previous: readonly ServerKey[] = []): SrsKeys {
  const keys = [present, ...previous].map((key) => Buffer.from(hkdfSync('sha256', key, new Uint8Array(0), PURPOSE, 32)));
  const mac = (key: Buffer, text: string): string => createHmac('sha256', key).update(text, 'utf8').digest('base64url');
  return {
    sign: (text) => mac(keys[0] as Buffer, text),
    matches(text, hash) {
      const given = Buffer.from(hash.toLowerCase(), 'latin1');
      if (given.length === 0 || given.length > 43) return false;
      // Every key is tried, so that the time taken tells nothing.
      return keys.map((key) => timingSafeEqual(given, Buffer.from(mac(key, text).toLowerCase().slice(0, given.length), 'latin1'))).includes(true);
    },
  };
}
