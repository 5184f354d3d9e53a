import type { Config } from '@kiroku/infra/config/config.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { PostgresAdmission } from '@kiroku/infra/read-model/admission.js';
import type { RunningRole } from '@kiroku/infra/supervise/role-process.js';
import { Worker } from './worker.js';

/** The worker role: views that follow the log, and housekeeping. */
export async function startWorker(config: Config, postgres: PostgresConnection): Promise<RunningRole> {
  const platform = await openPlatform('worker', { postgres, config, connections: 4, nice: 15 });
  const { pool, engine, logger } = platform;
  const bodies = await openBodies(platform, config, true); // compaction writes
  const admission = new PostgresAdmission(pool, engine);
  const worker = new Worker(platform, bodies, async () => (await admission.admit('smtp', '127.0.0.1')).settings);
  await worker.start();
  platform.live();
  logger.info('worker serves');
  return {
    drain: async () => {
      await worker.drain();
      await bodies.close();
      await platform.close();
    },
  };
}
