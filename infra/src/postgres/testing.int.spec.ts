import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startOf } from '@kiroku/infra/supervise/process-table.js';
import { makeScript } from '@kiroku/infra/supervise/testing.js';
import { testPostgres, type TestPostgres } from './testing.js';

const opened: TestPostgres[] = [];

async function open(options = {}): Promise<TestPostgres> {
  const db = await testPostgres(options);
  opened.push(db);
  return db;
}

async function ask({ connection }: TestPostgres, statement: string): Promise<unknown> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    const { rows } = await client.query({ text: statement, rowMode: 'array' });
    return (rows as unknown[][])[0]?.[0];
  } finally {
    await client.end();
  }
}

describe('a test database', () => {
  afterAll(() => Promise.all(opened.map((db) => db.close())));

  it('is empty and apart from any other, on the same server', async () => {
    const [one, two] = [await open(), await open()];
    await ask(one, 'CREATE TABLE mail ()');
    expect(await ask(two, `SELECT count(*)::int FROM pg_tables WHERE tablename = 'mail'`)).toBe(0);
    expect(one.pid).toBe(two.pid);
  });

  it('sorts by code point and knows the letters of all languages', async () => {
    const db = await open();
    expect(await ask(db, `SELECT string_agg(c, '' ORDER BY c) FROM unnest(ARRAY['é', 'b', 'Z']) AS c`)).toBe('Zbé');
    expect(await ask(db, `SELECT lower('ÀÉΩЖ')`)).toBe('àéωж');
  });

  it('is gone once it is closed, even under an open connection', async () => {
    const db = await open({ patience: 1 });
    const client = new pg.Client(db.connection);
    client.on('error', () => undefined);
    await client.connect();
    await db.close();
    await expect(client.query('SELECT')).rejects.toThrow();
    await expect(ask(db, 'SELECT')).rejects.toThrow(/does not exist/);
  });

  it('is as durable as the real one when asked', async () => {
    expect(await ask(await open(), 'SHOW fsync')).toBe('off');
    expect(await ask(await open({ durable: true }), 'SHOW fsync')).toBe('on');
  });

  it('leaves nothing behind when Jest is killed', async () => {
    const home = mkdtempSync('/tmp/kiroku-killed-');
    try {
      symlinkSync(join(import.meta.dirname, '../../../node_modules'), join(home, 'node_modules'));
      makeScript(
        `import { testPostgres } from '@kiroku/infra/postgres/testing.js';
         console.log(JSON.stringify(await testPostgres()));
         setInterval(() => undefined, 1000);`,
        join(home, 'jest.mjs'),
      );
      const jest = spawn(process.execPath, [join(home, 'jest.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = (await once(createInterface({ input: jest.stdout }), 'line')) as [string];
      const { connection, pid } = JSON.parse(line) as TestPostgres;
      expect(startOf(pid)).toBeDefined();
      jest.kill('SIGKILL');
      while (startOf(pid) ?? existsSync(connection.host)) await new Promise(setImmediate);
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});
