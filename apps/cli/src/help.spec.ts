import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { complaintOf, japaneseOf } from './help.js';
import { HELP_JA } from './help-words.js';
import { runProgram } from './program.js';
import type { Terminal } from './terminal.js';
import { wholeProgram } from './whole.js';

/** Runs a command line that needs no server. */
async function kiroku(line: string, env: Record<string, string> = { LANG: 'ja_JP.UTF-8' }): Promise<{ code: number; text: string }> {
  let text = '';
  const writer = new Writable({ write: (chunk: Buffer, _, done) => { text += chunk.toString(); done(); } });
  const terminal: Terminal = { env, input: Readable.from([]), output: writer, errors: writer, offset: () => 0 };
  const code = await runProgram(wholeProgram(terminal), line.split(' '), terminal);
  return { code, text };
}

const nowhere: Terminal = { env: {}, input: Readable.from([]), output: new Writable(), errors: new Writable(), offset: () => 0 };
const every = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(every)];
const hidden = (command: Command): boolean => (command as unknown as { readonly _hidden?: boolean })._hidden === true;
const commands = every(wholeProgram(nowhere)).filter((command) => !hidden(command));
const descriptions = commands.flatMap((command) => [
  [command.name(), command.description()] as const, ...command.options.map((option) => [`${command.name()} ${option.flags}`, option.description] as const),
]);

describe('every command and option', () => {
  it('is described in both languages', () => {
    expect(commands.length).toBeGreaterThan(80);
    expect(descriptions.filter(([, english]) => english === '' || !/[\u3040-\u30ff\u4e00-\u9fff]/.test(japaneseOf(english) ?? ''))).toEqual([]);
  });
  it('is what the Japanese words are for', () => {
    const used = new Set(descriptions.map(([, english]) => english));
    expect(Object.keys(HELP_JA).filter((english) => !used.has(english))).toEqual([]);
  });
  it('shows no English words of its own in Japanese help', async () => {
    for (const command of commands) {
      const path: string[] = [];
      for (let at: Command | null = command; at?.parent; at = at.parent) path.unshift(at.name());
      const { code, text } = await kiroku([...path, '--help'].join(' '));
      expect([path, code, text]).toEqual([path, 0, expect.stringContaining('使い方: kiroku')]);
      expect(text).not.toMatch(/Usage|Options:|Commands:|Arguments:|\[options\]|\[command\]|display help|choices:|default:/);
    }
  });
});

describe('help', () => {
  it('is in the language of the environment, or of --lang', async () => {
    expect((await kiroku('domain add --help')).text).toContain('--limit <accounts>  アカウント数の上限');
    expect((await kiroku('domain add --help --lang en')).text).toContain('most accounts, 0 = no limit');
    expect((await kiroku('domain add --help --lang ja', {})).text).toContain('アカウント数の上限');
    expect((await kiroku('--help', {})).text).toMatch(/^Usage: kiroku [^]*Exit codes: 0 done/);
    expect((await kiroku('--help')).text).toMatch(/^使い方: kiroku [^]*終了コード: 0 完了/);
  });
});

describe('a complaint about the command line', () => {
  it.each([
    ['domain list --nonsense', 'エラー: 不明なオプションです: --nonsense\n'],
    ['domain list --jsom', 'エラー: 不明なオプションです: --jsom\n(候補: --json)\n'],
    ['domain ad x', 'エラー: 不明なコマンドです: ad\n(候補: add)\n'],
    ['domain add', 'エラー: 引数 name を指定してください\n'],
    ['domain add x --limit', 'エラー: オプション --limit <accounts> に値を指定してください\n'],
    ['domain list x', 'エラー: 引数が多すぎます(0 個のところ 1 個): x\n'],
    ['quarantine discard M1', 'エラー: オプション --reason <text> は必須です\n'],
    ['queue reroute M1 --reason x --usual --to h:25', 'エラー: オプション --to <host:port> と --usual は同時に指定できません\n'],
    ['queue list --outcome xx', expect.stringMatching(/^エラー: オプション --outcome <outcome> の値が正しくありません: xx\(指定できる値: \w+(, \w+)+\)\n$/)],
  ])('%s is in Japanese', async (line, words) => expect(await kiroku(line)).toEqual({ code: 2, text: words }));
  it('that nobody has words for stays as it is', () => expect(complaintOf('something else')).toBe('something else'));
});
