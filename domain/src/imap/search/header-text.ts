import { binary } from '../../mime/binary.js';
import { decodeHeader } from '../../mime/encoded-words.js';
import { fieldEnd, unfold } from '../../mime/fields.js';
import { HEADER_LIMIT } from '../../mime/structure.js';
import { fold } from './fold.js';

/** A header field as people read it: unfolded, RFC 2047 undone, folded for comparison. */
export interface HeaderLine {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

/** Fields of one header; the next ones are not searched. */
const MOST_FIELDS = 5_000;
const LF = 10;
const CR = 13;

/** @param header with or without its empty line; looked at as far as HEADER_LIMIT. */
export function headerLines(header: Uint8Array): readonly HeaderLine[] {
  const text = binary(header.subarray(0, HEADER_LIMIT));
  const lines: HeaderLine[] = [];
  for (let at = 0; at < text.length && lines.length < MOST_FIELDS; ) {
    const end = fieldEnd(text, at);
    const field = text.slice(at, end);
    const colon = field.indexOf(':');
    if (colon > 0) lines.push({ name: field.slice(0, colon).trim().toLowerCase(), value: fold(decodeHeader(unfold(field.slice(colon + 1)))) });
    at = end;
  }
  return lines;
}

/** By name: the values of a field as people read them, one to a line. Absent: there is no such field. */
export type FieldValues = ReadonlyMap<string, string>;

/**
 * Some fields of a message's own header, as `headerLines` gives them, without a look at the others.
 * @param message its octets, at least as far as its header goes. @param wanted names in lower case.
 */
export function fieldValues(message: Uint8Array, wanted: ReadonlySet<string>): FieldValues {
  const text = binary(message.subarray(0, headerEnd(message)));
  const found = new Map<string, string>();
  let colon = -1;
  for (let at = 0, fields = 0; at < text.length && fields < MOST_FIELDS; ) {
    const end = fieldEnd(text, at);
    // Looked for once, however many lines before it have none.
    if (colon < at) colon = text.indexOf(':', at);
    if (colon > at && colon < end) {
      fields++;
      const name = text.slice(at, colon).trim().toLowerCase();
      if (wanted.has(name)) {
        const value = fold(decodeHeader(unfold(text.slice(colon + 1, end))));
        const before = found.get(name);
        found.set(name, before === undefined ? value : `${before}\n${value}`);
      }
    } else if (colon < 0) break;
    at = end;
  }
  return found;
}

/** Behind the first empty line, as the structure parser finds it; not beyond HEADER_LIMIT. */
function headerEnd(message: Uint8Array): number {
  const limit = Math.min(message.length, HEADER_LIMIT);
  for (let at = 0; at < limit; ) {
    if (message[at] === LF) return at + 1;
    const lf = message.indexOf(LF, at);
    if (lf === at + 1 && message[at] === CR) return lf + 1;
    if (lf < 0) return limit;
    at = lf + 1;
  }
  return limit;
}

/** What TEXT looks for in a header, and what its signature is made of. Folded. */
export function textOf(lines: readonly HeaderLine[]): string {
  return lines.map(({ name, value }) => `${fold(name)}: ${value}`).join('\n');
}

/** HEADER (RFC 9051 §6.4.4). `needle` folded; '' is in every field. */
export function hasField(lines: readonly HeaderLine[], field: string, needle: string): boolean {
  return lines.some(({ name, value }) => name === field && value.includes(needle));
}
