import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type PostgresRig, startPostgresServer } from '../rig/engines/postgres.js';
import { until } from '../rig/until.js';
import { ReplicaReads } from './replica.js';
import { lookAtReplica, type ReplicaLook } from './replica-look.js';
import { type ReplicaRig, startReplica, startStranger } from './replica-testing.js';

const LIMIT = 30_000;
let primary: PostgresRig;
let replica: ReplicaRig;
let pool: pg.Pool;
let reads: ReplicaReads;
let now: number;
let looks: ReplicaLook[];
let by: string[];

beforeAll(async () => {
  primary = await startPostgresServer();
  pool = new pg.Pool({ connectionString: primary.url, max: 3 });
  await pool.query('CREATE SCHEMA view; CREATE TABLE view.report (n integer); INSERT INTO view.report VALUES (1)');
  replica = await startReplica(primary);
}, 120_000);
afterAll(async () => {
  await pool?.end();
  await replica?.remove();
  await primary?.stop();
});

beforeEach(async () => {
  [now, looks, by] = [1_000_000, [], []];
  reads = open();
  await following();
});
afterEach(async () => {
  replica.thaw();
  await replica.resume();
  await reads.close();
});

const open = (limit = LIMIT): ReplicaReads =>
  new ReplicaReads({
    primary: pool, replica: { connectionString: replica.url }, limit, clock: { now: () => now }, looked: (found) => void looks.push(found), answered: (who) => void by.push(who),
    trouble: (error) => { throw error; },
  });
/** Until the replica has everything. Time goes on: a lag of no time at all is none. */
const following = (): Promise<unknown> =>
  until('the replica has everything', 15_000, async () => {
    now++;
    await reads.look();
    return reads.found?.kind === 'following' && reads.found.lag === 0;
  });
const report = async (): Promise<number> => (await reads.query<{ n: number }>('SELECT max(n) AS n FROM view.report')).rows[0]?.n ?? 0;
const write = (): Promise<number> => pool.query<{ n: number }>('INSERT INTO view.report SELECT max(n) + 1 FROM view.report RETURNING n').then(({ rows }) => rows[0]?.n ?? 0);

describe('a report', () => {
  it('comes from the replica, in recovery and read-only', async () => {
    expect((await reads.query('SELECT pg_is_in_recovery() AS recovering')).rows).toEqual([{ recovering: true }]);
    expect((await reads.query(`SELECT current_setting('default_transaction_read_only') AS ro, current_setting('statement_timeout') AS most`)).rows).toEqual([{ ro: 'on', most: '15s' }]);
    expect(by).toEqual(['replica', 'replica']);
  });

  it('is as old as is allowed, and comes from the primary when it would be older', async () => {
    const old = await write();
    await following();
    await replica.pause();
    const young = await write();
    await reads.look();
    expect(await report()).toBe(old);
    const strict = open(20);
    await until('the replica is 20 ms behind', 10_000, async () => {
      await strict.look();
      return strict.found?.kind === 'following' && strict.found.lag > 20;
    });
    expect((await strict.query('SELECT max(n) AS n FROM view.report')).rows).toEqual([{ n: young }]);
    expect(by).toEqual(['replica', 'primary']);
    await replica.resume();
    await until('it has everything', 10_000, async () => {
      await strict.look();
      return strict.found?.kind === 'following' && strict.found.lag === 0;
    });
    expect((await strict.query('SELECT max(n) AS n FROM view.report')).rows).toEqual([{ n: young }]);
    expect(by.at(-1)).toBe('replica');
    await strict.close();
  });

  it('comes from the primary when the last look is too long ago to know', async () => {
    now += LIMIT;
    await report();
    now += 1;
    await report();
    await reads.look();
    await report();
    expect(by).toEqual(['replica', 'primary', 'replica']);
  });

  it('comes from the primary before anybody has looked', async () => {
    const fresh = open();
    await fresh.query('SELECT');
    expect(by).toEqual(['primary']);
    await fresh.close();
  });

  it('shows what was changed before it began', async () => {
    await replica.pause();
    const done = reads.changing();
    const during = await write();
    await reads.look();
    expect(await report()).toBe(during);
    done();
    expect(await report()).toBe(during);
    await reads.look();
    expect(await report()).toBe(during);
    expect(by).toEqual(['primary', 'primary', 'primary']);
    await replica.resume();
    await following();
    expect(await report()).toBe(during);
    expect(by.at(-1)).toBe('replica');
  });

  it('is not asked of the primary when it is too much for the replica', async () => {
    await expect(reads.query(`DO $$ BEGIN PERFORM set_config('statement_timeout', '50', false); END $$`)).resolves.toBeDefined();
    await expect(reads.query('SELECT pg_sleep(5)')).rejects.toMatchObject({ code: '57014' });
    expect(by).toEqual(['replica']);
  });

  it('is refused by nobody because of what the replica lacks', async () => {
    await replica.pause();
    await pool.query('CREATE TABLE view.later AS SELECT 7 AS n');
    await reads.look();
    expect((await reads.query('SELECT n FROM view.later')).rows).toEqual([{ n: 7 }]);
    expect(by).toEqual(['primary']);
  });
});

