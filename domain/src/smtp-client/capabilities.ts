import type { Reply } from './reply.js';

/** What a server offers in its answer to EHLO. A server that knows only HELO offers nothing. */
export interface Capabilities {
  readonly pipelining: boolean;
  readonly startTls: boolean;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  readonly chunking: boolean;
  readonly binary: boolean;
  readonly dsn: boolean;
  readonly requireTls: boolean;
  readonly enhancedCodes: boolean;
  /** Bytes of the largest message it takes; 0 = not said (RFC 1870 §4). */
  readonly size: number;
  /** SIZE is offered at all, so that MAIL may say it. */
  readonly sizeOffered: boolean;
  /** Mechanisms, upper case. */
  readonly auth: readonly string[];
  /** RFC 9422: recipients of a transaction, transactions of a connection; Infinity = not said. */
  readonly recipientsMax: number;
  readonly messagesMax: number;
}

export const NO_CAPABILITIES: Capabilities = {
  pipelining: false, startTls: false, eightBit: false, utf8: false, chunking: false, binary: false, dsn: false, requireTls: false,
  enhancedCodes: false, size: 0, sizeOffered: false, auth: [], recipientsMax: Infinity, messagesMax: Infinity,
};

/** Reads the answer to EHLO. What is not understood is not offered; never throws. */
export function capabilities({ lines }: Reply): Capabilities {
  const offered: { -readonly [K in keyof Capabilities]: Capabilities[K] } = { ...NO_CAPABILITIES };
  const auth = new Set<string>();
  for (const line of lines.slice(1)) {
    // `AUTH=LOGIN PLAIN` is how some servers older than RFC 4954 say it.
    const [keyword = '', ...words] = line.toUpperCase().replace(/^AUTH=/, 'AUTH ').trim().split(/\s+/);
    switch (keyword) {
      case 'PIPELINING': offered.pipelining = true; break;
      case 'STARTTLS': offered.startTls = true; break;
      case '8BITMIME': offered.eightBit = true; break;
      case 'SMTPUTF8': offered.utf8 = true; break;
      case 'CHUNKING': offered.chunking = true; break;
      case 'BINARYMIME': offered.binary = true; break;
      case 'DSN': offered.dsn = true; break;
      case 'REQUIRETLS': offered.requireTls = true; break;
      case 'ENHANCEDSTATUSCODES': offered.enhancedCodes = true; break;
      case 'SIZE':
        offered.sizeOffered = true;
        offered.size = /^\d{1,20}$/.test(words[0] ?? '') ? Number(words[0]) : 0;
        break;
      case 'AUTH': for (const word of words) auth.add(word); break;
      case 'LIMITS': limits(words, offered); break;
    }
  }
  offered.auth = [...auth];
  return offered;
}

/** RFC 9422 §3: `RCPTMAX=100 MAILMAX=50`; one to six digits, not 0. */
function limits(words: readonly string[], offered: { recipientsMax: number; messagesMax: number }): void {
  for (const word of words) {
    const [, name, digits] = /^([A-Z]+)=(\d{1,6})$/.exec(word) ?? [];
    const limit = Number(digits);
    if (name === 'RCPTMAX' && limit > 0) offered.recipientsMax = limit;
    if (name === 'MAILMAX' && limit > 0) offered.messagesMax = limit;
  }
}
