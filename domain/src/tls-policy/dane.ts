import type { Tlsa } from '../routing/dns.js';
import { isUsable } from '../smtp-client/tlsa.js';

/** What the DNS says about a host's keys. `found` with nothing usable still demands encryption (RFC 7672 §2.2). */
export type Dane =
  /** No records, or none that DNSSEC vouches for. */
  | { readonly kind: 'none' }
  /** It could not be found out whether there are any: the host must not be used now (RFC 7672 §2.1.2). */
  | { readonly kind: 'trouble'; readonly detail: string }
  | { readonly kind: 'found'; readonly usable: readonly Tlsa[] };

/** Where the TLSA records of a server lie (RFC 6698 §3). */
export const tlsaName = (host: string, port: number): string => `_${port}._tcp.${host}`;

/**
 * The records that the client can use: DANE-TA(2) and DANE-EE(3) only (RFC 7672 §3.1.3), well-formed. A whole certificate or key must
 * at least begin as DER does.
 */
export const usableTlsa = (records: readonly Tlsa[]): readonly Tlsa[] =>
  records.filter((record) => isUsable(record) && (record.matching !== 0 || (record.data.startsWith('30') && record.data.length > 16)));
