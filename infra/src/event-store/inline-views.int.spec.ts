import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { tableOf } from '@kiroku/migrations/table-of.js';
import pg from 'pg';
import { until } from '../rig/until.js';
import { transaction } from '../read-model/database.js';
import { Rebuild } from '../read-model/rebuild.js';
import { filledMailbox, type Member, recorded, type TestHistory, testHistory } from '../read-model/testing.js';

type CounterRow = { name: string; total: number };
/** An inline view with a rule of the database's own: no total above 3. */
const counters: Projection<CounterRow> = {
  name: 'counter_1', topics: ['decision'], inline: true, types: ['Counted'], key: ['name'], columns: { name: 'text', total: 'integer' },
  keysOf: ({ key }) => [{ name: key }],
  apply: (row, { key, event }) => ({ name: key, total: (row?.total ?? 0) + (event.data as { by: number }).by }),
};
/** A row that knows its stream's version. */
const versions: Projection<{ name: string; version: number }> = {
  name: 'version_1', topics: ['decision'], inline: true, types: ['Counted'], blind: ['Counted'], key: ['name'], columns: { name: 'text', version: 'integer' },
  keysOf: ({ key }) => [{ name: key }],
  apply: (_, { key, version }) => ({ name: key, version: version ?? -1 }),
};
/** Rows that only their own stream touches. */
const tallies: Projection<CounterRow> = {
  ...counters, name: 'tally_1', types: ['Counted', 'Cleared'], owned: true,
  keysOf: ({ key, event }) => (event.type === 'Counted' ? [{ name: key }] : []),
  removes: ({ key, event }) => (event.type === 'Cleared' ? { name: key } : undefined),
};

let h: TestHistory;
beforeAll(async () => {
  h = await testHistory();
  await h.pool.query(tableOf(counters));
  await h.pool.query(tableOf(versions));
  await h.pool.query(tableOf(tallies));
  await h.pool.query('ALTER TABLE view.counter_1 ADD CHECK (total <= 3)');
});
afterAll(() => h.close());

const member = (): Member => h.another([counters]);
const counted = ({ engine }: Member, stream: string, expected: number, by = 1) => ({ stream, expected, events: [recorded(engine, { type: 'Counted', data: { by } })] });
const total = async (name: string): Promise<number | undefined> =>
  (await h.pool.query<CounterRow>('SELECT total FROM view.counter_1 WHERE name = $1', [name])).rows[0]?.total;

describe('an append that returned', () => {
  it('is in the inline views for every connection', async () => {
    const { id, head } = await filledMailbox(h, 3);
    const other = new pg.Client(h.connection);
    await other.connect();
    const { rows } = await other.query('SELECT messages::int, bytes::int FROM view.mailbox_1 WHERE id = $1', [id]);
    expect(rows).toEqual([{ messages: 3, bytes: head.bytes }]);
    const entries = await other.query(`SELECT uid::int FROM view.mailbox_message_1 WHERE mailbox_id = $1 ORDER BY uid`, [id]);
    expect(entries.rows.map((r: { uid: number }) => r.uid)).toEqual([1, 2, 3]);
    await other.end();
  });

  it('is there at once, whoever of many callers looks', async () => {
    const m = member();
    await Promise.all(Array.from({ length: 50 }, async (_, n) => {
      await m.store.append([counted(m, `seen-${n}`, 0)]);
      expect(await total(`seen-${n}`)).toBe(1);
    }));
  });
});

describe('an inline view', () => {
  it('is told the version of each event, the same that a reader of the log is told', async () => {
    const m = h.another([versions]);
    const some = (n: number) => Array.from({ length: n }, () => recorded(m.engine, { type: 'Counted', data: { by: 0 } }));
    await m.store.append([{ stream: 'versioned-1', expected: 0, events: some(3) }]);
    await m.store.append([{ stream: 'versioned-1', expected: 3, events: some(700) }, { stream: 'versioned-2', expected: 0, events: some(2) }]);
    const { rows } = await h.pool.query(`SELECT name, version FROM view.version_1 ORDER BY name`);
    expect(rows).toEqual([{ name: 'versioned-1', version: 703 }, { name: 'versioned-2', version: 2 }]);
    const last = (await m.log.read('decision', 0, 0, 100_000)).filter((p) => p.key === 'versioned-1').at(-1);
    expect(last?.version).toBe(703);
  });
});

describe('an append that an inline view cannot take', () => {
  it('is refused alone: others in the same transaction go through', async () => {
    const m = member();
    const results = await Promise.allSettled([m.store.append([counted(m, 'good-1', 0)]), m.store.append([counted(m, 'bad-1', 0, 9)]), m.store.append([counted(m, 'good-2', 0)])]);
    expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ code: '23514' });
    expect([await total('good-1'), await total('bad-1'), await total('good-2')]).toEqual([1, undefined, 1]);
    expect((await m.store.read('bad-1')).version).toBe(0); // neither in the view nor in the history
  });
});

