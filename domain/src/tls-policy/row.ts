import type { TlsDemand } from '../smtp-client/types.js';

/**
 * How to encrypt towards a peer. The first four decide alone, whatever the peer publishes: `off` plain text; `opportunistic` when
 * offered, any certificate, plain text otherwise; `required` or nothing is sent; `verified` a certificate of a trusted authority for
 * the host's name as well.
 *
 * The others are PMail's fall-backs: they say what to do where the peer publishes nothing (DANE and MTA-STS go before), when TLS is
 * offered and fails. `tls-only` never plain text; `plain-at-once` plain text on a fresh connection (what holds where no row fits);
 * `plain-next-handshake` plain text at the next try after a failed handshake; `plain-next-any` the same after any failure of TLS,
 * such as a refused STARTTLS. But for `tls-only`, plain text too where TLS is not offered.
 */
export type TlsMode = 'off' | 'opportunistic' | 'required' | 'verified' | 'tls-only' | 'plain-at-once' | 'plain-next-handshake' | 'plain-next-any';
export const TLS_MODES: readonly TlsMode[] = [
  'off', 'opportunistic', 'required', 'verified', 'tls-only', 'plain-at-once', 'plain-next-handshake', 'plain-next-any',
];

export type TlsVersion = NonNullable<TlsDemand['minVersion']>;
export const TLS_VERSIONS: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

export interface TlsRow {
  /** Canonical: see `canonicalPeer`. Also the row's name: no two rows have the same. */
  readonly peer: string;
  readonly mode: TlsMode;
  /** Versions to offer; the client's own bounds when absent. */
  readonly min?: TlsVersion;
  readonly max?: TlsVersion;
  readonly note?: string;
}

export interface TlsTable {
  readonly rows: readonly TlsRow[];
  /** Addresses and CIDR blocks of clients that this server does not offer STARTTLS to. */
  readonly neverOffered: readonly string[];
}
