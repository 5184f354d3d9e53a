import pg from 'pg';
import { History0001 } from './0001-history.js';
import { Views0002 } from './0002-views.js';
import { Operations0003 } from './0003-operations.js';
import { Outbound0004 } from './0004-outbound.js';
import { Mailboxes0005 } from './0005-mailboxes.js';
import { Administration0006 } from './0006-administration.js';
import { BodyCache0007 } from './0007-body-cache.js';
import { Engines0008 } from './0008-engines.js';
import { KafkaTopics0009 } from './0009-kafka-topics.js';
import { DecisionCopy0010 } from './0010-decision-copy.js';
import { PackedMailboxes0011 } from './0011-packed-mailboxes.js';
import { AccessTokens0012 } from './0012-access-tokens.js';
import { Ldap0013 } from './0013-ldap.js';
import { UnloggedCache0014 } from './0014-unlogged-cache.js';
import { AccountGroups0015 } from './0015-account-groups.js';
import { AppendDecision0016 } from './0016-append-decision.js';

/** A connection as `pg` takes it. */
export type MigrationTarget =
  | { readonly connectionString: string }
  | { readonly host: string; readonly port: number; readonly user: string; readonly password: string; readonly database: string };

const MIGRATIONS = [
  History0001, Views0002, Operations0003, Outbound0004, Mailboxes0005, Administration0006,
  BodyCache0007, Engines0008, KafkaTopics0009, DecisionCopy0010, PackedMailboxes0011, AccessTokens0012,
  Ldap0013, UnloggedCache0014, AccountGroups0015, AppendDecision0016,
];
const KNOWN: readonly string[] = MIGRATIONS.map((Migration) => new Migration().name);

/**
 * Brings the database to this program's shape. Each migration in a transaction of its own; two starts at once wait for each other.
 * @returns names of the migrations that ran, [] when all had.
 * @throws when the database has migrations that this program does not know: it was written by a newer release.
 */
export async function migrate(address: MigrationTarget): Promise<readonly string[]> {
  // The usual start. What makes changes is not even loaded then: that takes a third of a second.
  if ((await done(address)).length === KNOWN.length) return [];
  await import('reflect-metadata');
  const { DataSource } = await import('typeorm');
  const source = new DataSource({
    type: 'postgres',
    ...('connectionString' in address ? { url: address.connectionString } : { host: address.host, port: address.port, username: address.user, password: address.password, database: address.database }),
    migrations: MIGRATIONS,
    migrationsTableName: 'migration',
    poolSize: 2,
  });
  await source.initialize();
  try {
    const runner = source.createQueryRunner();
    await runner.query('SELECT pg_advisory_lock(4711)'); // one migration at a time, whoever starts
    try {
      await done(address); // a newer release may have come first
      return (await source.runMigrations({ transaction: 'each' })).map((m) => m.name);
    } finally {
      await runner.query('SELECT pg_advisory_unlock(4711)');
      await runner.release();
    }
  } finally {
    await source.destroy();
  }
}

/** Migrations that the database has. @throws when this program does not know one of them. */
async function done(address: MigrationTarget): Promise<readonly string[]> {
  const client = new pg.Client(address);
  client.on('error', () => undefined); // told by the next query
  try {
    await client.connect();
    const { rows: [found] } = await client.query<{ there: boolean }>(`SELECT to_regclass('public.migration') IS NOT NULL AS there`);
    if (found?.there !== true) return [];
    const names = (await client.query<{ name: string }>('SELECT name FROM public.migration ORDER BY id')).rows.map(({ name }) => name);
    const unknown = names.filter((name) => !KNOWN.includes(name));
    if (unknown.length > 0) throw new Error(`the database was written by a newer release of Kiroku (${unknown.join(', ')}): install that release`);
    return names;
  } finally {
    await client.end();
  }
}