describe('an append at another version than expected', () => {
  it.each([['of one stream', ['moved']], ['of several streams', ['moved', 'other']]])('%s is refused, and leaves no gap between positions', async (of, streams) => {
    const m = member();
    const [moved, ...others] = streams.map((stream) => `${stream} ${of}`) as [string, ...string[]];
    await m.store.append([counted(m, moved, 0, 0)]);
    const refused = m.store.append([counted(m, moved, 0, 0), ...others.map((stream) => counted(m, stream, 0, 0))]);
    await expect(refused).rejects.toEqual(new VersionConflict([moved]));
    await m.store.append([counted(m, moved, 1, 0)]);
    const last = (await m.log.read('decision', 0, 0, 100_000)).slice(-2);
    expect(last.map((p) => [p.key, p.version])).toEqual([[moved, 1], [moved, 2]]);
    expect((last[1]?.position ?? 0) - (last[0]?.position ?? 0)).toBe(1);
  });
});

describe('rows of a view that only their own stream touches', () => {
  /** A process that hears of what others do to views. */
  const listening = async (views: Parameters<TestHistory['another']>[0]): Promise<ReturnType<TestHistory['another']>> => {
    const member = h.another(views);
    await member.hints.query('SELECT 1 AS hears_of_views', []);
    return member;
  };
  const tally = async (name: string): Promise<number | undefined> =>
    (await h.pool.query<CounterRow>('SELECT total FROM view.tally_1 WHERE name = $1', [name])).rows[0]?.total;

  it('are not read again by the process that wrote them last', async () => {
    const m = await listening([tallies, versions]);
    await m.store.append([counted(m, 'owned-1', 0)]);
    await h.pool.query(`UPDATE view.tally_1 SET total = 100 WHERE name = 'owned-1'`); // who reads it shows it
    await m.store.append([counted(m, 'owned-1', 1)]);
    await m.store.append([counted(m, 'owned-1', 2)]);
    expect(await tally('owned-1')).toBe(3);
    expect((await h.pool.query(`SELECT version FROM view.version_1 WHERE name = 'owned-1'`)).rows).toEqual([{ version: 3 }]);
  });

  it('are read again after a view was exchanged for its rebuild, and where the connection that tells of it broke', async () => {
    const m = await listening([tallies]);
    await m.store.append([counted(m, 'owned-6', 0)]);
    const other = h.another([]);
    let version = 1;
    const damaged = async (): Promise<number | undefined> => {
      await h.pool.query(`UPDATE view.tally_1 SET total = 100 WHERE name = 'owned-6'`);
      await m.store.append([counted(m, 'owned-6', version++)]);
      return tally('owned-6');
    };
    expect(await damaged()).toBe(2);
    const before = m.hints.epoch;
    await new Rebuild(other.log, other.pool, tallies).replace();
    await until('it has heard', 10_000, async () => m.hints.epoch !== before);
    expect(await damaged()).toBe(101);
    expect(await damaged()).toBe(102);
    expect(await h.cut('SELECT 1 AS hears_of_views')).toBeGreaterThan(0);
    await until('it listens again', 10_000, async () => m.troubles.length > 0 && m.hints.epoch !== undefined);
    expect(await damaged()).toBe(101);
  });

  it('are right when processes take turns, and are left alone by an append that comes too late', async () => {
    const [a, b] = [h.another([tallies, versions]), h.another([tallies, versions])];
    await a.store.append([counted(a, 'owned-2', 0)]);
    await b.store.append([counted(b, 'owned-2', 1, 10)]);
    await b.store.append([counted(b, 'owned-2', 2, 10)]);
    await expect(a.store.append([counted(a, 'owned-2', 1, 500), counted(a, 'owned-3', 0)])).rejects.toEqual(new VersionConflict(['owned-2']));
    expect([await tally('owned-2'), await tally('owned-3')]).toEqual([21, undefined]);
    expect((await h.pool.query(`SELECT version FROM view.version_1 WHERE name = 'owned-2'`)).rows).toEqual([{ version: 3 }]);
    await a.store.append([counted(a, 'owned-2', 3)]);
    await b.store.append([counted(b, 'owned-2', 4)]);
    await b.store.append([counted(b, 'owned-2', 5)]);
    expect(await tally('owned-2')).toBe(24);
  });

  it('count from nothing after they were removed', async () => {
    const m = h.another([tallies]);
    await m.store.append([counted(m, 'owned-4', 0, 7)]);
    await m.store.append([{ stream: 'owned-4', expected: 1, events: [recorded(m.engine, { type: 'Cleared', data: {} })] }]);
    await m.store.append([counted(m, 'owned-4', 2)]);
    await m.store.append([counted(m, 'owned-4', 3)]);
    expect(await tally('owned-4')).toBe(2);
  });

  it('are read again after an append that failed', async () => {
    const m = h.another([tallies, counters]);
    await m.store.append([counted(m, 'owned-5', 0)]);
    await expect(m.store.append([counted(m, 'owned-5', 1, 9)])).rejects.toMatchObject({ code: '23514' });
    await m.store.append([counted(m, 'owned-5', 1)]);
    expect([await tally('owned-5'), await total('owned-5')]).toEqual([2, 2]);
  });
});

