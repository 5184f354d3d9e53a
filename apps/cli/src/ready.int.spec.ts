import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestPostgres, testPostgres } from '@kiroku/infra/postgres/testing.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { nameOf, writePidFile } from '@kiroku/infra/supervise/pid-file.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import type pg from 'pg';
import { addReadyCommand } from './ready.js';
import { command, type Spoken } from './testing/api-process.js';

const data = mkdtempSync('/tmp/kiroku-ready-');
const listener = createServer((socket) => socket.end());
const own = nameOf(process.pid) as NonNullable<ReturnType<typeof nameOf>>;
let db: TestPostgres;
let pool: pg.Pool;
let env: Record<string, string>;

beforeAll(async () => {
  db = await testPostgres();
  await migrate(db.connection);
  pool = openPool(db.connection, 1);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { host, port, user, database } = db.connection;
  env = {
    LANG: 'C', KIROKU_DATA: data, KIROKU_POSTGRES_URL: `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`,
    KIROKU_SMTP_PORT: String((listener.address() as AddressInfo).port), KIROKU_SUBMISSION_PORT: '0', KIROKU_SMTPS_PORT: '0',
  };
});
afterAll(async () => {
  listener.close();
  await pool.end();
  await db.close();
  rmSync(data, { recursive: true });
});

const ready = (...args: readonly string[]): Promise<Spoken> => command(env, ['ready', ...args], undefined, [addReadyCommand]);
const runs = (...roles: readonly { role: string; pid?: number; start?: string }[]): void =>
  writePidFile(data, { ...own, startedAt: 1, ports: {}, roles: roles.map(({ role, ...name }) => ({ ...own, ...name, role, index: 0 })) });
const sign = (at: number, trouble: string | null = null) =>
  pool.query(`INSERT INTO ops.process VALUES ('00000000-0000-7000-8000-000000000001', 'smtp', $1, $2, 1, $3, $4, '', '[]')
              ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, trouble = excluded.trouble`, [hostname(), process.pid, at, trouble]);

describe('kiroku ready', () => {
  it('says that nothing runs', async () => {
    expect(await ready()).toEqual({ code: 1, out: `no server runs on ${data}\n`, err: '' });
  });

  it('believes a role that answers and has lately said that it is well', async () => {
    runs({ role: 'smtp' });
    expect(await ready()).toMatchObject({ code: 1, out: 'smtp has given no sign of life for 10 s\n' });
    await sign(Date.now());
    expect(await ready()).toEqual({ code: 0, out: 'ready: smtp\n', err: '' });
    expect(JSON.parse((await ready('--role', 'smtp', '--json')).out)).toEqual({ ready: true, roles: ['smtp'], problems: [] });
    await sign(Date.now() - 11_000);
    expect((await ready('--lang', 'ja')).out).toBe('smtp から 10 秒間応答がありません\n');
    expect((await ready('--live')).code).toBe(0);
  });

  it('tells what a role says is wrong', async () => {
    await sign(Date.now(), 'the disk is full');
    expect(await ready('--role', 'smtp')).toMatchObject({ code: 1, out: 'smtp: the disk is full\n' });
  });

  it('tells a role that is not run here, is gone, or whose port is silent', async () => {
    expect((await ready('--role', 'imap', '--live')).out).toMatch(/^imap is not run here\n/);
    runs({ role: 'delivery', start: 'another' });
    expect((await ready()).out).toBe('delivery is being started again\n');
    runs({ role: 'smtp' });
    env.KIROKU_SMTPS_PORT = '1';
    expect((await ready('--live')).out).toBe('smtp does not answer on port 1\n');
    env.KIROKU_SMTPS_PORT = '0';
  });

  it('tells what is waited for, and lives meanwhile', async () => {
    writePidFile(data, { ...own, startedAt: 1, ports: {}, roles: [], waiting: 'Kafka at broker.test:9092' });
    expect(await ready()).toMatchObject({ code: 1, out: 'the start waits for Kafka at broker.test:9092\n' });
    expect((await ready('--role', 'smtp', '--lang', 'ja')).out).toBe('起動は Kafka at broker.test:9092 の応答を待っています\n');
    expect((await ready('--live')).code).toBe(0);
    writePidFile(data, { ...own, startedAt: 1, ports: {}, roles: [] });
    expect(await ready()).toMatchObject({ code: 1, out: 'the server is starting\n' });
    writePidFile(data, { ...own, startedAt: 1, ports: {}, roles: [{ ...own, role: 'smtp', index: 0, waiting: 'S3 at https://s3.test' }] });
    env.KIROKU_SMTPS_PORT = '1';
    expect((await ready()).out).toBe('smtp waits for S3 at https://s3.test\n');
    expect((await ready('--live')).code).toBe(0);
    env.KIROKU_SMTPS_PORT = '0';
    runs({ role: 'smtp' });
  });

  it('is not ready without its database, and starts none', async () => {
    const outside = env.KIROKU_POSTGRES_URL as string;
    env.KIROKU_POSTGRES_URL = 'postgres://nobody@127.0.0.1:1/none';
    expect((await ready()).out).toBe('the database does not answer\n');
    delete env.KIROKU_POSTGRES_URL;
    expect((await ready()).out).toBe('the database does not answer\n');
    env.KIROKU_POSTGRES_URL = outside;
  });
});
