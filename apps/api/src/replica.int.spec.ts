import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Administrators } from '@kiroku/infra/admin/administrators.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openPlatform, type Platform } from '@kiroku/infra/platform/platform.js';
import { type OpenReports, openReports } from '@kiroku/infra/platform/reports.js';
import { type ReplicaRig, startReplica } from '@kiroku/infra/postgres/replica-testing.js';
import { type PostgresRig, startPostgresServer } from '@kiroku/infra/rig/engines/postgres.js';
import { until } from '@kiroku/infra/rig/until.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import { Health } from './schemas.js';
import { listen, openApi } from './server.js';

const data = mkdtempSync('/tmp/kiroku-api-replica-');
let primary: PostgresRig;
let replica: ReplicaRig;
let platform: Platform;
let reports: OpenReports;
let app: NestExpressApplication;
let url: string;
let token: string;

beforeAll(async () => {
  primary = await startPostgresServer();
  await migrate({ connectionString: primary.url });
  replica = await startReplica(primary);
  const config = readConfig({ KIROKU_DATA: data, KIROKU_POSTGRES_URL: primary.url, KIROKU_POSTGRES_REPLICA_URL: replica.url });
  platform = await openPlatform('api', { postgres: { connectionString: primary.url }, config });
  platform.logger.level = 'silent';
  token = readFileSync(await new Administrators(platform.pool, platform.engine).ensureFirst(data), 'utf8').trim();
  const { pool, log, engine, metrics, logger } = platform;
  const opened = openReports(platform, config);
  if (!opened) throw new Error('these settings name a replica');
  reports = opened;
  app = await openApi({ pool, replica: reports.reads, log, engine, metrics, logger, key: randomBytes(32), roles: ['api'] });
  url = `http://127.0.0.1:${(await listen(app, '127.0.0.1', 0)).port}/api/v1`;
  platform.live(undefined, reports.warnings);
}, 120_000);
afterAll(async () => {
  await app?.close();
  await reports?.reads.close();
  await platform?.close();
  await replica?.remove();
  await primary?.stop();
  rmSync(data, { recursive: true, force: true });
});

async function ask<T = unknown>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) });
  expect(answer.status).toBeLessThan(300);
  return (await answer.json()) as T;
}
const items = async (path: string): Promise<number> => (await ask<{ items: readonly unknown[] }>('GET', path)).items.length;
const following = (): Promise<unknown> =>
  until('the replica has everything', 15_000, async () => {
    await reports.reads.look(); // may have begun before
    await reports.reads.look();
    return reports.reads.found?.kind === 'following' && reports.reads.found.lag === 0;
  });
const mail = (id: string): Promise<unknown> =>
  platform.pool.query(`INSERT INTO view.message_2 (message_id, recipients, accepted_at, delivered, remote, sent, bounced, facts, decisions) VALUES ($1, '[]', 1, 1, 0, 0, 0, '[]', '[]')`, [id]);
const tlsDay = (day: string): Promise<unknown> =>
  platform.pool.query(`INSERT INTO view.tls_report_1 (day, domain, policy, host, ip, source, failure, count) VALUES ($1, 'y.test', 'sts', 'mx.y.test', '', '', '', 1)`, [day]);

describe('the API with a replica', () => {
  it('reads reports there, and nothing else', async () => {
    await Promise.all([mail('0000000000000A1'), tlsDay('2026-01-05')]);
    await ask('POST', '/domains', { name: 'x.test' });
    await following();
    await replica.pause();
    const actions = await items('/admin/actions');
    await Promise.all([mail('0000000000000A2'), tlsDay('2026-01-06')]);
    expect(await items('/messages')).toBe(1);
    expect(await items('/tls-policy/reports')).toBe(1);
    expect(await ask('GET', '/messages/0000000000000A2')).toMatchObject({ id: '0000000000000A2' });

    await ask('POST', '/domains', { name: 'y.test' });
    expect(await items('/domains')).toBe(2);
    expect(await items('/admin/actions')).toBe(actions + 1); // who changed something sees it
    expect(await items('/messages')).toBe(2);
    await replica.resume();
    await following();
    await replica.pause();
    await mail('0000000000000A3');
    expect(await items('/messages')).toBe(2);
    await replica.resume();
    await following();
    expect(await items('/messages')).toBe(3);
  });

  it('warns once while it is away, counts who answered, and is well again by itself', async () => {
    const warnings = async () => Health.parse(await ask('GET', '/health')).warnings.filter((w) => w.kind === 'replica');
    const usable = async (): Promise<string | undefined> => /^kiroku_replica_usable\{[^}]*\} (\d)/m.exec(await platform.metrics.registry.metrics())?.[1];
    await following();
    expect(await usable()).toBe('1');
    await replica.stop();
    // First it may say that the replica is shutting down.
    await until('health says so', 15_000, async () => (await warnings()).some((w) => w.detail?.includes('ECONNREFUSED')));
    expect(await warnings()).toEqual([{ kind: 'replica', state: 'away', detail: expect.stringContaining('ECONNREFUSED'), role: 'api', host: expect.any(String) }]);
    expect(await usable()).toBe('0');
    expect(await items('/messages')).toBe(3);
    await replica.start();
    await until('health is silent', 15_000, async () => (await warnings()).length === 0);
    expect(await usable()).toBe('1');
    expect(await platform.metrics.registry.metrics()).toMatch(/^kiroku_reports_total\{by="primary",[^}]*\} \d/m);
  });
});
