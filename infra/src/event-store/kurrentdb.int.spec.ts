import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import { CheckpointMoved, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import { tableOf } from '@kiroku/migrations/table-of.js';
import type pg from 'pg';
import { describeHistory, fact, type History, readAll } from '../event-log/contract.js';
import { Hints } from '../event-log/hints.js';
import { PostgresEventLog } from '../event-log/postgres.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from '../read-model/database.js';
import { Projector } from '../read-model/projector.js';
import { type KurrentRig, startKurrentRig } from '../rig/engines/kurrentdb/server.js';
import { KurrentEventStore } from './kurrentdb.js';
import { TooLarge } from './original.js';
import { PostgresEventStore } from './postgres.js';

/** A real server, if there is one: the promises are then shown against it. Its failures cannot be ordered, so those are always the rig's. */
const REAL = process.env.KIROKU_KURRENTDB_URL;

type CounterRow = { name: string; total: number };
/** An inline view with a rule of the database's own: no total above 3. */
const counters: Projection<CounterRow> = {
  name: 'counter_1', topics: ['decision'], inline: true, types: ['Noted'], key: ['name'], columns: { name: 'text', total: 'integer' },
  keysOf: ({ key }) => [{ name: key }],
  apply: (row, { key, event }) => ({ name: key, total: (row?.total ?? 0) + ((event.data as { by?: number }).by ?? 0) }),
};

/** A process: connections of its own. */
interface Member extends History {
  readonly store: KurrentEventStore;
  readonly pool: pg.Pool;
  readonly troubles: unknown[];
}

const newPrefix = (): string => `test-${randomBytes(6).toString('hex')}`;

async function emptyDatabase(): Promise<TestPostgres> {
  const db = await testPostgres();
  await migrate(db.connection);
  const pool = openPool(db.connection, 1);
  await pool.query(tableOf(counters));
  await pool.query('ALTER TABLE view.counter_1 ADD CHECK (total <= 3)');
  await pool.end();
  return db;
}

function open(db: TestPostgres, url: string, prefix: string): Member {
  const troubles: unknown[] = [];
  const trouble = (error: unknown): void => void troubles.push(error);
  const pool = openPool(db.connection, 4, trouble);
  const hints = new Hints(db.connection, pool, trouble);
  const store = new KurrentEventStore({ url, prefix, trouble }, pool, hints, [new Projector(counters)]);
  const log = new PostgresEventLog(pool, hints);
  return { log, store, pool, troubles, close: async () => { await store.close(); await hints.close(); await pool.end(); } };
}

/** `n` is in its id: two facts with the same number are the same fact. */
const to = (stream: string, expected: number, ...ns: number[]) => ({ stream, expected, events: ns.map((n) => fact(n)) });
const move = (from: number, next: number, partition = 0) => ({ consumer: 'delivery', topic: 'mail' as const, partition, from, to: next });
const total = async ({ pool }: Member, name: string): Promise<number | undefined> =>
  (await pool.query<CounterRow>('SELECT total FROM view.counter_1 WHERE name = $1', [name])).rows[0]?.total;
const versionOf = async (m: Member, stream: string): Promise<number> => (await m.store.read(stream)).version;
const decisions = ({ log }: Member): Promise<readonly Positioned[]> => readAll(log, 'decision', 0);

/** The engine's answer to COMMIT never comes, as when the process dies there. */
function dieAtCommit({ pool }: Member): void {
  const connect = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
  pool.connect = (async (told?: unknown) => {
    if (told) return (connect as (told: unknown) => unknown)(told); // the pool itself asks so
    pool.connect = connect as never;
    const client = await connect();
    const query = client.query.bind(client) as (...a: unknown[]) => Promise<unknown>;
    client.query = ((...args: unknown[]) => {
      if (args[0] !== 'COMMIT') return query(...args);
      client.query = query as never;
      return query('ROLLBACK').then(() => { throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }); });
    }) as never;
    return client;
  }) as never;
}

