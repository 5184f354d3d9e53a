import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import type { Cell, ColumnType, Copies, Projection, RemovedRanges, Row } from '@kiroku/domain/kernel/projection.js';
import type pg from 'pg';
import { columnArrays, columnValues, copyRows } from './columns.js';
import { HeldRows } from './held-rows.js';

/** Where a statement can run: a pool, or a connection inside a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

/** A transaction that runs its statements in the order in which they are given to it, without anybody waiting for each. */
export interface Pipeline extends Queryable {
  /** For a statement whose answer nobody needs. Should it fail, the transaction does. */
  send(statement: pg.QueryConfig): void;
}

/** Rows of owned views (see `Projection`), as they are in the transaction; null: there is none. */
export interface KnownRows {
  get(stream: string, row: string): Row | null | undefined;
  put(stream: string, row: string, now: Row | null): void;
  /** Nothing is known any more of the rows of this stream. */
  forget(stream: string): void;
}

/** Runs `COPY … FROM STDIN` with this data, all of it or nothing. */
export type CopyIn = (statement: string, data: Buffer) => Promise<void>;

/** Rows of a statement, where there are many: the next is put together while one is being written. */
const PIECE = 5_000;
const UNIQUE_VIOLATION = '23505';

interface Touched {
  readonly stream: string;
  readonly name: string;
  readonly key: Row;
  row: Row | undefined;
  /** The row must be read before the first event can be applied. */
  readonly unseen: boolean;
  changed: boolean;
}

interface Step {
  readonly positioned: Positioned;
  readonly place: Touched;
}

/**
 * Runs one projection against its table, a batch of events at a time: one statement reads the rows that are needed, one writes,
 * one deletes, whatever the number of events. The same code serves the live table (schema `view`) and a rebuild beside it
 * (schema `rebuild`).
 */
export class Projector {
  readonly #types: ReadonlySet<string>;
  readonly #blind: ReadonlySet<string>;
  readonly #table: string;
  readonly #load: string;
  readonly #copyIn: string;
  /** Of many rows, and of one. @param condition SQL. */
  readonly #inserting: (one: boolean, condition?: string) => string;
  readonly #store: string;
  readonly #storeOne: string;
  #storeIf: { readonly condition: string; readonly many: string; readonly one: string } | undefined;
  readonly #remove: string;
  readonly #keyColumns: Readonly<Record<string, ColumnType>>;
  /**
   * How rows are copied in as new ones, until one turns out not to be: where every row is written once, the server takes them in a third of
   * the time. Only where statements stand alone: in a transaction the refused one would break the others.
   */
  copyIn: CopyIn | undefined;
  readonly #held: HeldRows<Row, Touched> | undefined;

  /** @param holds rows that are held back (see `HeldRows`); `flush` writes them. */
  constructor(
    readonly projection: Projection,
    readonly schema: 'view' | 'rebuild' = 'view',
    holds = 0,
  ) {
    if (holds > 0) this.#held = new HeldRows(holds);
    const { name, key, columns } = projection;
    this.#types = new Set(projection.types);
    this.#blind = new Set(projection.blind ?? []);
    this.#table = `${schema}.${quote(name)}`;
    const arrays = (names: readonly string[]): string =>
      `unnest(${names.map((c, i) => `$${i + 1}::${columns[c] ?? 'text'}[]`).join(', ')}) AS d(${names.map(quote).join(', ')})`;
    this.#keyColumns = Object.fromEntries(key.map((k) => [k, columns[k] ?? 'text']));
    const all = Object.keys(columns);
    const on = key.map((k) => `t.${quote(k)} = d.${quote(k)}`).join(' AND ');
    const others = all.filter((c) => !key.includes(c));
    // bytea comes back as the hex text that the fold made of it.
    const selected = all.map((c) => (columns[c] === 'bytea' ? `t.${quote(c)}::text` : `t.${quote(c)}`)).join(', ');
    // LIMIT 1 changes nothing for a primary key, but makes the planner look up each row by it; a join may become a scan of the table.
    const found = (what: string): string =>
      `SELECT ${what} FROM ${arrays(key)} CROSS JOIN LATERAL (SELECT t.*, t.ctid FROM ${this.#table} t WHERE ${on} LIMIT 1) t`;
    this.#load = found(selected);
    // In the key's order the index is written page by page: a large batch takes half the time.
    const given = { many: `* FROM ${arrays(all)}`, one: all.map((c, i) => `$${i + 1}::${columns[c] ?? 'text'}`).join(', ') };
    const otherwise = `ON CONFLICT (${key.map(quote).join(', ')}) DO ${others.length === 0 ? 'NOTHING' : `UPDATE SET ${others.map((c) => `${quote(c)} = excluded.${quote(c)}`).join(', ')}`}`;
    this.#copyIn = `COPY ${this.#table} (${all.map(quote).join(', ')}) FROM STDIN (FORMAT binary)`;
    this.#inserting = (one, condition) =>
      `INSERT INTO ${this.#table} (${all.map(quote).join(', ')}) SELECT ${one ? given.one : given.many} ${condition ? `WHERE ${condition}` : ''}
       ${one ? '' : `ORDER BY ${key.map(quote).join(', ')}`} ${otherwise}`;
    this.#store = this.#inserting(false);
    this.#storeOne = this.#inserting(true);
    this.#remove = `DELETE FROM ${this.#table} WHERE ctid = ANY (ARRAY(${found('t.ctid')}))`;
  }

