import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { openPool } from '../read-model/database.js';
import { courteous } from './courteous.js';
import { testPostgres } from './testing.js';

/** PostgreSQL's protocol, "ErrorResponse". */
function refusal(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(4 + fields.length, 1);
  return Buffer.concat([head, fields]);
}

describe('a server that turns connections away', () => {
  let server: Server;
  let attempts: number;
  let code: string;
  let time: number;
  let pool: pg.Pool;
  beforeEach(async () => {
    [attempts, code, time] = [0, '57P03', 0];
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        attempts++;
        socket.end(refusal(code, `no ${attempts}`));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    pool = new pg.Pool({ host: '127.0.0.1', port, user: 'kiroku', database: 'kiroku', password: 'x', max: 4, Client: courteous(() => time) });
    pool.on('error', () => undefined);
  });
  afterEach(async () => {
    await pool.end();
    server.close();
  });
  const asked = (): Promise<string> => pool.query('SELECT 1').then(() => 'answered', (error: Error) => error.message);

  it('because it is recovering is asked again after a quarter of a second, whoever asks meanwhile', async () => {
    expect(await asked()).toBe('no 1');
    time = 249;
    expect(new Set(await Promise.all(Array.from({ length: 100 }, asked)))).toEqual(new Set(['no 1']));
    expect(attempts).toBe(1);
    time = 250;
    expect(await asked()).toBe('no 2');
    expect(attempts).toBe(2);
  });

  it('for another reason is asked each time', async () => {
    code = '28P01';
    expect([await asked(), await asked()]).toEqual(['no 1', 'no 2']);
  });

  it('says so to who waits for a promise as well', async () => {
    expect(await asked()).toBe('no 1');
    await expect(pool.connect()).rejects.toThrow('no 1');
    const Client = courteous(() => time);
    const { port } = server.address() as { port: number };
    const connection = { host: '127.0.0.1', port, user: 'kiroku', database: 'kiroku', password: 'x' };
    await expect(new Client(connection).connect()).rejects.toThrow('no 2');
    await expect(new Client(connection).connect()).rejects.toThrow('no 2');
  });
});

describe('a pool', () => {
  it('goes on as ever with a server that serves', async () => {
    const db = await testPostgres();
    const pool = openPool(db.connection, 2);
    expect((await Promise.all([1, 2, 3].map((n) => pool.query<{ n: number }>('SELECT $1::integer AS n', [n])))).map(({ rows }) => rows[0]?.n)).toEqual([1, 2, 3]);
    await pool.end();
    await db.close();
  });

  it('says when a connection breaks that nobody uses, but not while it is being closed', async () => {
    const db = await testPostgres();
    const troubles: unknown[] = [];
    const [pool, other] = [openPool(db.connection, 1, (error) => troubles.push(error)), openPool(db.connection, 1)];
    const cut = async (): Promise<void> => {
      const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await other.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    };
    const broken = once(pool, 'error');
    await cut();
    await broken;
    expect(troubles).toMatchObject([{ code: '57P01' }]);
    const client = await pool.connect();
    client.release();
    const ended = pool.end();
    pool.emit('error', new Error('the server was quicker'), client);
    await ended;
    expect(troubles).toHaveLength(1);
    await other.end();
    await db.close();
  });
});
