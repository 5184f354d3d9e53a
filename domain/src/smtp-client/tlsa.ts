import type { TlsDemand } from './types.js';

export type TlsaRecord = NonNullable<TlsDemand['tlsa']>[number];

/** RFC 6698 §2.1.1, §2.1.2, §2.1.3. */
export const DANE_TA = 2;
export const DANE_EE = 3;
const HEX = /^(?:[0-9a-f]{2})+$/;
/** Hex digits of SHA-256 and SHA-512, by matching type. */
const DIGEST = new Map([[1, 64], [2, 128]]);
/** A whole certificate or key in a record; more than any real one. */
const LONGEST = 16_384;

/** Whether SMTP can use the record (RFC 7672 §3.1.3: not usages 0 and 1), and it is well-formed. */
export function isUsable({ usage, selector, matching, data }: TlsaRecord): boolean {
  if ((usage !== DANE_TA && usage !== DANE_EE) || (selector !== 0 && selector !== 1) || !HEX.test(data)) return false;
  return matching === 0 ? data.length <= LONGEST : DIGEST.get(matching) === data.length;
}