describe(REAL ? 'on a KurrentDB server' : 'on the rig', () => {
  let rig: KurrentRig | undefined;
  let url = REAL ?? '';
  beforeAll(async () => { if (!REAL) url = (rig = await startKurrentRig()).url; });
  afterAll(() => rig?.stop());

  describeHistory('KurrentDB', async () => {
    const db = await emptyDatabase();
    const prefix = newPrefix();
    const [member, other] = [open(db, url, prefix), open(db, url, prefix)];
    return { ...member, other: other.log, close: async () => { await other.close(); await member.close(); await db.close(); } };
  });

  describe('two processes on one KurrentDB', () => {
    let db: TestPostgres;
    let members: Member[];
    const prefix = newPrefix();
    beforeAll(async () => { db = await emptyDatabase(); members = [open(db, url, prefix), open(db, url, prefix)]; });
    afterAll(async () => { for (const m of members) await m.close(); await db.close(); });

    it('that begin at the same time agree whose history it is', async () => {
      await Promise.all(members.map((m) => m.store.ready()));
      await Promise.all(members.map((m, n) => m.store.append([to(`begun-${n}`, 0, n)])));
      expect(await decisions(members[0] as Member)).toHaveLength(2);
    });

    it('that write the same streams each get their turn or a conflict, and every event is kept once', async () => {
      const won = await Promise.all(Array.from({ length: 60 }, async (_, n) => {
        const m = members[n % 2] as Member;
        return m.store.append([to(`fight-${n % 3}`, 0, 100 + n)]).then(() => 1, (error: unknown) => {
          expect(error).toBeInstanceOf(VersionConflict);
          return 0;
        });
      }));
      expect(won.reduce<number>((x, y) => x + y, 0)).toBe(3);
    });

    it('see each other’s appends as soon as they returned', async () => {
      const [a, b] = members as [Member, Member];
      for (let n = 0; n < 20; n++) {
        const [writer, reader] = n % 2 ? [a, b] : [b, a];
        await writer.store.append([to('seen-1', n, 200 + n)]);
        expect(await versionOf(reader, 'seen-1')).toBe(n + 1);
        expect(await total(reader, 'seen-1')).toBe(0);
      }
    });

    it('have one order of decisions, which a new database gets too, with views and checkpoints', async () => {
      const [a, b] = members as [Member, Member];
      await a.store.append([to('moved-1', 0, 300)], [move(0, 5), move(0, 7, 1)]);
      await b.store.append([], [move(5, 9)]);
      await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? a : b).store.append([to(`many-${n}`, 0, 400 + n, 500 + n), to(`also-${n}`, 0, 600 + n)])));
      await b.store.append([{ stream: 'counted-1', expected: 0, events: [{ ...fact(700), data: { by: 2 } }] }]);
      const other = await emptyDatabase();
      const anew = open(other, url, prefix);
      await anew.store.ready();
      expect(await decisions(anew)).toEqual(await decisions(a));
      expect(await total(anew, 'counted-1')).toBe(2);
      expect(await anew.store.checkpoint('delivery', 'mail', 0)).toBe(9);
      expect(await anew.store.checkpoint('delivery', 'mail', 1)).toBe(7);
      await anew.store.append([to('moved-1', 1, 301)], [move(9, 10)]);
      await anew.close();
      await other.close();
    });
  });
});

