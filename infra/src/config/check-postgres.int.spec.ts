import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { lookAtPostgres, postgresProblem } from './check-postgres.js';

let db: TestPostgres;
const query = async (text: string): Promise<void> => {
  const client = new pg.Client(db.connection);
  await client.connect();
  await client.query(text).finally(() => client.end());
};
beforeAll(async () => {
  db = await testPostgres({ durable: true });
});
afterAll(() => db.close());

describe('an outside PostgreSQL', () => {
  it('that fits is said to', async () => {
    expect(await lookAtPostgres(db.connection)).toMatchObject({ version: expect.stringMatching(/^18\./), refused: [], warnings: [], connections: expect.any(Number) });
  });

  it('is refused with another encoding', async () => {
    const database = `latin_${process.pid}`;
    await query(`CREATE DATABASE ${database} ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`);
    const { refused } = await lookAtPostgres({ ...db.connection, database });
    await query(`DROP DATABASE ${database}`);
    expect(refused.map(postgresProblem)).toEqual([expect.stringContaining(`the database's encoding is LATIN1`)]);
  });

  it('is refused when the user may create nothing in it', async () => {
    const user = `guest_${process.pid}`;
    await query(`CREATE ROLE ${user} LOGIN`);
    const denied = await lookAtPostgres({ ...db.connection, user });
    await query(`GRANT CREATE ON DATABASE ${db.connection.database} TO ${user}`);
    const half = await lookAtPostgres({ ...db.connection, user });
    await query(`GRANT CREATE ON SCHEMA public TO ${user}`);
    const good = await lookAtPostgres({ ...db.connection, user });
    await query(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
    expect(denied.refused.map(postgresProblem)).toEqual([expect.stringMatching(/may not create anything in database/)]);
    expect(half.refused.map(postgresProblem)).toEqual([expect.stringMatching(/may not create anything in schema public/)]);
    expect(good.refused).toEqual([]);
  });

  it('is warned of when commits do not wait for the disk', async () => {
    await query(`ALTER DATABASE ${db.connection.database} SET synchronous_commit = off`);
    const { warnings } = await lookAtPostgres(db.connection);
    expect(warnings.map(postgresProblem)).toEqual(['synchronous_commit is off: a power cut loses mail that was acknowledged']);
  });
});
