import pg from 'pg';
import { connectionOptions } from '../read-model/database.js';
import type { PostgresConnection } from './connection.js';

/** Why a server is not to be used as a replica, however well it works. */
export type ReplicaProblem = 'not-following' | 'another-server' | 'another-database' | 'no-rights';

/** What a look at a replica found. Times in ms. */
export type ReplicaLook =
  | { readonly kind: 'following'; readonly lag: number }
  | { readonly kind: 'away'; readonly why: string }
  | { readonly kind: 'wrong'; readonly problem: ReplicaProblem };

interface Place {
  /** Names the data of a cluster of PostgreSQL; a replica has its primary's. */
  readonly system: string;
  /** Its oid: a replica has the same. */
  readonly database: string;
}

/** Of the primary, read before the replica's. */
export interface PrimaryFacts extends Place {
  /** Bytes of WAL written since the cluster was made; null on a server that is itself in recovery. */
  readonly written: number | null;
  /** Its own clock. */
  readonly now: number;
}

export interface ReplicaFacts extends Place {
  readonly following: boolean;
  readonly readable: boolean;
  /** Bytes of WAL that queries see. */
  readonly replayed: number | null;
  /** When the last transaction that it replayed was committed, by the primary's clock; null when it has replayed none since its start. */
  readonly lastCommit: number | null;
}

const PLACE = `(pg_control_system()).system_identifier::text AS system, (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database`;
const PRIMARY = `SELECT ${PLACE}, CASE WHEN pg_is_in_recovery() THEN NULL ELSE (pg_current_wal_lsn() - '0/0')::float8 END AS written,
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`;
/** A schema that is not there yet is one that has not been replayed: nothing is wrong with the rights. */
const REPLICA = `SELECT ${PLACE}, pg_is_in_recovery() AS following, (pg_last_wal_replay_lsn() - '0/0')::float8 AS replayed,
  (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000)::float8 AS "lastCommit",
  coalesce(has_schema_privilege(to_regnamespace('view')::oid, 'USAGE'), true)
    AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('view')::oid AND relkind IN ('r', 'p') AND NOT has_table_privilege(oid, 'SELECT')) AS readable`;

type Database = Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>;

export const primaryFacts = async (db: Database): Promise<PrimaryFacts> => (await db.query<PrimaryFacts>(PRIMARY)).rows[0] as PrimaryFacts;
export const replicaFacts = async (db: Database): Promise<ReplicaFacts> => (await db.query<ReplicaFacts>(REPLICA)).rows[0] as ReplicaFacts;

/** Whether the replica has all that the primary had written. */
export const caughtUp = (primary: PrimaryFacts, replica: ReplicaFacts): boolean => replica.replayed !== null && primary.written !== null && replica.replayed >= primary.written;

/**
 * The replica compared with its primary. What it lacks is told by positions in the WAL, so a primary that writes nothing is not taken for a
 * replica that lags, nor a replica that is cut off for one that has everything. How long it lacks it is told by the primary's clock alone.
 * @param sinceWhole ms since it was last seen to have everything: the last commit may be of long before, when the primary was idle.
 */
export function judge(primary: PrimaryFacts, replica: ReplicaFacts, sinceWhole = Infinity): ReplicaLook {
  if (replica.system !== primary.system) return { kind: 'wrong', problem: 'another-server' };
  if (!replica.following) return { kind: 'wrong', problem: 'not-following' };
  if (replica.database !== primary.database) return { kind: 'wrong', problem: 'another-database' };
  if (!replica.readable) return { kind: 'wrong', problem: 'no-rights' };
  if (caughtUp(primary, replica)) return { kind: 'following', lag: 0 };
  const sinceCommit = replica.lastCommit === null ? Infinity : Math.max(0, primary.now - replica.lastCommit);
  return { kind: 'following', lag: Math.min(sinceCommit, sinceWhole) };
}

/**
 * One look, for a start and for a doctor.
 * @throws what connecting to the primary throws; a replica that does not answer is `away`.
 */
export async function lookAtReplica(primary: PostgresConnection, replica: PostgresConnection): Promise<ReplicaLook> {
  const before = await asked(primary, primaryFacts);
  try {
    return judge(before, await asked(replica, replicaFacts));
  } catch (error) {
    return { kind: 'away', why: reasonOf(error) };
  }
}

/** First line only, and no more than a line holds: it goes into warnings. */
export const reasonOf = (error: unknown): string => ((error instanceof Error && error.message) || String((error as { code?: unknown }).code ?? error)).split('\n', 1).join('').slice(0, 200);

async function asked<T>(address: PostgresConnection, ask: (db: Database) => Promise<T>): Promise<T> {
  const client = new pg.Client(connectionOptions(address, { timeout: 10_000 }));
  client.on('error', () => undefined); // told by the query
  await client.connect();
  try {
    return await ask(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** In English, for a start that is refused and for the log. */
export function replicaProblem(problem: ReplicaProblem): string {
  switch (problem) {
    case 'not-following':
      return 'KIROKU_POSTGRES_REPLICA_URL leads to the primary itself, or to a copy that takes writes of its own: name a server that follows the primary';
    case 'another-server':
      return 'KIROKU_POSTGRES_REPLICA_URL leads to a PostgreSQL that is no replica of the one at KIROKU_POSTGRES_URL';
    case 'another-database':
      return 'KIROKU_POSTGRES_REPLICA_URL names another database than KIROKU_POSTGRES_URL';
    case 'no-rights':
      return 'the user of KIROKU_POSTGRES_REPLICA_URL may not read all tables of the schema view';
  }
}