describe('an append whose connection breaks', () => {
  const triggers: string[] = [];
  afterEach(async () => {
    for (const name of triggers.splice(0)) await h.pool.query(`DROP TRIGGER ${name} ON view.counter_1; DROP FUNCTION ${name}()`);
  });
  /** The server ends the connection that writes this row, in the middle of the transaction. */
  const cutAt = async (row: string): Promise<void> => {
    await h.pool.query(`CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.name = '${row}' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); END IF; RETURN NEW; END $$;
      CREATE TRIGGER cut BEFORE INSERT ON view.counter_1 FOR EACH ROW EXECUTE FUNCTION cut()`);
    triggers.push('cut');
  };

  it('is rejected with all that shared its transaction, and nothing of it is written', async () => {
    const m = member();
    await cutAt('torn-2');
    const results = await Promise.allSettled(['torn-1', 'torn-2', 'torn-3'].map((s) => m.store.append([counted(m, s, 0)])));
    expect(results.map((r) => r.status)).toEqual(['rejected', 'rejected', 'rejected']);
    for (const r of results) expect((r as PromiseRejectedResult).reason).not.toBeInstanceOf(VersionConflict);
    for (const s of ['torn-1', 'torn-2', 'torn-3']) expect((await m.store.read(s)).version).toBe(0);
  });

  it('can be made again on a new connection', async () => {
    const m = member();
    await m.store.append([counted(m, 'again-0', 0)]);
    await h.cut('%'); // every connection of every member, idle or not
    await m.store.append([counted(m, 'again-1', 0)]).catch(() => m.store.append([counted(m, 'again-1', 0)]));
    expect(await total('again-1')).toBe(1);
  });

  it('is a conflict with itself when it had been committed after all', async () => {
    const m = member();
    // The answer to COMMIT is lost: committed, and the caller cannot know.
    const connect = m.pool.connect.bind(m.pool) as () => Promise<pg.PoolClient>;
    let armed = true;
    m.pool.connect = (async () => {
      const client = await connect();
      const query = client.query.bind(client) as (...a: unknown[]) => Promise<unknown>;
      client.query = (async (...args: unknown[]) => {
        const result = await query(...args);
        if (args[0] !== 'COMMIT' || !armed) return result;
        armed = false;
        throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      }) as never;
      return client;
    }) as never;
    const [first, second] = await Promise.allSettled([m.store.append([counted(m, 'lost-1', 0)]), m.store.append([counted(m, 'lost-2', 0)])]);
    expect([first, second].map((r) => r.status)).toEqual(['rejected', 'rejected']); // not a conflict: nobody else was there
    expect((first as PromiseRejectedResult).reason).toMatchObject({ code: 'ECONNRESET' });
    await expect(m.store.append([counted(m, 'lost-1', 0)])).rejects.toBeInstanceOf(VersionConflict);
    expect(await total('lost-1')).toBe(1);
  });

  it('between two statements of its transaction does not end the process', async () => {
    const m = member();
    const broken = transaction(m.pool, async (db) => {
      await db.query('SELECT 4711 AS mark');
      await h.cut('SELECT 4711 AS mark');
      await new Promise((resolve) => setImmediate(resolve));
      await db.query('SELECT 1');
    });
    await expect(broken).rejects.toThrow(/terminat|not queryable|closed/i);
    expect((await m.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});

describe('many callers at once', () => {
  it('share few transactions', async () => {
    const m = member();
    const commits = async (): Promise<number> =>
      (await h.pool.query<{ n: number }>('SELECT count(DISTINCT xmin::text) AS n FROM history.decision')).rows[0]?.n ?? 0;
    const before = await commits();
    await Promise.all(Array.from({ length: 2_000 }, (_, n) => m.store.append([counted(m, `crowd-${n}`, 0)])));
    expect((await commits()) - before).toBeLessThanOrEqual(3);
    expect((await h.pool.query(`SELECT 1 FROM view.counter_1 WHERE name LIKE 'crowd-%'`)).rowCount).toBe(2_000);
  });

  it('that write the same streams each get their turn or a conflict, and every event is kept once', async () => {
    const [a, b] = [member(), member()];
    const won = await Promise.all(Array.from({ length: 60 }, async (_, n) => {
      const m = n % 2 ? a : b;
      return m.store.append([counted(m, `fight-${n % 3}`, 0)]).then(() => 1, (error: unknown) => {
        expect(error).toBeInstanceOf(VersionConflict);
        return 0;
      });
    }));
    expect(won.reduce<number>((x, y) => x + y, 0)).toBe(3);
    for (const n of [0, 1, 2]) expect(await total(`fight-${n}`)).toBe(1);
  });
});
