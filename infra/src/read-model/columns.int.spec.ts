import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Cell, ColumnType, Row } from '@kiroku/domain/kernel/projection.js';
import fc from 'fast-check';
import type pg from 'pg';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { columnArrays, columnValues, copyRows, Unfit } from './columns.js';
import { apart, openPool } from './database.js';

const COLUMNS = { n: 'bigint', t: 'text', u: 'uuid', l: 'bigint', i: 'integer', b: 'boolean', y: 'bytea' } as const;
const NAMES = Object.keys(COLUMNS);

let db: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  db = await testPostgres();
  pool = openPool(db.connection);
  await pool.query('CREATE TABLE public.cells (n bigint, t text, u uuid, l bigint, i integer, b boolean, y bytea)');
});
afterAll(async () => {
  await pool.end();
  await db.close();
});

const inserted = async (rows: readonly Row[]): Promise<readonly Row[]> => {
  await pool.query('TRUNCATE public.cells');
  const given = NAMES.map((name, n) => `$${n + 1}::${COLUMNS[name as keyof typeof COLUMNS]}[]`).join(', ');
  await pool.query({ text: `INSERT INTO public.cells SELECT * FROM unnest(${given})`, values: [...columnArrays(rows, COLUMNS)] });
  return stored();
};

const copied = async (rows: readonly Row[]): Promise<readonly Row[]> => {
  await pool.query('TRUNCATE public.cells');
  await apart(pool, (_, copyIn) => copyIn('COPY public.cells FROM STDIN (FORMAT binary)', copyRows(rows, COLUMNS)));
  return stored();
};

const oneByOne = async (rows: readonly Row[]): Promise<readonly Row[]> => {
  await pool.query('TRUNCATE public.cells');
  const given = NAMES.map((name, n) => `$${n + 1}::${COLUMNS[name as keyof typeof COLUMNS]}`).join(', ');
  for (const row of rows) await pool.query({ text: `INSERT INTO public.cells SELECT ${given}`, values: [...columnValues(row, COLUMNS)] });
  return stored();
};

const stored = async (): Promise<readonly Row[]> => (await pool.query<Record<string, Cell>>('SELECT n, t, u, l, i, b, y::text FROM public.cells ORDER BY n')).rows;

const nothing = { n: 0, t: null, u: null, l: null, i: null, b: null, y: null };
const hex = (bytes: Uint8Array): string => `\\x${Buffer.from(bytes).toString('hex')}`;
const row = fc.record({
  t: fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 100 }), fc.constantFrom('', 'x'.repeat(32), 'x'.repeat(33), 'あ'.repeat(32), '{"a":"\\"}', '\\N'))),
  u: fc.option(fc.uuid()),
  l: fc.option(fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -1, 2 ** 31, 2 ** 32, -(2 ** 32), -(2 ** 53) + 1))),
  i: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  b: fc.option(fc.boolean()),
  y: fc.option(fc.uint8Array({ maxLength: 80 }).map(hex)),
});
/** What text can hold. */
const held = (rows: readonly Row[]): readonly Row[] => rows.map((r) => ({ ...r, t: typeof r.t === 'string' ? r.t.replaceAll('\0', '\ufffd').toWellFormed() : null }));

