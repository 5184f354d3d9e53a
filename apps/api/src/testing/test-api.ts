import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Administrators } from '@kiroku/infra/admin/administrators.js';
import { openPlatform, type Platform } from '@kiroku/infra/platform/platform.js';
import { testPostgres } from '@kiroku/infra/postgres/testing.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import type { Subscription } from '@kiroku/domain/kernel/event-log.js';
import { runView } from '@kiroku/infra/read-model/view-runner.js';
import { FOLLOWING_VIEWS } from '@kiroku/infra/read-model/views.js';
import { listen, openApi } from '../server.js';

/** The API on a throw-away database and a free port, with the views that follow. */
export interface TestApi {
  readonly url: string;
  readonly data: string;
  readonly token: string;
  readonly platform: Platform;
  readonly app: NestExpressApplication;
  readonly key: Buffer;
  close(): Promise<void>;
}

export async function testApi(roles: readonly string[] = []): Promise<TestApi> {
  const database = await testPostgres();
  await migrate(database.connection);
  const data = mkdtempSync(join(tmpdir(), 'kiroku-api-'));
  const platform = await openPlatform('api', { postgres: database.connection });
  const { pool, log, engine, metrics, logger, trouble } = platform;
  logger.level = 'silent';
  const key = randomBytes(32);
  const file = await new Administrators(pool, engine).ensureFirst(data);
  const app = await openApi({ pool, log, engine, metrics, logger, key, roles });
  const { port } = await listen(app, '127.0.0.1', 0);
  const views: readonly Subscription[] = await Promise.all(FOLLOWING_VIEWS.map((view) => runView(log, pool, view, trouble)));
  return {
    url: `http://127.0.0.1:${port}`, data, platform, app, key, token: readFileSync(file, 'utf8').trim(),
    close: async () => {
      await app.close();
      await Promise.all(views.map((view) => view.stop()));
      await platform.close();
      await database.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
