import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import pg from 'pg';
import { readConfig } from '../config/config.js';
import { claimEngines, enginesInUse } from '../config/engines-in-use.js';
import { Hints } from '../event-log/hints.js';
import { MemoryEventLog } from '../event-log/memory.js';
import { PostgresEventLog } from '../event-log/postgres.js';
import { hintOf } from '../object-store/files-writer.js';
import { openFileObjectStore } from '../object-store/files.js';
import { PgBodyIndex } from '../object-store/pg-index.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from '../read-model/database.js';
import { until } from '../rig/until.js';
import { factsIn } from './facts.js';
import { moveBodies } from './move-bodies.js';
import { moveDatabase } from './move-database.js';
import { moveLog } from './move-log.js';
import { MigrationRefused } from './steps.js';
import { holdingDatabase, holdingFolder } from './while-stopped.js';

const steps = { progress: () => undefined };
const now = () => 1_000_000;
let home: string;
let db: TestPostgres;
let pool: pg.Pool;
let hints: Hints;
let log: PostgresEventLog;
beforeEach(async () => {
  home = mkdtempSync('/tmp/kiroku-move-');
  db = await testPostgres();
  await migrate(db.connection);
  pool = openPool(db.connection, 4);
  hints = new Hints(db.connection, pool, () => undefined);
  log = new PostgresEventLog(pool, hints);
});
afterEach(async () => {
  await hints.close();
  await pool.end();
  await db.close();
  rmSync(home, { recursive: true });
});
const fact = (n: number) => ({ id: `e-${n}`, type: 'Noted', version: 1, at: n, actor: 'system:test', correlation: `K${n % 11}`, data: { n } });

describe('an event log that moves', () => {
  const engine = { engine: 'kafka', place: 'kiroku' };
  const move = (target = new MemoryEventLog(), mode: 'look' | 'verify' | 'move' = 'move') => moveLog({ pool, source: log, target: async () => target, engine, now }, mode, steps);
  const handled = async (): Promise<void> => {
    for (let partition = 0; partition < 4; partition++)
      await pool.query(`INSERT INTO history.checkpoint VALUES ('delivery', 'mail', $1, $2) ON CONFLICT (consumer, topic, partition) DO UPDATE SET position = excluded.position`, [partition, await log.head('mail', partition)]);
  };
  beforeEach(async () => {
    for (let n = 0; n < 300; n++) await log.append([{ topic: n % 5 === 0 ? 'session' : 'mail', key: `K${n % 11}`, event: fact(n) }]);
    await pool.query(`INSERT INTO history.checkpoint VALUES ('view:message_2', 'mail', 0, 3), ('view:message_2', 'decision', 0, 3), ('view:session_1', 'session', 0, 1)`);
    await pool.query(`INSERT INTO view.session_1 VALUES ('K1', '1 2 3')`);
  });

  it('waits until all is handled', async () => {
    await expect(move()).rejects.toThrow(/^delivery has \d+ events of mail\/0 still to handle/);
    await expect(move(undefined, 'look')).rejects.toThrow(MigrationRefused);
    await handled();
    expect(await move(undefined, 'look')).toEqual({ events: 300, kept: 0, differences: [] });
    expect(await enginesInUse(pool)).toEqual(new Map());
  });

  it('waits until nothing is set aside, as that is found by its place', async () => {
    await handled();
    await pool.query(`INSERT INTO view.quarantine_1 (message_id, state, sha256, size, partition, position, error, tries, since) VALUES ('M', 'waiting', '\\x00', 1, 0, 0, '', 1, 1)`);
    await expect(move()).rejects.toThrow(/^1 messages are set aside/);
  });

  it('has everything, counts as handled, and its views are built anew', async () => {
    await handled();
    const target = new MemoryEventLog();
    expect(await move(target)).toEqual({ events: 300, kept: 0, differences: [] });
    expect(await factsIn(target)).toBe(300);
    const { rows } = await pool.query<{ consumer: string; topic: string; partition: number; position: number }>('SELECT consumer, topic, partition, position FROM history.checkpoint ORDER BY consumer, partition');
    expect(rows).toEqual(await Promise.all([0, 1, 2, 3].map(async (partition) => ({ consumer: 'delivery', topic: 'mail', partition, position: await target.head('mail', partition) }))));
    expect((await pool.query('SELECT FROM view.session_1')).rowCount).toBe(0);
    expect((await enginesInUse(pool)).get('event-log')).toEqual(engine);
    expect(await move(target, 'verify')).toMatchObject({ events: 300, differences: [] });
    expect(await factsIn(log)).toBe(300);
  });

  it('leaves no place in the old log among the checkpoints that the next batch of decisions tells', async () => {
    await handled();
    await pool.query(`INSERT INTO history.decision_copy (original, checkpoints) VALUES ('o', '{"delivery/mail/0": 900, "delivery/mail/3": 901, "other/decision/0": 5}')`);
    const target = new MemoryEventLog();
    await move(target);
    const heads = await Promise.all([0, 1, 2, 3].map(async (partition) => [`delivery/mail/${partition}`, await target.head('mail', partition)] as const));
    const { rows } = await pool.query<{ checkpoints: object }>('SELECT checkpoints FROM history.decision_copy');
    expect(rows).toEqual([{ checkpoints: { ...Object.fromEntries(heads), 'other/decision/0': 5 } }]);
  });
});

