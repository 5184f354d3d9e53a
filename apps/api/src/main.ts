import { Administrators } from '@kiroku/infra/admin/administrators.js';
import { loadServerKey } from '@kiroku/infra/auth/seal.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { openReports } from '@kiroku/infra/platform/reports.js';
import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { listen, openApi } from './server.js';

/** ms that requests may go on when the process is asked to end. */
const PATIENCE = 20_000;

runRole('api', async ({ config, postgres, roles }) => {
  const platform = await openPlatform('api', { postgres, config });
  const { pool, log, engine, metrics, logger } = platform;
  const administrator = await new Administrators(pool, engine).ensureFirst(config.data);
  const reports = openReports(platform, config);
  const app = await openApi({ pool, replica: reports?.reads, log, engine, metrics, logger, key: await loadServerKey(config.data), roles: config.expectedRoles ?? roles, hostname: config.hostname });
  if (config.httpPort !== undefined) {
    const { address, port } = await listen(app, config.bind, config.httpPort);
    logger.info({ address, port, administrator }, 'api serves');
  }
  platform.live(undefined, reports?.warnings);
  return {
    drain: async () => {
      const late = setTimeout(() => app.getHttpServer().closeAllConnections(), PATIENCE);
      await app.close();
      clearTimeout(late);
      await reports?.reads.close();
      await platform.close();
    },
  };
});
