import { createHmac, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { openCredentials } from '../auth/credentials.js';
import { loadServerKey, SealBroken, type ServerKey } from '../auth/seal.js';
import { readIfThere, readOrCreate } from '../auth/secret-file.js';
import { transaction } from '../read-model/database.js';
import type { Config } from './config.js';
import { secretOf } from './secret.js';

/** A row per port in `ops.engine`: which engine holds this installation's data, and where. The place of the server key is its fingerprint. */
type Held = 'event-log' | 'event-store' | 'object-store';
export type Port = Held | 'server-key' | 'database';
type Engines = Pick<Config, 'data' | 'eventLog' | 'kafkaPrefix' | 'eventStore' | 'objectStore' | 's3Bucket' | 's3Prefix'>;
interface InUse { readonly engine: string; readonly place: string }

/** This machine's settings do not fit the data that is there. The message says what to do. */
export class EnginesRefused extends Error {}

/** Any number that no other advisory lock of the database uses: 'eng' in ASCII. */
export const ENGINE_LOCK = 0x656e67;
/** What the row `database` says: all went to another one; or another one's data is on its way here. */
export const MOVED = 'moved';
export const RECEIVING = 'receiving';

const SETTING: Readonly<Record<Held, { readonly variable: string; readonly what: string }>> = {
  'event-log': { variable: 'KIROKU_EVENT_LOG', what: 'the event log' },
  'event-store': { variable: 'KIROKU_EVENT_STORE', what: 'the event store' },
  'object-store': { variable: 'KIROKU_OBJECT_STORE', what: 'the store of bodies' },
};

/** What holds data although nobody has said so yet: a database from before these rows were kept. */
const HELD: readonly { readonly port: Held; readonly embedded: string; readonly held: string; readonly advice: string }[] = [
  {
    port: 'event-log', embedded: 'postgres', held: 'EXISTS (SELECT FROM history.mail) OR EXISTS (SELECT FROM history.session)',
    advice: 'the event log of this installation is in PostgreSQL: "kiroku migrate-engine --to kafka" moves it',
  },
  {
    port: 'event-store', embedded: 'postgres', held: 'EXISTS (SELECT FROM history.decision)',
    advice: 'the decisions of this installation are in PostgreSQL and cannot be moved: KurrentDB is for new installations',
  },
  { port: 'object-store', embedded: 'files', held: 'EXISTS (SELECT FROM object_body)', advice: 'the bodies of this installation are in files: "kiroku migrate-engine --to s3" moves them' },
];

/** Names the folder of bodies, so that another machine's empty one is not taken for it. */
export const storeIdFile = (data: string): string => join(data, 'objects', 'store.id');

/** Where each engine of these settings keeps its data: what must be the same on all machines. */
export async function placesOf(config: Engines, make = true): Promise<Readonly<Record<Held, InUse>>> {
  const file = storeIdFile(config.data);
  const id = config.objectStore === 'files' ? (make ? await readOrCreate(file, 0o600, () => `${randomUUID()}\n`) : await readIfThere(file)) : undefined;
  return {
    'event-log': { engine: config.eventLog, place: config.eventLog === 'kafka' ? config.kafkaPrefix : '' },
    'event-store': { engine: config.eventStore, place: '' },
    'object-store': config.objectStore === 's3' ? { engine: 's3', place: `${config.s3Bucket}/${config.s3Prefix.replace(/\/$/, '')}` } : { engine: 'files', place: id?.trim() ?? '' },
  };
}

/**
 * Sees to it that all machines of an installation use the same engines, and that nobody starts with empty ones beside full ones. The
 * first start says for all later ones what is used; `kiroku migrate-engine` changes it. For every start, after the migrations.
 * @throws EnginesRefused
 */
export async function claimEngines(pool: pg.Pool, config: Engines, now = Date.now()): Promise<void> {
  await alone(pool, async (db) => {
    const known = await enginesInUse(db);
    const database = known.get('database')?.engine;
    if (database === MOVED) throw new EnginesRefused('this database has moved to an outside PostgreSQL: KIROKU_POSTGRES_URL must name it');
    if (database === RECEIVING) throw new EnginesRefused('another database is being copied here: "kiroku migrate-engine --to postgres" has to end first');
    // The folder's name is only made where the folder is the store's: an empty one must stay nameless.
    const wanted = await placesOf(config, !known.has('object-store'));
    for (const { port, embedded, held, advice } of HELD) {
      const before = known.get(port);
      if (before) {
        refuseOther(port, before, wanted[port], config.data);
        continue;
      }
      const { rows } = await db.query<{ held: boolean }>(`SELECT ${held} AS held`);
      if (wanted[port].engine !== embedded && rows[0]?.held === true) throw new EnginesRefused(advice);
      await noteEngine(db, port, wanted[port], now);
    }
  });
}

function refuseOther(port: Held, before: InUse, wanted: InUse, data: string): void {
  const { variable, what } = SETTING[port];
  if (before.engine !== wanted.engine) throw new EnginesRefused(`${what} of this installation is ${before.engine}: ${variable} must be ${before.engine} on every machine`);
  if (before.place === wanted.place) return;
  if (wanted.engine === 'files')
    throw new EnginesRefused(
      `the bodies of this installation lie in the data folder of another machine, or ${storeIdFile(data)} is lost: further machines need KIROKU_OBJECT_STORE=s3; if this is the folder, write ${before.place} into that file`);
  throw new EnginesRefused(`${what} of this installation is ${wanted.engine} at ${before.place}, not at ${wanted.place}: the settings must be the same on every machine`);
}

/** Empty before the first start that notes them. */
export async function enginesInUse(db: Pick<pg.ClientBase, 'query'>): Promise<ReadonlyMap<Port, InUse>> {
  const { rows } = await db.query<{ port: Port; engine: string; place: string }>('SELECT port, engine, place FROM ops.engine');
  return new Map(rows.map(({ port, engine, place }) => [port, { engine, place }]));
}

/** From now on the port's data is there. */
export async function noteEngine(db: Pick<pg.ClientBase, 'query'>, port: Port, { engine, place }: InUse, now: number): Promise<void> {
  await db.query(
    'INSERT INTO ops.engine VALUES ($1, $2, $3, $4) ON CONFLICT (port) DO UPDATE SET engine = excluded.engine, place = excluded.place, since = excluded.since',
    [port, engine, place, now]);
}

const alone = <T>(pool: pg.Pool, work: (db: pg.PoolClient) => Promise<T>): Promise<T> =>
  transaction(pool, async (db) => {
    await db.query('SELECT pg_advisory_xact_lock($1)', [ENGINE_LOCK]);
    return work(db);
  });

/** Tells keys apart and nothing about them: the key has 256 random bits. */
const fingerprint = (key: ServerKey): string => createHmac('sha256', key).update('kiroku: which server key').digest('hex').slice(0, 32);

/**
 * All machines need the same server key: a second one that made its own could open no password, and what it seals nobody else could
 * open. Makes the key where nothing was ever sealed. For every start, after the migrations.
 * @throws EnginesRefused with what to do, when the key is missing or is another one than before.
 */
export async function claimServerKey(pool: pg.Pool, data: string, env: Readonly<Record<string, string | undefined>> = process.env, now = Date.now()): Promise<void> {
  await alone(pool, async (db) => {
    const before = (await enginesInUse(db)).get('server-key');
    const { rows } = await db.query<{ id: string; credentials: string }>('SELECT id, credentials FROM view.account_1 LIMIT 1');
    const file = join(data, 'server.key');
    const given = secretOf(env, 'KIROKU_SERVER_KEY');
    if (given === undefined && !existsSync(file) && (before || rows[0]))
      throw new EnginesRefused(
        `${file} is missing, and this installation's passwords are sealed with it: restore it from the backup, copy it from another machine, or set KIROKU_SERVER_KEY; to give these passwords up, make a new key with "openssl rand -base64 32 > ${file}", start once with KIROKU_ACCEPT_SERVER_KEY=yes, and set every password anew`);
    const key = await loadServerKey(data, given ?? '');
    const print = fingerprint(key);
    if (before?.place === print) return;
    const fits = before === undefined && (rows[0] === undefined || opens(rows[0], key));
    if (!fits && env.KIROKU_ACCEPT_SERVER_KEY !== 'yes')
      throw new EnginesRefused(
        `${given === undefined ? file : 'KIROKU_SERVER_KEY'} is not the key of this installation: take the one of the other machines, or the backup's; to give all passwords up, start once with KIROKU_ACCEPT_SERVER_KEY=yes and set them anew`);
    await noteEngine(db, 'server-key', { engine: 'key', place: print }, now);
  });
}

function opens({ id, credentials }: { readonly id: string; readonly credentials: string }, key: ServerKey): boolean {
  try {
    openCredentials(credentials, key, id);
    return true;
  } catch (error) {
    if (error instanceof SealBroken) return false;
    throw error;
  }
}
