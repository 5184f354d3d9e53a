import type { Rules } from './session.js';

export interface Offer {
  readonly tls: Rules['tls'];
  /** Bytes; 0 = no fixed limit (RFC 1870 §4 says the same). */
  readonly messageSize: number;
  /** 0 = not said. */
  readonly recipientsPerMessage: number;
  /** Those that may be used now, so without TLS usually none that sends the password. */
  readonly mechanisms: readonly string[];
}

/** The keyword lines of the answer to EHLO, after the greeting line. */
export function extensions({ tls, messageSize, recipientsPerMessage, mechanisms }: Offer): readonly string[] {
  const lines = ['PIPELINING', `SIZE ${messageSize}`, '8BITMIME', 'SMTPUTF8', 'CHUNKING', 'BINARYMIME', 'ENHANCEDSTATUSCODES', 'DSN'];
  if (tls === 'available') lines.push('STARTTLS');
  if (tls === 'active') lines.push('REQUIRETLS'); // RFC 8689 §2: never over a plain connection
  if (mechanisms.length > 0) lines.push(`AUTH ${mechanisms.join(' ')}`);
  if (recipientsPerMessage > 0) lines.push(`LIMITS RCPTMAX=${recipientsPerMessage}`); // RFC 9422 §4
  lines.push('HELP');
  return lines;
}
