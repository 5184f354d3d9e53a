import { type FieldValues, fieldValues } from '@kiroku/domain/imap/search/header-text.js';
import type { IndexRow, KeptField } from '@kiroku/domain/imap/search/index-row.js';
import type { BodyRef, ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { Structure } from '@kiroku/domain/mime/structure.js';
import { decodeStructure, encodeStructure, isEncodedStructure } from '@kiroku/domain/mime/codec.js';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { columnArrays } from './columns.js';
import { type BodyFacts, bodyFacts, bodyHeader, bodyStructure } from './search-index-body.js';
import { FieldTexts } from './search-index-fields.js';
import { glances, Readings } from './search-index-readings.js';
import { Slots } from './search-index-slots.js';

/** Groups of bodies read at once by a process, each with a few megabytes of memory at most. */
const AT_ONCE = 6;
/** Bodies per statement. */
const BATCH = 200;
/** Statements that nobody waits for, before one is waited for. */
const BEHIND = 4;

/** Searches of a stretch of a mailbox of which one keeps all that it reads, and stretches that are remembered. */
const OFTEN = 10;
const MOST_STRETCHES = 10_000;

const COLUMNS = {
  sha256: 'bytea', structure: 'text', header_grams: 'bytea', text_grams: 'bytea', sent_at: 'bigint', sent_day: 'integer', subject: 'text',
  from_text: 'text', to_text: 'text', cc_text: 'text', bcc_text: 'text', keys: 'text', thread: 'text',
} as const;
const [, , ...SEARCHED] = Object.keys(COLUMNS);

// Waiting for the disk is not worth it: what a crash takes away is found out again.
const INSERT = `
  WITH new AS (SELECT * FROM unnest(${Object.values(COLUMNS).map((type, i) => `$${i + 1}::${type}[]`).join(', ')}) AS n(${Object.keys(COLUMNS).join(', ')})),
       structures AS (INSERT INTO cache.body_1 AS b SELECT sha256, structure FROM new
         ON CONFLICT (sha256) DO UPDATE SET structure = excluded.structure WHERE b.structure <> excluded.structure)
  INSERT INTO cache.search_1 SELECT sha256, ${SEARCHED.join(', ')} FROM new ON CONFLICT DO NOTHING`;

const INSERT_STRUCTURES = `
  INSERT INTO cache.body_1 AS b SELECT * FROM unnest($1::bytea[], $2::text[])
  ON CONFLICT (sha256) DO UPDATE SET structure = excluded.structure WHERE b.structure <> excluded.structure`;

/**
 * What is known of bodies without reading them: their structure, and what searches need. Filled by whoever asks first; any row may be
 * lost at any time. One per process.
 */
export class BodyCache {
  readonly fields: FieldTexts;
  /** Told when bodies were passed over so. */
  wanting: () => void = () => undefined;
  readonly #slots = new Slots(AT_ONCE);
  readonly #facts: Readings<BodyFacts>;
  readonly #structures: Readings<Structure>;
  readonly #behind = new Set<Promise<void>>();
  readonly #passed = new LRUCache<string, number>({ max: MOST_STRETCHES });

  constructor(
    private readonly pool: pg.Pool,
    readonly objects: ObjectStore,
    private readonly trouble: (error: unknown) => void,
  ) {
    this.fields = new FieldTexts(pool);
    this.#facts = new Readings(objects, this.#slots, (ref, body) => bodyFacts(objects, ref, body), trouble);
    this.#structures = new Readings(objects, this.#slots, (ref, body) => bodyStructure(objects, ref, body), trouble);
  }

  /**
   * By SHA-256, to be called for when it is needed: until then it is but a short text. Bodies that are gone or damaged are absent. At most
   * 1,000 at once. What had to be read is kept a moment later, and the rest of what could be known of it is left to whoever needs it.
   */
  async structures(refs: readonly BodyRef[]): Promise<ReadonlyMap<string, () => Structure>> {
    const { rows } = await this.pool.query<{ sha256: string; structure: string }>({
      name: 'body-structures', text: `SELECT encode(sha256, 'hex') AS sha256, structure FROM cache.body_1 WHERE sha256 = ANY ($1::bytea[])`,
      values: [namesText([...new Set(refs.map((r) => r.sha256))])],
    });
    const found = new Map<string, () => Structure>();
    // Another release may have written it.
    for (const { sha256, structure } of rows) if (isEncodedStructure(structure)) found.set(sha256, () => this.#decoded(sha256, structure));
    const missing = onePerBody(refs.filter((r) => !found.has(r.sha256)));
    for (let start = 0; start < missing.length; start += BATCH) {
      const read = pairs(missing.slice(start, start + BATCH), await this.#structures.of(missing.slice(start, start + BATCH)));
      for (const [ref, structure] of read) found.set(ref.sha256, () => structure);
      const rowsOf = (): readonly { sha256: string; structure: string }[] => read.map(([ref, structure]) => ({ sha256: `\\x${ref.sha256}`, structure: encodeStructure(structure) }));
      await this.#later(() => this.pool.query({ name: 'body-structures-write', text: INSERT_STRUCTURES, values: [...columnArrays(rowsOf(), { sha256: 'bytea', structure: 'text' })] }));
    }
    return found;
  }

  /** Reads those of the bodies that are not known yet. @returns how many it read. */
  async ensure(refs: readonly BodyRef[]): Promise<number> {
    let read = 0;
    for (let start = 0; start < refs.length; start += BATCH) {
      const some = refs.slice(start, start + BATCH);
      const { rows } = await this.pool.query<{ sha256: string }>({
        name: 'bodies-known', text: `SELECT encode(sha256, 'hex') AS sha256 FROM cache.search_1 WHERE sha256 = ANY ($1::bytea[])`, values: [namesText(some.map((r) => r.sha256))],
      });
      const known = new Set(rows.map((r) => r.sha256));
      const missing = onePerBody(some.filter((r) => !known.has(r.sha256)));
      const facts = pairs(missing, await this.#facts.of(missing));
      await this.#write(facts);
      read += facts.length;
    }
    return read;
  }

  /** Of each body what these fields of its own header say, one value to a line; null: no such field. Undefined where it cannot be read. */
  async headers(refs: readonly BodyRef[], fields: readonly KeptField[]): Promise<readonly (FieldValues | undefined)[]> {
    const wanted = new Set<string>(fields);
    const one = new Readings(this.objects, this.#slots, async (ref, body) => fieldValues(body ?? (await bodyHeader(this.objects, ref)), wanted), this.trouble);
    const unique = onePerBody(refs);
    const values = new Map(pairs(unique, await one.of(unique)).map(([ref, value]) => [ref.sha256, value]));
    return refs.map(({ sha256 }) => values.get(sha256));
  }

  /**
   * Searches have passed over bodies of this stretch, without keeping what they read, so often that the next must not; then it counts anew. In a mailbox of
   * many stretches it is another's turn each time.
   */
  passedOften(mailbox: string, stretch: number): boolean {
    const name = `${mailbox}/${stretch}`;
    const times = (this.#passed.get(name) ?? stretch % OFTEN) + 1;
    this.#passed.set(name, times % OFTEN);
    return times === OFTEN;
  }

  /** What a look at the octets of each body says; true where there was none. Nothing is kept. */
  glances(refs: readonly BodyRef[], says: (body: Uint8Array, index: number) => boolean): Promise<readonly boolean[]> {
    return glances(this.objects, this.#slots, refs, says);
  }

  /** Runs in turn with all else that reads bodies here. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#slots.run(work);
  }

  /** When it resolves, all that has been read is kept, unless that failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#behind);
  }

  /** Does something that nobody waits for, unless there is much of it. */
  async #later(work: () => Promise<unknown>): Promise<void> {
    const done = work().then(() => undefined, this.trouble).finally(() => this.#behind.delete(done));
    this.#behind.add(done);
    if (this.#behind.size > BEHIND) await Promise.race(this.#behind);
  }

  /** @throws Error when the text is damaged: it is forgotten then, so that who asks again gets what the body says. */
  #decoded(sha256: string, text: string): Structure {
    const structure = decodeStructure(text);
    if (structure) return structure;
    void this.pool.query('DELETE FROM cache.body_1 WHERE sha256 = $1', [`\\x${sha256}`]).catch(this.trouble);
    throw new Error(`what was kept of body ${sha256} is damaged`);
  }

  async #write(done: readonly (readonly [BodyRef, BodyFacts])[]): Promise<void> {
    if (done.length === 0) return;
    // In the order of the key, so that two writers never wait for each other crosswise.
    const rows = [...done].sort(byName).map(([ref, facts]) => cells(ref, facts));
    await this.pool.query({ name: 'bodies-write', text: INSERT, values: [...columnArrays(rows, COLUMNS)] });
  }
}

/** For a parameter that is cast to an array: the driver would look at each character. */
const namesText = (sha256: readonly string[]): string => (sha256.length === 0 ? '{}' : `{"\\\\x${sha256.join('","\\\\x')}"}`);

const byName = ([a]: readonly [BodyRef, unknown], [b]: readonly [BodyRef, unknown]): number => (a.sha256 < b.sha256 ? -1 : 1);

const pairs = <T>(refs: readonly BodyRef[], values: readonly (T | undefined)[]): readonly (readonly [BodyRef, T])[] =>
  refs.flatMap((ref, i) => (values[i] === undefined ? [] : [[ref, values[i]] as const]));

function onePerBody(refs: readonly BodyRef[]): readonly BodyRef[] {
  return [...new Map(refs.map((r) => [r.sha256, r])).values()];
}

const hex = (bytes: Uint8Array): string => `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`;

function cells(ref: BodyRef, { structure, row }: { readonly structure: Structure; readonly row: IndexRow }) {
  return {
    sha256: `\\x${ref.sha256}`, structure: encodeStructure(structure), header_grams: hex(row.headerGrams), text_grams: row.textGrams && hex(row.textGrams),
    sent_at: row.sentAt, sent_day: row.sentDay, subject: row.subject, from_text: row.from, to_text: row.to, cc_text: row.cc, bcc_text: row.bcc,
    keys: row.keys, thread: row.thread,
  };
}
