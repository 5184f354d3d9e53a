import type { NoticeKind } from '../delivery/queue-events.js';
import type { Trouble } from './status.js';

export type Language = 'ja' | 'en';
export const LANGUAGES: readonly Language[] = ['ja', 'en'];

/** What a report says to people, in one language. `{}` is the value that belongs there. */
export interface Words {
  /** Display name of the sender of reports. */
  readonly name: string;
  readonly subject: Readonly<Record<NoticeKind, string>>;
  readonly copy: string;
  /** `{}` = this server. */
  readonly greeting: string;
  readonly what: Readonly<Record<NoticeKind, string>>;
  readonly messageSubject: string;
  readonly acceptedAt: string;
  readonly queueId: string;
  readonly recipient: string;
  /** `{}` = the address that the sender wrote to. */
  readonly by: string;
  readonly why: string;
  /** `{}` = the other server. */
  readonly said: string;
  readonly saidHere: string;
  readonly gaveUp: string;
  readonly lastTry: string;
  readonly until: string;
  readonly advice: string;
  readonly more: string;
  readonly trouble: Readonly<Record<Trouble, readonly [why: string, advice: string]>>;
  readonly attached: Readonly<Record<'whole' | 'header' | 'none', string>>;
}

const ja: Words = {
  name: 'メール配送システム',
  subject: {
    failed: 'メールをお届けできませんでした', delayed: 'メールの配送が遅れています', delivered: 'メールをお届けしました',
    relayed: 'メールを次のサーバーに渡しました', expanded: 'メールを複数の宛先に配りました',
  },
  copy: '管理者用の写し',
  greeting: 'このメールは、メールサーバー {} が自動で作成したお知らせです。返信いただいてもお読みする者はおりません。',
  what: {
    failed: 'お送りになった次のメールは、下記の宛先にお届けできませんでした。このサーバーからの再送はもう行いません。',
    delayed: 'お送りになった次のメールは、下記の宛先にまだお届けできていません。配送は自動で続けていますので、もう一度送る必要はありません。',
    delivered: 'お送りになった次のメールは、下記の宛先のメールボックスに届きました。',
    relayed: 'お送りになった次のメールは、下記の宛先のサーバーに渡しました。そのサーバーは到着の確認に対応していないため、この先のお知らせは届かないことがあります。',
    expanded: 'お送りになった次のメールは、下記の宛先から複数の宛先に配られました。個々の宛先についてのお知らせはありません。',
  },
  messageSubject: '件名', acceptedAt: '受付日時', queueId: '管理番号',
  recipient: '宛先', by: '{} 宛てのメールとして', why: '理由', said: '相手サーバー {} の応答', saidHere: 'このサーバーの応答',
  gaveUp: '期限まで繰り返し試みましたが、お届けできませんでした。',
  lastTry: '最後に試みた日時', until: '配送を続ける期限', advice: '次にできること', more: 'ほか {} 件の宛先',
  trouble: {
    address: ['宛先のメールアドレスが見つからない、または受け取れないアドレスです。', '宛先のつづりを確かめて、もう一度お送りください。'],
    disabled: ['宛先のメールボックスは現在使われていません。', '電話など別の方法で相手の方にお確かめください。'],
    full: ['宛先のメールボックスがいっぱいです。', '相手の方に別の方法でお知らせのうえ、時間をおいてお送りください。'],
    'too-big': ['メールが大きすぎます。', '添付ファイルを小さくするか分けるか、別の方法で受け渡してください。'],
    domain: ['宛先のドメイン (@ より後ろ) が見つからない、またはメールを受け取りません。', '@ より後ろのつづりを確かめて、もう一度お送りください。'],
    'no-answer': ['宛先のサーバーにつながらない、または通信が途中で切れました。', 'お急ぎの場合は、電話など別の方法でご連絡ください。'],
    loop: ['メールが同じサーバーの間を回り続けていたため、止めました。', '転送の設定に誤りがないか、管理者にお問い合わせください。'],
    format: ['宛先のサーバーは、このメールの形式 (文字や添付) を扱えません。', '形式を変えて (たとえば添付なしで) お送りください。'],
    tls: ['求められた暗号化で通信することができませんでした。', '暗号化を必須としない方法で送ってよいか、管理者にご相談ください。'],
    policy: ['宛先のサーバーの方針により断られました (迷惑メール対策や受信制限など)。', '応答の文を添えて、管理者または相手の方にお問い合わせください。'],
    other: ['下の応答のとおり断られました。', '応答の文を添えて、管理者にお問い合わせください。'],
  },
  attached: {
    whole: 'お送りになったメールを添付します。', header: 'お送りになったメールのヘッダーを添付します。',
    none: 'お送りになったメールは読み出せなかったため、添付していません。',
  },
};

const en: Words = {
  name: 'Mail Delivery System',
  subject: {
    failed: 'Your mail could not be delivered', delayed: 'Your mail is delayed', delivered: 'Your mail was delivered',
    relayed: 'Your mail was handed to the next server', expanded: 'Your mail was sent on to several recipients',
  },
  copy: 'Copy for the administrator',
  greeting: 'The mail server {} wrote this message by itself. Nobody reads replies to it.',
  what: {
    failed: 'Your message below could not be delivered to the following recipients. This server will not try again.',
    delayed: 'Your message below could not yet be delivered to the following recipients. This server goes on trying: you need not send it again.',
    delivered: 'Your message below has arrived in the mailboxes of the following recipients.',
    relayed: 'Your message below was handed to the servers of the following recipients. Those servers do not confirm delivery, so you may hear no more.',
    expanded: 'Your message below was sent on from the following addresses to several recipients each. There will be no report about each of them.',
  },
  messageSubject: 'Subject', acceptedAt: 'Accepted', queueId: 'Queue id',
  recipient: 'Recipient', by: 'as mail for {}', why: 'Why', said: 'The server {} said', saidHere: 'This server says',
  gaveUp: 'It was tried again and again until its time was over.',
  lastTry: 'Last tried', until: 'Tried until', advice: 'What you can do', more: 'and {} more recipients',
  trouble: {
    address: ['The address does not exist there, or takes no mail.', 'Check the spelling of the address and send the message again.'],
    disabled: ['The mailbox is not in use at present.', 'Ask the recipient by other means, for example by telephone.'],
    full: ['The mailbox is full.', 'Tell the recipient by other means, and send the message again later.'],
    'too-big': ['The message is too big.', 'Send smaller or fewer attachments, or hand them over in another way.'],
    domain: ['The domain (what follows the @) does not exist, or takes no mail.', 'Check the spelling behind the @ and send the message again.'],
    'no-answer': ['The server of the recipient could not be reached, or the connection broke.', 'If it is urgent, reach the recipient by other means.'],
    loop: ['The message was going round in circles between servers and was stopped.', 'Ask your administrator to check the forwarding.'],
    format: ['The server of the recipient cannot handle the form of the message (its characters or attachments).', 'Send it in another form, for example without attachments.'],
    tls: ['The encryption that was asked for could not be had.', 'Ask your administrator whether it may be sent without that demand.'],
    policy: ['The server of the recipient refused it by its own rules (against unwanted mail, or whom it takes mail from).', 'Show what the server said to your administrator, or ask the recipient.'],
    other: ['It was refused with the words below.', 'Show what the server said to your administrator.'],
  },
  attached: {
    whole: 'Your message is attached.', header: 'The header of your message is attached.',
    none: 'Your message could not be read any more and is not attached.',
  },
};

export const WORDS: Readonly<Record<Language, Words>> = { ja, en };

export const fill = (text: string, value: string): string => text.replace('{}', () => value);
