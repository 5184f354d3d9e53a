import { readConfig } from '@kiroku/infra/config/config.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { type Adder, leaf } from './command.js';
import { withKeptHistory } from './kept-history.js';
import { progressOf } from './progress.js';
import { say } from './texts.js';

/** `kiroku bodies`: works on the data folder itself, with or without a running server. */
export const addBodiesCommand: Adder = (program, terminal) => {
  const bodies = program.command('bodies').description('where message bodies lie');
  leaf(bodies, terminal, 'reindex', 'rebuild the index of bodies from the files; needed after an older database was restored', async (run) => {
    const config = readConfig(run.terminal.env);
    const started = performance.now();
    const found = await withKeptHistory(config, async (connection) => {
      const platform = await openPlatform('reindex', { postgres: connection, config, aside: true });
      const store = await openBodies(platform, config, true);
      const bar = progressOf('bodies', run.json, run.language);
      try {
        return await store.rebuildIndex(({ done, of }) => bar.show({ done, total: of }));
      } finally {
        bar.end();
        await store.close();
        await platform.close();
      }
    });
    const seconds = (performance.now() - started) / 1000;
    if (run.json) run.value({ bodies: found, seconds });
    else run.out(`${say(run.language, 'bodiesFound', found, seconds.toFixed(1))}\n`);
  });
};
