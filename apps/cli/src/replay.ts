import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openPlatform, type Platform } from '@kiroku/infra/platform/platform.js';
import { Rebuild, type RebuildReport } from '@kiroku/infra/read-model/rebuild.js';
import { ALL_VIEWS } from '@kiroku/infra/read-model/views.js';
import { Failed } from './client.js';
import { type Adder, leaf, type Run, Told } from './command.js';
import { withKeptHistory } from './kept-history.js';
import { progressOf } from './progress.js';
import { say } from './texts.js';

interface Options { readonly verify?: boolean; readonly list?: boolean; readonly all?: boolean }

/** `kiroku replay`: works on the database itself, with or without a running server. */
export const addReplayCommand: Adder = (program, terminal) => {
  leaf<readonly [string | undefined], Options>(program, terminal, 'replay [view]', 'rebuild a view from the history, while mail flows; --verify only compares', (run, [view], options) => replay(run, view, options))
    .option('--verify', 'build it beside the live one and compare; exit 1 when they differ')
    .option('--all', 'all views, one after the other')
    .option('--list', 'name the views');
};

async function replay(run: Run, name: string | undefined, options: Options): Promise<void> {
  if (options.list) return list(run);
  const views = options.all ? ALL_VIEWS : ALL_VIEWS.filter((v) => v.name === name || v.name.replace(/_\d+$/, '') === name);
  if (views.length === 0) {
    const names = ALL_VIEWS.map((v) => v.name).join(', ');
    throw name === undefined ? new Failed('whichView', [names], true) : new Failed('noSuchView', [name, names], true);
  }
  const config = readConfig(run.terminal.env);
  const reports = await withKeptHistory(config, async (connection) => {
    const platform = await openPlatform('replay', { postgres: connection, config, aside: true });
    try {
      const done: RebuildReport[] = [];
      for (const view of views) done.push(await one(run, platform, view, options));
      return done;
    } finally {
      await platform.close();
    }
  });
  if (reports.some((r) => (r.differences?.length ?? 0) > 0)) throw new Told();
}

function list(run: Run): void {
  if (run.json) return run.value(ALL_VIEWS.map((v) => ({ view: v.name, inline: v.inline, topics: v.topics })));
  run.out(ALL_VIEWS.map((v) => `${v.name}\t${say(run.language, v.inline ? 'viewInline' : 'viewFollowing')}\t${v.topics.join(',')}\n`).join(''));
}

async function one(run: Run, { log, pool }: Platform, view: Projection, { verify }: Options): Promise<RebuildReport> {
  const bar = progressOf(view.name, run.json, run.language);
  const rebuild = new Rebuild(log, pool, view, bar.show);
  const report = await (verify ? rebuild.verify() : rebuild.replace()).finally(bar.end);
  const seconds = Math.max(report.seconds, 0.001);
  if (run.json) run.value(report);
  else run.out(`${say(run.language, 'replayed', report.view, report.events, report.rows, seconds.toFixed(1), Math.round(report.events / seconds), verdict(run, report))}\n`);
  return report;
}

function verdict({ language }: Run, { differences }: RebuildReport): string {
  if (differences === undefined) return say(language, 'viewReplaced');
  if (differences.length === 0) return say(language, 'viewEqual');
  return `${say(language, 'viewDifferent')}\n${differences.map((d) => `  ${d}`).join('\n')}`;
}
