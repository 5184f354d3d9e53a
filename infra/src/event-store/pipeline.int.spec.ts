import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from '../read-model/database.js';
import { inOneTrip } from './pipeline.js';

let db: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  db = await testPostgres();
  pool = openPool(db.connection, 1);
  await pool.query('CREATE TABLE public.trip (n integer PRIMARY KEY)');
});
afterAll(async () => {
  await pool.end();
  await db.close();
});
beforeEach(() => pool.query('TRUNCATE public.trip'));

const one: pg.QueryConfig = { name: 'trip-one', text: 'SELECT txid_current()::text AS transaction, $1::integer AS n', values: [1] };
const put = (n: unknown, name = 'trip-put'): pg.QueryConfig => ({ name, text: 'INSERT INTO public.trip VALUES ($1)', values: [n] });
const kept = async (): Promise<readonly number[]> => (await pool.query<{ n: number }>('SELECT n FROM public.trip ORDER BY n')).rows.map((r) => r.n);
const backend = async (): Promise<number | undefined> => (await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;

describe('statements in one trip', () => {
  it('are all done, as one transaction, and the first one is answered', async () => {
    const { rows } = await inOneTrip<{ transaction: string; n: number }>(pool, [one, put(1), put(2)]);
    expect(rows).toMatchObject([{ n: 1 }]);
    const { rows: by } = await pool.query('SELECT DISTINCT xmin::text AS transaction FROM public.trip');
    expect(by).toEqual([{ transaction: rows[0]?.transaction }]);
    expect(await kept()).toEqual([1, 2]);
  });

  it('keep their connection and what is prepared there', async () => {
    await inOneTrip(pool, [one, put(1)]);
    const before = await backend();
    await inOneTrip(pool, [one, put(2)]);
    expect(await backend()).toBe(before);
    const { rows } = await pool.query(`SELECT name FROM pg_prepared_statements WHERE name LIKE 'trip-%' ORDER BY name`);
    expect(rows).toEqual([{ name: 'trip-one' }, { name: 'trip-put' }]);
  });

  it('may be one alone, and may have neither names nor values', async () => {
    expect((await inOneTrip(pool, [one])).rows).toMatchObject([{ n: 1 }]);
    const { rows } = await inOneTrip(pool, [one, { text: 'INSERT INTO public.trip VALUES (7)' }, put(8)]);
    const { rows: by } = await pool.query('SELECT n, xmin::text AS transaction FROM public.trip ORDER BY n');
    expect(by).toEqual([7, 8].map((n) => ({ n, transaction: rows[0]?.transaction })));
  });

  it('are all undone when one fails', async () => {
    await inOneTrip(pool, [one, put(1)]);
    await expect(inOneTrip(pool, [one, put(2), put(1), put(3)])).rejects.toMatchObject({ code: '23505' });
    expect(await kept()).toEqual([1]);
    await inOneTrip(pool, [one, put(2)]);
    expect(await kept()).toEqual([1, 2]);
  });

  it('that were never prepared because one before them failed can be sent again', async () => {
    await expect(inOneTrip(pool, [one, { name: 'trip-wrong', text: 'SELECT nothing' }, put(2, 'trip-new')])).rejects.toMatchObject({ code: '42703' });
    await inOneTrip(pool, [one, put(2, 'trip-new')]);
    expect(await kept()).toEqual([2]);
  });

  it('are all left alone when one cannot be put together', async () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    await inOneTrip(pool, [one, put(1)]);
    await expect(inOneTrip(pool, [one, put(2), put(circle), put(3)])).rejects.toThrow('circular');
    expect(await kept()).toEqual([1]);
  });

  it('wait for each other on one connection', async () => {
    const all = Array.from({ length: 50 }, (_, n) => n);
    await Promise.all(all.map((n) => inOneTrip(pool, [one, put(n)])));
    expect(await kept()).toEqual(all);
  });

  it('are rejected when the connection breaks, which is then not used again', async () => {
    const before = await backend();
    await expect(inOneTrip(pool, [{ text: 'SELECT pg_terminate_backend(pg_backend_pid())' }, put(1)])).rejects.toMatchObject({ code: '57P01' });
    expect(await kept()).toEqual([]);
    expect(await backend()).not.toBe(before);
  });
});
