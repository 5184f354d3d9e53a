import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrate } from '@kiroku/migrations/migrate.js';
import type pg from 'pg';
import { makeCredentials, sealCredentials } from '../auth/credentials.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from '../read-model/database.js';
import { readConfig } from './config.js';
import { claimEngines, claimServerKey, enginesInUse, EnginesRefused, MOVED, noteEngine, RECEIVING, storeIdFile } from './engines-in-use.js';

const home = mkdtempSync('/tmp/kiroku-engines-');
let folders = 0;
let db: TestPostgres | undefined;
let pool: pg.Pool;

async function closed(): Promise<void> {
  await pool?.end();
  await db?.close();
}
beforeEach(async () => {
  await closed();
  db = await testPostgres();
  await migrate(db.connection);
  pool = openPool(db.connection, 3);
});
afterAll(async () => {
  await closed();
  rmSync(home, { recursive: true });
});

const KAFKA = { KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: 'k:9092' };
const S3 = { KIROKU_OBJECT_STORE: 's3', KIROKU_S3_PREFIX: 'kiroku/', KIROKU_S3_ENDPOINT: 'http://s3.test', KIROKU_S3_BUCKET: 'mail', KIROKU_S3_ACCESS_KEY: 'a', KIROKU_S3_SECRET_KEY: 'b' };
/** A machine with an empty data folder. */
const machine = (env: Record<string, string> = {}) => {
  const data = join(home, `data-${++folders}`);
  mkdirSync(data);
  return { data, config: readConfig({ KIROKU_DATA: data, ...env }, home) };
};
const refusal = (work: Promise<void>): Promise<string> => work.then(() => 'nothing was refused', (error: unknown) => {
  if (!(error instanceof EnginesRefused)) throw error;
  return error.message;
});

describe('the engines of an installation', () => {
  it('are noted at the first start, and the same at each later one', async () => {
    const { data, config } = machine();
    await claimEngines(pool, config);
    await claimEngines(pool, config);
    expect(await enginesInUse(pool)).toEqual(new Map([
      ['event-log', { engine: 'postgres', place: '' }],
      ['event-store', { engine: 'postgres', place: '' }],
      ['object-store', { engine: 'files', place: readFileSync(storeIdFile(data), 'utf8').trim() }],
    ]));
  });

  it('let a second machine in that names the same', async () => {
    await claimEngines(pool, machine({ ...KAFKA, ...S3 }).config);
    await claimEngines(pool, machine({ ...KAFKA, ...S3, KIROKU_S3_ENDPOINT: 'http://other.test', KIROKU_KAFKA_BROKERS: 'l:9092' }).config);
    expect((await enginesInUse(pool)).get('object-store')).toEqual({ engine: 's3', place: 'mail/kiroku' });
  });

  it.each([
    [{ ...S3 }, 'the event log of this installation is kafka: KIROKU_EVENT_LOG must be kafka on every machine'],
    [{ ...KAFKA, ...S3, KIROKU_KAFKA_PREFIX: 'other' }, 'the event log of this installation is kafka at kiroku, not at other: the settings must be the same on every machine'],
    [{ ...KAFKA }, 'the store of bodies of this installation is s3: KIROKU_OBJECT_STORE must be s3 on every machine'],
    [{ ...KAFKA, ...S3, KIROKU_S3_BUCKET: 'post' }, 'the store of bodies of this installation is s3 at mail/kiroku, not at post/kiroku: the settings must be the same on every machine'],
    [{ ...KAFKA, ...S3, KIROKU_EVENT_STORE: 'kurrentdb', KIROKU_KURRENTDB_URL: 'esdb://db' }, 'the event store of this installation is postgres: KIROKU_EVENT_STORE must be postgres on every machine'],
  ])('keep a machine with %j out', async (env, says) => {
    await claimEngines(pool, machine({ ...KAFKA, ...S3 }).config);
    expect(await refusal(claimEngines(pool, machine(env).config))).toBe(says);
  });

  it('keep a second machine out while bodies are in files, and leave its folder nameless', async () => {
    const first = machine();
    await claimEngines(pool, first.config);
    const second = machine();
    expect(await refusal(claimEngines(pool, second.config))).toMatch(/another machine.*further machines need KIROKU_OBJECT_STORE=s3/);
    expect(() => readFileSync(storeIdFile(second.data))).toThrow('ENOENT');
    // The same folder at another place, as after a restore.
    mkdirSync(join(second.data, 'objects'), { recursive: true });
    writeFileSync(storeIdFile(second.data), readFileSync(storeIdFile(first.data)));
    await claimEngines(pool, second.config);
  });

  it('of a database from before are not left behind for empty ones', async () => {
    await pool.query(`INSERT INTO history.mail VALUES (0, 0, 1, 1, '[]')`);
    expect(await refusal(claimEngines(pool, machine(KAFKA).config))).toMatch(/^the event log of this installation is in PostgreSQL: "kiroku migrate-engine --to kafka"/);
    await pool.query(`INSERT INTO object_body VALUES ('\\x00', 1, 0, 1, 1)`);
    expect(await refusal(claimEngines(pool, machine(S3).config))).toMatch(/^the bodies of this installation are in files: "kiroku migrate-engine --to s3"/);
    await pool.query(`INSERT INTO history.decision VALUES (0, 's', 1, 1, '[]')`);
    expect(await refusal(claimEngines(pool, machine({ KIROKU_EVENT_STORE: 'kurrentdb', KIROKU_KURRENTDB_URL: 'esdb://db' }).config))).toMatch(/cannot be moved/);
    await claimEngines(pool, machine().config);
  });

  it('are changed by whoever moved the data', async () => {
    const { config } = machine();
    await claimEngines(pool, config);
    await noteEngine(pool, 'event-log', { engine: 'kafka', place: 'kiroku' }, 5);
    expect(await refusal(claimEngines(pool, config))).toMatch(/^the event log of this installation is kafka/);
  });

  it('are not used in a database that has moved, or is only half there', async () => {
    const { config } = machine();
    await noteEngine(pool, 'database', { engine: MOVED, place: '' }, 5);
    expect(await refusal(claimEngines(pool, config))).toMatch(/^this database has moved to an outside PostgreSQL/);
    await noteEngine(pool, 'database', { engine: RECEIVING, place: '' }, 5);
    expect(await refusal(claimEngines(pool, config))).toMatch(/^another database is being copied here/);
  });
});

