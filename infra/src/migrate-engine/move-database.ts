import pg from 'pg';
import { enginesInUse, MOVED, noteEngine, RECEIVING } from '../config/engines-in-use.js';
import type { PostgresConnection } from '../postgres/connection.js';
import { connectionOptions } from '../read-model/database.js';
import { copyDatabase, type DatabaseReport } from './database.js';
import type { Mode } from './move-log.js';
import { MigrationRefused, type Steps } from './steps.js';

/**
 * Moves all tables to another database, on which the same migrations have run. The server must not run. Nothing of the source is
 * removed, but it is marked: a start on it is refused from then on.
 * @throws MigrationRefused
 */
export async function moveDatabase(from: PostgresConnection, to: PostgresConnection, mode: Mode, now: () => number, steps: Steps): Promise<DatabaseReport> {
  return both(from, to, async (source, target) => {
    const identity = await identityOf(source);
    if (mode === 'verify') return copyDatabase(from, to, { ...steps, verifyOnly: true });
    // Moved, and the other one not yet open: the last run was cut off between the two, and this one goes on.
    const moved = (await enginesInUse(source)).get('database')?.engine === MOVED;
    if (moved && !(await isReceiving(target, identity))) throw new MigrationRefused('this database has moved already');
    await refuseFilled(target, identity);
    if (mode === 'look') return copyDatabase(from, from, { ...steps, verifyOnly: true });
    await noteEngine(target, 'database', { engine: RECEIVING, place: identity }, now());
    const report = await copyDatabase(from, to, steps);
    if (report.differences.length > 0) return report;
    // The old one is closed before the new one opens: two that start would part ways, and mail with them.
    if (!moved) await noteEngine(source, 'database', { engine: MOVED, place: '' }, now());
    await openTarget(target, await enginesInUse(source), now());
    return report;
  });
}

async function openTarget(target: pg.Client, engines: Awaited<ReturnType<typeof enginesInUse>>, now: number): Promise<void> {
  await target.query('BEGIN');
  await target.query('DELETE FROM ops.engine');
  for (const [port, engine] of engines) if (port !== 'database') await noteEngine(target, port, engine, now);
  await target.query('COMMIT');
}

async function isReceiving(target: pg.Client, identity: string): Promise<boolean> {
  const database = (await enginesInUse(target)).get('database');
  return database?.engine === RECEIVING && database.place === identity;
}

async function identityOf(db: pg.Client): Promise<string> {
  const { rows } = await db.query<{ identity: string }>('SELECT identity::text FROM public.object_index');
  return rows[0]?.identity ?? '';
}

/** @throws MigrationRefused when the target holds what did not come from this source. */
async function refuseFilled(target: pg.Client, identity: string): Promise<void> {
  if (await isReceiving(target, identity)) return;
  const { rows } = await target.query<{ filled: boolean }>(
    'SELECT EXISTS (SELECT FROM ops.engine) OR EXISTS (SELECT FROM history.decision) OR EXISTS (SELECT FROM history.mail) OR EXISTS (SELECT FROM history.session) AS filled');
  if (rows[0]?.filled === true) throw new MigrationRefused('the other database holds an installation already: name an empty one');
}

async function both<T>(from: PostgresConnection, to: PostgresConnection, work: (source: pg.Client, target: pg.Client) => Promise<T>): Promise<T> {
  const clients = [from, to].map((address) => new pg.Client(connectionOptions(address))) as [pg.Client, pg.Client];
  for (const client of clients) client.on('error', () => undefined); // told by the next query
  try {
    for (const client of clients) await client.connect();
    return await work(...clients);
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
}
