import type { Language, Text } from '@kiroku/domain/story/texts.js';
import { type Command, Help } from 'commander';
import { HELP_JA } from './help-words.js';
import { VERBS } from './queue-words.js';
import { widthOf } from './terminal.js';

const ORDERS = Object.fromEntries(Object.values(VERBS).map(({ about }) => [about.en, about.ja]));

/** A description in Japanese; undefined when nobody has written it. */
export const japaneseOf = (english: string): string | undefined => HELP_JA[english] ?? ORDERS[english];

const AFTER: Text = {
  en: '\nExit codes: 0 done, 1 refused (the reason is on stderr), 2 wrong usage.\nA running server is asked with the token in KIROKU_TOKEN, else in <KIROKU_DATA>/admin.token.',
  ja: '\n終了コード: 0 完了、1 拒否(理由は stderr)、2 使い方の誤り。\n稼働中のサーバーには、KIROKU_TOKEN または <KIROKU_DATA>/admin.token のトークンで接続します。',
};

const TITLES: Readonly<Record<string, string>> = { 'Usage:': '使い方:', 'Arguments:': '引数:', 'Options:': 'オプション:', 'Commands:': 'コマンド:' };

/** What commander itself says, and how that is said in Japanese. `$1` … are the parts in brackets. */
const COMPLAINTS: readonly (readonly [RegExp, string])[] = [
  [/missing required argument '(.+?)'/, '引数 $1 を指定してください'],
  [/option '(.+?)' argument missing/, 'オプション $1 に値を指定してください'],
  [/required option '(.+?)' not specified/, 'オプション $1 は必須です'],
  [/option '(.+?)' cannot be used with option '(.+?)'/, 'オプション $1 と $2 は同時に指定できません'],
  [/unknown option '(.+?)'/, '不明なオプションです: $1'],
  [/unknown command '(.+?)'/, '不明なコマンドです: $1'],
  [/too many arguments(?: for '.+?')?\. Expected (\d+) arguments? but got (\d+): ([^]*?)\./, '引数が多すぎます($1 個のところ $2 個): $3'],
  [/option '(.+?)' argument '([^]*?)' is invalid\./, 'オプション $1 の値が正しくありません: $2'],
  [/command-argument value '([^]*?)' is invalid for argument '(.+?)'\./, '引数 $2 の値が正しくありません: $1'],
  [/ ?Allowed choices are (.+)\./, '(指定できる値: $1)'],
  [/\(Did you mean one of (.+)\?\)/, '(候補: $1)'],
  [/\(Did you mean (.+)\?\)/, '(候補: $1)'],
  [/^error: /, 'エラー: '],
];

/** A complaint of commander's in Japanese; as it is where nothing fits. */
export const complaintOf = (english: string): string => COMPLAINTS.reduce((text, [pattern, japanese]) => text.replace(pattern, japanese), english);

const blanks = (usage: string): string => usage.replace('[options]', '[オプション]').replace('[command]', '[コマンド]');
const usual = Help.prototype;

/** In place of commander's own words, and with columns that wide characters do not break. */
const JAPANESE_HELP: Partial<Help> = {
  styleTitle: (title) => TITLES[title] ?? title,
  commandUsage(command) {
    return blanks(usual.commandUsage.call(this, command));
  },
  subcommandTerm(command) {
    return blanks(usual.subcommandTerm.call(this, command));
  },
  optionDescription(option) {
    return usual.optionDescription.call(this, option).replace(/\((?:choices|default): [^]*\)$/, (more) => more.replace('choices: ', '選択肢: ').replace('default: ', '既定値: '));
  },
  displayWidth: (text) => widthOf(text),
};

/** Sets the language of help and complaints, once all commands are there. */
export function speak(program: Command, language: Language): void {
  program.addHelpText('after', AFTER[language]);
  if (language === 'ja') translate(program);
}

function translate(command: Command): void {
  command.description(japaneseOf(command.description()) ?? command.description());
  for (const option of command.options) option.description = japaneseOf(option.description) ?? option.description;
  command.helpOption('-h, --help', '使い方を表示');
  if (command.commands.length > 0) command.helpCommand('help [command]', 'コマンドの使い方を表示');
  command.configureHelp({ showGlobalOptions: false, ...JAPANESE_HELP });
  command.configureOutput({ outputError: (text, write) => write(complaintOf(text)) });
  for (const sub of command.commands) translate(sub);
}
