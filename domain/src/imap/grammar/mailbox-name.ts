import { isAscii, utf8 } from './binary.js';
import { fromModifiedUtf7, toModifiedUtf7 } from './modified-utf7.js';

/** RFC 6855 §3, RFC 9051 §5.1. */
const NEVER_IN_A_NAME = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;

/** A name or pattern as it came (binary string) as UTF-8 in NFC, INBOX in capitals; undefined when wrongly encoded or with control characters. */
export function mailboxFromWire(wire: string, inUtf8: boolean): string | undefined {
  const decoded = inUtf8 ? utf8(wire) : wire.includes('&') || !isAscii(wire) ? fromModifiedUtf7(wire) : wire;
  if (decoded === undefined || NEVER_IN_A_NAME.test(decoded)) return undefined;
  const name = isAscii(decoded) ? decoded : decoded.normalize('NFC');
  return /^inbox(?=\/|$)/i.test(name) ? `INBOX${name.slice(5)}` : name;
}

/** The name's characters on the wire, before quoting. */
export const mailboxToWire = (name: string, inUtf8: boolean): string => (inUtf8 ? name : toModifiedUtf7(name));
