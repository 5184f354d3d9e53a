import { openPlatform } from '@kiroku/infra/platform/platform.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { buildNewViews } from '@kiroku/infra/read-model/new-views.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import { refuseLostKey } from './lost-key.js';

/** What a new database or a new release needs before any role runs. */
export async function prepare(postgres: PostgresConnection, data: string): Promise<void> {
  await migrate(postgres);
  const platform = openPlatform('migrate', postgres, 4);
  try {
    await buildNewViews(platform.pool, platform.log, (view) => platform.logger.info({ view }, 'building a new view from the history'));
  } finally {
    await platform.close();
  }
  await refuseLostKey(postgres, data);
}
