import { binary } from './binary.js';
import { ENVELOPE_FIELDS, readEnvelope, readReferences } from './envelope.js';
import { readFields } from './fields.js';
import type { Address, Envelope, Part, Structure } from './structure.js';

const LF = 10;
const WANTED: ReadonlySet<string> = new Set(ENVELOPE_FIELDS);

/**
 * The structure of a message that stands behind a few header lines of its own for each recipient (Return-Path, Delivered-To, Received).
 * The same as reading both together, but that the body's fields go before those of the prefix, and that content fields in the prefix are
 * not looked at. Costs no reading of the body.
 * @param prefix whole header lines, each ended by LF; none of them empty.
 */
export function withPrefix(structure: Structure, prefix: Uint8Array): Structure {
  if (prefix.length === 0) return structure;
  const shifted = shift(structure.root, prefix.length);
  const root = { ...shifted, headerStart: 0, headerLines: shifted.headerLines + countLines(prefix) };
  return { ...structure, ...merged(structure, prefix), root, size: structure.size + prefix.length };
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}

function shift(part: Part, by: number): Part {
  return {
    ...part,
    headerStart: part.headerStart + by,
    bodyStart: part.bodyStart + by,
    bodyEnd: part.bodyEnd + by,
    parts: part.parts.map((child) => shift(child, by)),
    ...(part.message && { message: { ...part.message, root: shift(part.message.root, by) } }),
  };
}

/** Fields of the body's header count; the prefix only adds what that lacks. */
function merged({ envelope, references }: Structure, prefix: Uint8Array): Pick<Structure, 'envelope' | 'references'> {
  const fields = readFields(binary(prefix), WANTED);
  if (fields.size === 0) return { envelope, references };
  const own = readEnvelope(fields);
  const list = (key: 'from' | 'sender' | 'replyTo' | 'to' | 'cc' | 'bcc'): readonly Address[] => (envelope[key].length > 0 ? envelope[key] : own[key]);
  const lists = { from: list('from'), sender: list('sender'), replyTo: list('replyTo'), to: list('to'), cc: list('cc'), bcc: list('bcc') };
  const whole: Envelope = { ...own, ...envelope, ...lists };
  return { envelope: whole, references: references.length > 0 ? references : readReferences(fields) };
}
