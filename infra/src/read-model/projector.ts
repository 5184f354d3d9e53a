import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import type { Cell, ColumnType, Projection, Row } from '@kiroku/domain/kernel/projection.js';
import type pg from 'pg';
import { columnArrays } from './columns.js';

/** Where a statement can run: a pool, or a connection inside a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

interface Touched {
  readonly key: Row;
  row: Row | undefined;
  /** The row must be read before the first event can be applied. */
  readonly unseen: boolean;
  changed: boolean;
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
  readonly #store: string;
  readonly #remove: string;
  readonly #keyColumns: Readonly<Record<string, ColumnType>>;

  constructor(
    readonly projection: Projection,
    readonly schema: 'view' | 'rebuild' = 'view',
  ) {
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
    this.#store = `INSERT INTO ${this.#table} (${all.map(quote).join(', ')}) SELECT * FROM ${arrays(all)}
      ON CONFLICT (${key.map(quote).join(', ')}) DO ${others.length === 0 ? 'NOTHING' : `UPDATE SET ${others.map((c) => `${quote(c)} = excluded.${quote(c)}`).join(', ')}`}`;
    this.#remove = `DELETE FROM ${this.#table} WHERE ctid = ANY (ARRAY(${found('t.ctid')}))`;
  }

  /** Applies events in order. The caller owns the transaction and the checkpoint. */
  async apply(db: Queryable, events: readonly Positioned[]): Promise<void> {
    const mine = events.filter((p) => this.#types.has(p.event.type));
    let start = 0;
    while (start < mine.length) {
      // An event that removes rows by a part of their key is a point that no batch reaches across; they are rare.
      const cut = this.projection.removes ? mine.findIndex((p, i) => i >= start && this.projection.removes?.(p) !== undefined) : -1;
      const end = cut === -1 ? mine.length : cut + 1;
      await this.#fold(db, mine.slice(start, end));
      const cutter = cut === -1 ? undefined : mine[cut];
      if (cutter) await this.#removeAll(db, this.projection.removes?.(cutter) ?? {});
      start = end;
    }
  }

  async #fold(db: Queryable, events: readonly Positioned[]): Promise<void> {
    const touched = new Map<string, Touched>();
    const steps = events.flatMap((positioned) =>
      this.projection.keysOf(positioned).map((key) => {
        const name = this.projection.key.map((k) => String(key[k])).join('\u0000');
        let place = touched.get(name);
        if (!place) {
          const unseen = !this.#blind.has(positioned.event.type) && this.projection.unread?.(positioned, key) !== true;
          touched.set(name, (place = { key, row: undefined, unseen, changed: false }));
        }
        return { positioned, place };
      }),
    );
    await this.#loadRows(db, touched);
    for (const { positioned, place } of steps) {
      const row = this.projection.apply(place.row, positioned, place.key);
      place.row = row ?? undefined;
      place.changed = true;
    }
    await this.#save(db, [...touched.values()].filter((t) => t.changed));
  }

  async #loadRows(db: Queryable, touched: ReadonlyMap<string, Touched>): Promise<void> {
    const unseen = [...touched.values()].filter((t) => t.unseen).map((t) => t.key);
    if (unseen.length === 0) return;
    const { rows } = await db.query<Record<string, Cell>>({ name: this.#named('load'), text: this.#load, values: [...columnArrays(unseen, this.#keyColumns)] });
    for (const row of rows) {
      const place = touched.get(this.projection.key.map((k) => String(row[k])).join('\u0000'));
      if (place) place.row = row;
    }
  }

  async #save(db: Queryable, changed: readonly Touched[]): Promise<void> {
    const rows = changed.flatMap((t) => (t.row ? [t.row] : []));
    const gone = changed.flatMap((t) => (t.row ? [] : [t.key]));
    if (rows.length > 0) await db.query({ name: this.#named('store'), text: this.#store, values: [...columnArrays(rows, this.projection.columns)] });
    if (gone.length > 0) await db.query({ name: this.#named('remove'), text: this.#remove, values: [...columnArrays(gone, this.#keyColumns)] });
  }

  async #removeAll(db: Queryable, part: Row): Promise<void> {
    const columns = Object.keys(part);
    await db.query(`DELETE FROM ${this.#table} WHERE ${columns.map((c, i) => `${quote(c)} = $${i + 1}`).join(' AND ')}`, Object.values(part));
  }

  #named(what: string): string {
    return `${what}-${this.schema}-${this.projection.name}`;
  }
}

/** Identifiers come from our own code; quoting keeps words like "offset" usable. */
const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