describe('bodies that move', () => {
  const store = (folder: string, index: PgBodyIndex) =>
    openFileObjectStore({ folder: join(home, folder), index, clock: { now: () => Date.now() }, trouble: (error) => { throw error; } });
  const engine = { engine: 's3', place: 'mail/' };
  let refs: BodyRef[];
  beforeEach(async () => {
    const source = await store('old', new PgBodyIndex(pool));
    refs = await Promise.all(Array.from({ length: 700 }, async (_, n) => {
      const writer = source.create();
      await writer.write(Buffer.from(`${n} `.repeat(n < 3 ? 200_000 : 20 + n)));
      return writer.commit();
    }));
    await source.close();
    await pool.query(
      `INSERT INTO view.mailbox_message_1 (${(await columns()).map((c) => `"${c.name}"`).join(', ')}) SELECT ${(await columns()).map((c) => c.value).join(', ')}`, [refs[5]?.sha256]);
  });
  /** A row that refers to the body $1. */
  async function columns(): Promise<readonly { name: string; value: string }[]> {
    const { rows } = await pool.query<{ name: string; type: string }>(
      `SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = 'view' AND table_name = 'mailbox_message_1'`);
    return rows.map(({ name, type }) => ({ name, value: name === 'sha256' ? `decode($1, 'hex')` : type === 'uuid' ? 'gen_random_uuid()' : type === 'boolean' ? 'false' : type === 'text' ? `''` : type === 'bytea' ? `'\\x00'` : '1' }));
  }

  async function move(mode: 'look' | 'verify' | 'move', more: { progress?: () => void; signal?: AbortSignal; leaveDamaged?: boolean } = {}) {
    const source = await store('old', new PgBodyIndex(pool));
    const parts = { pool, address: db.connection, source, hints: { source: hintOf, target: hintOf }, target: (index: PgBodyIndex) => store('new', index), engine, now, leaveDamaged: more.leaveDamaged ?? false };
    return moveBodies(parts, mode, { progress: more.progress ?? (() => undefined), ...(more.signal && { signal: more.signal }) }).finally(() => source.close());
  }
  async function readAll(folder: string): Promise<number> {
    const it = await store(folder, new PgBodyIndex(pool));
    let bytes = 0;
    for (const { sha256, size } of refs) for await (const chunk of it.read({ sha256, size })) bytes += chunk.length;
    await it.close();
    return bytes;
  }

  it('are all there afterwards, under the index that was made beside the old one', async () => {
    expect(await move('look')).toMatchObject({ bodies: 700, problemCount: 0 });
    const before = await readAll('old');
    expect(await move('move')).toMatchObject({ bodies: 700, bytes: before, problemCount: 0 });
    expect(await readAll('new')).toBe(before);
    expect((await enginesInUse(pool)).get('object-store')).toEqual(engine);
    expect(await move('verify')).toMatchObject({ bodies: 700, bytes: before, problems: [] });
    await expect(move('move')).rejects.toThrow('are there already');
  });

  it('go on where the move was cut off', async () => {
    const cut = new AbortController();
    let seen = 0;
    await expect(move('move', { progress: () => { if (++seen === 600) cut.abort(new Error('cut off')); }, signal: cut.signal })).rejects.toThrow('cut off');
    expect((await enginesInUse(pool)).size).toBe(0);
    expect(await readAll('old')).toBeGreaterThan(0);
    const rest = await move('move');
    expect(rest.bodies).toBeLessThan(200);
    expect(await move('verify')).toMatchObject({ bodies: 700, problemCount: 0 });
  });

  it('stay where they are while one is missing, unless that is accepted', async () => {
    await pool.query(`DELETE FROM object_body WHERE sha256 = decode($1, 'hex')`, [refs[5]?.sha256]);
    expect(await move('move')).toMatchObject({ problemCount: 1, problems: [`${refs[5]?.sha256}: unknown to the store, and referred to`] });
    expect((await enginesInUse(pool)).size).toBe(0);
    expect(await move('move', { leaveDamaged: true })).toMatchObject({ bodies: 0, problemCount: 1 });
    expect((await enginesInUse(pool)).get('object-store')).toEqual(engine);
  });

  it('are verified also before the move has ended, and there is nothing to verify before it began', async () => {
    await expect(move('verify')).rejects.toThrow('nothing has been moved yet');
    await pool.query(`DELETE FROM object_body WHERE sha256 = decode($1, 'hex')`, [refs[5]?.sha256]);
    await move('move');
    expect(await move('verify')).toMatchObject({ bodies: 699, problemCount: 1 });
  });
});

