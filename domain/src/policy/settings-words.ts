import type { Settings } from './settings-schema.js';

/** What a value is counted in. `text`, `list`, `switch`, `choice` and `schedule` are counted in nothing. */
export type SettingUnit = 'ms' | 'bytes' | 'count' | 'text' | 'list' | 'switch' | 'choice' | 'schedule';

export interface SettingWords {
  readonly unit: SettingUnit;
  /** What it does, and what the value 0 or an empty one means where that is not plain. */
  readonly means: { readonly en: string; readonly ja: string };
}

const of = (unit: SettingUnit, en: string, ja: string): SettingWords => ({ unit, means: { en, ja } });

/** Every setting for people: in lists and in forms. A setting without words does not compile. */
export const SETTING_WORDS: Readonly<Record<keyof Settings, SettingWords>> = {
  hostname: of('text', 'name in greetings, Received and Message-ID; empty: KIROKU_HOSTNAME, else the machine’s', '応答・Received・Message-ID に使う名前。空なら KIROKU_HOSTNAME またはホスト名'),
  defaultDomain: of('text', 'domain of login names without one, and of <postmaster>', 'ドメインを省略したログイン名と <postmaster> のドメイン'),
  messageSize: of('bytes', 'of one message; 0: no limit', '1 通の最大サイズ。0 は無制限'),
  recipientsPerMessage: of('count', 'recipients of one message; never more than 10,000', '1 通の最大宛先数(10,000 が限度)'),
  hops: of('count', 'Received fields a message may arrive with before it counts as a loop', '受け付ける Received の最大数(超えるとループとみなす)'),
  sessionsPerService: of('count', 'connections of each SMTP process, and of POP3; 0: no limit', 'SMTP の各プロセスと POP3 の最大接続数。0 は無制限'),
  sessionsPerIp: of('count', 'of these, from one address; 0: no limit', 'そのうち同一アドレスからの最大接続数。0 は無制限'),
  sessionTime: of('ms', 'that a session may last in all; 0: no limit', '1 セッションの最長時間。0 は無制限'),
  smtpIdleTime: of('ms', 'of silence before an SMTP connection is closed', 'SMTP の無通信タイムアウト'),
  pop3IdleTime: of('ms', 'of silence before a POP3 connection is closed', 'POP3 の無通信タイムアウト'),
  imapIdleTime: of('ms', 'of silence before an IMAP connection is closed', 'IMAP の無通信タイムアウト'),
  imapAppendLimit: of('bytes', 'of one message stored by an IMAP client', 'IMAP クライアントが保存する 1 通の最大サイズ'),
  imapMessageLimit: of('count', 'messages that one IMAP command may work on', 'IMAP の 1 コマンドで扱えるメッセージ数'),
  commandErrors: of('count', 'command errors before the connection is closed; 0: no limit', '切断までのコマンドエラー数。0 は無制限'),
  greetingPause: of('ms', 'before the greeting on port mx; who talks first is refused', 'MX ポートの応答を遅らせる時間。先に話した相手は拒否'),
  vrfy: of('switch', 'real answers to VRFY and EXPN, for clients that have logged in', 'ログイン済みのクライアントに VRFY・EXPN で実際の結果を返す'),
  showVersion: of('switch', 'product and version in greeting, Received and CAPA', '応答・Received・CAPA に製品名と版を表示'),
  plainAuthWithoutTls: of('switch', 'PLAIN, LOGIN and USER/PASS without TLS', 'TLS なしの PLAIN・LOGIN・USER/PASS を許可'),
  senderTrust: of('choice', 'how far the sender must be who has logged in: login, envelope or header', '送信者とログインの一致をどこまで求めるか(login、envelope、header)'),
  trustedIps: of('list', 'addresses and blocks that may send anywhere without a login', 'ログインなしで外部への送信を許可するアドレス'),
  proxyIps: of('list', 'addresses and blocks from which a PROXY header is required', 'PROXY ヘッダーを必須とする接続元アドレス'),
  tagSeparators: of('text', 'characters that separate a tag: ann+news@ reaches ann@', 'タグの区切り文字(ann+news@ は ann@ に届く)'),
  receivedTemplate: of('text', 'template of the Received field; empty: the built-in one', 'Received の書式。空なら標準の書式'),
  hideClientIp: of('switch', 'leave the client’s address out of Received for mail sent after a login', 'ログイン後の送信メールの Received にクライアントのアドレスを残さない'),
  lockoutFailures: of('count', 'failed logins within lockoutWindow that lock an address out; 0: never', 'lockoutWindow 内の失敗がこの回数に達したアドレスを遮断。0 は遮断しない'),
  lockoutWindow: of('ms', 'within which failed logins are counted', 'ログイン失敗を数える期間'),
  lockoutTime: of('ms', 'that an address stays locked out after failed logins', 'ログイン失敗による遮断の時間'),
  connectionLimit: of('count', 'SMTP connections within connectionWindow that lock an address out; 0: off', 'connectionWindow 内の SMTP 接続がこの回数に達したアドレスを遮断。0 は無効'),
  connectionWindow: of('ms', 'within which connections are counted', '接続回数を数える期間'),
  connectionLockTime: of('ms', 'that an address stays locked out after too many connections', '接続過多による遮断の時間'),
  allowIps: of('list', 'addresses and blocks that are never locked out and never blocked', '遮断・拒否の対象にしないアドレス'),
  blockIps: of('list', 'addresses and blocks that are always refused', '常に拒否するアドレス'),
  bodyGrace: of('ms', 'before a body that nothing refers to is removed', 'どこからも参照されない本文を削除するまでの時間'),
  sessionRetention: of('ms', 'that facts about sessions are kept', 'セッションの記録の保存期間'),
  outboundDelivery: of('switch', 'mail leaves for other servers; off: it waits', '他サーバーへの配送を行う(off の間は待機)'),
  outboundHours: of('text', 'hours in which mail leaves, e.g. 09:00-18:00; empty: always', '他サーバーへ配送する時間帯(例: 09:00-18:00)。空なら常時'),
  outboundConcurrency: of('count', 'connections to one destination at the same time', '同一配送先への同時接続数'),
  outboundSessions: of('count', 'connections to other servers in all', '他サーバーへの同時接続数の合計'),
  outboundRate: of('count', 'messages per minute to one destination; 0: no limit', '同一配送先への 1 分あたりの通数。0 は無制限'),
  outboundFamily: of('choice', 'addresses used: both, ipv4, ipv6, prefer-ipv4 or prefer-ipv6', '使用するアドレス(both、ipv4、ipv6、prefer-ipv4、prefer-ipv6)'),
  outboundSources: of('list', 'local addresses that connections come from; empty: the system’s choice', '送信元として使うアドレス。空ならシステムに任せる'),
  outboundPools: of('schedule', 'local addresses that connections come from, by sender and destination', '送信者・配送先ごとの送信元アドレス'),
  outboundLoopback: of('switch', 'MX records may lead to this machine: for tests', 'MX がこのマシンを指すことを許す(試験用)'),
  outboundEightBit: of('choice', '8-bit mail to a server that takes 7 bits: downgrade (encode it), bounce or send (as it is)', '7bit のみのサーバーへの 8bit メール: downgrade(変換)、bounce(返送)、send(そのまま)'),
  outboundPriority: of('schedule', 'which mail to other servers goes first; lower first', '他サーバーへ先に配送するメール(小さいほど先)'),
  retry: of('schedule', 'when undelivered mail is tried again, and given up', '未配送メールの再試行と断念の予定'),
  trustResolver: of('switch', 'believe a DNS server elsewhere that says it validated (DNSSEC)', '外部の DNS サーバーによる DNSSEC 検証結果を信頼'),
  mxCache: of('ms', 'that MX answers are kept; 0: asked each time', 'MX の結果を保持する時間。0 は毎回問い合わせ'),
  queueLimit: of('count', 'recipients that may wait for other servers before more is refused for now; 0: no limit', '配送待ち宛先数の上限(超えると一時的に拒否)。0 は無制限'),
  diskReserve: of('bytes', 'that must stay free on the disk of the data; 0: do not look', 'データのディスクに残す空き容量。0 は確認しない'),
  noticeSender: of('text', 'local part of the sender of reports', '通知メールの送信者のローカル部'),
  noticeStyles: of('schedule', 'sender, subject and language of reports, by the domain they go to', '通知メールの差出人・件名・言語(宛先ドメインごと)'),
  noticeLanguage: of('choice', 'words of reports: both, ja or en', '通知メールの言語(both、ja、en)'),
  postmasterCopy: of('list', 'addresses that get a copy of each report of failure', '配送失敗通知の写しの送り先'),
  noticesPerHour: of('count', 'reports per hour to one address about mail from strangers', '外部からのメールについて同一アドレスへ送る 1 時間あたりの通知数'),
  tlsReportRetention: of('ms', 'that rows for reports about TLS are kept', 'TLS の記録(TLS-RPT 用)の保存期間'),
  tlsReports: of('switch', 'send reports about TLS (TLS-RPT) to the domains that ask for them', '要求するドメインへ TLS の報告(TLS-RPT)を送る'),
  tlsReportOrganization: of('text', 'who reports about TLS; empty: this server’s name', 'TLS の報告の組織名(空ならこのサーバーの名前)'),
  tlsReportContact: of('text', 'mail address in reports about TLS; empty: postmaster at this server', 'TLS の報告の連絡先(空ならこのサーバーの postmaster)'),
  srs: of('switch', 'rewrite the sender of strangers’ mail that an alias sends on', '別名で外部へ転送するメールの送信者を書き換える(SRS)'),
};
