import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { STATUS } from '@kiroku/infra/admin/refusals.js';
import { widthOf, table } from './terminal.js';
import { HEADINGS, languageOf, REASONS, say, SAYINGS } from './texts.js';

const ROOT = join(import.meta.dirname, '../../..');

describe('every reason of a refusal', () => {
  it('has words in both languages', () => {
    for (const reason of Object.keys(STATUS)) expect([reason, REASONS[reason as keyof typeof STATUS].en !== '', REASONS[reason as keyof typeof STATUS].ja !== '']).toEqual([reason, true, true]);
  });

  it('that a decision of the directory, a policy or routing names has a status', () => {
    const named = ['directory', 'policy', 'routing'].flatMap((context) => {
      const folder = join(ROOT, 'domain/src', context);
      return readdirSync(folder)
        .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
        .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(/(?:refuse(?:Gateway|Relay)?|new Refusal(?:<\w+>)?)\(\s*'([a-z-]+)'/g)].map(([, reason]) => reason));
    });
    expect(named.length).toBeGreaterThan(10);
    for (const reason of named) expect(Object.keys(STATUS)).toContain(reason);
  });
});

describe('the texts', () => {
  it('are all there twice, with the same blanks', () => {
    for (const { en, ja } of [...Object.values(SAYINGS), ...Object.values(HEADINGS)]) {
      expect([en, ja]).not.toContain('');
      expect(ja.split('{}')).toHaveLength(en.split('{}').length);
    }
  });
  it('are filled in', () => expect(say('en', 'summary', 3, 2, 1, 0)).toBe('3 rows: 2 added, 1 exist already, 0 refused'));
  it.each([
    [{ LANG: 'ja_JP.UTF-8' }, undefined, 'ja'],
    [{ LANG: 'ja_JP.UTF-8', LC_ALL: 'C' }, undefined, 'en'],
    [{ LANG: 'C', LC_ALL: 'ja_JP.eucJP' }, undefined, 'ja'],
    [{}, undefined, 'en'],
    [{ LANG: 'C' }, 'ja', 'ja'],
    [{ LANG: 'ja' }, 'en', 'en'],
  ])('are in the language of %j and --lang %s', (env, option, language) => expect(languageOf(env, option)).toBe(language));
});

describe('a table', () => {
  it('lines up also where characters are wide', () => {
    expect(widthOf('記録 abc')).toBe(8);
    expect(table(['名前', 'x'], [['a', '1'], ['長い名前', '2']])).toBe('名前      x\na         1\n長い名前  2\n');
  });
  it('shows control characters instead of obeying them', () => expect(table(['x'], [['\x1b[2J']])).toContain('\\u{1b}[2J'));
});
