import type { BodyRef, ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import pg from 'pg';
import { noteEngine } from '../config/engines-in-use.js';
import type { BodyEntry } from '../object-store/body-index.js';
import { PgBodyIndex } from '../object-store/pg-index.js';
import type { PostgresConnection } from '../postgres/connection.js';
import { connectionOptions, transaction } from '../read-model/database.js';
import { copyBodies, verifyBodies, type BodiesReport } from './bodies.js';
import type { Mode } from './move-log.js';
import { MigrationRefused, type Steps } from './steps.js';

/** The index of the target grows here, beside the live one, until it takes its place. */
const BESIDE = 'object_move';
const PAGE = 2_000;
/** Whole-table statements may take their time (ms); the driver reads this, its types do not know it. */
const PATIENT = { query_timeout: 24 * 3_600_000 } as object;

export interface BodiesMove {
  readonly pool: pg.Pool;
  /** Of the same database. */
  readonly address: PostgresConnection;
  readonly source: ObjectStore;
  /** How a store writes down where a body lies, so that it need not look it up again. */
  readonly hints: { readonly source: (entry: BodyEntry) => string; readonly target: (entry: BodyEntry) => string };
  /** Opened only when it is needed; over this index. */
  readonly target: (index: PgBodyIndex) => Promise<ObjectStore>;
  readonly engine: { readonly engine: string; readonly place: string };
  /** Goes on without bodies that cannot be read. */
  readonly leaveDamaged?: boolean;
  readonly now: () => number;
}

/**
 * Moves all bodies to another store, checked by their hashes. The server must not run. Nothing of the source is removed. A move that was
 * cut off goes on: the index beside the live one knows what is there.
 * @throws MigrationRefused
 */
export async function moveBodies(move: BodiesMove, mode: Mode, steps: Steps): Promise<BodiesReport> {
  const { pool, source, hints, engine, leaveDamaged = false, now } = move;
  if (mode === 'look') return looked(pool);
  const placed = await isSwitched(pool, engine);
  if (mode === 'verify') {
    const from = placed ? 'public' : BESIDE;
    if (!placed) await refuseOtherPlace(pool, engine.place);
    const all = `SELECT * FROM ${from}.object_body`;
    const total = await count(pool, all);
    const report = await inTarget(move, placed, (target) => verifyBodies(target, refs(pool, all, hints.target), total, steps));
    return withMissing(pool, report, from);
  }
  if (placed) throw new MigrationRefused('the bodies of this installation are there already');
  await makeIndex(pool, engine.place);
  const total = await count(pool, MISSING);
  const report = await inTarget(move, false, (target) => copyBodies(source, target, refs(pool, MISSING, hints.source), total, steps));
  const all = await withMissing(pool, report, BESIDE);
  if (all.problemCount === 0 || leaveDamaged) await switchIndex(pool, engine, now());
  return all;
}

const MISSING = `SELECT b.* FROM public.object_body b WHERE NOT EXISTS (SELECT FROM ${BESIDE}.object_body m WHERE m.sha256 = b.sha256)`;

async function looked(pool: pg.Pool): Promise<BodiesReport> {
  const { rows } = await pool.query<{ bodies: number; bytes: number }>({ text: 'SELECT count(*) AS bodies, coalesce(sum(size), 0)::bigint AS bytes FROM public.object_body', ...PATIENT });
  return withMissing(pool, { bodies: rows[0]?.bodies ?? 0, bytes: rows[0]?.bytes ?? 0, problems: [], problemCount: 0 }, 'public');
}

async function isSwitched(pool: pg.Pool, { engine, place }: BodiesMove['engine']): Promise<boolean> {
  const { rows } = await pool.query(`SELECT FROM ops.engine WHERE port = 'object-store' AND engine = $1 AND place = $2`, [engine, place]);
  return rows.length > 0;
}

async function refuseOtherPlace(pool: Pick<pg.ClientBase, 'query'>, place: string): Promise<void> {
  const { rows } = await pool.query<{ place: string | null }>(`SELECT obj_description(to_regnamespace($1)::oid, 'pg_namespace') AS place`, [BESIDE]);
  const before = rows[0]?.place ?? undefined;
  if (before === undefined) throw new MigrationRefused('nothing has been moved yet');
  if (before !== place) throw new MigrationRefused(`a move to ${before} was begun: end it, or "DROP SCHEMA ${BESIDE} CASCADE" in the database`);
}

async function makeIndex(pool: pg.Pool, place: string): Promise<void> {
  await transaction(pool, async (db) => {
    const { rows } = await db.query<{ there: boolean }>('SELECT to_regnamespace($1) IS NOT NULL AS there', [BESIDE]);
    if (rows[0]?.there === true) return refuseOtherPlace(db, place);
    await db.query(`
      CREATE SCHEMA ${BESIDE};
      CREATE TABLE ${BESIDE}.object_body (LIKE public.object_body INCLUDING ALL);
      CREATE TABLE ${BESIDE}.object_index (LIKE public.object_index INCLUDING ALL);
      INSERT INTO ${BESIDE}.object_index VALUES (gen_random_uuid())`);
    await db.query(`COMMENT ON SCHEMA ${BESIDE} IS ${pg.escapeLiteral(place)}`);
  });
}

async function switchIndex(pool: pg.Pool, engine: BodiesMove['engine'], now: number): Promise<void> {
  await transaction(pool, async (db) => {
    for (const table of ['object_body', 'object_index']) {
      await db.query(`DROP TABLE public.${table}`);
      await db.query(`ALTER TABLE ${BESIDE}.${table} SET SCHEMA public`);
    }
    await db.query(`DROP SCHEMA ${BESIDE}`);
    await noteEngine(db, 'object-store', engine, now);
  });
}

/** The target over the index that is its own, by the order in which names are looked up. */
async function inTarget<T>({ address, target }: BodiesMove, placed: boolean, work: (target: ObjectStore) => Promise<T>): Promise<T> {
  const pool = new pg.Pool({ ...connectionOptions(address), max: 6 });
  pool.on('error', () => undefined); // told by the next query
  if (!placed) pool.on('connect', (client) => void client.query(`SET search_path TO ${BESIDE}, public`).catch(() => undefined));
  try {
    const store = await target(new PgBodyIndex(pool));
    return await work(store).finally(() => store.close());
  } finally {
    await pool.end();
  }
}

/** In the order in which they lie, from one look at the index. */
async function* refs(pool: pg.Pool, select: string, hint: (entry: BodyEntry) => string): AsyncGenerator<readonly BodyRef[]> {
  const db = await pool.connect();
  try {
    await db.query('BEGIN READ ONLY');
    await db.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    await db.query({ text: `DECLARE bodies NO SCROLL CURSOR FOR SELECT encode(sha256, 'hex') AS sha256, size, segment, "offset", stored_at AS "storedAt" FROM (${select}) b ORDER BY segment, "offset", sha256`, ...PATIENT });
    for (;;) {
      const { rows } = await db.query<BodyEntry>({ text: `FETCH ${PAGE} FROM bodies`, ...PATIENT });
      if (rows.length === 0) return;
      yield rows.map((entry) => ({ sha256: entry.sha256, size: entry.size, at: hint(entry) }));
    }
  } finally {
    await db.query('ROLLBACK').then(() => db.release(), () => db.release(true));
  }
}

async function count(pool: pg.Pool, select: string): Promise<number> {
  const { rows } = await pool.query<{ n: number }>({ text: `SELECT count(*) AS n FROM (${select}) b`, ...PATIENT });
  return rows[0]?.n ?? 0;
}

/** Bodies that a mailbox or the queue refers to and the index does not know. */
async function withMissing(pool: pg.Pool, report: BodiesReport, schema: string): Promise<BodiesReport> {
  const { rows } = await pool.query<{ sha256: string; n: number }>({
    text: `SELECT encode(sha256, 'hex') AS sha256, count(*) OVER () AS n FROM (
             SELECT sha256 FROM view.mailbox_message_1 UNION SELECT decode(message::json->>'sha256', 'hex') FROM view.queue_1 WHERE state <> 'unread'
             UNION SELECT sha256 FROM view.quarantine_1) r
           WHERE sha256 IS NOT NULL AND NOT EXISTS (SELECT FROM ${schema}.object_body b WHERE b.sha256 = r.sha256) ORDER BY 1 LIMIT 100`,
    ...PATIENT,
  });
  const named = rows.filter(({ sha256 }) => !report.problems.some((problem) => problem.startsWith(sha256)));
  const unknown = (rows[0]?.n ?? 0) - (rows.length - named.length);
  return { ...report, problems: [...report.problems, ...named.map(({ sha256 }) => `${sha256}: unknown to the store, and referred to`)], problemCount: report.problemCount + unknown };
}
