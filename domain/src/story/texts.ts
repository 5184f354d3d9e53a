import type { DeliveryEvent } from '../delivery/delivery.js';
import type { QuarantineEvent } from '../delivery/quarantine.js';
import type { NoticeKind, QueueEvent } from '../delivery/queue-events.js';
import type { MailFact, SessionFact } from '../mail/events.js';
import type { MailboxEvent } from '../mailbox/mailbox.js';

export type Language = 'en' | 'ja';
export type Text = Readonly<Record<Language, string>>;

/** Every event that a story can hold. */
export type StoryEvent = MailFact | SessionFact | MailboxEvent | DeliveryEvent | QuarantineEvent | QueueEvent;

/** What happened, in words. An event without words does not compile. */
export const HAPPENED: Readonly<Record<StoryEvent['type'], Text>> = {
  SessionOpened: { en: 'A client connected', ja: 'クライアントが接続' },
  TlsStarted: { en: 'TLS started', ja: 'TLS を開始' },
  LoginSucceeded: { en: 'Logged in', ja: 'ログイン成功' },
  LoginFailed: { en: 'A login failed', ja: 'ログイン失敗' },
  CommandRefused: { en: 'A command was refused', ja: 'コマンドを拒否' },
  SessionClosed: { en: 'The connection ended', ja: '接続終了' },
  MessageAccepted: { en: 'Message accepted', ja: 'メッセージを受理' },
  MessageRefused: { en: 'Message not accepted', ja: 'メッセージを受理せず' },
  RecipientRefused: { en: 'A recipient was refused', ja: '宛先を拒否' },
  MessageQuarantined: { en: 'Set aside: local delivery failed', ja: 'ローカル配送に失敗したため隔離' },
  QuarantineRetried: { en: 'Local delivery to be tried again', ja: 'ローカル配送の再試行を要求' },
  QuarantineDiscarded: { en: 'Discarded by an administrator', ja: '管理者が破棄' },
  QuarantineEnded: { en: 'No longer set aside', ja: '隔離を終了' },
  RecipientRouted: { en: 'Queued for another server', ja: '他サーバーへの配送待ち' },
  RecipientBounced: { en: 'Cannot be delivered', ja: '配送不能' },
  MessageSubmitted: { en: 'Written by this server', ja: 'このサーバーが作成' },
  MessageQueued: { en: 'Queued for other servers', ja: '他サーバーへの配送待ちに登録' },
  DeliveryAttempted: { en: 'Delivery attempted', ja: '配送を試行' },
  RecipientExpired: { en: 'Given up', ja: '配送を断念' },
  RecipientHeld: { en: 'Held by an administrator', ja: '管理者が保留' },
  RecipientReleased: { en: 'Released by an administrator', ja: '管理者が保留を解除' },
  RetryRequested: { en: 'Retry requested', ja: '再試行を要求' },
  RecipientRerouted: { en: 'Rerouted by an administrator', ja: '管理者が経路を変更' },
  RecipientPrioritized: { en: 'Priority changed by an administrator', ja: '管理者が優先度を変更' },
  RecipientChanged: { en: 'Recipient changed by an administrator', ja: '管理者が宛先を変更' },
  RecipientRemoved: { en: 'Removed from the queue by an administrator', ja: '管理者がキューから削除' },
  NoticeOwed: { en: 'A notice to the sender is due', ja: '送信者への通知が必要' },
  NoticeSent: { en: 'Notice to the sender', ja: '送信者への通知' },
  MailboxCreated: { en: 'Mailbox created', ja: 'メールボックスを作成' },
  MessageAppended: { en: 'Delivered into a mailbox', ja: 'メールボックスへ配送' },
  MessageExpunged: { en: 'Removed from a mailbox', ja: 'メールボックスから削除' },
  MessagesAppended: { en: 'Put into a mailbox', ja: 'メールボックスへ追加' },
  FlagsChanged: { en: 'Flags changed', ja: 'フラグを変更' },
  MessagesExpunged: { en: 'Removed from a mailbox', ja: 'メールボックスから削除' },
  MailboxDeleted: { en: 'Mailbox deleted', ja: 'メールボックスを廃止' },
};

/** An event that this program has no words for: written by a newer release. */
export const UNKNOWN: Text = { en: 'Another event', ja: 'その他のイベント' };

