import pg from 'pg';
import type { PostgresConnection } from '../postgres/connection.js';
import { copyThrough } from './copy-stream.js';
import { MigrationRefused, type Steps } from './steps.js';

/** What runs now, what the migrations did, and which engine holds what: the move itself says that. */
const NOT_COPIED = ['public.migration', 'ops.process', 'ops.engine'];
const SCHEMAS = ['history', 'view', 'ops', 'cache', 'public'];

interface Table { readonly name: string; readonly quoted: string; readonly columns: readonly string[] }
/** The rows of a table, whatever their order. */
interface Content { readonly rows: number; readonly hash: string }

export interface DatabaseReport {
  readonly tables: number;
  readonly rows: number;
  /** Tables that were there already, from a copy that was cut off. */
  readonly kept: number;
  /** Tables whose rows are not the same. */
  readonly differences: readonly string[];
}

/**
 * Copies all tables from one database to another of the same shape (the same migrations have run in both). What is in the target is
 * replaced, table by table; one that equals its source is left alone, so a copy that was cut off goes on where it was.
 * Nobody may write to either meanwhile.
 * @throws MigrationRefused when the shapes differ.
 */
export async function copyDatabase(from: PostgresConnection, to: PostgresConnection, { verifyOnly = false, progress, signal }: Steps & { readonly verifyOnly?: boolean }): Promise<DatabaseReport> {
  return connected(from, (source) => connected(to, async (target) => {
    await refuseOtherShape(source, target);
    const tables = await tablesOf(source);
    await refuseMissing(tables, await tablesOf(target));
    let [rows, kept] = [0, 0];
    const differences: string[] = [];
    for (const [done, table] of tables.entries()) {
      signal?.throwIfAborted();
      progress({ done, total: tables.length });
      const wanted = await contentOf(source, table);
      const same = equal(wanted, await contentOf(target, table));
      rows += wanted.rows;
      if (same) kept++;
      else if (verifyOnly || !(await replaced(source, target, table, wanted, signal))) differences.push(table.name);
    }
    progress({ done: tables.length, total: tables.length });
    return { tables: tables.length, rows, kept, differences };
  }));
}

async function replaced(source: pg.Client, target: pg.Client, { quoted, columns }: Table, wanted: Content, signal?: AbortSignal): Promise<boolean> {
  const list = `${quoted} (${columns.join(', ')})`;
  await target.query('BEGIN');
  try {
    await target.query(`TRUNCATE ${quoted}`);
    if (wanted.rows > 0) await copyThrough(source, `COPY ${list} TO STDOUT`, target, `COPY ${list} FROM STDIN`, () => undefined, signal);
    await target.query('COMMIT');
  } catch (error) {
    await target.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
  return equal(wanted, await contentOf(target, { name: '', quoted, columns }));
}

const equal = (a: Content, b: Content): boolean => a.rows === b.rows && a.hash === b.hash;

/** @throws MigrationRefused */
async function refuseOtherShape(source: pg.Client, target: pg.Client): Promise<void> {
  const names = async (db: pg.Client): Promise<string> => (await db.query<{ name: string }>('SELECT name FROM public.migration ORDER BY name')).rows.map((r) => r.name).join();
  if ((await names(source)) !== (await names(target))) throw new MigrationRefused('the two databases have not the same shape: start the server once on the old one, with this release');
}

async function tablesOf(db: pg.Client): Promise<readonly Table[]> {
  const { rows } = await db.query<Table>(
    `SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted,
       (SELECT array_agg(quote_ident(a.attname) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = ANY ($1) ORDER BY 1`, [SCHEMAS]);
  return rows.filter(({ name }) => !NOT_COPIED.includes(name));
}

async function refuseMissing(wanted: readonly Table[], there: readonly Table[]): Promise<void> {
  const missing = wanted.filter(({ name }) => !there.some((t) => t.name === name)).map(({ name }) => name);
  if (missing.length > 0) throw new MigrationRefused(`the target has no table ${missing.join(', ')}`);
}

/** Whole tables: as long as it takes. */
async function contentOf(db: pg.Client, { quoted, columns }: Table): Promise<Content> {
  const { rows } = await db.query<{ rows: string; hash: string }>(
    `SELECT count(*) AS rows, coalesce(sum(hashtextextended(row(${columns.join(', ')})::text, 0)::numeric), 0)::text AS hash FROM ${quoted}`);
  return { rows: Number(rows[0]?.rows ?? 0), hash: rows[0]?.hash ?? '' };
}

/** What the rows' text depends on is set alike on both sides. */
async function connected<T>(address: PostgresConnection, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...address, keepAlive: true, connectionTimeoutMillis: 10_000, application_name: 'kiroku migrate-engine' });
  client.on('error', () => undefined); // told by the statement
  await client.connect();
  try {
    await client.query(`SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET datestyle = 'ISO'; SET client_encoding = 'UTF8'; SET statement_timeout = 0`);
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
