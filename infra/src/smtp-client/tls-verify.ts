import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { DANE_EE, DANE_TA, isUsable, type TlsaRecord } from '@kiroku/domain/smtp-client/tlsa.js';
import type { TlsDemand } from '@kiroku/domain/smtp-client/types.js';

/** Longest chain of certificates that is looked at. */
const DEEPEST = 10;

/**
 * Checks a server's certificate after the handshake.
 * @param now epoch ms; `pkix` and `mta-sts` go by the system's clock, as OpenSSL does.
 * @returns why the certificate is not good enough, or undefined when it is.
 */
export function verifyPeer(tls: TLSSocket, demand: TlsDemand, now: number): string | undefined {
  if (demand.verify === 'no') return undefined;
  const leaf = tls.getPeerX509Certificate();
  if (!leaf) return 'no certificate';
  if (demand.verify === 'dane') return verifyDane(chainOf(leaf), demand.names, demand.tlsa ?? [], now);
  // No names were compared in the handshake (see `openTls`): this is about the chain to a trusted root and its dates.
  if (!tls.authorized) return String(tls.authorizationError);
  return namesProblem(leaf, demand.names, demand.verify === 'mta-sts');
}

/** The certificates that the server sent, its own first. */
function chainOf(leaf: X509Certificate): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next: X509Certificate | undefined = leaf; next && chain.length < DEEPEST; next = next.issuerCertificate) chain.push(next);
  return chain;
}

/**
 * Whether the certificate is for one of these names. A wildcard stands for one whole leftmost label (RFC 9525 §6.3).
 * @param strict names count only as subjectAltName, as RFC 8461 §4.1 wants it; otherwise the common name counts where there are none.
 */
function namesProblem(leaf: X509Certificate, names: readonly string[], strict: boolean): string | undefined {
  const options = { subject: strict ? 'never' : 'default', wildcards: true, partialWildcards: false, multiLabelWildcards: false, singleLabelSubdomains: false } as const;
  const good = names.some((name) => (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name.replace(/\.$/, ''), options)) !== undefined);
  return good ? undefined : `certificate is not for ${names.join(', ')}`;
}

/**
 * RFC 7672 §3.1: DANE-EE(3) names the server's certificate itself; names and dates do not matter then. DANE-TA(2) names one that
 * vouches for it; then names and dates of the whole chain count. Other records are passed over; without a usable one nothing is good.
 * Limits on path length and names inside a private trust anchor's chain are not looked at.
 * @param chain the server's own certificate first.
 * @returns why not, or undefined.
 */
export function verifyDane(chain: readonly X509Certificate[], names: readonly string[], tlsa: readonly TlsaRecord[], now: number): string | undefined {
  const usable = tlsa.filter(isUsable);
  const [leaf] = chain;
  if (usable.length === 0) return 'no usable TLSA record';
  if (!leaf) return 'no certificate';
  if (usable.some((record) => record.usage === DANE_EE && matches(leaf, record))) return undefined;
  const anchors = usable.filter((record) => record.usage === DANE_TA);
  if (!anchors.some((anchor) => reaches(chain, anchor, now))) return 'no TLSA record matches';
  return namesProblem(leaf, names, false);
}

function matches(certificate: X509Certificate, { selector, matching, data }: TlsaRecord): boolean {
  const bytes = selector === 0 ? certificate.raw : certificate.publicKey.export({ format: 'der', type: 'spki' });
  const value = matching === 0 ? bytes : createHash(matching === 1 ? 'sha256' : 'sha512').update(bytes).digest();
  return value.toString('hex') === data;
}

/** Follows signatures from the server's certificate up to the anchor, sent along or in the record itself (RFC 7671 §5.2.2). */
function reaches(chain: readonly X509Certificate[], anchor: TlsaRecord, now: number): boolean {
  const left = chain.slice(1, DEEPEST);
  for (let current = chain[0]; current; ) {
    if (!isValidAt(current, now)) return false;
    // A certificate may vouch for itself: a server's own one as its trust anchor.
    if (matches(current, anchor)) return true;
    if (signedByRecord(current, anchor)) return true;
    const issued = current;
    const at = left.findIndex((candidate) => candidate.ca && issued.checkIssued(candidate) && verifies(issued, candidate.publicKey));
    current = at < 0 ? undefined : left.splice(at, 1)[0];
  }
  return false;
}

const isValidAt = (certificate: X509Certificate, now: number): boolean =>
  certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime();

function signedByRecord(certificate: X509Certificate, { selector, matching, data }: TlsaRecord): boolean {
  if (matching !== 0) return false;
  try {
    const bytes = Buffer.from(data, 'hex');
    if (selector === 1) return verifies(certificate, createPublicKey({ key: bytes, format: 'der', type: 'spki' }));
    const issuer = new X509Certificate(bytes);
    return issuer.ca && certificate.checkIssued(issuer) && verifies(certificate, issuer.publicKey);
  } catch {
    return false; // bytes that are no certificate or key
  }
}

/** A signature of another kind than the key's makes OpenSSL throw. */
function verifies(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.verify(key);
  } catch {
    return false;
  }
}
