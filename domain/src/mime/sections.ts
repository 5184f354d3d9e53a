import { IDENTITY } from './draft.js';
import type { Message, Part } from './structure.js';

/** What stands between the brackets of BODY[…] (RFC 9051 §6.4.5.1), without the fields of HEADER.FIELDS, which is `header` here. */
export interface SectionPath {
  /** Part numbers, from 1; none: the message. */
  readonly part: readonly number[];
  /** `all`: the message, or the part's body. */
  readonly kind: 'all' | 'header' | 'text' | 'mime';
}

/** Bytes of the message, end exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** @returns undefined for a section that the message does not have. */
export function sectionRange(message: Message, { part: path, kind }: SectionPath): Range | undefined {
  if (path.length === 0) return kind === 'all' ? { start: message.root.headerStart, end: message.root.bodyEnd } : ofMessage(message, kind);
  const part = partAt(message, path);
  if (!part) return undefined;
  switch (kind) {
    case 'all':
      return { start: part.bodyStart, end: part.bodyEnd };
    case 'mime':
      return { start: part.headerStart, end: part.bodyStart };
    case 'header':
    case 'text':
      return part.message && ofMessage(part.message, kind);
  }
}

function ofMessage({ root }: Message, kind: 'header' | 'text' | 'mime'): Range {
  return kind === 'text' ? { start: root.bodyStart, end: root.bodyEnd } : { start: root.headerStart, end: root.bodyStart };
}

/**
 * The part with these numbers. A message that is no multipart has one part, itself (its MIME header is its header); a multipart without
 * parts has one that is empty, because BODYSTRUCTURE cannot say otherwise.
 */
export function partAt(message: Message, path: readonly number[]): Part | undefined {
  let within: Message | Part | undefined = message;
  let part: Part | undefined;
  for (const number of path) {
    if (!within) return undefined;
    const container: Part = 'root' in within ? within.root : within;
    if (container.type === 'multipart') part = container.parts[number - 1] ?? (container.parts.length === 0 && number === 1 ? emptyPart(container) : undefined);
    else part = 'root' in within && number === 1 ? container : undefined;
    if (!part) return undefined;
    within = part.message ?? (part.type === 'multipart' ? part : undefined);
  }
  return part;
}

/** The text/plain of no bytes that stands for the parts of a multipart that has none. */
export const emptyPart = ({ bodyEnd }: Part): Part => ({
  headerStart: bodyEnd,
  bodyStart: bodyEnd,
  bodyEnd,
  headerLines: 0,
  bodyLines: 0,
  type: 'text',
  subtype: 'plain',
  parameters: [],
  encoding: '7bit',
  parts: [],
});

/**
 * BINARY.SIZE (RFC 3516 §4.3, RFC 9051 §6.4.5): bytes of the body with its encoding undone.
 * @returns undefined where only decoding can tell: base64 and quoted-printable.
 */
export const binarySize = ({ encoding, bodyStart, bodyEnd }: Part): number | undefined =>
  IDENTITY.includes(encoding) || bodyStart === bodyEnd ? bodyEnd - bodyStart : undefined;