describe('with a server that fails', () => {
  let rig: KurrentRig;
  let db: TestPostgres;
  let m: Member;
  let other: Member;
  let prefix: string;
  const extra: (() => Promise<void>)[] = [];
  beforeAll(async () => void (rig = await startKurrentRig()));
  afterAll(() => rig.stop());
  beforeEach(async () => {
    prefix = newPrefix();
    db = await emptyDatabase();
    m = open(db, rig.url, prefix);
    other = open(db, rig.url, prefix);
    await Promise.all([m, other].map(({ store }) => store.ready()));
  });
  afterEach(async () => {
    for (const close of extra.splice(0)) await close();
    await m.close();
    await other.close();
    await db.close();
  });
  const kept = () => rig.log.all().filter((r) => r.stream.startsWith(`${prefix}.`) && !r.stream.endsWith('order')).map((r) => r.stream.slice(prefix.length + 1));

  describe('an append whose answer is lost', () => {
    it.each(['answer lost', 'refused', 'not the leader'] as const)('(%s) is sent again, and done once', async (fault) => {
      rig.fail(fault);
      await m.store.append([to('lost-1', 0, 1)]);
      await m.store.append([to('lost-1', 1, 2)]);
      expect(kept()).toEqual(['lost-1', 'lost-1']);
      expect(await versionOf(other, 'lost-1')).toBe(2);
    });

    it('because the server is silent is sent again after the deadline, and done once', async () => {
      const hasty = open(db, `${rig.url}&defaultDeadline=2000`, prefix);
      extra.push(() => hasty.close());
      await hasty.store.ready();
      rig.fail('silent');
      await hasty.store.append([to('silent-1', 0, 1)]);
      expect(kept()).toEqual(['silent-1']);
    });

    it('and is done after the caller was told that nobody knows, shows up with the next append', async () => {
      rig.fail('late', 'late', 'late', 'late');
      const error: unknown = await m.store.append([to('late-1', 0, 1)], [move(0, 5)]).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toBeInstanceOf(VersionConflict);
      expect(await versionOf(m, 'late-1')).toBe(0);
      expect(rig.release()).toEqual([true, true, true, true]); // the same ids at the same place: done once
      await other.store.append([to('later-1', 0, 2)]);
      expect(kept()).toEqual(['late-1', 'later-1']);
      expect((await decisions(m)).map((d) => d.key)).toEqual(['late-1', 'later-1']);
      expect(await m.store.checkpoint('delivery', 'mail', 0)).toBe(5);
      await expect(m.store.append([to('late-1', 0, 3)])).rejects.toBeInstanceOf(VersionConflict);
      await expect(m.store.append([to('x', 0, 3)], [move(0, 6)])).rejects.toBeInstanceOf(CheckpointMoved);
    });

    it('comes too late once another has appended, whatever the streams', async () => {
      rig.fail('late', 'late', 'late', 'late');
      await expect(m.store.append([to('late-1', 0, 1)])).rejects.toThrow();
      await other.store.append([to('later-1', 0, 2)]);
      expect(rig.release()).toEqual([false, false, false, false]);
      await m.store.append([to('late-1', 0, 3)]);
      expect(kept()).toEqual(['later-1', 'late-1']);
      expect((await decisions(other)).map((d) => d.key)).toEqual(['later-1', 'late-1']);
    });
  });

  describe('a process that dies after KurrentDB took its append', () => {
    beforeEach(async () => {
      await m.store.append([to('before-1', 0, 1)]);
      dieAtCommit(m);
    });

    it('leaves a copy that the next append completes', async () => {
      await expect(m.store.append([to('dead-1', 0, 2, 3), to('dead-2', 0, 4)], [move(0, 5)])).rejects.toMatchObject({ code: 'ECONNRESET' });
      await other.store.append([to('after-1', 0, 5)]);
      expect((await decisions(other)).map((d) => [d.position, d.key, d.version])).toEqual(
        [[0, 'before-1', 1], [1, 'dead-1', 1], [2, 'dead-1', 2], [3, 'dead-2', 1], [4, 'after-1', 1]]);
      expect(await other.store.checkpoint('delivery', 'mail', 0)).toBe(5);
      expect(await total(other, 'dead-2')).toBe(0);
    });

    it('leaves a copy that can be completed without an append, once', async () => {
      await expect(m.store.append([to('dead-1', 0, 2)])).rejects.toThrow('ECONNRESET');
      await Promise.all([m.store.catchUp(), other.store.catchUp(), other.store.catchUp()]);
      expect((await decisions(other)).map((d) => d.key)).toEqual(['before-1', 'dead-1']);
      expect(await other.store.catchUp()).toBe(0);
    });

    it('makes its append, made again, a conflict with itself', async () => {
      await expect(m.store.append([to('dead-1', 0, 2)])).rejects.toThrow('ECONNRESET');
      await expect(m.store.append([to('dead-1', 0, 3)])).rejects.toEqual(new VersionConflict(['dead-1']));
      expect(await versionOf(m, 'dead-1')).toBe(1);
    });
  });

  describe('an append that an inline view cannot take', () => {
    it('is refused alone, and does not get into KurrentDB', async () => {
      const counted = (stream: string, n: number, by: number) => ({ stream, expected: 0, events: [{ ...fact(n), data: { by } }] });
      const results = await Promise.allSettled([m.store.append([counted('good-1', 1, 1)]), m.store.append([counted('bad-1', 2, 9)]), m.store.append([counted('good-2', 3, 1)])]);
      expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ code: '23514' });
      expect(kept()).toEqual(['good-1', 'good-2']);
      expect([await total(m, 'good-1'), await total(m, 'bad-1')]).toEqual([1, undefined]);
    });
  });

  describe('an append that is larger than the server takes', () => {
    it('is refused alone, with the name of the setting', async () => {
      const large = { stream: 'large-1', expected: 0, events: [{ ...fact(1), data: { text: 'x'.repeat(1_100_000) } }] };
      const [before, error, after] = await Promise.allSettled([m.store.append([to('small-1', 0, 2)]), m.store.append([large]), m.store.append([to('small-2', 0, 3)])]);
      expect([before.status, error.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((error as PromiseRejectedResult).reason).toBeInstanceOf(TooLarge);
      expect(String((error as PromiseRejectedResult).reason)).toContain('MaxAppendSize');
      expect(kept()).toEqual(['small-1', 'small-2']);
    });

    it('is none that several callers bring together', async () => {
      await Promise.all(Array.from({ length: 20 }, (_, n) =>
        m.store.append([{ stream: `part-${n}`, expected: 0, events: [{ ...fact(n), data: { text: 'x'.repeat(200_000) } }] }])));
      expect(new Set(kept()).size).toBe(20);
    });
  });

  describe('a server that is away', () => {
    it('makes appends fail soon and leave nothing behind, and is used again when it is back', async () => {
      await m.store.append([to('away-1', 0, 1)]);
      await rig.stop();
      const began = performance.now();
      await expect(m.store.append([to('away-1', 1, 2)])).rejects.not.toBeInstanceOf(VersionConflict);
      expect(performance.now() - began).toBeLessThan(20_000);
      expect(await versionOf(m, 'away-1')).toBe(1);
      await expect(m.store.catchUp()).rejects.toThrow();
      await rig.start();
      await m.store.append([to('away-1', 1, 3)]);
      expect(await m.store.catchUp()).toBe(0);
      expect(await versionOf(other, 'away-1')).toBe(2);
    });
  });

  describe('the copy', () => {
    it('has nothing of other programs’ streams, and tells of events in ours that are not ours', async () => {
      const foreign = { id: fact(1).id, type: 'Foreign', data: Buffer.from('{}'), metadata: Buffer.from('') };
      await m.store.append([to('own-1', 0, 1)]);
      for (const stream of ['orders-1', '$stats-1', `${prefix}x.own-1`, `${prefix}.odd-1`]) rig.log.append([{ stream, expected: 'any', records: [foreign] }]);
      await m.store.append([to('own-1', 1, 2)]);
      const fresh = await emptyDatabase();
      const anew = open(fresh, rig.url, prefix);
      extra.push(async () => { await anew.close(); await fresh.close(); });
      await anew.store.ready();
      expect((await decisions(anew)).map((d) => d.key)).toEqual(['own-1', 'own-1']);
      expect(anew.troubles.map(String)).toEqual([`Error: somebody else wrote to stream ${prefix}.odd-1 in KurrentDB`]);
    });

    it('is made again from a log in which scavenging has left gaps, page by page', async () => {
      for (let n = 0; n < 30; n++) await m.store.append([], [move(n, n + 1)]);
      await Promise.all(Array.from({ length: 30 }, (_, n) => m.store.append([to(`page-${n}`, 0, ...Array.from({ length: 50 }, (_x, i) => n * 100 + i))])));
      await m.store.append([to('large-1', 0, ...Array.from({ length: 900 }, (_, n) => 10_000 + n)), to('large-2', 0, 1)], [move(30, 31)]);
      const before = rig.log.all().length;
      rig.log.scavenge();
      expect(rig.log.all().length).toBeLessThan(before - 20);
      const fresh = await emptyDatabase();
      const anew = open(fresh, rig.url, prefix);
      extra.push(async () => { await anew.close(); await fresh.close(); });
      await anew.store.ready();
      expect(await decisions(anew)).toEqual(await decisions(m));
      expect(await anew.store.checkpoint('delivery', 'mail', 0)).toBe(31);
    });

    it('keeps near the place where reading would go on', async () => {
      const place = async () => (await m.pool.query<{ batch: number; position_batch: number }>('SELECT batch, position_batch FROM history.decision_copy')).rows[0];
      await m.store.append([to('near-1', 0, 1)]);
      await m.pool.query('UPDATE history.decision_copy SET position_batch = -1000');
      expect(await m.store.catchUp()).toBe(0);
      expect(await place()).toEqual({ batch: 1, position_batch: 1 });
      dieAtCommit(m);
      await expect(m.store.append([to('near-1', 1, 2)])).rejects.toThrow('ECONNRESET');
      await m.store.catchUp();
      expect(await place()).toEqual({ batch: 2, position_batch: 2 });
      expect(await versionOf(m, 'near-1')).toBe(2);
    });
  });

  describe('the store is not opened', () => {
    const refuses = async (database: TestPostgres, url: string, words: RegExp): Promise<void> => {
      const member = open(database, url, prefix);
      await expect(member.store.ready()).rejects.toThrow(words);
      await expect(member.store.append([to('refused-1', 0, 1)])).rejects.toThrow(words);
      await expect(member.store.read('refused-1')).rejects.toThrow(words);
      await member.close();
    };

    it('on a server that cannot append to several streams at once', async () => {
      const old = await startKurrentRig({ appendSession: false });
      extra.push(() => old.stop());
      await refuses(db, old.url, /25\.1 or later/);
    });

    it('on a KurrentDB that has less than was copied from it', async () => {
      await m.store.append([to('more-1', 0, 1)]);
      const empty = await startKurrentRig();
      extra.push(() => empty.stop());
      await refuses(db, empty.url, /restored from an older backup/);
    });

    it('on the history of another installation', async () => {
      await m.store.append([to('mine-1', 0, 1)]);
      const [theirs, second] = [await emptyDatabase(), await startKurrentRig()];
      const them = open(theirs, second.url, prefix);
      extra.push(async () => { await them.close(); await theirs.close(); await second.stop(); });
      await them.store.append([to('theirs-1', 0, 1)]);
      await refuses(db, second.url, /another history/);
    });

    it('on a database whose history began in PostgreSQL', async () => {
      const fresh = await emptyDatabase();
      const pool = openPool(fresh.connection, 2);
      const hints = new Hints(fresh.connection, pool, () => undefined);
      await new PostgresEventStore(pool, hints, []).append([to('own-1', 0, 1)]);
      extra.push(async () => { await hints.close(); await pool.end(); await fresh.close(); });
      await refuses(fresh, rig.url, /original of its own/);
    });

    it('with an address that is none, and says so without repeating it', async () => {
      const member = open(db, 'kurrentdb://admin:geheim@@@:x?', prefix);
      const error: unknown = await member.store.ready().catch((e: unknown) => e);
      expect(String(error)).toContain('connection string');
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('geheim');
      await member.close();
    });
  });
});
