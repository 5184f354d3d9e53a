import type { RowError } from '@kiroku/domain/directory/tsv.js';
import type { Language, Text } from '@kiroku/domain/story/texts.js';
import type { AdminReason } from '@kiroku/infra/admin/refusals.js';

/** Why the server said no, for people. */
export const REASONS: Readonly<Record<AdminReason | RowError, Text>> = {
  'bad-request': { en: 'the request is not well-formed', ja: '要求の形式が正しくありません' },
  'bad-import': { en: 'the list cannot be read', ja: '一覧ファイルを読めません' },
  'import-running': { en: 'another import is running: wait for its end', ja: '別の取り込みが実行中です。終了を待ってください' },
  unauthorized: { en: 'the token is not valid', ja: 'トークンが無効です' },
  'no-such-route': { en: 'the server does not know this request: it may be another version', ja: 'サーバーがこの要求を認識しません(版が異なる可能性があります)' },
  'no-such-domain': { en: 'there is no such domain', ja: 'そのドメインはありません' },
  'no-such-account': { en: 'there is no such account', ja: 'そのアカウントはありません' },
  'no-such-alias': { en: 'there is no such alias', ja: 'その別名はありません' },
  'no-such-message': { en: 'no message is known by this name', ja: 'そのメッセージは記録にありません' },
  'unknown-administrator': { en: 'there is no such administrator', ja: 'その管理者はいません' },
  'unknown-token': { en: 'there is no such token', ja: 'そのトークンはありません' },
  'not-locked-out': { en: 'this address is not locked out', ja: 'そのアドレスは遮断されていません' },
  'domain-exists': { en: 'the domain exists already', ja: 'そのドメインは既にあります' },
  'address-taken': { en: 'an account or an alias has this address already', ja: 'そのアドレスは既に使われています' },
  'administrator-exists': { en: 'there is such an administrator already', ja: 'その管理者は既にいます' },
  'not-empty': { en: 'the domain still has accounts or aliases', ja: 'ドメインにアカウントか別名が残っています' },
  'domain-limit': { en: 'the domain has as many accounts as it may have', ja: 'ドメインのアカウント数が上限に達しています' },
  'own-token': { en: 'nobody can take his own access away: ask another administrator', ja: '自分自身の権限は取り消せません。別の管理者に依頼してください' },
  'too-many-tokens': { en: 'this administrator has too many tokens: revoke some', ja: 'トークンが多すぎます。不要なものを失効させてください' },
  'password-needed': { en: 'APOP and CRAM-MD5 need the password: set it anew', ja: 'APOP と CRAM-MD5 にはパスワードの再設定が必要です' },
  conflict: { en: 'others changed the same thing at the same time: try again', ja: '同時に変更されました。もう一度実行してください' },
  'too-large': { en: 'that is too large', ja: '大きすぎます' },
  'unsupported-media-type': { en: 'the server does not take this kind of content', ja: 'この形式の内容は受け付けられません' },
  'bad-domain': { en: 'that is no valid domain name', ja: 'ドメイン名が正しくありません' },
  'bad-address': { en: 'that is no valid address', ja: 'アドレスが正しくありません' },
  'bad-account': { en: 'the account is not valid', ja: 'アカウントの内容が正しくありません' },
  'bad-target': { en: 'that is no valid target for this alias', ja: '別名の転送先が正しくありません' },
  'bad-administrator-name': { en: 'an administrator’s name has 1 to 64 of a-z, 0-9, dot, hyphen and underscore', ja: '管理者名は英小文字・数字・ドット・ハイフン・下線の1〜64文字です' },
  'bad-settings': { en: 'these settings are not valid', ja: '設定値が正しくありません' },
  'bad-password': { en: 'that cannot be a password', ja: 'パスワードとして使えません' },
  'no-targets': { en: 'an alias needs a target', ja: '別名には転送先が必要です' },
  'too-many-targets': { en: 'the alias has too many targets', ja: '別名の転送先が多すぎます' },
  'duplicate-target': { en: 'a target is named twice', ja: '転送先が重複しています' },
  internal: { en: 'something went wrong in the server: its log says what', ja: 'サーバー内部でエラーが発生しました。ログを確認してください' },
  unavailable: { en: 'the server is busy or its database is away: try again', ja: 'サーバーが混雑しているかデータベースに接続できません。後でもう一度実行してください' },
  columns: { en: 'the row has not 8 or 10 columns', ja: '列数が 8 または 10 ではありません' },
  'too-long': { en: 'the row is too long', ja: '行が長すぎます' },
  'too-many-rows': { en: 'the list is too long', ja: '行数が多すぎます' },
  'no-password': { en: 'the row has no password', ja: 'パスワードがありません' },
  'bad-name': { en: 'the full name is not valid', ja: '氏名が正しくありません' },
  'bad-flag': { en: 'a flag is neither 0 nor 1', ja: 'フラグが 0 か 1 ではありません' },
  'bad-limit': { en: 'the mailbox limit is no number of bytes', ja: '容量制限が正しくありません' },
};

