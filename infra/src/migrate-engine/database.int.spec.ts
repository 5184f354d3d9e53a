import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate } from '@kiroku/migrations/migrate.js';
import pg from 'pg';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { copyThrough } from './copy-stream.js';
import { copyDatabase } from './database.js';

const steps = { progress: () => undefined };
let [from, to, client]: [TestPostgres, TestPostgres, pg.Client] = [undefined, undefined, undefined] as never;

beforeAll(async () => {
  [from, to] = [await testPostgres(), await testPostgres()];
  await migrate(from.connection);
  await migrate(to.connection);
  client = new pg.Client(from.connection);
  await client.connect();
  await client.query(`INSERT INTO history.decision SELECT n, 's' || n, 1, 1, repeat('["é記録\\\\t"]', 300) FROM generate_series(1, 5000) n`);
  await client.query(`INSERT INTO object_body SELECT decode(md5(n::text), 'hex'), n, 0, 1, 1 FROM generate_series(1, 2000) n`);
  await client.query(`INSERT INTO ops.process VALUES (gen_random_uuid(), 'smtp', 'h', 1, 1, 1, NULL, '', '[]')`);
});
afterAll(async () => {
  await client.end();
  await from.close();
  await to.close();
});
const inTarget = async <T extends pg.QueryResultRow>(text: string): Promise<readonly T[]> => {
  const db = new pg.Client(to.connection);
  await db.connect();
  return db.query<T>(text).then(({ rows }) => rows).finally(() => db.end());
};

describe('a database that moves', () => {
  it('is found to differ before', async () => {
    expect((await copyDatabase(from.connection, to.connection, { ...steps, verifyOnly: true })).differences).toEqual(
      expect.arrayContaining(['history.decision', 'public.object_body', 'public.object_index']));
    expect(await inTarget('SELECT count(*)::int AS n FROM history.decision')).toEqual([{ n: 0 }]);
  });

  it('arrives whole, table by table', async () => {
    const seen: number[] = [];
    const report = await copyDatabase(from.connection, to.connection, { progress: ({ done }) => seen.push(done) });
    expect(report).toMatchObject({ differences: [] });
    expect(report.rows).toBeGreaterThanOrEqual(7_000);
    expect(seen.at(-1)).toBe(report.tables);
    expect(await inTarget('SELECT events FROM history.decision WHERE position = 7')).toEqual((await client.query('SELECT events FROM history.decision WHERE position = 7')).rows);
    expect(await inTarget('SELECT count(*)::int AS n FROM ops.process')).toEqual([{ n: 0 }]);
  });

  it('is not copied again where it is the same, and put right where it is not', async () => {
    const again = await copyDatabase(from.connection, to.connection, steps);
    expect(again.kept).toBe(again.tables);
    await inTarget(`UPDATE object_body SET size = 2 WHERE segment = 7`);
    expect((await copyDatabase(from.connection, to.connection, { ...steps, verifyOnly: true })).differences).toEqual(['public.object_body']);
    expect(await copyDatabase(from.connection, to.connection, steps)).toMatchObject({ kept: again.tables - 1, differences: [] });
  });

  it('goes on where it was cut off, and the table under way is as before', async () => {
    await inTarget('TRUNCATE history.decision');
    const cut = new AbortController();
    cut.abort(new Error('cut off'));
    await expect(copyDatabase(from.connection, to.connection, { ...steps, signal: cut.signal })).rejects.toThrow('cut off');
    expect(await copyDatabase(from.connection, to.connection, steps)).toMatchObject({ differences: [] });
  });

  it('is refused when the other database has another shape', async () => {
    await inTarget(`INSERT INTO public.migration (timestamp, name) VALUES (1, 'Other1')`);
    await expect(copyDatabase(from.connection, to.connection, steps)).rejects.toThrow('have not the same shape');
    await inTarget(`DELETE FROM public.migration WHERE name = 'Other1'`);
  });
});

describe('a stream of rows', () => {
  const open = async ({ connection }: TestPostgres): Promise<pg.Client> => {
    const db = new pg.Client(connection);
    await db.connect();
    return db;
  };

  it('tells what the giving side says is wrong, and both connections go on', async () => {
    const [source, target] = [await open(from), await open(to)];
    await expect(copyThrough(source, 'COPY nowhere TO STDOUT', target, 'COPY object_body FROM STDIN', () => undefined)).rejects.toThrow('nowhere');
    for (const db of [source, target]) expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await Promise.all([source.end(), target.end()]);
  });

  it.each([
    ['COPY history.decision TO STDOUT', 'COPY nowhere FROM STDIN', /nowhere/],
    ['COPY history.decision TO STDOUT', 'COPY object_body FROM STDIN', /invalid input|extra data|missing data/],
  ])('tells what the taking side says of %s to %s, and its connection goes on', async (out, into, says) => {
    const [source, target] = [await open(from), await open(to)];
    source.on('error', () => undefined); // it may be closed, as what is left of the table is not wanted
    await expect(copyThrough(source, out, target, into, () => undefined)).rejects.toThrow(says);
    expect((await target.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await Promise.all([source.end().catch(() => undefined), target.end()]);
  });

  it('ends when a connection does', async () => {
    const [source, target] = [await open(from), await open(to)];
    for (const db of [source, target]) db.on('error', () => undefined);
    const pid = (target as unknown as { processID: number }).processID;
    let killed: Promise<unknown> | undefined;
    const slow = `COPY (SELECT n, repeat('x', 10000) FROM generate_series(1, 20000) n) TO STDOUT`;
    await inTarget('CREATE TABLE IF NOT EXISTS public.sink (n bigint, t text)');
    await expect(copyThrough(source, slow, target, 'COPY public.sink FROM STDIN', () => (killed ??= client.query('SELECT pg_terminate_backend($1)', [pid])))).rejects.toThrow();
    await killed;
    await Promise.all([source.end().catch(() => undefined), target.end().catch(() => undefined)]);
    await inTarget('DROP TABLE public.sink');
  });
});
