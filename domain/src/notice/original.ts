import type { NoticeKind, QueuedMessage } from '../delivery/queue-events.js';
import { bytesOf, decodedText, oneLine } from './wire-text.js';

/** Bytes from the start of a body that composing wants to see: all of a small one, and the header of any. */
export const START = 65_536;
/** Octets of a header line (RFC 5322 §2.1.1); reception takes longer ones. */
const LINE = 998;

const CR = 13;
const LF = 10;

/** How much of the message goes back to its sender. */
export type Returned = 'whole' | 'header' | 'none';

/**
 * RFC 3461 §4.3 and §5.2: RET speaks of failures only, everything else returns the header. RFC 8689 §5 withholds the text of a message
 * that demanded TLS. BINARYMIME does not survive the way back.
 * @param readable whether the body can be read.
 * @param small bytes up to which a failed message goes back whole unasked; `large`: with RET=FULL.
 */
export function returnedOf(kind: NoticeKind, message: QueuedMessage, readable: boolean, small: number, large: number): Returned {
  if (!readable) return 'none';
  if (kind !== 'failed' || message.ret === 'HDRS' || message.requireTls || message.body === 'BINARYMIME') return 'header';
  return message.trace.length + message.size <= (message.ret === 'FULL' ? large : small) ? 'whole' : 'header';
}

/**
 * The header as it would have been sent on: trace first, without the empty line, every line ended by CRLF, without NUL, lines cut at 998
 * octets. Of a header longer than `start` only the whole lines.
 */
export function headerOf(trace: string, start: Uint8Array): Uint8Array {
  const lines: Uint8Array[] = [bytesOf(trace)];
  for (let at = 0; at < start.length; ) {
    const lf = start.indexOf(LF, at);
    // What has no line end is cut off in the middle, or is a body without header and line end.
    if (lf < 0) break;
    const line = start.subarray(at, lf > at && start[lf - 1] === CR ? lf - 1 : lf);
    at = lf + 1;
    if (line.length === 0) break;
    lines.push(tame(line), CRLF);
  }
  return concat(lines);
}

const CRLF = Uint8Array.of(CR, LF);
const tame = (line: Uint8Array): Uint8Array => (line.length <= LINE && !line.includes(CR) && !line.includes(0) ? line : line.filter((b) => b !== CR && b !== 0).subarray(0, LINE));

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const isSevenBit = (bytes: Uint8Array): boolean => {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) > 127) return false;
  return true;
};

/** The first Subject of a header, readable and in one line; '' for none. */
export function subjectOf(header: Uint8Array): string {
  const text = new TextDecoder().decode(header.subarray(0, START));
  const field = /(?:^|\n)subject[ \t]*:((?:[^\n]|\n[ \t])*)/i.exec(text)?.[1] ?? '';
  return oneLine(decodedText(field.slice(0, 4000).replace(/\r?\n/g, '').trim()), 200);
}

/** What the first Received field says of the client: its name, when this server wrote it down (RFC 3464 §2.2.3). */
export const clientOf = (trace: string): string | undefined => /^Received: from ([A-Za-z0-9._:[\]-]{1,255})\s+\(\[/.exec(trace)?.[1];
