import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type PostgresRig, startPostgresServer } from '@kiroku/infra/rig/engines/postgres.js';
import { makeCertificate } from '@kiroku/infra/rig/test-ca.js';
import { until } from '@kiroku/infra/rig/until.js';
import { type Wait, waitHere, WaitedInVain, Waiting } from '@kiroku/infra/supervise/waiting.js';
import { prepare } from './prepare.js';

let postgres: PostgresRig;
let data: string;
let said: (Wait | undefined)[];
const env = { ...process.env };

beforeEach(async () => {
  data = mkdtempSync('/tmp/kiroku-prepare-');
  postgres = await startPostgresServer();
  process.env['KIROKU_POSTGRES_URL'] = postgres.url;
  said = [];
});
afterEach(async () => {
  process.env = { ...env };
  await postgres.stop();
  rmSync(data, { recursive: true });
});

const patiently = (limit: number): void => waitHere(new Waiting(limit, (wait) => said.push(wait)));
const start = (url = postgres.url): Promise<void> => prepare({ connectionString: url }, data);

describe('a start with a PostgreSQL that is away', () => {
  it('says so, waits, and goes on when it is back', async () => {
    patiently(Infinity);
    await postgres.kill();
    const started = start();
    await until('it is said', 30_000, () => said.length > 0);
    expect(said[0]).toMatchObject({ for: `PostgreSQL at 127.0.0.1:${postgres.port}`, why: expect.stringContaining('ECONNREFUSED') });
    await postgres.start();
    await started;
    expect(said.at(-1)).toBeUndefined();
  });

  it('ends after the time that the settings give', async () => {
    patiently(300);
    await postgres.kill();
    await expect(start()).rejects.toBeInstanceOf(WaitedInVain);
  });

  it('ends at once when it is there and refuses', async () => {
    patiently(Infinity);
    const stranger = new URL(postgres.url);
    stranger.username = 'stranger';
    await expect(start(stranger.href)).rejects.toThrow('stranger');
    stranger.username = 'kiroku';
    stranger.pathname = '/nowhere';
    await expect(start(stranger.href)).rejects.toThrow('nowhere');
    expect(said).toEqual([]);
  });
});

describe('a start with a Kafka whose port speaks TLS, and settings that say no', () => {
  it('ends at once and names the setting', async () => {
    patiently(Infinity);
    const listener = createServer(await makeCertificate({ names: ['127.0.0.1'] })).on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    Object.assign(process.env, { KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: `127.0.0.1:${port}` });
    await expect(start()).rejects.toThrow(`127.0.0.1:${port} speaks TLS: set KIROKU_KAFKA_TLS=on`);
    expect(said).toEqual([]);
    listener.close();
  });
});
