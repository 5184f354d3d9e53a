import { readConfig } from '@kiroku/infra/config/config.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import type { Command } from 'commander';
import { progressOf } from './progress.js';

/** `kiroku bodies`: works on the data folder itself, with or without a running server. */
export function registerBodies(program: Command): void {
  const bodies = program.command('bodies').description('where message bodies lie');
  bodies
    .command('reindex')
    .description('rebuild the index of bodies from the files; needed after an older database was restored')
    .option('--json', 'one JSON object')
    .action(async ({ json }: { json?: boolean }) => {
      const config = readConfig(process.env);
      const started = performance.now();
      const found = await withDatabase(config, async (connection) => {
        const platform = openPlatform('reindex', connection);
        const store = await openBodies(platform, config.data, true);
        const bar = progressOf('bodies', json === true);
        try {
          return await store.rebuildIndex(({ done, of }) => bar.show({ done, total: of }));
        } finally {
          bar.end();
          await store.close();
          await platform.close();
        }
      });
      const seconds = (performance.now() - started) / 1000;
      process.stdout.write(json ? `${JSON.stringify({ bodies: found, seconds })}\n` : `${found} bodies found in ${seconds.toFixed(1)} s\n`);
    });
}
