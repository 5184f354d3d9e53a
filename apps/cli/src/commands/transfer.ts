import { readFile } from 'node:fs/promises';
import type { RowError } from '@kiroku/domain/directory/tsv.js';
import { printable } from '@kiroku/domain/story/words.js';
import type { ImportLine, ImportResult } from '@kiroku/infra/admin/import.js';
import cliProgress from 'cli-progress';
import { Failed, Refused } from '../client.js';
import { type Adder, leaf, type Run } from '../command.js';
import { REASONS, say, type Saying } from '../texts.js';

type Line = ImportLine | { readonly problem: { readonly reason: string; readonly instance: string } };

const WORDS = { added: 'rowAdded', 'would-add': 'rowWouldAdd', duplicate: 'rowDuplicate', refused: 'rowRefused' } as const satisfies Record<ImportResult['result'], Saying>;

export const addTransferCommands: Adder = (account, terminal) => {
  leaf<readonly [string], { domain?: string; dryRun?: boolean }>(
    account, terminal, 'import <file.tsv>', 'add accounts from a list of 8 or 10 tab-separated columns', (run, [file], options) => importList(run, file, options))
    .option('--domain <domain>', 'into this domain, whatever the list says')
    .option('--dry-run', 'say what would happen and change nothing');
  leaf<readonly [], { domain?: string }>(account, terminal, 'export', 'print accounts as a list of 10 tab-separated columns; passwords stay sealed', async (run, _, { domain }) => {
    if (run.json) {
      const rows: string[] = [];
      for await (const line of run.api.lines('GET', '/accounts/export', { domain })) rows.push(line);
      return run.value(rows.map((row) => row.split('\t')));
    }
    for await (const text of run.api.stream('GET', '/accounts/export', { domain })) run.out(text);
  }).option('--domain <domain>', 'of this domain only');
};

/** @throws Refused when a row failed: the rest stands. */
async function importList(run: Run, file: string, { domain, dryRun = false }: { domain?: string; dryRun?: boolean }): Promise<void> {
  const bytes = await readFile(file).catch(() => {
    throw new Failed('cannotRead', [file]);
  });
  const progress = progressOn(run);
  let refused = 0;
  let ended = false;
  try {
    for await (const text of run.api.lines('POST', '/accounts/import', { domain, dryRun }, { type: 'text/tab-separated-values', bytes: new Uint8Array(bytes) })) {
      const line = JSON.parse(text) as Line;
      if ('problem' in line) throw new Refused(line.problem.reason, line.problem.instance, 500);
      if ('done' in line) {
        progress.show(line.done, line.total);
        continue;
      }
      progress.clear();
      if (run.json) run.value(line);
      if ('summary' in line) {
        ended = true;
        progress.end();
        const { total, added, duplicate, refused: no, dryRun: dry } = line.summary;
        refused = no;
        if (!run.json) run.out(`${say(run.language, dry ? 'summaryDry' : 'summary', total, added, duplicate, no)}\n`);
      } else if (!run.json) run.out(wordsOf(run, line));
    }
  } finally {
    progress.end();
  }
  if (!ended) throw new Failed('brokeOff');
  if (refused > 0) throw new RowsRefused();
}

/** Each refused row has been told already: only the exit code is left. */
export class RowsRefused extends Error {}

function wordsOf({ language }: Run, { line, address, result, first, reason, detail }: ImportResult): string {
  const why = reason === undefined ? '' : `: ${(REASONS[reason as RowError] as { en: string; ja: string } | undefined)?.[language] ?? reason}${detail ? ` (${detail})` : ''}`;
  return `${say(language, 'line')} ${line}: ${address === undefined ? '' : `${printable(address)} `}${first === undefined ? say(language, WORDS[result]) : say(language, 'rowTwice', first)}${printable(why)}\n`;
}

/** `clear` makes room for other lines: the bar is drawn anew below them. */
interface Progress { show(done: number, total: number): void; clear(): void; end(): void }

/** A bar on a terminal; elsewhere a line for each tenth. @param of what is counted. */
export function progressOn({ terminal: { errors }, language }: Run, of: Saying = 'progress'): Progress {
  if (!errors.isTTY) {
    let tenth = 0;
    return {
      show(done, total) {
        const now = Math.floor((10 * done) / Math.max(1, total));
        if (now > tenth) errors.write(`${done}/${total} ${say(language, of)}\n`);
        tenth = Math.max(tenth, now);
      },
      clear: () => undefined,
      end: () => undefined,
    };
  }
  const bar = new cliProgress.SingleBar({ format: `{bar} {percentage}% {value}/{total} ${say(language, of)} {eta_formatted}`, stream: errors, hideCursor: true });
  let running = false;
  return {
    show(done, total) {
      if (!running) bar.start(total, 0);
      running = true;
      bar.update(done);
    },
    clear() {
      if (running) errors.write('\r\x1b[K');
    },
    end() {
      if (running) bar.stop();
      running = false;
    },
  };
}
