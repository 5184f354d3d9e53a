import { headerLines, textOf } from '@kiroku/domain/imap/search/header-text.js';
import { indexRow, type IndexRow } from '@kiroku/domain/imap/search/index-row.js';
import { PiecewiseSearch } from '@kiroku/domain/imap/search/fold.js';
import { Signer } from '@kiroku/domain/imap/search/grams.js';
import type { BodyRef, ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { HEADER_LIMIT, type Structure } from '@kiroku/domain/mime/structure.js';
import { parseStructure, StructureParser } from '@kiroku/domain/mime/structure-parser.js';
import { PartText, type TextPart, textParts } from '@kiroku/domain/mime/text-parts.js';

/** Bytes of a body that are held at once; a larger one passes in pieces, and again for each of its text parts. */
const WHOLE = 1_048_576;
/** Bytes of all text parts together, before decoding, that are indexed. */
const INDEXED = 1_048_576;

/** A body with its structure, ready to be looked into. */
interface Opened {
  readonly structure: Structure;
  readonly range: (from: number, to: number) => AsyncIterable<Uint8Array>;
}

/** Reads a body once, and again in parts when it is too large to be kept. @throws BodyMissing, BodyDamaged */
async function open(objects: ObjectStore, ref: BodyRef, body?: Uint8Array): Promise<Opened> {
  if (body || ref.size <= WHOLE) {
    const bytes = body ?? (await gathered(objects.read(ref), ref.size));
    return { structure: parseStructure(bytes), range: (from, to) => one(bytes.subarray(from, to)) };
  }
  return { structure: await passed(objects, ref), range: (from, to) => (from < to ? objects.read(ref, { offset: from, length: to - from }) : one(new Uint8Array())) };
}

async function passed(objects: Pick<ObjectStore, 'read'>, ref: BodyRef): Promise<Structure> {
  const parser = new StructureParser();
  for await (const chunk of objects.read(ref)) parser.push(chunk);
  return parser.end();
}

/** @param body where it is at hand. @throws BodyMissing, BodyDamaged */
export const bodyStructure = (objects: Pick<ObjectStore, 'read'>, ref: BodyRef, body?: Uint8Array): Structure | Promise<Structure> =>
  body ? parseStructure(body) : passed(objects, ref);

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function gathered(chunks: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  let whole: Uint8Array | undefined;
  let at = 0;
  for await (const chunk of chunks) {
    if (chunk.length === size) return chunk;
    (whole ??= new Uint8Array(size)).set(chunk, at);
    at += chunk.length;
  }
  return whole ?? new Uint8Array();
}

/** The message's own header. */
function headerOf({ structure: { root }, range }: Opened): Promise<Uint8Array> {
  const length = Math.min(root.bodyStart, HEADER_LIMIT);
  return gathered(range(0, length), length);
}

/** The text of a stretch in pieces, as it is read: encoding and charset undone, HTML as text. */
async function* pieces({ range }: Opened, { kind, part, start, end }: TextPart): AsyncGenerator<string> {
  if (kind === 'header') {
    const length = Math.min(end - start, HEADER_LIMIT);
    yield textOf(headerLines(await gathered(range(start, start + length), length)));
    return;
  }
  const text = new PartText(part);
  for await (const chunk of range(start, end)) yield text.push(chunk);
  yield text.end();
}

async function textsOf(opened: Opened, parts: readonly TextPart[]): Promise<readonly string[]> {
  const texts: string[] = [];
  for (const part of parts) {
    let text = '';
    for await (const piece of pieces(opened, part)) text += piece;
    texts.push(text);
  }
  return texts;
}

export interface BodyFacts {
  readonly structure: Structure;
  readonly row: IndexRow;
}

const signer = new Signer();

/** All that is kept of a body. Needs about WHOLE bytes of memory a few times over, whatever the body's size. @param body where it is at hand. */
export async function bodyFacts(objects: ObjectStore, ref: BodyRef, body?: Uint8Array): Promise<BodyFacts> {
  const opened = await open(objects, ref, body);
  const { structure } = opened;
  const parts = textParts(structure);
  const length = parts.reduce((sum, { start, end }) => sum + end - start, 0);
  const header = await headerOf(opened);
  const texts = length <= INDEXED ? await textsOf(opened, parts) : undefined;
  return { structure, row: indexRow(header, structure, texts, signer) };
}

/** Bytes that hold nearly all headers. */
const USUAL_HEADER = 16_384;

/** The message's own header alone. */
export async function bodyHeader(objects: ObjectStore, ref: BodyRef): Promise<Uint8Array> {
  for (const limit of [USUAL_HEADER, HEADER_LIMIT]) {
    const length = Math.min(ref.size, limit);
    const bytes = length === 0 ? new Uint8Array() : await gathered(objects.read(ref, { offset: 0, length }), length);
    const { bodyStart } = parseStructure(bytes).root;
    if (bodyStart < length || length === ref.size || limit === HEADER_LIMIT) return bytes.subarray(0, bodyStart);
  }
  throw new RangeError('unreachable');
}

/** What to look for; all folded. */
export interface Wanted {
  readonly body: readonly string[];
  /** In the header or the body. */
  readonly all: readonly string[];
}

/** Whether all that is wanted is in the message. @param prefix text of the fields before the body (see `textOf`). */
export async function bodyContains(objects: ObjectStore, ref: BodyRef, { body, all }: Wanted, prefix: string): Promise<boolean> {
  const opened = await open(objects, ref);
  const anywhere = new PiecewiseSearch(all);
  if (all.length > 0) {
    anywhere.take(prefix);
    anywhere.take(textOf(headerLines(await headerOf(opened))));
  }
  const search = new PiecewiseSearch([...body, ...anywhere.missing]);
  for (const part of textParts(opened.structure)) {
    for await (const piece of pieces(opened, part)) {
      search.write(piece);
      if (search.found) return true;
    }
    search.end();
  }
  return search.found;
}
