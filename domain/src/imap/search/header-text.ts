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

/** What TEXT looks for in a header, and what its signature is made of. Folded. */
export function textOf(lines: readonly HeaderLine[]): string {
  return lines.map(({ name, value }) => `${fold(name)}: ${value}`).join('\n');
}

/** HEADER (RFC 9051 §6.4.4). `needle` folded; '' is in every field. */
export function hasField(lines: readonly HeaderLine[], field: string, needle: string): boolean {
  return lines.some(({ name, value }) => name === field && value.includes(needle));
}