/** What the command line itself says. `{}` stands for what it is about. */
export const SAYINGS = {
  added: { en: 'added: {}', ja: '追加しました: {}' },
  changed: { en: 'changed: {}', ja: '変更しました: {}' },
  disabled: { en: 'disabled: {}', ja: '無効にしました: {}' },
  enabled: { en: 'enabled: {}', ja: '有効にしました: {}' },
  deleted: { en: 'deleted: {}', ja: '削除しました: {}' },
  renamed: { en: 'renamed: {}', ja: '改名しました: {}' },
  passwordSet: { en: 'password set: {}', ja: 'パスワードを設定しました: {}' },
  released: { en: 'released: {}', ja: '遮断を解除しました: {}' },
  revoked: { en: 'revoked: {}', ja: '失効させました: {}' },
  removed: { en: 'removed: {}', ja: '解任しました: {}' },
  token: { en: 'token, shown only now: {}', ja: 'トークン(今だけ表示): {}' },
  none: { en: 'none', ja: '該当なし' },
  noServer: { en: 'no Kiroku server answers at {}: start it with "npm start"', ja: '{} で Kiroku サーバーが応答しません。"npm start" で起動してください' },
  noToken: {
    en: 'no token: {} is not there; start the server once with this data folder, or set KIROKU_TOKEN',
    ja: 'トークンがありません({})。このデータフォルダーでサーバーを起動するか KIROKU_TOKEN を設定してください',
  },
  noHttp: { en: 'the HTTP port is switched off (KIROKU_HTTP_PORT): this command needs it', ja: 'HTTP ポートが無効です(KIROKU_HTTP_PORT)。このコマンドには必要です' },
  notKiroku: { en: 'what answers at {} is no Kiroku', ja: '{} で応答しているのは Kiroku ではありません' },
  brokeOff: { en: 'the connection broke off: what was reported before stands', ja: '接続が途切れました。それまでに報告された結果は有効です' },
  askPassword: { en: 'Password for {}: ', ja: '{} のパスワード: ' },
  askAgain: { en: 'Again: ', ja: 'もう一度: ' },
  passwordsDiffer: { en: 'the two are not the same', ja: '二つの入力が一致しません' },
  noPassword: { en: 'no password: use --password-stdin, or a terminal', ja: 'パスワードがありません。--password-stdin を使うか端末から実行してください' },
  cannotRead: { en: 'cannot read {}', ja: '{} を読めません' },
  nothingToChange: { en: 'nothing to change: name an option', ja: '変更内容がありません。オプションを指定してください' },
  noSuchSetting: { en: 'there is no such setting: {}', ja: 'その設定はありません: {}' },
  badSetting: { en: 'not a value of this setting: {}', ja: '設定値として解釈できません: {}' },
  rowAdded: { en: 'added', ja: '追加' },
  rowWouldAdd: { en: 'would be added', ja: '追加予定' },
  rowDuplicate: { en: 'exists already, left as it is', ja: '既存のためそのまま' },
  rowRefused: { en: 'refused', ja: '拒否' },
  line: { en: 'line', ja: '行' },
  progress: { en: 'rows', ja: '行' },
  summary: { en: '{} rows: {} added, {} exist already, {} refused', ja: '{} 行: 追加 {}、既存 {}、拒否 {}' },
  summaryDry: { en: 'dry run, nothing changed. {} rows: {} would be added, {} exist already, {} refused', ja: '試行のみ(変更なし)。{} 行: 追加予定 {}、既存 {}、拒否 {}' },
  incomplete: { en: 'not every recipient has an outcome yet: ask again later', ja: '結果が未確定の宛先があります。後でもう一度確認してください' },
  healthy: { en: 'healthy', ja: '正常' },
  trouble: { en: 'in trouble', ja: '異常' },
  databaseAway: { en: 'the database does not answer', ja: 'データベースが応答しません' },
  missing: { en: 'missing', ja: '停止' },
} as const satisfies Record<string, Text>;

