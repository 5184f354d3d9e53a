import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { Run } from '../command.js';
import type { Terminal } from '../terminal.js';
import { progressOn } from './transfer.js';

function watched(isTTY: boolean): { readonly run: Run; readonly shown: () => string } {
  const errors = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY });
  let shown = '';
  errors.on('data', (text: string) => (shown += text));
  const terminal: Terminal = { env: {}, input: new PassThrough(), output: { write: () => true }, errors, offset: () => 0 };
  return { run: new Run(terminal, 'en', false), shown: () => shown };
}

describe('the progress of a long import', () => {
  it('is a bar on a terminal, which makes room for lines in between', () => {
    const { run, shown } = watched(true);
    const progress = progressOn(run);
    progress.clear();
    expect(shown()).toBe('');
    progress.show(64, 10_000);
    progress.clear();
    expect(shown().endsWith('\r\x1b[K')).toBe(true);
    progress.show(10_000, 10_000);
    progress.end();
    expect(shown()).toMatch(/100% 10000\/10000 rows/);
  });

  it('is a line for each tenth elsewhere', () => {
    const { run, shown } = watched(false);
    const progress = progressOn(run);
    for (let done = 64; done <= 10_000; done += 64) progress.show(done, 10_000);
    progress.show(10_000, 10_000);
    progress.end();
    expect(shown().trim().split('\n')).toHaveLength(10);
    expect(shown()).toMatch(/10000\/10000 rows\n$/);
  });
});
