import type { IndexRow } from '@kiroku/domain/imap/search/index-row.js';
import { BodyDamaged, BodyMissing, type BodyRef, type ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { Structure } from '@kiroku/domain/mime/structure.js';
import { decodeStructure, encodeStructure } from '@kiroku/domain/mime/codec.js';
import type pg from 'pg';
import { columnArrays } from './columns.js';
import { FieldTexts } from './search-index-fields.js';
import { Slots } from './search-index-slots.js';
import { type BodyFacts, bodyFacts } from './search-index-body.js';

/** Bodies read at once by a process, each with about a megabyte of memory. */
const AT_ONCE = 6;
/** Bodies per statement. */
const BATCH = 200;

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

/**
 * What is known of bodies without reading them: their structure, and what searches need. Filled by whoever asks first; any row may be
 * lost at any time. One per process.
 */
export class BodyCache {
  readonly fields: FieldTexts;
  readonly #slots = new Slots(AT_ONCE);
  /** Bodies being read, by their SHA-256: two sessions that open one mailbox read each body once. */
  readonly #reading = new Map<string, Promise<BodyFacts | undefined>>();

  constructor(
    private readonly pool: pg.Pool,
    readonly objects: ObjectStore,
    private readonly trouble: (error: unknown) => void,
  ) {
    this.fields = new FieldTexts(pool);
  }

  /** By SHA-256. Bodies that are gone or damaged are absent. At most 1,000 at once: a structure may take some KB. */
  async structures(refs: readonly BodyRef[]): Promise<ReadonlyMap<string, Structure>> {
    const { rows } = await this.pool.query<{ sha256: string; structure: string }>({
      name: 'body-structures', text: `SELECT encode(sha256, 'hex') AS sha256, structure FROM cache.body_1 WHERE sha256 = ANY ($1::bytea[])`,
      values: [[...new Set(refs.map((r) => `\\x${r.sha256}`))]],
    });
    const found = new Map<string, Structure>();
    for (const row of rows) {
      const structure = decodeStructure(row.structure); // undefined: another release wrote it
      if (structure) found.set(row.sha256, structure);
    }
    const missing = onePerBody(refs.filter((r) => !found.has(r.sha256)));
    await this.#fill(missing, (ref, facts) => void found.set(ref.sha256, facts.structure));
    return found;
  }

  /** Reads those of the bodies that are not known yet. @returns how many it read. */
  async ensure(refs: readonly BodyRef[]): Promise<number> {
    let read = 0;
    for (let start = 0; start < refs.length; start += BATCH) {
      const some = refs.slice(start, start + BATCH);
      const { rows } = await this.pool.query<{ sha256: string }>({
        name: 'bodies-known', text: `SELECT encode(sha256, 'hex') AS sha256 FROM cache.search_1 WHERE sha256 = ANY ($1::bytea[])`, values: [some.map((r) => `\\x${r.sha256}`)],
      });
      const known = new Set(rows.map((r) => r.sha256));
      await this.#fill(onePerBody(some.filter((r) => !known.has(r.sha256))), () => void read++);
    }
    return read;
  }

  /** Runs in turn with all else that reads bodies here. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#slots.run(work);
  }

  async #fill(missing: readonly BodyRef[], each: (ref: BodyRef, facts: BodyFacts) => void): Promise<void> {
    for (let start = 0; start < missing.length; start += BATCH) {
      const done: (readonly [BodyRef, BodyFacts])[] = [];
      await Promise.all(missing.slice(start, start + BATCH).map(async (ref) => {
        const facts = await this.#read(ref);
        if (facts) done.push([ref, facts]);
      }));
      for (const [ref, facts] of done) each(ref, facts);
      await this.#write(done);
    }
  }

  #read(ref: BodyRef): Promise<BodyFacts | undefined> {
    let reading = this.#reading.get(ref.sha256);
    if (!reading) {
      reading = this.#slots.run(() => bodyFacts(this.objects, ref))
        .catch((error: unknown) => {
          if (!(error instanceof BodyMissing || error instanceof BodyDamaged)) throw error;
          this.trouble(error);
          return undefined;
        })
        .finally(() => this.#reading.delete(ref.sha256));
      this.#reading.set(ref.sha256, reading);
    }
    return reading;
  }

  async #write(done: readonly (readonly [BodyRef, BodyFacts])[]): Promise<void> {
    if (done.length === 0) return;
    // In the order of the key, so that two writers never wait for each other crosswise.
    const rows = done.map(([ref, facts]) => cells(ref, facts)).sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    await this.pool.query({ name: 'bodies-write', text: INSERT, values: [...columnArrays(rows, COLUMNS)] });
  }
}

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
