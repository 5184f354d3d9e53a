import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import { DEFAULTS } from '@kiroku/domain/policy/settings-schema.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { accepted, filledMailbox, sha256, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { Worker } from './worker.js';

let h: TestHistory;
beforeAll(async () => { h = await testHistory(); });
afterAll(() => h.close());

describe('the worker', () => {
  it('forgets what was found out about bodies that no mailbox has any more, and keeps the rest', async () => {
    await filledMailbox(h, 2);
    for (const n of [1, 2, 3, 4]) {
      await h.pool.query(`INSERT INTO cache.body_1 VALUES ($1, '')`, [`\\x${sha256(n)}`]);
      await h.pool.query(`INSERT INTO cache.search_1 (sha256, header_grams, keys, thread) VALUES ($1, '', '', '')`, [`\\x${sha256(n)}`]);
    }
    const data = await mkdtemp(join(tmpdir(), 'kiroku-worker-'));
    const config = readConfig({ KIROKU_DATA: data });
    const platform = await openPlatform('worker', { postgres: h.connection, config, connections: 4 });
    platform.logger.level = 'silent';
    const bodies = await openBodies(platform, config, true);
    const worker = new Worker(platform, bodies, () => Promise.resolve(DEFAULTS), 0);
    try {
      await worker.start();
      await worker.keepHouse();
      const { rows } = await h.pool.query<{ sha256: string }>(`SELECT encode(sha256, 'hex') AS sha256 FROM cache.search_1 JOIN cache.body_1 USING (sha256)`);
      expect(rows.map((r) => r.sha256).sort()).toEqual([1, 2].map(sha256).sort());
    } finally {
      await worker.drain();
      await bodies.close();
      await platform.close();
      await rm(data, { recursive: true });
    }
  }, 60_000);

  it('tells how many events each consumer of the log has still to see', async () => {
    const data = await mkdtemp(join(tmpdir(), 'kiroku-worker-'));
    const config = readConfig({ KIROKU_DATA: data });
    const platform = await openPlatform('worker', { postgres: h.connection, config, connections: 4 });
    platform.logger.level = 'silent';
    await h.log.append([1, 2, 3].map((n) => accepted(h.engine, `L${n}`, ['ann@x.test'])));
    await h.pool.query(`INSERT INTO history.checkpoint SELECT 'delivery', topic, partition, 0 FROM history.head WHERE topic = 'mail' ON CONFLICT DO NOTHING`);
    const heads = await Promise.all(Array.from({ length: h.log.partitions('mail') }, (_, p) => h.log.head('mail', p)));
    const bodies = await openBodies(platform, config, true);
    const worker = new Worker(platform, bodies, () => Promise.resolve(DEFAULTS), 0);
    try {
      await worker.start();
      const told = await platform.metrics.registry.getSingleMetricAsString('kiroku_consumer_lag_events');
      expect(told).toContain(`kiroku_consumer_lag_events{consumer="delivery",topic="mail",role="worker",pid="${process.pid}"} ${heads.reduce((a, b) => a + b)}`);
    } finally {
      await worker.drain();
      await bodies.close();
      await platform.close();
      await rm(data, { recursive: true });
    }
  }, 60_000);

  it('gives signs of life also while the log does not say how far it goes', async () => {
    const data = await mkdtemp(join(tmpdir(), 'kiroku-worker-'));
    const config = readConfig({ KIROKU_DATA: data });
    const platform = await openPlatform('worker', { postgres: h.connection, config, connections: 4 });
    platform.logger.level = 'silent';
    const bodies = await openBodies(platform, config, true);
    const { log } = platform;
    const silent: EventLog = {
      append: (entries) => log.append(entries), partitions: (topic) => log.partitions(topic), head: () => new Promise(() => undefined),
      read: (...args) => log.read(...args), at: (...args) => log.at(...args), forgettable: (...args) => log.forgettable(...args),
      forget: (...args) => log.forget(...args), consume: (consumer) => log.consume(consumer),
    };
    const worker = new Worker({ ...platform, log: silent }, bodies, () => Promise.resolve(DEFAULTS), 0);
    try {
      await worker.start();
      expect(await platform.metrics.registry.getSingleMetricAsString('kiroku_consumer_lag_events')).not.toContain('consumer=');
    } finally {
      await worker.drain();
      await bodies.close();
      await platform.close();
      await rm(data, { recursive: true });
    }
  }, 60_000);
});
