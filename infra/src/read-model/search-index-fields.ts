import { headerLines } from '@kiroku/domain/imap/search/header-text.js';
import { KEPT_FIELDS, type KeptField } from '@kiroku/domain/imap/search/index-row.js';
import type { HeaderTest, SourceTest } from '@kiroku/domain/imap/search/source.js';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { numbersIn } from './mailboxes/numbers.js';
import { COLUMN, CONTROL, inPrefix, Values } from './search-index-sql.js';

/** Bytes of all that is kept, as they are estimated here. */
const LIMIT = 32 * 1024 * 1024;
/** UIDs that are kept together. */
const CHUNK = 4_096;
/** Stands for a field that a message does not have. Like the line ends between texts it is in no text, and in no needle. */
const ABSENT = '\0';

/** The texts of one field in a stretch of a mailbox, in one string: a search is then one pass over it. */
interface Chunk {
  readonly uids: Uint32Array;
  /** Where each text begins in `text`. */
  readonly starts: Uint32Array;
  readonly text: string;
}
const NOTHING: Chunk = { uids: new Uint32Array(), starts: new Uint32Array(), text: '' };

export interface FieldTest extends HeaderTest {
  readonly field: KeptField;
}

/** A test that the texts decide alone. */
export const isFieldTest = (test: SourceTest): test is FieldTest =>
  test.by === 'header' && (KEPT_FIELDS as readonly string[]).includes(test.field) && !CONTROL.test(test.needle);

export interface Sorted {
  /** Those that pass. */
  readonly passed: Uint32Array;
  /** Those of which nothing is known here. */
  readonly open: Uint32Array;
}

/** Header fields that people search for, kept in memory: what a UID says never changes. What was searched least lately goes first. */
export class FieldTexts {
  readonly #chunks: LRUCache<string, Chunk>;

  constructor(
    private readonly pool: pg.Pool,
    limit = LIMIT,
  ) {
    this.#chunks = new LRUCache({ maxSize: limit, sizeCalculation: ({ uids, text }) => 500 + 8 * uids.length + 2 * text.length });
  }

  /** Estimated. */
  get size(): number {
    return this.#chunks.calculatedSize;
  }

  /** @param uids ascending. @param tests all of which have to be passed. */
  async sort(mailbox: string, uids: Uint32Array, tests: readonly FieldTest[]): Promise<Sorted> {
    const failed = new Uint8Array(uids.length);
    const unknown = new Uint8Array(uids.length);
    for (const test of tests) await this.#apply(mailbox, uids, test, failed, unknown);
    return { passed: uids.filter((_, i) => !failed[i] && !unknown[i]), open: uids.filter((_, i) => !failed[i] && unknown[i]) };
  }

