import { filterHeader } from '@kiroku/domain/mime/header-filter.js';
import { partAt, sectionRange } from '@kiroku/domain/mime/sections.js';
import type { Structure } from '@kiroku/domain/mime/structure.js';
import { transferDecoder, type TransferDecoder } from '@kiroku/domain/mime/transfer.js';
import type { Extent, Octets } from '../octets.js';
import { No } from '../refusal.js';
import type { BodyItem } from './plan.js';

/** Octets that are read before the answer begins; longer ones stream. */
const SMALL = 64 * 1024;
/** Octets of a header that HEADER.FIELDS looks through; what stands behind is no header any more. */
const HEADER_LIMIT = 1024 * 1024;

/** An item's value: text, octets at hand, or octets to be streamed. */
export type Value =
  | { readonly text: string }
  | { readonly text: string; readonly pieces: readonly Uint8Array[] }
  | { readonly text: string; readonly size: number; readonly stream: () => AsyncIterable<Uint8Array> };

/** Finds out what a body item answers; at once where the octets are at hand. @throws No `UNKNOWN-CTE`; what the object store throws. */
export function valueOf(item: BodyItem, octets: Octets, structure: Structure | undefined): Value | Promise<Value> {
  if (item.kind !== 'section') return binary(item, octets, structure);
  const extent = extentOf(item, octets, structure);
  if (!extent) return { text: `${item.label} NIL` };
  const { text } = item.section;
  if (text === 'HEADER.FIELDS' || text === 'HEADER.FIELDS.NOT') return fields(item, octets, extent);
  const [from, to] = window(item, extent.to - extent.from);
  const wanted = { from: extent.from + from, to: extent.from + to };
  const pieces = octets.now(wanted);
  if (pieces) return { text: `${item.label} {${to - from}}\r\n`, pieces };
  return literal(`${item.label} `, to - from, () => octets.read(wanted));
}

async function binary(item: BodyItem, octets: Octets, structure: Structure | undefined): Promise<Value> {
  const extent = extentOf(item, octets, structure);
  if (!extent) return { text: `${item.label} ${item.kind === 'binary' ? 'NIL' : '0'}` };
  const encoding = item.section.part.length === 0 || !structure ? '7bit' : (partAt(structure, item.section.part)?.encoding ?? '7bit');
  if (!transferDecoder(encoding)) throw new No('The encoding is not known', 'UNKNOWN-CTE');
  const decoded = (): AsyncIterable<Uint8Array> => decode(octets.read(extent), encoding);
  const plain = encoding === '7bit' || encoding === '8bit' || encoding === 'binary';
  const size = plain ? extent.to - extent.from : await lengthOf(decoded());
  if (item.kind === 'binary-size') return { text: `${item.label} ${size}` };
  const [from, to] = window(item, size);
  return literal(`${item.label} ~`, to - from, () => slice(decoded(), from, to));
}

function fields(item: BodyItem, octets: Octets, { from, to }: Extent): Value | Promise<Value> {
  const wanted = { from, to: Math.min(to, from + HEADER_LIMIT) };
  const pieces = octets.now(wanted);
  return pieces ? filtered(item, joined(pieces)) : octets.bytes(wanted).then((header) => filtered(item, header));
}

function filtered(item: BodyItem, header: Uint8Array): Value {
  const kept = filterHeader(header, item.section.fields, item.section.text === 'HEADER.FIELDS.NOT');
  const [from, to] = window(item, kept.length);
  return { text: `${item.label} {${to - from}}\r\n`, pieces: [kept.subarray(from, to)] };
}

async function literal(label: string, size: number, stream: () => AsyncIterable<Uint8Array>): Promise<Value> {
  const text = `${label}{${size}}\r\n`;
  if (size > SMALL) return { text, size, stream };
  const pieces: Uint8Array[] = [];
  for await (const chunk of stream()) pieces.push(chunk);
  if (pieces.reduce((sum, { length }) => sum + length, 0) !== size) throw new Error('a body is shorter or longer than it says');
  return { text, pieces };
}

function extentOf({ section: { part, text } }: BodyItem, octets: Octets, structure: Structure | undefined): Extent | undefined {
  if (part.length === 0 && text === 'all') return octets.whole;
  if (!structure) return undefined;
  const kind = text === 'all' ? 'all' : text === 'TEXT' ? 'text' : text === 'MIME' ? 'mime' : 'header';
  const range = sectionRange(structure, { part, kind });
  return range && { from: range.start, to: range.end };
}

function window({ partial }: BodyItem, size: number): readonly [from: number, to: number] {
  if (!partial) return [0, size];
  const from = Math.min(partial.from, size);
  return [from, Math.min(size, from + partial.count)];
}

async function* decode(chunks: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<Uint8Array> {
  const decoder = transferDecoder(encoding) as TransferDecoder;
  for await (const chunk of chunks) yield decoder.push(chunk);
  yield decoder.end();
}

async function* slice(chunks: AsyncIterable<Uint8Array>, from: number, to: number): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const chunk of chunks) {
    const part = chunk.subarray(Math.max(0, from - at), Math.max(0, to - at));
    if (part.length > 0) yield part;
    at += chunk.length;
    if (at >= to) return;
  }
}

async function lengthOf(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of chunks) length += chunk.length;
  return length;
}

/** The pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
}
