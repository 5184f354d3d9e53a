/** Languages of LANG (RFC 6856 §3), each by its own name; the first is the default. */
export const LANGUAGES = { en: 'English', ja: '日本語' } as const;
export type Language = keyof typeof LANGUAGES;

/** What cannot be said in one language only: status and response code (RFC 2449 §8, 3206, 6856), then the text in each. `{n}` is an argument. */
type Row = readonly [status: '+OK' | `-ERR${'' | ` [${string}]`}`, en: string, ja: string];

const rows = <Name extends string>(table: Readonly<Record<Name, Row>>) => table;

/** Every line that this server can start a reply with. No text tells a stranger which account, setting or rule refused. */
export const REPLIES = rows({
  greeting: ['+OK', '{0} POP3 ready {1}', '{0} POP3 準備完了 {1}'],
  'send-password': ['+OK', 'send PASS', 'PASS を送ってください'],
  'logged-in': ['+OK', '{0} messages ({1} octets)', '{0} 通 ({1} オクテット)'],
  'begin-tls': ['+OK', 'begin TLS', 'TLS を開始してください'],
  'utf8-mode': ['+OK', 'UTF-8 mode', 'UTF-8 モードです'],
  languages: ['+OK', 'languages follow', '言語の一覧'],
  language: ['+OK', '{0} replies are in English', '{0} 応答は日本語です'],
  capabilities: ['+OK', 'capabilities follow', '機能の一覧'],
  mechanisms: ['+OK', 'mechanisms follow', '認証方式の一覧'],
  stat: ['+OK', '{0} {1}', '{0} {1}'],
  one: ['+OK', '{0} {1}', '{0} {1}'],
  listing: ['+OK', '{0} messages ({1} octets)', '{0} 通 ({1} オクテット)'],
  uidls: ['+OK', 'unique ids follow', '一意識別子の一覧'],
  message: ['+OK', '{0} octets', '{0} オクテット'],
  top: ['+OK', 'top of message follows', 'メッセージの先頭'],
  deleted: ['+OK', 'message {0} marked', 'メッセージ {0} に削除の印を付けました'],
  reset: ['+OK', '{0} messages ({1} octets)', '{0} 通 ({1} オクテット)'],
  nothing: ['+OK', 'nothing done', '何もしません'],
  bye: ['+OK', 'bye', '終了します'],

  'unknown-command': ['-ERR', 'unknown command', '未知のコマンドです'],
  syntax: ['-ERR', 'wrong or missing argument', '引数に誤りがあります'],
  'line-too-long': ['-ERR', 'line too long', '行が長すぎます'],
  'out-of-order': ['-ERR', 'not possible in this state', 'この状態では使えません'],
  'not-pop3': ['-ERR', 'this is POP3', 'ここは POP3 です'],
  'too-many-errors': ['-ERR', 'too many errors', 'エラーが多すぎます'],
  'tls-required': ['-ERR [SYS/PERM]', 'start TLS first', '先に TLS を開始してください'],
  'tls-active': ['-ERR', 'TLS is active', 'TLS はすでに有効です'],
  'tls-unavailable': ['-ERR', 'TLS is not offered here', 'ここでは TLS を使えません'],
  'method-off': ['-ERR', 'this way to log in is not offered here', 'この認証方式は使えません'],
  'bad-base64': ['-ERR', 'wrong base64', 'base64 に誤りがあります'],
  cancelled: ['-ERR', 'authentication cancelled', '認証を中止しました'],
  'login-failed': ['-ERR [AUTH]', 'login failed', 'ログインできません'],
  'in-use': ['-ERR [IN-USE]', 'the maildrop is open in another session', 'メールボックスは他の接続で使用中です'],
  'unknown-language': ['-ERR', 'language not available', 'その言語はありません'],
  'no-such-message': ['-ERR', 'no such message', 'そのメッセージはありません'],
  'already-deleted': ['-ERR', 'message has been marked for removal', 'そのメッセージには削除の印があります'],
  gone: ['-ERR', 'message was removed by another session', 'メッセージは他の接続で削除されました'],
  damaged: ['-ERR [SYS/PERM]', 'message is damaged; ask your administrator', 'メッセージが壊れています。管理者に連絡してください'],
  unavailable: ['-ERR [SYS/TEMP]', 'message cannot be read now', '今はメッセージを読めません'],
  'needs-utf8': ['-ERR [UTF8]', 'message needs UTF-8 mode', 'UTF-8 モードが必要なメッセージです'],
  'not-removed': ['-ERR [SYS/TEMP]', 'some messages not removed', '一部のメッセージを削除できませんでした'],
  trouble: ['-ERR [SYS/TEMP]', 'try again later', '後でもう一度お試しください'],
  refused: ['-ERR [SYS/PERM]', 'access refused', '接続を拒否しました'],
});

export type ReplyName = keyof typeof REPLIES;

/** Arguments are ours alone (counts, sizes, tags, host name): what a client sent is never echoed. */
export type Argument = string | number;

const COLUMN = { en: 1, ja: 2 } as const;

/** The reply's first line without CRLF. RFC 2449 §4: at most 512 octets with it. */
export function render(name: ReplyName, language: Language, args: readonly Argument[] = []): string {
  const row = REPLIES[name];
  return `${row[0]} ${row[COLUMN[language]].replace(/\{(\d)\}/g, (_, n: string) => String(args[Number(n)]))}`;
}

export const isRefusal = (name: ReplyName): boolean => REPLIES[name][0] !== '+OK';

/** RFC 4647 §3.4, lookup: `ja-JP` finds `ja`; `*` and `i-default` are the default. Undefined: there is no such language. */
export function languageFor(range: string): Language | undefined {
  const wanted = range.toLowerCase();
  if (wanted === '*' || wanted === 'i-default') return 'en';
  const [primary = ''] = wanted.split('-', 1);
  return Object.hasOwn(LANGUAGES, primary) ? (primary as Language) : undefined;
}