export const LABELS = {
  actor: { en: 'by', ja: '実行者' },
  peer: { en: 'client', ja: 'クライアント' },
  helo: { en: 'introduced itself as', ja: 'HELO 名' },
  listener: { en: 'listener', ja: '待受' },
  local: { en: 'server address', ja: 'サーバーアドレス' },
  protocol: { en: 'protocol', ja: 'プロトコル' },
  tls: { en: 'TLS', ja: 'TLS' },
  login: { en: 'login', ja: 'ログイン名' },
  account: { en: 'account', ja: 'アカウント' },
  mechanism: { en: 'mechanism', ja: '認証方式' },
  sender: { en: 'sender', ja: '送信者' },
  recipient: { en: 'recipient', ja: '宛先' },
  recipients: { en: 'recipients', ja: '宛先' },
  address: { en: 'address', ja: '配送先' },
  via: { en: 'through aliases', ja: '経由した別名' },
  messageId: { en: 'Message-ID', ja: 'Message-ID' },
  queueId: { en: 'queue id', ja: 'キュー ID' },
  size: { en: 'size', ja: 'サイズ' },
  sha256: { en: 'SHA-256', ja: 'SHA-256' },
  body: { en: 'body', ja: '本文形式' },
  dsn: { en: 'delivery notices', ja: '配送通知' },
  hops: { en: 'servers before this one', ja: '通過したサーバー数' },
  rule: { en: 'rule', ja: '規則' },
  phase: { en: 'ended at', ja: '終了箇所' },
  verb: { en: 'command', ja: 'コマンド' },
  reply: { en: 'reply', ja: '応答' },
  mailbox: { en: 'mailbox', ja: 'メールボックス' },
  uid: { en: 'UID', ja: 'UID' },
  overQuota: { en: 'quota', ja: '容量制限' },
  reason: { en: 'reason', ja: '理由' },
  duration: { en: 'duration', ja: '時間' },
  commands: { en: 'commands', ja: 'コマンド数' },
  traffic: { en: 'received / sent', ja: '受信 / 送信' },
  priority: { en: 'priority', ja: '優先度' },
  host: { en: 'server', ja: '相手サーバー' },
  source: { en: 'from address', ja: '送信元アドレス' },
  route: { en: 'route', ja: '経路' },
  result: { en: 'result', ja: '結果' },
  to: { en: 'new recipient', ja: '新しい宛先' },
  kind: { en: 'kind', ja: '種別' },
  until: { en: 'tried until', ja: '試行期限' },
  lastAttempt: { en: 'last attempt', ja: '最終試行' },
  notice: { en: 'notice', ja: '通知メール' },
  why: { en: 'why', ja: '理由' },
  origin: { en: 'origin', ja: '作成元' },
  about: { en: 'about message', ja: '対象メッセージ' },
  error: { en: 'error', ja: 'エラー' },
  tries: { en: 'tries', ja: '試行回数' },
  messages: { en: 'messages', ja: '通数' },
  copiedFrom: { en: 'from mailbox', ja: '元のメールボックス' },
  flags: { en: 'flags', ja: 'フラグ' },
  event: { en: 'event', ja: 'イベント' },
} as const satisfies Record<string, Text>;

/** What became of a recipient in one attempt. */
export const RESULTS: Readonly<Record<'delivered' | 'deferred' | 'refused' | 'unknown', Text>> = {
  delivered: { en: 'delivered', ja: '配送完了' },
  deferred: { en: 'deferred', ja: '延期' },
  refused: { en: 'refused', ja: '拒否' },
  unknown: { en: 'outcome unknown', ja: '結果不明' },
};

/** What a notice tells (RFC 3464 §2.3.3). */
export const NOTICES: Readonly<Record<NoticeKind, Text>> = {
  failed: { en: 'not delivered', ja: '配送不能' },
  delayed: { en: 'delayed', ja: '配送遅延' },
  relayed: { en: 'passed on to a server that sends no notices', ja: '通知非対応サーバーへ中継' },
  delivered: { en: 'delivered', ja: '配送完了' },
  expanded: { en: 'sent on to several recipients', ja: '複数の宛先へ展開' },
};

export type Label = keyof typeof LABELS;

export const WORDS = {
  nullSender: { en: '<> (null sender: a notice)', ja: '<>(空の送信者:通知メール)' },
  none: { en: 'none', ja: 'なし' },
  leftWithout: { en: 'none: the client left', ja: 'なし(クライアントが切断)' },
  overQuota: { en: 'was already used up', ja: '既に超過' },
  bytes: { en: 'bytes', ja: 'バイト' },
  seconds: { en: 'seconds', ja: '秒' },
  outcome: { en: 'What became of each recipient', ja: '宛先ごとの結果' },
  inMailbox: { en: 'in mailbox', ja: 'メールボックス' },
  removed: { en: 'since removed', ja: '削除済み' },
  waiting: { en: 'waits to be sent to another server', ja: '他サーバーへの配送待ち' },
  tries: { en: 'tries so far', ja: 'これまでの試行回数' },
  next: { en: 'next try', ja: '次回' },
  held: { en: 'held', ja: '保留中' },
  sent: { en: 'taken over by', ja: '引き渡し先' },
  anotherServer: { en: 'another server', ja: '他サーバー' },
  at: { en: 'at', ja: '日時' },
  expired: { en: 'given up', ja: '配送断念' },
  takenOut: { en: 'taken out of the queue', ja: 'キューから削除' },
  discarded: { en: 'discarded by an administrator', ja: '管理者が破棄' },
  usualRoute: { en: 'as usual', ja: '通常の経路' },
  unverified: { en: 'certificate not verified', ja: '証明書は未検証' },
  verified: { en: 'certificate verified by', ja: '証明書の検証方式' },
  plain: { en: 'not encrypted', ja: '暗号化なし' },
  gateway: { en: 'gateway', ja: 'ゲートウェイ' },
  mx: { en: 'MX', ja: 'MX' },
  noNotice: { en: 'none', ja: 'なし' },
  failed: { en: 'failed', ja: '失敗' },
  underWay: { en: 'no outcome recorded yet', ja: '結果未記録' },
} as const satisfies Record<string, Text>;
