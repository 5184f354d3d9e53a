import { hasField, type HeaderLine, headerLines, textOf } from '@kiroku/domain/imap/search/header-text.js';
import { KEPT_FIELDS } from '@kiroku/domain/imap/search/index-row.js';
import { QuickLook } from '@kiroku/domain/imap/search/quick-look.js';
import { intersection, union } from '@kiroku/domain/imap/search/sets.js';
import type { ColumnTest, EmailIdTest, HeaderTest, SearchSource, SentTest, SourceTest } from '@kiroku/domain/imap/search/source.js';
import { BodyDamaged, BodyMissing, type BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { eachRun } from '@kiroku/domain/mailbox/chunk.js';
import { parseDate } from '@kiroku/domain/mime/date.js';
import type pg from 'pg';
import { fillNumbers, numbersIn } from './mailboxes/numbers.js';
import { bodyContains, bodyHeader } from './search-index-body.js';
import type { BodyCache } from './search-index-cache.js';
import { type FieldTest, isFieldTest } from './search-index-fields.js';
import { columnCondition, conditionsOf, type IndexTest, Values } from './search-index-sql.js';

/** Messages per statement: each stays well within a statement's time, and others get their turn. */
const BATCH = 20_000;
/** Bodies looked into before more are listed. */
const STEP = 500;
/** Messages of one search whose header fields are kept in memory. */
const MOST_REMEMBERED = 200_000;
const DAY = 86_400_000;

type EntryTest = ColumnTest | EmailIdTest;
type SavedTest = ColumnTest & { readonly by: 'savedAt' };
const isSaved = (test: SourceTest): test is SavedTest => test.by === 'savedAt';
const isEntry = (test: SourceTest): test is EntryTest => test.by === 'receivedAt' || test.by === 'size' || test.by === 'emailId';
const isIndex = (test: SourceTest): test is IndexTest => test.by === 'header' || test.by === 'sent' || test.by === 'text';

/** A message that must be looked at: it, and for each test whether that is passed already. `known`: the body has been read before. */
type Open = readonly [uid: number, sha256: string, size: number, at: string | null, prefix: string, known: boolean, ...sure: boolean[]];

/** One mailbox as SEARCH asks it: the database rules out, bodies decide. */
export class MailboxSearch implements SearchSource {
  constructor(
    private readonly pool: pg.Pool,
    private readonly cache: BodyCache,
    private readonly mailbox: string,
    private readonly looked: (messages: number) => void = () => undefined,
  ) {}

  async matching(uids: Uint32Array, tests: readonly SourceTest[]): Promise<Uint32Array> {
    const found: Uint32Array[] = [];
    // Texts of more messages would push each other out: the next search would find none of them.
    const remember = uids.length <= MOST_REMEMBERED;
    for (let start = 0; start < uids.length; start += BATCH) {
      let some = uids.subarray(start, start + BATCH);
      const [entry, saved, index] = [tests.filter(isEntry), tests.filter(isSaved), tests.filter(isIndex)];
      if (entry.length > 0) some = await this.#entries(some, entry);
      if (saved.length > 0) some = await this.#saved(some, saved);
      if (index.length > 0) some = await this.#indexed(some, index, remember);
      this.#tell(Math.min(BATCH, uids.length - start) - this.#told);
      this.#told = 0;
      found.push(some);
    }
    return found.length === 1 ? (found[0] as Uint32Array) : joined(found);
  }

  /** Of the batch under way so many have been told of. */
  #told = 0;
  #tell(messages: number): void {
    this.#told += messages;
    if (messages > 0) this.looked(messages);
  }

  async #entries(uids: Uint32Array, tests: readonly EntryTest[]): Promise<Uint32Array> {
    if (uids.length === 0) return uids;
    const values = new Values();
    const among = this.#among(uids, values);
    const { rows } = await this.pool.query<{ uids: string | null }>({
      text: `SELECT array_agg(m.uid ORDER BY m.uid)::text AS uids FROM view.mailbox_message_1 m WHERE ${among} AND ${tests.map((t) => columnCondition(t, values)).join(' AND ')}`,
      values: values.list,
    });
    return intersection(uids, Uint32Array.from(numbersIn(rows[0]?.uids ?? null)));
  }

  /** SAVEDATE is INTERNALDATE but where it is noted otherwise. */
  async #saved(uids: Uint32Array, tests: readonly ColumnTest[]): Promise<Uint32Array> {
    if (uids.length === 0) return uids;
    const values = new Values();
    const among = this.#among(uids, values);
    const [{ rows }, noted] = await Promise.all([
      this.pool.query<{ uids: string | null; received: string | null; count: number }>({
        text: `SELECT array_agg(m.uid ORDER BY m.uid)::text AS uids, array_agg(m.received_at ORDER BY m.uid)::text AS received, count(*) AS count FROM view.mailbox_message_1 m WHERE ${among}`,
        values: values.list,
      }),
      this.pool.query<{ saved: string }>({
        name: 'search-saved', text: `SELECT saved FROM view.mailbox_state_1 WHERE mailbox_id = $1 AND chunk BETWEEN $2 / 256 AND $3 / 256 AND saved <> ''`,
        values: [this.mailbox, uids[0], uids.at(-1)],
      }),
    ]);
    const count = rows[0]?.count ?? 0;
    const there = fillNumbers(rows[0]?.uids ?? null, new Uint32Array(count));
    const savedAt = fillNumbers(rows[0]?.received ?? null, new Float64Array(count));
    const places = new Map(Array.from(there, (uid, place) => [uid, place]));
    for (const { saved } of noted.rows)
      eachRun(saved, (first, last, at) => {
        for (let uid = first; uid <= last; uid++) {
          const place = places.get(uid);
          if (place !== undefined) savedAt[place] = Number(at);
        }
      });
    const passed = there.filter((_, place) => tests.every(({ from, before }) => (savedAt[place] as number) >= from && (savedAt[place] as number) < before));
    return intersection(uids, passed);
  }

  /** What memory knows needs no question. */
  async #indexed(uids: Uint32Array, tests: readonly IndexTest[], remember: boolean): Promise<Uint32Array> {
    const fields = tests.filter(isFieldTest);
    if (fields.length === 0 || !remember) return this.#asked(uids, tests, remember);
    const { passed, open } = await this.cache.fields.sort(this.mailbox, uids, fields);
    if (fields.length === tests.length) return open.length === 0 ? passed : union(passed, await this.#asked(open, tests, remember));
    return this.#asked(union(passed, open), tests, remember);
  }

  /** Rows that are not known yet are made first; what cannot be read passes nothing. */
  async #asked(uids: Uint32Array, tests: readonly IndexTest[], remember: boolean): Promise<Uint32Array> {
    const found = new Set<number>();
    const unknown = await this.#look(uids, tests, found);
    const often = this.#often(unknown);
    if (!often && tests.every(isFieldTest)) return this.#byHeaders(uids, unknown, tests, found, remember);
    const rest = often ? unknown : await this.#perhaps(unknown, tests);
    for (let start = 0; start < rest.length; start += STEP) {
      const some = rest.slice(start, start + STEP);
      this.#tell(some.length);
      await this.cache.ensure(some.map(refOf));
      await this.#look(Uint32Array.from(some, ([uid]) => uid), tests, found);
    }
    return uids.filter((uid) => found.has(uid));
  }

  /**
   * Have searches looked into bodies here again and again, and nothing is kept of them? What could be known is left to the background; not for ever,
   * on a machine on which that never gets its turn.
   */
  #often(unknown: readonly Open[]): boolean {
    const [first] = unknown;
    return first !== undefined && this.cache.passedOften(this.mailbox, Math.floor(first[0] / BATCH));
  }

  /** Without those of which a look at the octets says that they lack a text. */
  async #perhaps(unknown: readonly Open[], tests: readonly IndexTest[]): Promise<readonly Open[]> {
    const texts = tests.filter((test) => test.by === 'text');
    const look = new QuickLook(texts.filter((t) => t.in === 'body').map((t) => t.needle), texts.filter((t) => t.in === 'all').map((t) => t.needle));
    if (look.idle || unknown.length === 0) return unknown;
    const perhaps: Open[] = [];
    for (let start = 0; start < unknown.length; start += STEP) {
      const some = unknown.slice(start, start + STEP);
      const left = await this.cache.glances(some.map(refOf), (body, i) => !look.rulesOut(body, (some[i] as Open)[4]));
      const open = some.filter((_, i) => left[i]);
      perhaps.push(...open);
      this.#tell(some.length - open.length);
    }
    if (perhaps.length < unknown.length) this.cache.wanting();
    return perhaps;
  }

  /** Their headers tell; all that could be known of their bodies is left to searches that need it. */
  async #byHeaders(uids: Uint32Array, unknown: readonly Open[], tests: readonly FieldTest[], found: Set<number>, remember: boolean): Promise<Uint32Array> {
    const fields = [...new Set(tests.map(({ field }) => field))];
    for (let start = 0; start < unknown.length; start += STEP) {
      const some = unknown.slice(start, start + STEP);
      this.#tell(some.length);
      const headers = await this.cache.headers(some.map(refOf), fields);
      const prefixes = some.map(([, , , , prefix]) => headerLines(Buffer.from(prefix)));
      some.forEach(([uid], i) => {
        const [header, prefix] = [headers[i], prefixes[i] ?? []];
        if (header && tests.every(({ field, needle }) => hasField(prefix, field, needle) || header.get(field)?.includes(needle))) found.add(uid);
      });
      for (const field of remember ? fields : []) {
        // Of a field that also stands before the body memory knows nothing: see `FieldTexts`.
        const plain = some.flatMap(([uid], i) => (headers[i] && !hasField(prefixes[i] ?? [], field, '') ? [[uid, headers[i].get(field)] as const] : []));
        this.cache.fields.learn(this.mailbox, field, plain);
      }
    }
    return uids.filter((uid) => found.has(uid));
  }

  /** @returns messages whose bodies are not known. */
  async #look(uids: Uint32Array, tests: readonly IndexTest[], found: Set<number>): Promise<readonly Open[]> {
    if (uids.length === 0) return [];
    const values = new Values();
    const among = this.#among(uids, values);
    const conditions = tests.map((t) => conditionsOf(t, values));
    const sure = conditions.map((c) => c.sure);
    const { rows } = await this.pool.query<{ uids: string | null; open: Open[] | null }>({
      text: `WITH c AS MATERIALIZED (
               SELECT m.uid, m.sha256, m.body_size, m.at, m.prefix, s.sha256 IS NOT NULL AS known, ${sure.map((c, i) => `${c} AS sure${i}`).join(', ')}
               FROM view.mailbox_message_1 m LEFT JOIN cache.search_1 s ON s.sha256 = m.sha256
               WHERE ${among} AND (s.sha256 IS NULL OR ${conditions.map((c) => c.maybe).join(' AND ')})),
             d AS (SELECT *, known AND ${sure.map((_, i) => `sure${i}`).join(' AND ')} AS done FROM c)
             SELECT (SELECT array_agg(uid)::text FROM d WHERE done) AS uids,
               (SELECT json_agg(json_build_array(uid, encode(sha256, 'hex'), body_size, at, prefix, known, ${sure.map((_, i) => `sure${i}`).join(', ')})) FROM d WHERE NOT done) AS open`,
      values: values.list,
    });
    const asked = new Set(uids);
    for (const uid of numbersIn(rows[0]?.uids ?? null)) found.add(uid);
    const open = (rows[0]?.open ?? []).filter(([uid]) => asked.has(uid));
    await this.#decide(open.filter(([, , , , , known]) => known), tests, found);
    return open.filter(([, , , , , known]) => !known).sort(([a], [b]) => a - b);
  }

  async #decide(open: readonly Open[], tests: readonly IndexTest[], found: Set<number>): Promise<void> {
    for (let start = 0; start < open.length; start += STEP)
      await Promise.all(open.slice(start, start + STEP).map(async (message) => {
        if (await this.#passes(message, tests)) found.add(message[0]);
      }));
  }

  async #passes(message: Open, tests: readonly IndexTest[]): Promise<boolean> {
    const [, , , , prefix, , ...sure] = message;
    const undecided = tests.filter((_, i) => sure[i] !== true);
    const lines = headerLines(Buffer.from(prefix));
    for (const test of undecided) if (test.by === 'sent' && !sentWithin(lines, test)) return false;
    const headers = undecided.filter((t) => t.by === 'header').filter((t) => !hasField(lines, t.field, t.needle));
    if (headers.some(({ field }) => isKeptByDatabase(field))) return false; // it has looked
    const texts = undecided.filter((t) => t.by === 'text');
    if (headers.length === 0 && texts.length === 0) return true;
    const ref = refOf(message);
    try {
      return await this.cache.inTurn(async () => {
        if (headers.length > 0 && !hasAll(headerLines(await bodyHeader(this.cache.objects, ref)), headers)) return false;
        const wanted = { body: texts.filter((t) => t.in === 'body').map((t) => t.needle), all: texts.filter((t) => t.in === 'all').map((t) => t.needle) };
        return texts.length === 0 || bodyContains(this.cache.objects, ref, wanted, textOf(lines));
      });
    } catch (error) {
      if (error instanceof BodyMissing || error instanceof BodyDamaged) return false;
      throw error;
    }
  }

  /** Few are named one by one; of many only the first and the last. */
  #among(uids: Uint32Array, values: Values): string {
    const [first, last] = [uids[0] as number, uids.at(-1) as number];
    const mailbox = `m.mailbox_id = ${values.add(this.mailbox)}`;
    if (uids.length > (last - first) / 4) return `${mailbox} AND m.uid BETWEEN ${values.add(first)} AND ${values.add(last)}`;
    return `${mailbox} AND m.uid = ANY (${values.add(`{${uids.join(',')}}`)}::bigint[])`;
  }
}

const KEPT: ReadonlySet<string> = new Set(KEPT_FIELDS);
const isKeptByDatabase = (field: string): boolean => KEPT.has(field);

const refOf = ([, sha256, size, at]: Open): BodyRef => ({ sha256, size, ...(at !== null && { at }) });

const hasAll = (lines: readonly HeaderLine[], tests: readonly HeaderTest[]): boolean => tests.every(({ field, needle }) => hasField(lines, field, needle));

function sentWithin(lines: readonly HeaderLine[], { from, before }: SentTest): boolean {
  const date = parseDate(lines.find(({ name }) => name === 'date')?.value ?? '');
  return date !== undefined && date.day / DAY >= from && date.day / DAY < before;
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
