import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DEFAULTS } from '@kiroku/domain/policy/settings-schema.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { filledMailbox, sha256, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
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
    const platform = openPlatform('worker', h.connection, 4);
    platform.logger.level = 'silent';
    const bodies = await openBodies(platform, data, true);
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
});