  async #apply(mailbox: string, uids: Uint32Array, { field, needle }: FieldTest, failed: Uint8Array, unknown: Uint8Array): Promise<void> {
    for (let from = 0; from < uids.length; ) {
      const number = Math.floor((uids[from] as number) / CHUNK);
      let to = from + 1;
      while (to < uids.length && (uids[to] as number) < (number + 1) * CHUNK) to++;
      const { uids: known, starts, text } = await this.#chunk(mailbox, field, number, uids.subarray(from, to));
      const has = hits(starts, text, needle);
      for (let at = 0; from < to; from++) {
        while (at < known.length && (known[at] as number) < (uids[from] as number)) at++;
        if (known[at] !== uids[from]) unknown[from] = 1;
        else if (!has[at]) failed[from] = 1;
      }
    }
  }

  /** With all of `uids` that can be had. */
  async #chunk(mailbox: string, field: KeptField, number: number, uids: Uint32Array): Promise<Chunk> {
    const key = keyOf(mailbox, field, number);
    const kept = this.#chunks.get(key) ?? NOTHING;
    let at = 0;
    const missing = uids.filter((uid) => {
      while (at < kept.uids.length && (kept.uids[at] as number) < uid) at++;
      return kept.uids[at] !== uid;
    });
    if (missing.length === 0) return kept;
    const texts = await this.#read(mailbox, field, missing);
    return texts.size === 0 ? kept : this.#add(key, texts);
  }

  /** What somebody has found out, none of it with the field before the body as well. @param texts undefined: there is no such field. */
  learn(mailbox: string, field: KeptField, texts: readonly (readonly [uid: number, text: string | undefined])[]): void {
    const chunks = new Map<number, Map<number, string>>();
    for (const [uid, text] of texts) {
      const number = Math.floor(uid / CHUNK);
      const chunk = chunks.get(number) ?? new Map<number, string>();
      chunks.set(number, chunk.set(uid, text ?? ABSENT));
    }
    for (const [number, chunk] of chunks) this.#add(keyOf(mailbox, field, number), chunk);
  }

  #add(key: string, texts: Map<number, string>): Chunk {
    const now = this.#chunks.get(key) ?? NOTHING;
    now.uids.forEach((uid, i) => texts.set(uid, textAt(now, i)));
    const chunk = chunkOf(texts);
    this.#chunks.set(key, chunk);
    return chunk;
  }

  /** By UID, unless the field also stands before the body: then the message has to be looked at. */
  async #read(mailbox: string, field: KeptField, uids: Uint32Array): Promise<Map<number, string>> {
    const values = new Values();
    const where = `m.mailbox_id = ${values.add(mailbox)} AND m.uid BETWEEN ${values.add(uids[0])} AND ${values.add(uids.at(-1))}`;
    const { rows } = await this.pool.query<{ uids: string | null; texts: (string | null)[] | null; prefixes: (string | null)[] | null }>({
      text: `SELECT array_agg(x.uid)::text AS uids, json_agg(x.text) AS texts, CASE WHEN count(x.prefix) > 0 THEN json_agg(x.prefix) END AS prefixes FROM (
               SELECT m.uid, ${COLUMN[field]} AS text, CASE WHEN ${inPrefix(field, values)} THEN m.prefix END AS prefix
               FROM view.mailbox_message_1 m JOIN cache.search_1 s ON s.sha256 = m.sha256 WHERE ${where}) x`,
      values: values.list,
    });
    const [row] = rows;
    const found = new Map<number, string>();
    numbersIn(row?.uids ?? null).forEach((uid, i) => {
      const prefix = row?.prefixes?.[i];
      if (prefix != null && headerLines(Buffer.from(prefix)).some(({ name }) => name === field)) return;
      found.set(uid, row?.texts?.[i] ?? ABSENT);
    });
    return found;
  }
}

const keyOf = (mailbox: string, field: KeptField, number: number): string => `${mailbox}/${field}/${number}`;

/** By place: does the text there hold the needle? Everything that is there holds ''. */
function hits(starts: Uint32Array, text: string, needle: string): Uint8Array {
  const has = new Uint8Array(starts.length);
  if (needle === '') return has.map((_, i) => (text[starts[i] as number] === ABSENT ? 0 : 1));
  let place = 0;
  for (let at = text.indexOf(needle); at >= 0; ) {
    while (place + 1 < starts.length && (starts[place + 1] as number) <= at) place++;
    has[place] = 1;
    if (place + 1 >= starts.length) break;
    at = text.indexOf(needle, starts[place + 1]);
  }
  return has;
}

function chunkOf(texts: ReadonlyMap<number, string>): Chunk {
  const uids = Uint32Array.from(texts.keys()).sort();
  const starts = new Uint32Array(uids.length);
  const lines: string[] = [];
  let at = 0;
  uids.forEach((uid, i) => {
    const line = texts.get(uid) as string;
    starts[i] = at;
    at += line.length + 1;
    lines.push(line);
  });
  return { uids, starts, text: lines.join('\n') };
}

const textAt = ({ starts, text }: Chunk, i: number): string => text.slice(starts[i], i + 1 < starts.length ? (starts[i + 1] as number) - 1 : text.length);
