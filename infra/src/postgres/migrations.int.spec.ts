import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate } from '@kiroku/migrations/migrate.js';
import pg from 'pg';
import { type TestPostgres, testPostgres } from './testing.js';

let db: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  db = await testPostgres();
  pool = new pg.Pool(db.connection);
});
afterAll(async () => {
  await pool.end();
  await db.close();
});

describe('the shape of the database', () => {
  it('is made once, whoever of several starts first', async () => {
    const ran = await Promise.all([migrate(db.connection), migrate(db.connection), migrate(db.connection)]);
    const [all] = ran.filter((names) => names.length > 0);
    expect(ran.filter((names) => names.length > 0)).toHaveLength(1);
    expect(all?.[0]).toMatch(/^History/);
    const { rows } = await pool.query<{ name: string }>('SELECT name FROM public.migration ORDER BY id');
    expect(rows.map(({ name }) => name)).toEqual(all);
    expect(await migrate(db.connection)).toEqual([]);
  });

  it('is brought up to date where only a part was made', async () => {
    await pool.query(`DROP FUNCTION history.append_decision; DELETE FROM public.migration WHERE name LIKE 'AppendDecision%'`);
    expect(await migrate(db.connection)).toEqual([expect.stringMatching(/^AppendDecision/)]);
    expect((await pool.query(`SELECT FROM pg_proc WHERE proname = 'append_decision'`)).rowCount).toBe(1);
  });

  it('that a newer release made is left alone, and said to be so', async () => {
    await pool.query(`INSERT INTO public.migration (timestamp, name) VALUES (9999999999999, 'Tomorrow9999999999999')`);
    await expect(migrate(db.connection)).rejects.toThrow('the database was written by a newer release of Kiroku (Tomorrow9999999999999): install that release');
    await pool.query(`DELETE FROM public.migration WHERE name LIKE 'AppendDecision%'`);
    await expect(migrate(db.connection)).rejects.toThrow('Tomorrow9999999999999');
    expect((await pool.query(`SELECT FROM public.migration WHERE name LIKE 'AppendDecision%'`)).rowCount).toBe(0);
  });

  it('of a database that cannot be reached is not guessed', async () => {
    await expect(migrate({ host: '/nowhere', port: 5432, user: 'x', password: 'x', database: 'x' })).rejects.toThrow('ENOENT');
  });
});
