import pg from 'pg';
import type { PostgresConnection } from '../postgres/connection.js';
import { connectionOptions } from '../read-model/database.js';

/** Major versions: below the first nothing was ever tried; the tests run on the second. */
const LEAST = 16;
const TESTED = 18;

/** What a look at an outside PostgreSQL found. `refused`: Kiroku cannot work with it. */
export interface PostgresLook {
  readonly version: string;
  readonly refused: readonly PostgresProblem[];
  readonly warnings: readonly PostgresProblem[];
  /** `max_connections` less what is kept for superusers, and how many are taken now. */
  readonly connections: number;
  readonly taken: number;
}

export type PostgresProblem =
  | { readonly kind: 'too-old' | 'untested'; readonly version: string; readonly least: number; readonly tested: number }
  | { readonly kind: 'encoding'; readonly encoding: string }
  | { readonly kind: 'read-only' }
  | { readonly kind: 'may-not-create'; readonly user: string; readonly where: string }
  | { readonly kind: 'not-durable'; readonly setting: string; readonly value: string };

/** @throws what connecting throws; a pooler that is in the way says so itself (it refuses the startup parameter `options`). */
export async function lookAtPostgres(address: PostgresConnection): Promise<PostgresLook> {
  const client = new pg.Client(connectionOptions(address, { timeout: 10_000 }));
  client.on('error', () => undefined); // told by the query
  await client.connect();
  try {
    const { rows } = await client.query<Facts>(FACTS);
    return verdict(rows[0] as Facts);
  } finally {
    await client.end().catch(() => undefined);
  }
}

interface Facts {
  readonly number: number; readonly version: string; readonly encoding: string; readonly recovering: boolean; readonly user: string; readonly database: string;
  readonly schemas: boolean; readonly tables: boolean; readonly fsync: string; readonly commit: string; readonly pages: string; readonly connections: number; readonly taken: number;
}

const FACTS = `
  SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS version, pg_encoding_to_char(d.encoding) AS encoding,
    pg_is_in_recovery() AS recovering, current_user AS user, current_database() AS database, has_database_privilege(current_database(), 'CREATE') AS schemas,
    coalesce(has_schema_privilege(to_regnamespace('public')::oid, 'CREATE'), false) AS tables,
    current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit, current_setting('full_page_writes') AS pages,
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS connections,
    (SELECT count(*)::integer FROM pg_stat_activity WHERE backend_type = 'client backend') AS taken
  FROM pg_database d WHERE d.datname = current_database()`;

function verdict(facts: Facts): PostgresLook {
  const major = Math.floor(facts.number / 10_000);
  const versions = { version: facts.version, least: LEAST, tested: TESTED };
  const refused: PostgresProblem[] = [];
  if (major < LEAST) refused.push({ kind: 'too-old', ...versions });
  if (facts.encoding !== 'UTF8') refused.push({ kind: 'encoding', encoding: facts.encoding });
  if (facts.recovering) refused.push({ kind: 'read-only' });
  else if (!facts.schemas) refused.push({ kind: 'may-not-create', user: facts.user, where: `database ${facts.database}` });
  else if (!facts.tables) refused.push({ kind: 'may-not-create', user: facts.user, where: 'schema public' });
  const durable = [['fsync', facts.fsync], ['full_page_writes', facts.pages], ['synchronous_commit', facts.commit]] as const;
  const warnings: PostgresProblem[] = [
    ...(major >= LEAST && major !== TESTED ? [{ kind: 'untested', ...versions } as const] : []),
    ...durable.filter(([, value]) => value === 'off').map(([setting, value]) => ({ kind: 'not-durable', setting, value }) as const),
  ];
  return { version: facts.version, refused, warnings, connections: facts.connections, taken: facts.taken };
}

/** In English, for a start that is refused and for the log. */
export function postgresProblem(problem: PostgresProblem): string {
  switch (problem.kind) {
    case 'too-old':
      return `PostgreSQL ${problem.version} is too old: ${problem.least} or newer is needed, ${problem.tested} is what Kiroku is tested with`;
    case 'untested':
      return `PostgreSQL ${problem.version} works as far as known; Kiroku is tested with ${problem.tested}`;
    case 'encoding':
      return `the database's encoding is ${problem.encoding}: make one with ENCODING 'UTF8' TEMPLATE template0`;
    case 'read-only':
      return 'this PostgreSQL is a read-only copy: name the one that takes writes';
    case 'may-not-create':
      return `the user ${problem.user} may not create anything in ${problem.where}: make it the owner of the database`;
    case 'not-durable':
      return `${problem.setting} is ${problem.value}: a power cut loses mail that was acknowledged`;
  }
}

/** Connections that a process of a role takes at most, from the sizes of its pools and what listens or holds locks besides. */
export const CONNECTIONS: Readonly<Record<string, number>> = { smtp: 7, delivery: 7, pop3: 5, imap: 13, worker: 5, api: 7 };
/** A start brings the database up to date first, and lets these go again. */
export const CONNECTIONS_AT_START = 5;
