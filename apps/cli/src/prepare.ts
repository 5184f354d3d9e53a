import { lookAtPostgres, postgresProblem } from '@kiroku/infra/config/check-postgres.js';
import { type Config, readConfig } from '@kiroku/infra/config/config.js';
import { claimEngines, claimServerKey } from '@kiroku/infra/config/engines-in-use.js';
import { whenThere } from '@kiroku/infra/platform/away.js';
import { refuseOthersBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { lookAtReplica, replicaProblem } from '@kiroku/infra/postgres/replica-look.js';
import { buildNewViews } from '@kiroku/infra/read-model/new-views.js';
import { migrate } from '@kiroku/migrations/migrate.js';

/**
 * What a new database or a new release needs before any role runs. Engines that are away are waited for where the process waits at all.
 * @throws with what to do, when the engines, the key or the database do not fit.
 */
export async function prepare(postgres: PostgresConnection, data: string): Promise<void> {
  const config = { ...readConfig(process.env), data };
  await whenThere(postgres, config, () => prepareAll(postgres, config)); // from the top: all of it may be done twice
}

async function prepareAll(postgres: PostgresConnection, config: Config): Promise<void> {
  const outside = 'connectionString' in postgres ? await lookAtPostgres(postgres) : undefined;
  if (outside?.refused.length) throw new Error(outside.refused.map(postgresProblem).join('; '));
  const replica = config.postgresReplica && (await lookAtReplica(postgres, config.postgresReplica));
  if (replica?.kind === 'wrong') throw new Error(replicaProblem(replica.problem));
  await migrate(postgres);
  // Before any other engine is touched: it may be somebody else's.
  const embedded = await openPlatform('migrate', { postgres, connections: 2 });
  try {
    for (const warning of outside?.warnings ?? []) embedded.logger.warn(postgresProblem(warning));
    if (replica?.kind === 'away') embedded.logger.warn({ why: replica.why }, 'the replica is away; the primary answers reports');
    await claimEngines(embedded.pool, config);
    await claimServerKey(embedded.pool, config.data);
  } finally {
    await embedded.close();
  }
  const platform = await openPlatform('migrate', { postgres, config, connections: 4 });
  try {
    await refuseOthersBodies(platform, config);
    for (const warning of platform.kafka?.warnings ?? []) platform.logger.warn(warning);
    await buildNewViews(platform.pool, platform.log, (view) => platform.logger.info({ view }, 'building a new view from the history'));
  } finally {
    await platform.close();
  }
}
