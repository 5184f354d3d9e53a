import type { Language } from '@kiroku/domain/story/texts.js';
import { ConfigRefused } from '@kiroku/infra/config/config.js';

/** What the settings say of themselves, in Japanese. What is not here stays as it is (errors of the system, of the YAML parser). */
const JAPANESE: readonly (readonly [RegExp, string])[] = [
  [/^(.+) must be a port, or 0 for none$/, '$1 はポート番号(無効にするなら 0)で指定してください'],
  [/^(.+) must be a port$/, '$1 はポート番号で指定してください'],
  [/^(.+) must be a number of processes$/, '$1 はプロセス数で指定してください'],
  [/^(.+) must be 1 to 64 processes$/, '$1 は 1〜64 で指定してください'],
  [/^(.+) must be an IP address(?:, such as 0\.0\.0\.0 for all)?$/, '$1 は IP アドレスで指定してください(すべてなら 0.0.0.0)'],
  [/^(.+) this version has only the embedded engine (\S+), not (\S+)$/, '$1: この版では組み込みの $2 だけが使えます($3 は未対応)'],
  [/^(.+) must be (?:address:port, separated by commas|a list of address:port)$/, '$1 は「アドレス:ポート」をコンマで区切って指定してください'],
  [/^(.+) must be text$/, '$1 は文字列で指定してください'],
  [/^(.+) must be a host name$/, '$1 はホスト名で指定してください'],
  [/^(.+) must be a URL that begins with postgres:\/\/$/, '$1 は postgres:// で始まる URL で指定してください'],
  [/^(.+) must be milliseconds$/, '$1 はミリ秒で指定してください'],
  [/^(.+) must be at least (\d+) ms$/, '$1 は $2 ミリ秒以上で指定してください'],
  [/^(.+) must hold lines of the form smtpPort: 2525$/, '$1 は「smtpPort: 2525」の形式の行で書いてください'],
  [/^(.+): data cannot be set in the folder that it names: use KIROKU_DATA$/, '$1: data はそのフォルダー内のファイルでは指定できません。KIROKU_DATA を使ってください'],
  [/^(.+) must be (\S+)$/, '$1 は $2 を指定してください'],
  [/^(.+) is unknown: is (\S+) meant\?$/, '$1 という設定はありません($2 のことですか?)'],
  [/^(.+) is unknown$/, '$1 という設定はありません'],
  [/^(\S+) is not a setting$/, '$1 は設定ではありません'],
  [/^(.+) is the same port as (.+)$/, '$1 が $2 と同じポートです'],
  [/^(\S+) is relative to Kiroku's own folder: it means (.+)$/, '$1 は Kiroku のフォルダーからの相対パスです: $2'],
];

function inJapanese(problem: string): string {
  const [pattern, words] = JAPANESE.find(([fits]) => fits.test(problem)) ?? [];
  return pattern && words !== undefined ? problem.replace(pattern, words) : problem;
}

/** Wrong settings, or warnings about them, a line each; undefined when it is another error. */
export function configProblems(problems: unknown, language: Language): readonly string[] | undefined {
  const lines = problems instanceof ConfigRefused ? problems.problems : Array.isArray(problems) ? (problems as readonly string[]) : undefined;
  return language === 'ja' ? lines?.map(inJapanese) : lines;
}

/** All of them for stderr; undefined when it is another error. */
export function configRefusal(error: unknown, language: Language): string | undefined {
  const problems = error instanceof ConfigRefused ? configProblems(error, language) : undefined;
  return problems && `${language === 'ja' ? '設定に誤りがあります' : 'wrong settings'}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`;
}
