import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { Rebuild, type RebuildReport } from '@kiroku/infra/read-model/rebuild.js';
import { ALL_VIEWS } from '@kiroku/infra/read-model/views.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import type { Command } from 'commander';
import { progressOf } from './progress.js';

interface Options { readonly verify?: boolean; readonly list?: boolean; readonly all?: boolean; readonly json?: boolean }

/** `kiroku replay`: works on the database itself, with or without a running server. */
export function registerReplay(program: Command): void {
  program
    .command('replay [view]')
    .description('rebuild a view from the history, while mail flows; --verify only compares')
    .option('--verify', 'build it beside the live one and compare; exit 1 when they differ')
    .option('--all', 'all views, one after the other')
    .option('--list', 'name the views')
    .option('--json', 'one JSON object per view')
    .action(async (view: string | undefined, options: Options) => {
      process.exitCode = await replay(view, options);
    });
}

async function replay(name: string | undefined, options: Options): Promise<number> {
  if (options.list) {
    const list = ALL_VIEWS.map((v) => ({ view: v.name, inline: v.inline, topics: v.topics }));
    process.stdout.write(options.json ? `${JSON.stringify(list)}\n` : list.map((v) => `${v.view}\t${v.inline ? 'inline' : 'following'}\t${v.topics.join(',')}\n`).join(''));
    return 0;
  }
  const views = options.all ? ALL_VIEWS : ALL_VIEWS.filter((v) => v.name === name || v.name.replace(/_\d+$/, '') === name);
  if (views.length === 0) {
    process.stderr.write(`kiroku: ${name === undefined ? 'which view?' : `there is no view ${name}:`} ${ALL_VIEWS.map((v) => v.name).join(', ')}\n`);
    return 2;
  }
  const reports = await withDatabase(readConfig(process.env), async (connection) => {
    const platform = openPlatform('replay', connection);
    try {
      const done: RebuildReport[] = [];
      for (const view of views) done.push(await one(platform, view, options));
      return done;
    } finally {
      await platform.close();
    }
  });
  return reports.some((r) => (r.differences?.length ?? 0) > 0) ? 1 : 0;
}

async function one({ log, pool }: ReturnType<typeof openPlatform>, view: Projection, { verify, json }: Options): Promise<RebuildReport> {
  const bar = progressOf(view.name, json === true);
  const rebuild = new Rebuild(log, pool, view, bar.show);
  const report = await (verify ? rebuild.verify() : rebuild.replace()).finally(bar.end);
  const seconds = Math.max(report.seconds, 0.001);
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${report.view}: ${report.events} events, ${report.rows} rows in ${seconds.toFixed(1)} s (${Math.round(report.events / seconds)}/s)${verdict(report)}\n`);
  return report;
}

function verdict({ differences }: RebuildReport): string {
  if (differences === undefined) return ', in its place';
  if (differences.length === 0) return ', equal to the live view';
  return `, DIFFERENT:\n${differences.map((d) => `  ${d}\n`).join('')}`;
}