describe('the server key of an installation', () => {
  const key = () => randomBytes(32).toString('base64');
  const account = async (secret: string): Promise<void> => {
    const id = '00000000-0000-7000-8000-000000000001';
    const credentials = sealCredentials(await makeCredentials('correct', { reversible: false }), Buffer.from(secret, 'base64'), id);
    const { rows } = await pool.query<{ column: string; type: string }>(
      `SELECT column_name AS column, data_type AS type FROM information_schema.columns WHERE table_schema = 'view' AND table_name = 'account_1'`);
    const value = ({ column, type }: { column: string; type: string }): string =>
      column === 'credentials' ? `'${credentials}'` : type === 'uuid' ? `'${id}'` : type === 'boolean' ? 'false' : type === 'text' ? `'x'` : '0';
    await pool.query(`INSERT INTO view.account_1 (${rows.map((r) => r.column).join(', ')}) VALUES (${rows.map(value).join(', ')})`);
  };

  it('is made where there is nothing to open, and is then the only one', async () => {
    const { data } = machine();
    await claimServerKey(pool, data, {});
    await claimServerKey(pool, data, {});
    const made = readFileSync(join(data, 'server.key'), 'utf8').trim();
    await claimServerKey(pool, machine().data, { KIROKU_SERVER_KEY: made });
    expect(await refusal(claimServerKey(pool, machine().data, { KIROKU_SERVER_KEY: key() }))).toMatch(/^KIROKU_SERVER_KEY is not the key of this installation/);
  });

  it('is not made anew on a machine with an empty data folder', async () => {
    await claimServerKey(pool, machine().data, {});
    const { data } = machine();
    expect(await refusal(claimServerKey(pool, data, {}))).toMatch(/server\.key is missing.*copy it from another machine/);
    expect(() => readFileSync(join(data, 'server.key'))).toThrow('ENOENT');
  });

  it('may be in a file that a container was given', async () => {
    const { data } = machine();
    writeFileSync(join(home, 'a-key'), `${key()}\n`);
    await claimServerKey(pool, data, { KIROKU_SERVER_KEY_FILE: join(home, 'a-key') });
    expect(await refusal(claimServerKey(pool, data, {}))).toMatch(/is missing/);
  });

  it('is found out to fit, or not to, where no start has noted it yet', async () => {
    const right = key();
    await account(right);
    expect(await refusal(claimServerKey(pool, machine().data, {}))).toMatch(/is missing/);
    expect(await refusal(claimServerKey(pool, machine().data, { KIROKU_SERVER_KEY: key() }))).toMatch(/is not the key/);
    await claimServerKey(pool, machine().data, { KIROKU_SERVER_KEY: right });
  });

  it('can be given up, which has to be said', async () => {
    await account(key());
    const other = { KIROKU_SERVER_KEY: key() };
    await claimServerKey(pool, machine().data, { ...other, KIROKU_ACCEPT_SERVER_KEY: 'yes' });
    await claimServerKey(pool, machine().data, other);
  });

  it('is named by nothing that would give it away', async () => {
    const secret = key();
    await claimServerKey(pool, machine().data, { KIROKU_SERVER_KEY: secret });
    const { place } = (await enginesInUse(pool)).get('server-key') ?? { place: '' };
    expect(place).toMatch(/^[0-9a-f]{32}$/);
    expect(Buffer.from(secret, 'base64').toString('hex')).not.toContain(place);
  });
});