describe('a replica', () => {
  it('that stops is replaced by the primary, and answers again by itself', async () => {
    const before = await report();
    await replica.stop();
    expect(await report()).toBe(before);
    await until('it is known', 10_000, () => reads.found?.kind === 'away');
    expect(await report()).toBe(before);
    expect(by).toEqual(['replica', 'primary', 'primary']);
    expect(looks.at(-1)).toEqual({ kind: 'away', why: expect.stringContaining('ECONNREFUSED') });
    await replica.start();
    await following();
    await report();
    expect(by.at(-1)).toBe('replica');
  });

  it('that falls silent in the middle of a report keeps nobody waiting longer than a look', async () => {
    const slow = reads.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering, CASE WHEN pg_is_in_recovery() THEN pg_sleep(10)::text END');
    await until('it is under way', 10_000, async () => (await replica.query(`SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(10)::text END' AND state = 'active' AND pid <> pg_backend_pid()`)).length > 0);
    replica.freeze();
    await reads.look();
    expect(reads.found?.kind).toBe('away');
    expect((await slow).rows).toMatchObject([{ recovering: false }]);
    replica.thaw();
    await following();
  });

  it('whose user may not read the reports is not used', async () => {
    await pool.query('CREATE ROLE guest LOGIN');
    await following();
    const url = replica.url.replace('kiroku@', 'guest@');
    expect(await lookAtReplica({ connectionString: primary.url }, { connectionString: url })).toEqual({ kind: 'wrong', problem: 'no-rights' });
    await pool.query('GRANT USAGE ON SCHEMA view TO guest; GRANT SELECT ON ALL TABLES IN SCHEMA view TO guest');
    await following();
    expect(await lookAtReplica({ connectionString: primary.url }, { connectionString: url })).toMatchObject({ kind: 'following' });
  });
});

describe('what is no replica of this database', () => {
  const looked = (url: string): Promise<ReplicaLook> => lookAtReplica({ connectionString: primary.url }, { connectionString: url });

  it('is found out: the primary itself', async () => expect(await looked(primary.url)).toEqual({ kind: 'wrong', problem: 'not-following' }));

  it('is found out: another database of the replica', async () =>
    expect(await looked(replica.url.replace(/postgres$/, 'template1'))).toEqual({ kind: 'wrong', problem: 'another-database' }));

  it('is found out: a replica of another server', async () => {
    const stranger = await startStranger();
    try {
      expect(await looked(stranger.url)).toEqual({ kind: 'wrong', problem: 'another-server' });
    } finally {
      await stranger.remove();
    }
  });

  it('is merely away when nobody answers there, and no secret is told', async () =>
    expect(await looked('postgres://me:hush@127.0.0.1:1/none')).toEqual({ kind: 'away', why: expect.stringMatching(/^(?!.*hush).*ECONNREFUSED/) }));
});
