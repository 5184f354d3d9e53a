import type { TlsFailure, TlsOutcome } from '../delivery/queue-events.js';
import type { TlsSubject } from './demands.js';

const EXPIRED: readonly string[] = ['CERT_HAS_EXPIRED'];
const MISMATCH: readonly string[] = ['ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_TLS_CERT_ALTNAME_FORMAT', 'HOSTNAME_MISMATCH'];
const UNTRUSTED: readonly string[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_UNTRUSTED', 'CERT_REVOKED', 'CERT_CHAIN_TOO_LONG', 'INVALID_CA', 'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED', 'CERT_REJECTED', 'CERT_SIGNATURE_FAILURE', 'CERT_NOT_YET_VALID',
];

/** What is wrong with a certificate, by the error code of Node's TLS; undefined when the error is about something else. */
export function certificateFailure(code: string | undefined): TlsFailure | undefined {
  if (code === undefined) return undefined;
  if (EXPIRED.includes(code)) return 'certificate-expired';
  if (MISMATCH.includes(code)) return 'certificate-host-mismatch';
  return UNTRUSTED.includes(code) ? 'certificate-not-trusted' : undefined;
}

/** How far a connection came: open, encrypted or not; or where its encryption failed, and the client's words for it (`ConnectFailed`). */
export type TlsResult =
  | { readonly opened: true; readonly encrypted: boolean }
  | { readonly opened: false; readonly phase: string; readonly reply: string };

/**
 * What to record about one connection. When the first demand failed and a later one worked, it is the failure that counts.
 * @param subject as `planTls` gave it; undefined = the domain wants no reports.
 */
export function tlsOutcome(
  subject: TlsSubject | undefined,
  at: Pick<TlsOutcome, 'host' | 'ip' | 'source'>,
  result: TlsResult,
): TlsOutcome | undefined {
  if (!subject) return undefined;
  const { domain, policy } = subject;
  const failure = subject.failure ?? failureOf(result);
  return { domain, policy, ...at, ...(failure && { failure }) };
}

function failureOf(result: TlsResult): TlsFailure | undefined {
  if (result.opened) return result.encrypted ? undefined : 'starttls-not-supported';
  if (result.phase === 'STARTTLS') return 'starttls-not-supported';
  if (result.reply.includes('certificate is not for')) return 'certificate-host-mismatch';
  return certificateFailure(/\b[A-Z]+(?:_[A-Z]+)+\b/.exec(result.reply)?.[0]) ?? 'validation-failure';
}