export type Saying = keyof typeof SAYINGS;

/** Headings of lists. */
export const HEADINGS = {
  name: { en: 'name', ja: '名前' },
  address: { en: 'address', ja: 'アドレス' },
  domain: { en: 'domain', ja: 'ドメイン' },
  fullName: { en: 'full name', ja: '氏名' },
  enabled: { en: 'enabled', ja: '有効' },
  accountLimit: { en: 'account limit', ja: 'アカウント上限' },
  accounts: { en: 'accounts', ja: 'アカウント数' },
  aliases: { en: 'aliases', ja: '別名数' },
  quota: { en: 'quota', ja: '容量制限' },
  used: { en: 'used', ja: '使用量' },
  messages: { en: 'messages', ja: '通数' },
  protocols: { en: 'protocols', ja: 'プロトコル' },
  createdAt: { en: 'created', ja: '作成' },
  targets: { en: 'targets', ja: '転送先' },
  id: { en: 'id', ja: 'ID' },
  queueId: { en: 'queue id', ja: 'キュー ID' },
  headerMessageId: { en: 'Message-ID', ja: 'Message-ID' },
  time: { en: 'time', ja: '時刻' },
  state: { en: 'state', ja: '状態' },
  sender: { en: 'sender', ja: '送信者' },
  recipients: { en: 'recipients', ja: '宛先' },
  size: { en: 'size', ja: 'サイズ' },
  refusedBy: { en: 'refused by', ja: '拒否規則' },
  outcome: { en: 'delivered/elsewhere/failed', ja: '配送/他サーバー/失敗' },
  sha256: { en: 'SHA-256', ja: 'SHA-256' },
  session: { en: 'session', ja: 'セッション' },
  protocol: { en: 'protocol', ja: 'プロトコル' },
  ip: { en: 'IP address', ja: 'IP アドレス' },
  failures: { en: 'failures', ja: '失敗回数' },
  lockedUntil: { en: 'locked until', ja: '遮断期限' },
  because: { en: 'because of', ja: '理由' },
  token: { en: 'token id', ja: 'トークン ID' },
  issuedAt: { en: 'issued', ja: '発行' },
  issuedBy: { en: 'by', ja: '発行者' },
  setting: { en: 'setting', ja: '設定' },
  value: { en: 'value', ja: '値' },
  isDefault: { en: 'default', ja: '既定値' },
  view: { en: 'view', ja: 'ビュー' },
  lag: { en: 'events behind', ja: '未反映イベント数' },
  role: { en: 'role', ja: '役割' },
  host: { en: 'host', ja: 'ホスト' },
  pid: { en: 'pid', ja: 'PID' },
  startedAt: { en: 'started', ja: '起動' },
  trouble: { en: 'trouble', ja: '異常' },
  subject: { en: 'subject', ja: '件名' },
  result: { en: 'result', ja: '結果' },
} as const satisfies Record<string, Text>;

export type Heading = keyof typeof HEADINGS;

/** Japanese when the environment's locale, or --lang, says so. POSIX: LC_ALL is stronger than LC_MESSAGES, that than LANG. */
export function languageOf(env: Readonly<Record<string, string | undefined>>, option?: string): Language {
  const locale = option ?? (env.LC_ALL || env.LC_MESSAGES || env.LANG || '');
  return locale.toLowerCase().startsWith('ja') ? 'ja' : 'en';
}

export function say(language: Language, saying: Saying, ...about: readonly (string | number)[]): string {
  let n = 0;
  return SAYINGS[saying][language].replace(/\{\}/g, () => String(about[n++] ?? ''));
}