  /**
   * What these events come to as one statement, where that needs no row to be read and none to be removed.
   * @param condition SQL: nothing is written where it does not hold. Always the same.
   * @returns undefined where it does; null where nothing is to be written.
   */
  statement(events: readonly Positioned[], known: KnownRows, condition: string): pg.QueryConfig | null | undefined {
    const { projection } = this;
    const mine = events.filter((p) => this.#types.has(p.event.type));
    if (mine.some((p) => projection.copies?.(p) ?? projection.removes?.(p) ?? projection.removesRanges?.(p))) return undefined;
    const { touched, steps } = this.#touchedBy(mine);
    if (touched.size === 0) return null;
    if (this.#recall(touched, known).length > 0) return undefined;
    const rows = this.#folded(touched, steps, known).map((t) => t.row);
    if (!rows.every((row) => row !== undefined)) return undefined;
    if (this.#storeIf?.condition !== condition) this.#storeIf = { condition, many: this.#inserting(false, condition), one: this.#inserting(true, condition) };
    return this.#storing('store-if', this.#storeIf, rows);
  }

  #storing(name: string, { many, one }: { readonly many: string; readonly one: string }, rows: readonly Row[]): pg.QueryConfig {
    const { columns } = this.projection;
    const [first] = rows;
    return first && rows.length === 1
      ? { name: this.#named(`${name}-one`), text: one, values: [...columnValues(first, columns)] }
      : { name: this.#named(name), text: many, values: [...columnArrays(rows, columns)] };
  }

  /**
   * Applies events in order. The caller owns the transaction and the checkpoint.
   * @param after no statement is sent before it resolves: what needs no database is done while an earlier batch is being written. In a
   * pipeline nothing is written before: what must be read is asked for at once, behind what was sent there before.
   * @param known what need not be read, and where to note what is written.
   */
  async apply(db: Queryable | Pipeline, events: readonly Positioned[], after: Promise<void> = Promise.resolve(), known?: KnownRows): Promise<void> {
    if (!this.#held) return this.#apply(db, events, after, known);
    const folded = await this.#held.turn();
    await this.#apply(db, events, after, known, folded).finally(folded);
  }

  async #apply(db: Queryable | Pipeline, events: readonly Positioned[], after: Promise<void>, known?: KnownRows, folded?: () => void): Promise<void> {
    const mine = events.filter((p) => this.#types.has(p.event.type));
    let start = 0;
    for (const [i, positioned] of mine.entries()) {
      // An event that says something of many rows at once is a point that no batch reaches across; they are rare.
      const copies = this.projection.copies?.(positioned);
      const part = this.projection.removes?.(positioned);
      const ranges = this.projection.removesRanges?.(positioned);
      if (!copies && !part && !ranges) continue;
      if (i < start) continue;
      await this.#fold(db, mine.slice(start, i), after, known);
      await after;
      await this.flush(db); // it is about rows in the table
      if (part || ranges) for (const { key } of mine) known?.forget(key);
      if (copies && 'send' in db) {
        start = await this.#copyRun(db, mine, i, after);
        continue;
      }
      if (!copies || !(await this.#copy(db, copies))) await this.#fold(db, [positioned], after, known);
      const parts = part && !ranges ? [part, ...this.#partsBehind(mine, i, part)] : part ? [part] : [];
      if (parts.length > 0) await this.#removeParts(db, parts);
      if (ranges) await this.#removeRanges(db, ranges);
      start = i + Math.max(parts.length, 1);
    }
    await this.#fold(db, start === 0 ? mine : mine.slice(start), after, known, folded);
    await after;
  }

  /** Writes what is held back. Not for another caller while an `apply` runs. */
  async flush(db: Queryable): Promise<void> {
    const held = this.#held?.take() ?? [];
    let written = Promise.resolve();
    for (let i = 0; i < held.length; i += PIECE) {
      const before = written;
      written = this.#save(db, held.slice(i, i + PIECE), before);
      written.catch(() => undefined); // seen when it is waited for
      await before;
    }
    await written;
  }

  async #fold(db: Queryable | Pipeline, events: readonly Positioned[], after: Promise<void>, known?: KnownRows, folded?: () => void): Promise<void> {
    if (events.length === 0) return;
    const { touched, steps } = this.#touchedBy(events);
    await this.#loadRows(db, touched, this.#recall(touched, known), after);
    const changed = this.#folded(touched, steps, known);
    const due = this.#held?.hold(changed) ?? changed;
    folded?.();
    await this.#save(db, due, after);
  }

  #touchedBy(events: readonly Positioned[]): { readonly touched: ReadonlyMap<string, Touched>; readonly steps: readonly Step[] } {
    const touched = new Map<string, Touched>();
    const steps: Step[] = [];
    for (const positioned of events)
      for (const key of this.projection.keysOf(positioned)) {
        const name = this.#nameOf(key);
        let place = touched.get(name);
        if (!place) {
          const unseen = !this.#blind.has(positioned.event.type) && this.projection.unread?.(positioned, key) !== true;
          touched.set(name, (place = { stream: positioned.key, name, key, row: undefined, unseen, changed: false }));
        }
        steps.push({ positioned, place });
      }
    return { touched, steps };
  }

  /** The values of the key as one text. */
  #nameOf(row: Row): string {
    const [first, ...others] = this.projection.key;
    let name = String(row[first as string]);
    for (const column of others) name += `\u0000${row[column]}`;
    return name;
  }

  /** @returns those that must be read. */
  #recall(touched: ReadonlyMap<string, Touched>, known: KnownRows | undefined): readonly Touched[] {
    const unseen = [...touched.values()].filter((t) => {
      const held = this.#held?.get(t.name);
      if (held) t.row = held.row;
      return t.unseen && !held;
    });
    if (!known || this.projection.owned !== true) return unseen;
    return unseen.filter((t) => {
      const row = known.get(t.stream, this.#rowName(t));
      if (row) t.row = row;
      return row === undefined;
    });
  }

  #folded(touched: ReadonlyMap<string, Touched>, steps: readonly Step[], known: KnownRows | undefined): readonly Touched[] {
    for (const { positioned, place } of steps) {
      const row = this.projection.apply(place.row, positioned, place.key);
      place.row = row ?? undefined;
      place.changed = true;
    }
    const changed = [...touched.values()].filter((t) => t.changed);
    if (known && this.projection.owned === true) for (const t of changed) known.put(t.stream, this.#rowName(t), t.row ?? null);
    return changed;
  }

  #rowName({ name }: Touched): string {
    return `${this.projection.name}\u0000${name}`;
  }

  async #loadRows(db: Queryable | Pipeline, touched: ReadonlyMap<string, Touched>, unread: readonly Touched[], after: Promise<void>): Promise<void> {
    if (unread.length === 0) return;
    if (!('send' in db)) await after;
    const { rows } = await db.query<Record<string, Cell>>({ name: this.#named('load'), text: this.#load, values: [...columnArrays(unread.map((t) => t.key), this.#keyColumns)] });
    for (const row of rows) {
      const place = touched.get(this.#nameOf(row));
      if (place) place.row = row;
    }
  }

  async #save(db: Queryable | Pipeline, changed: readonly Touched[], after: Promise<void>): Promise<void> {
    const rows = changed.flatMap((t) => (t.row ? [t.row] : []));
    const gone = changed.flatMap((t) => (t.row ? [] : [t.key]));
    const data = this.copyIn && rows.length > 0 ? copyRows(rows, this.projection.columns) : undefined;
    const storing = (): pg.QueryConfig => this.#storing('store', { many: this.#store, one: this.#storeOne }, rows);
    const statement = data || rows.length === 0 ? undefined : storing();
    await after;
    if (rows.length > 0 && !(data && (await this.#copiedIn(data)))) await run(db, statement ?? storing());
    if (gone.length > 0) await run(db, { name: this.#named('remove'), text: this.#remove, values: [...columnArrays(gone, this.#keyColumns)] });
  }

  /** @returns whether all rows were new ones, and are stored. */
  async #copiedIn(data: Buffer): Promise<boolean> {
    try {
      await this.copyIn?.(this.#copyIn, data);
      return this.copyIn !== undefined;
    } catch (error) {
      if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
      this.copyIn = undefined;
      return false;
    }
  }

  /** What the events behind this one remove, as long as they do nothing else: all mailboxes of an account may go at once. */
  #partsBehind(events: readonly Positioned[], from: number, first: Row): readonly Row[] {
    const columns = Object.keys(first).join();
    const parts: Row[] = [];
    for (let i = from + 1; i < events.length; i++) {
      const positioned = events[i] as Positioned;
      const part = this.projection.removes?.(positioned);
      if (!part || Object.keys(part).join() !== columns || this.projection.keysOf(positioned).length > 0) break;
      if (this.projection.removesRanges?.(positioned) || this.projection.copies?.(positioned)) break;
      parts.push(part);
    }
    return parts;
  }

  async #removeParts(db: Queryable | Pipeline, parts: readonly Row[]): Promise<void> {
    const columns = Object.keys(parts[0] ?? {});
    const types = Object.fromEntries(columns.map((c) => [c, this.#keyColumns[c] ?? 'text'] as const));
    const given = columns.map((c, i) => `$${i + 1}::${types[c]}[]`).join(', ');
    await run(db, {
      text: `DELETE FROM ${this.#table} t USING unnest(${given}) AS d(${columns.map(quote).join(', ')}) WHERE ${columns.map((c) => `t.${quote(c)} = d.${quote(c)}`).join(' AND ')}`,
      values: [...columnArrays(parts, types)],
    });
  }

  async #removeRanges(db: Queryable | Pipeline, { part, column, ranges }: RemovedRanges): Promise<void> {
    const columns = Object.keys(part);
    await run(db, {
      name: this.#named('remove-ranges'),
      // OFFSET 0 makes the planner look up each range by the key.
      text: `DELETE FROM ${this.#table} WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM unnest($1::bigint[], $2::bigint[]) AS r(first, last) CROSS JOIN LATERAL (
               SELECT t.ctid FROM ${this.#table} t
               WHERE ${columns.map((c, i) => `t.${quote(c)} = $${i + 3}`).join(' AND ')} AND t.${quote(column)} BETWEEN r.first AND r.last OFFSET 0) t))`,
      values: [numbers(ranges.map(([first]) => first)), numbers(ranges.map(([, last]) => last)), ...Object.values(part)],
    });
  }

  /**
   * Events that copy and follow each other, sent without waiting for each. One that finds rows missing is applied after all: what comes
   * behind it and copies from what it should have made finds those missing too.
   * @returns where the run ends.
   */
  async #copyRun(db: Pipeline, events: readonly Positioned[], from: number, after: Promise<void>): Promise<number> {
    const copied: Promise<boolean>[] = [];
    let end = from;
    for (; end < events.length; end++) {
      const positioned = events[end] as Positioned;
      const copies = this.projection.copies?.(positioned);
      if (!copies || this.projection.removes?.(positioned) || this.projection.removesRanges?.(positioned)) break;
      copied.push(this.#copy(db, copies));
    }
    const complete = await Promise.all(copied);
    for (const [i, done] of complete.entries()) if (!done) await this.#fold(db, [events[from + i] as Positioned], after);
    return end;
  }

  /** @returns false when not all were there; what was copied is overwritten by the caller. */
  async #copy(db: Queryable, { part, column, from, first, set }: Copies): Promise<boolean> {
    const all = Object.keys(this.projection.columns);
    const [given, wanted] = [Object.keys(set), Object.keys(part)];
    const values = all.map((c) => (c === column ? 'f.place' : given.includes(c) ? `$${given.indexOf(c) + 3}::${this.projection.columns[c]}` : `t.${quote(c)}`));
    const { rowCount } = await db.query({
      name: this.#named('copy'),
      text: `INSERT INTO ${this.#table} (${all.map(quote).join(', ')}) SELECT ${values.join(', ')}
             FROM (SELECT v, $2::bigint + n - 1 AS place FROM unnest($1::bigint[]) WITH ORDINALITY AS u(v, n)) f
             CROSS JOIN LATERAL (SELECT * FROM ${this.#table} t
               WHERE ${wanted.map((c, i) => `t.${quote(c)} = $${i + 3 + given.length}`).join(' AND ')} AND t.${quote(column)} = f.v LIMIT 1) t`,
      values: [numbers(from), first, ...Object.values(set), ...Object.values(part)],
    });
    return rowCount === from.length;
  }

  #named(what: string): string {
    return `${what}-${this.schema}-${this.projection.name}`;
  }
}

/** A statement whose answer nobody needs. */
async function run(db: Queryable | Pipeline, statement: pg.QueryConfig): Promise<void> {
  if ('send' in db) db.send(statement);
  else await db.query(statement);
}

/** An array as PostgreSQL reads it; the driver would quote each element. */
const numbers = (list: readonly number[]): string => `{${list.join(',')}}`;

/** Identifiers come from our own code; quoting keeps words like "offset" usable. */
const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