describe('a database that moves', () => {
  it('says so on both sides, and the new one is what the old one was', async () => {
    const other = await testPostgres();
    await migrate(other.connection);
    await pool.query(`INSERT INTO history.decision VALUES (0, 's', 1, 1, '[]')`);
    await pool.query(`INSERT INTO ops.engine VALUES ('event-log', 'postgres', '', 1)`);
    expect((await moveDatabase(db.connection, other.connection, 'look', now, steps)).rows).toBeGreaterThan(0);
    expect((await moveDatabase(db.connection, other.connection, 'verify', now, steps)).differences).not.toEqual([]);
    expect(await moveDatabase(db.connection, other.connection, 'move', now, steps)).toMatchObject({ differences: [] });
    const there = openPool(other.connection, 1);
    expect(await enginesInUse(there)).toEqual(new Map([['event-log', { engine: 'postgres', place: '' }]]));
    expect((await enginesInUse(pool)).get('database')?.engine).toBe('moved');
    expect((await moveDatabase(db.connection, other.connection, 'verify', now, steps)).differences).toEqual([]);
    await expect(moveDatabase(db.connection, other.connection, 'move', now, steps)).rejects.toThrow('has moved already');
    await there.end();
    await other.close();
  });

  it('never leaves two that start: cut off before the new one opens, neither does, and the next run ends the move', async () => {
    const other = await testPostgres();
    await migrate(other.connection);
    const there = openPool(other.connection, 1);
    await there.query(`CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'cut off'; END $$;
      CREATE TRIGGER cut_off BEFORE DELETE ON ops.engine FOR EACH ROW EXECUTE FUNCTION cut_off()`);
    await pool.query(`INSERT INTO ops.engine VALUES ('event-log', 'postgres', '', 1)`);
    await expect(moveDatabase(db.connection, other.connection, 'move', now, steps)).rejects.toThrow('cut off');
    const settings = readConfig({ KIROKU_DATA: home });
    await expect(claimEngines(pool, settings)).rejects.toThrow('this database has moved');
    await expect(claimEngines(there, settings)).rejects.toThrow('another database is being copied here');
    await there.query('DROP TRIGGER cut_off ON ops.engine; DROP FUNCTION cut_off()');
    expect(await moveDatabase(db.connection, other.connection, 'move', now, steps)).toMatchObject({ differences: [] });
    expect(await enginesInUse(there)).toEqual(new Map([['event-log', { engine: 'postgres', place: '' }]]));
    await expect(claimEngines(pool, settings)).rejects.toThrow('this database has moved');
    await there.end();
    await other.close();
  });

  it('does not overwrite another installation, but goes on with its own copy', async () => {
    const other = await testPostgres();
    await migrate(other.connection);
    const there = openPool(other.connection, 1);
    await there.query(`INSERT INTO history.mail VALUES (0, 0, 1, 1, '[]')`);
    await expect(moveDatabase(db.connection, other.connection, 'move', now, steps)).rejects.toThrow('holds an installation already');
    await there.query(`TRUNCATE history.mail`);
    const cut = new AbortController();
    cut.abort(new Error('cut off'));
    await expect(moveDatabase(db.connection, other.connection, 'move', now, { ...steps, signal: cut.signal })).rejects.toThrow('cut off');
    await there.query(`INSERT INTO history.mail VALUES (0, 0, 1, 1, '[]')`);
    expect(await moveDatabase(db.connection, other.connection, 'move', now, steps)).toMatchObject({ differences: [] });
    await there.end();
    await other.close();
  });
});

describe('a move', () => {
  it('does not begin while a server runs, and lets none start', async () => {
    await holdingFolder(home, async () => {
      await expect(holdingFolder(home, async () => undefined)).rejects.toThrow(`the server runs on ${home}`);
    });
    await holdingFolder(home, async () => undefined);
    await expect(holdingFolder(join(home, 'none'), async () => undefined)).rejects.toThrow('there is no data folder');
    await holdingDatabase(pool, 100_000, async () => {
      await expect(holdingDatabase(pool, 100_000, async () => undefined)).rejects.toThrow('a server is starting');
    });
    await pool.query(`INSERT INTO ops.process VALUES (gen_random_uuid(), 'smtp', 'mx1', 1, 1, 90_000, NULL, '', '[]')`);
    await expect(holdingDatabase(pool, 100_000, async () => undefined)).rejects.toThrow(/^smtp runs on mx1/);
    const role = new pg.Client({ ...db.connection, application_name: 'kiroku kiroku-smtp' });
    await role.connect();
    await expect(holdingDatabase(pool, 200_000, async () => undefined)).rejects.toThrow('smtp is connected to this database: stop all machines first');
    await role.end();
    await until('its connection is gone', 10_000, async () => (await holdingDatabase(pool, 200_000, async () => 'done').catch(() => undefined)) === 'done');
  });
});
