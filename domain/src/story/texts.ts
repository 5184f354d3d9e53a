import type { DeliveryEvent } from '../delivery/delivery.js';
import type { MailFact, SessionFact } from '../mail/events.js';
import type { MailboxEvent } from '../mailbox/mailbox.js';

export type Language = 'en' | 'ja';
export type Text = Readonly<Record<Language, string>>;

/** Every event that a story can hold. */
export type StoryEvent = MailFact | SessionFact | MailboxEvent | DeliveryEvent;

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
  RecipientRouted: { en: 'Queued for another server', ja: '他サーバーへの配送待ち' },
  RecipientBounced: { en: 'Cannot be delivered', ja: '配送不能' },
  MailboxCreated: { en: 'Mailbox created', ja: 'メールボックスを作成' },
  MessageAppended: { en: 'Delivered into a mailbox', ja: 'メールボックスへ配送' },
  MessageExpunged: { en: 'Removed from a mailbox', ja: 'メールボックスから削除' },
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
  event: { en: 'event', ja: 'イベント' },
} as const satisfies Record<string, Text>;

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
  failed: { en: 'failed', ja: '失敗' },
  underWay: { en: 'no outcome recorded yet', ja: '結果未記録' },
} as const satisfies Record<string, Text>;
