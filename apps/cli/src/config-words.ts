import type { Language } from '@kiroku/domain/story/texts.js';
import { ConfigRefused } from '@kiroku/infra/config/config.js';

/** What the settings say of themselves, in Japanese. What is not here stays as it is (errors of the system, of the YAML parser). */
const JAPANESE: readonly (readonly [RegExp, string])[] = [
  [/^(.+) must be a port, or 0 for none$/, '$1 はポート番号(無効にするなら 0)で指定してください'],
  [/^(.+) must be a port$/, '$1 はポート番号で指定してください'],
  [/^(.+) must be a number of processes$/, '$1 はプロセス数で指定してください'],
  [/^(.+) must be 1 to 64 processes$/, '$1 は 1〜64 で指定してください'],
  [/^(.+) must be an IP address(?:, such as 0\.0\.0\.0 for all)?$/, '$1 は IP アドレスで指定してください(すべてなら 0.0.0.0)'],
  [/^(.+) must be (?:address:port, separated by commas|a list of address:port)$/, '$1 は「アドレス:ポート」をコンマで区切って指定してください'],
  [/^(.+) must be text$/, '$1 は文字列で指定してください'],
  [/^(.+) must be a host name$/, '$1 はホスト名で指定してください'],
  [/^(.+) must be a URL that begins with (\S+?) or (\S+)$/, '$1 は $2 または $3 で始まる URL で指定してください'],
  [/^(.+) must be a URL that begins with (\S+)$/, '$1 は $2 で始まる URL で指定してください'],
  [/^(.+) must be a URL such as (\S+), without a path$/, '$1 は $2 のような、パスのない URL で指定してください'],
  [/^(.+) must be (?:host:port, separated by commas|a list of host:port)$/, '$1 は「ホスト:ポート」をコンマで区切って指定してください'],
  [/^(.+) must be (\d+) to (\d+) partitions$/, '$1 はパーティション数($2〜$3)で指定してください'],
  [/^(.+) must be (\d+) to (\d+) copies$/, '$1 は複製数($2〜$3)で指定してください'],
  [/^(.+) must be (\d+) to (\d+) seconds$/, '$1 は秒数($2〜$3)で指定してください'],
  [/^(.+) must be (\d+) to (\d+) days$/, '$1 は日数($2〜$3)で指定してください'],
  [/^(.+) must be (\d+) characters at most$/, '$1 は $2 文字以内で指定してください'],
  [/^(.+) must be letters, digits, dots, hyphens and underscores$/, '$1 は英数字・ドット・ハイフン・下線で指定してください'],
  [/^(.+) must be letters, digits, dots, hyphens, underscores and single slashes, not first$/, '$1 は英数字・ドット・ハイフン・下線と、先頭以外の単独の / で指定してください'],
  [/^(.+) must be some of (.+), separated by commas$/, '$1 は $2 の中からコンマで区切って指定してください'],
  [/^(.+) must be a bucket name$/, '$1 はバケット名で指定してください'],
  [/^(.+) must be a region$/, '$1 はリージョン名で指定してください'],
  [/^(.+) must be (\S+), (\S+) or (\S+)$/, '$1 は $2、$3、$4 のいずれかを指定してください'],
  [/^(.+) must be (\S+) or (\S+)$/, '$1 は $2 または $3 を指定してください'],
  [/^(.+) needs (\S+)$/, '$1 には $2 も必要です'],
  [/^(.+) and (\S+) are both given: one is enough$/, '$1 と $2 の両方が指定されています。どちらか一方にしてください'],
  [/^(.+): (\S+) cannot be read: (.+)$/, '$1: $2 を読めません($3)'],
  [/^(.+): (\S+) holds nothing$/, '$1: $2 が空です'],
  [/^(.+) without (\S+) shows the password to the network$/, '$1 は $2 なしではパスワードが通信路で読めてしまいます'],
  [/^(.+) keeps too few copies: mail is lost with a broker, or stands still without it$/, '$1 は複製が少なすぎます。ブローカーを失うとメールも失われるか、処理が止まります'],
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