describe('rows given to PostgreSQL in its binary form', () => {
  it('are stored as they are, as arrays, by COPY and each by itself, many of them and none', () =>
    fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 40 }), async (found) => {
        const rows = found.map((cells, n) => ({ ...cells, n }));
        expect(await inserted(rows)).toEqual(held(rows));
        expect(await copied(rows)).toEqual(held(rows));
        expect(await oneByOne(rows)).toEqual(held(rows));
      }),
      { numRuns: 60 },
    ));

  it('keep what can be kept of a text that PostgreSQL cannot hold', async () => {
    const rows = ['a\0b', '\ud800', `${'x'.repeat(40)}\0\udfff`].map((t, n) => ({ ...nothing, n, t }));
    const expected = ['a\ufffdb', '\ufffd', `${'x'.repeat(40)}\ufffd\ufffd`];
    expect((await inserted(rows)).map((r) => r.t)).toEqual(expected);
    expect((await copied(rows)).map((r) => r.t)).toEqual(expected);
  });

  it('are 1,000 with long texts as well', async () => {
    const rows = Array.from({ length: 1_000 }, (_, n) => ({ ...nothing, n, t: `${n} `.repeat(n) }));
    expect(await inserted(rows)).toEqual(rows);
    expect(await copied(rows)).toEqual(rows);
  });

  it('may have a UUID in capital letters', async () => {
    const rows = [{ ...nothing, u: '01A208A5-CA4F-763B-BD66-0F4226CEA1FA' }];
    expect((await copied(rows))[0]?.u).toBe('01a208a5-ca4f-763b-bd66-0f4226cea1fa');
  });

  it.each<[string, Cell, ColumnType]>([
    ['a UUID that is too short', '01a208a5-ca4f-763b-bd66-0f4226cea1f', 'uuid'], ['one that is too long', '01a208a5-ca4f-763b-bd66-0f4226cea1fa0', 'uuid'],
    ['one with another letter', '01a208a5-ca4f-763b-bd66-0f4226cea1fg', 'uuid'], ['one with a letter beyond ASCII', '01a208a5-ca4f-763b-bd66-0f4226cea1fあ', 'uuid'], ['none at all', '', 'uuid'],
    ['32 digits and more', `${'a'.repeat(32)}zzzz`, 'uuid'], ['one with hyphens elsewhere', `----${'a'.repeat(32)}`, 'uuid'],
    ['no digits for a number', '', 'bigint'], ['a truth for a number', true, 'integer'], ['a number for a truth', 1, 'boolean'], ['a word for a truth', 'false', 'boolean'],
    ['a fraction', 1.5, 'bigint'], ['a number beyond what is exact', 2 ** 53, 'bigint'], ['NaN', NaN, 'bigint'], ['a word for a number', 'many', 'bigint'],
    ['a number beyond an integer', 2 ** 31, 'integer'], ['a fraction of one', 0.5, 'integer'],
    ['bytes without their prefix', 'abcd', 'bytea'], ['half a byte', '\\xabc', 'bytea'], ['bytes that are no hex text', '\\xzz', 'bytea'], ['letters whose low bytes are digits', '\\x\u0161\u0161', 'bytea'],
  ])('are refused with %s', (_, value, type) => {
    expect(() => columnArrays([{ c: value }], { c: type })).toThrow(Unfit);
    expect(() => copyRows([{ c: value }], { c: type })).toThrow(Unfit);
  });
});

describe('a connection apart', () => {
  it('copies all or nothing, and goes on after a refusal', async () => {
    await pool.query('CREATE TABLE public.single (n integer PRIMARY KEY)');
    const data = (...ns: readonly number[]): Buffer => copyRows(ns.map((n) => ({ n })), { n: 'integer' });
    const copy = 'COPY public.single FROM STDIN (FORMAT binary)';
    await apart(pool, async (client, copyIn) => {
      await copyIn(copy, data(1, 2));
      await expect(copyIn(copy, data(3, 2))).rejects.toMatchObject({ code: '23505' });
      await copyIn(copy, data(4));
      expect((await client.query('SELECT n FROM public.single ORDER BY n')).rows).toEqual([{ n: 1 }, { n: 2 }, { n: 4 }]);
    });
  });

  it('is closed, whatever became of the work', async () => {
    const open = async (): Promise<number> => (await pool.query(`SELECT FROM pg_stat_activity WHERE query = 'SELECT 1 AS apart'`)).rowCount ?? 0;
    const work = apart(pool, async (client) => {
      await client.query('SELECT 1 AS apart');
      expect(await open()).toBe(1);
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    for (let left = 1; left > 0; ) left = await open();
  });

  it.each<[string, object]>([['nobody listens', { host: '/nowhere' }], ['there is no such database', { database: 'nowhere' }]])(
    'is refused where %s, and nothing is done', async (_, other) => {
      const misled = openPool({ ...db.connection, ...other });
      let ran = false;
      await expect(apart(misled, () => Promise.resolve((ran = true)))).rejects.toThrow();
      expect(ran).toBe(false);
      await misled.end();
    });
});
