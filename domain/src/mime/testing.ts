import { binary, bytesOf } from './binary.js';
import { parseStructure, StructureParser } from './structure-parser.js';
import type { Part, Structure } from './structure.js';

/** For tests only. A message of these lines, each character one byte; the last line is not ended. */
export const lines = (...texts: readonly string[]): Uint8Array => bytesOf(texts.join('\r\n'));

export const structureOf = (...texts: readonly string[]): Structure => parseStructure(lines(...texts));

/** In chunks of these sizes, used again and again; 0 counts as 1. The parser sees only copies that are overwritten afterwards. */
export function inChunks(message: Uint8Array, sizes: readonly number[]): Structure {
  const parser = new StructureParser();
  for (let at = 0, i = 0; at < message.length; i++) {
    const chunk = message.slice(at, at + Math.max(1, sizes[i % sizes.length] ?? 1));
    at += chunk.length;
    parser.push(chunk);
    chunk.fill(0x2d);
  }
  return parser.end();
}

/** A part as one can read it: `type [its header] its body`, parts in brackets. */
export function outline(message: Uint8Array, part: Part): unknown {
  const type = `${part.type}/${part.subtype}`;
  if (part.parts.length > 0) return [type, ...part.parts.map((child) => outline(message, child))];
  if (part.message) return [type, outline(message, part.message.root)];
  return `${type}: ${binary(message.subarray(part.bodyStart, part.bodyEnd))}`;
}
