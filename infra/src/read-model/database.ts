import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import type { PostgresConnection } from '../postgres/connection.js';
import { courteous } from '../postgres/courteous.js';

/** pg_type.oid of bigint. */
const INT8 = 20;
/** bigint as number: positions, sizes and epoch ms all stay below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => ((oid as number) === INT8 ? Number : pg.types.getTypeParser(oid, format)) as never,
};

/** Prepared statements are simple and run all the time: planning them anew costs more than it could win. */
const GENERIC = '-c plan_cache_mode=force_generic_plan';
/** Over TCP: a process whose machine is cut off loses its locks, so its partitions and its due work, within 20 s. */
const KEEPALIVE = '-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=15000';
/** As the embedded server is set: a client that was killed gives its locks back within seconds. */
const DEAD_CLIENTS = '-c client_connection_check_interval=2s -c idle_in_transaction_session_timeout=5min';
/**
 * For roles that look up rows by key and nothing else: a plan made while a queue was empty would read the whole table for each row
 * of a batch, and is kept when the queue has filled.
 */
const BY_KEY = '-c enable_seqscan=off';

export interface Connecting {
  /** ms. Statements that take longer fail: a stuck database becomes a 4xx, not a hang. */
  readonly timeout?: number;
  /** Tables are never read whole. */
  readonly byKey?: boolean;
  /** Connections that a pool keeps open while nothing happens: a new one takes some ms, and again over the first run of each statement. */
  readonly kept?: number;
}

/** Options for any connection. */
export function connectionOptions(address: PostgresConnection, { timeout = 20_000, byKey = false }: Connecting = {}): pg.ClientConfig {
  const { given, ...connection } = withoutOptions(address);
  // Ours last: they win.
  const options = [given, GENERIC, KEEPALIVE, DEAD_CLIENTS, ...(byKey ? [BY_KEY] : [])].filter((option) => option !== '').join(' ');
  // A statement need not wait for the answer to the one before (see event-store/pipeline.ts); who awaits each sees no difference.
  return { ...connection, types, options, pipeline: true, query_timeout: timeout, connectionTimeoutMillis: 5_000, application_name: `kiroku ${process.title.slice(0, 40)}` };
}

/** The driver takes a URL's `options` instead of ours, not besides. */
function withoutOptions(address: PostgresConnection): PostgresConnection & { readonly given: string } {
  if (!('connectionString' in address)) return { ...address, given: '' };
  const { connectionString } = address;
  const query = connectionString.indexOf('?');
  const parameters = new URLSearchParams(query < 0 ? '' : connectionString.slice(query + 1));
  const given = parameters.get('options') ?? '';
  if (given === '') return { connectionString, given };
  parameters.delete('options');
  return { connectionString: `${connectionString.slice(0, query)}${parameters.size > 0 ? `?${parameters.toString()}` : ''}`, given };
}

/** A small pool: protocol servers gather what waits into one query, so few connections carry much. */
export function openPool(address: PostgresConnection, max = 4, trouble: (error: unknown) => void = () => undefined, how: Connecting = {}): pg.Pool {
  const pool = new pg.Pool({ ...connectionOptions(address, how), max, min: how.kept ?? 0, idleTimeoutMillis: 10_000, Client: courteous() });
  // An idle connection broke: the pool makes a new one when asked. One that is being closed has told the server to end it, who may do so for its own reasons first.
  pool.on('error', (error) => void (pool.ending || trouble(error)));
  return pool;
}

/** Runs `work` in one transaction on one connection. A connection that failed is not used again. */
export async function transaction<T>(pool: pg.Pool, work: (db: pg.PoolClient) => Promise<T>, begin = 'BEGIN'): Promise<T> {
  const db = await pool.connect();
  let broken: Error | undefined;
  // A connection that breaks between two statements has no query to tell; without a listener it would end the process.
  const breaks = (error: Error): void => void (broken = error);
  db.on('error', breaks);
  try {
    await db.query(begin);
    const result = await work(db);
    await db.query('COMMIT');
    return result;
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    // After a time-out the statement may still run on this connection: it is closed, and the server rolls back.
    if (/timeout/i.test(failure.message)) broken = failure;
    else await db.query('ROLLBACK').catch(() => (broken = failure));
    throw error;
  } finally {
    db.off('error', breaks);
    db.release(broken);
  }
}

/** A connection that holds session locks while `work` runs. Closed afterwards: the locks go with it, whatever happened. */
export async function guarded<T>(pool: pg.Pool, work: (guard: pg.PoolClient) => Promise<T>): Promise<T> {
  const guard = await pool.connect();
  const breaks = (): void => undefined; // told by the next query
  guard.on('error', breaks);
  try {
    return await work(guard);
  } finally {
    // The server sees the end of a connection when it gets to it; who comes next asks at once.
    await guard.query('SELECT pg_advisory_unlock_all()').catch(breaks);
    guard.off('error', breaks);
    guard.release(true);
  }
}

/**
 * A connection of its own while `work` runs, which takes COPY too: those of a pool send a statement before the one before is answered, and COPY
 * is a conversation.
 * @param copyIn runs `COPY … FROM STDIN` with this data on that connection: all of it or nothing.
 */
export async function apart<T>(pool: pg.Pool, work: (db: pg.Client, copyIn: (statement: string, data: Buffer) => Promise<void>) => Promise<T>): Promise<T> {
  // The pool keeps its password out of what is listed.
  const db = new pg.Client({ ...pool.options, password: pool.options.password, pipeline: false });
  db.on('error', () => undefined); // told by the next query
  try {
    await db.connect();
    return await work(db, (statement, data) => pipeline([data], db.query(from(statement))));
  } finally {
    await db.end();
  }
}

/** Did the server say no, so that nothing was written? After a lost connection or a server that shuts down nobody knows. */
export function surelyFailed(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  // Classes of SQLSTATE begin with a digit, or are these: EPIPE is none of them.
  return typeof code === 'string' && /^(\d[0-9A-Z]|F0|HV|P0)[0-9A-Z]{3}$/.test(code) && !/^(08|57P|58)/.test(code);
}
