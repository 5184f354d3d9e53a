import { randomBytes } from 'node:crypto';
import Encoding from 'encoding-japanese';
import MailComposer from 'nodemailer/lib/mail-composer/index.js';

/** One mail of the demonstration. */
export interface DemoMail {
  /** What it shows, in English; also in the table. */
  readonly kind: string;
  readonly sender: string;
  readonly recipient: string;
  readonly subject: string;
  readonly raw: Buffer;
  /** By submission with a login, else as a stranger's server delivers. */
  readonly login: boolean;
}

export const DEMO_DOMAIN = 'demo.kiroku.test';
export const DEMO_USERS = ['hanako', 'taro'] as const;
export const demoAddress = (user: string): string => `${user}@${DEMO_DOMAIN}`;

const [HANAKO, TARO] = DEMO_USERS.map(demoAddress) as [string, string];
const messageId = (): string => `<demo.${randomBytes(8).toString('hex')}@outside.test>`;

const compose = (options: object): Promise<Buffer> => new MailComposer({ messageId: messageId(), ...options }).compile().build();

/** JIS X 0208 in ISO-2022-JP (RFC 1468): 7-bit, so it needs no further encoding in the body. */
const jis = (text: string): Buffer => Buffer.from(Encoding.convert(Encoding.stringToCode(text), { to: 'JIS', from: 'UNICODE' }));
const encodedWord = (text: string): string => `=?ISO-2022-JP?B?${jis(text).toString('base64')}?=`;

/** As Japanese mail has looked for thirty years. */
function japaneseMail(from: string, to: string, subject: string): Buffer {
  const head = [
    `From: ${encodedWord('山田 一郎')} <${from}>`, `To: <${to}>`, `Subject: ${encodedWord(subject)}`, `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: ${messageId()}`, 'MIME-Version: 1.0', 'Content-Type: text/plain; charset=ISO-2022-JP', 'Content-Transfer-Encoding: 7bit', '', '',
  ].join('\r\n');
  const body = ['花子様', '', 'お世話になっております。山田です。', '明日の会議は午後三時からに変更となりました。', 'よろしくお願いいたします。', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'ascii'), jis(body)]);
}

/** Mails to be sent; each run has a sender of its own among strangers, so that its refusal is found again. */
export async function demoMails(run: string): Promise<readonly DemoMail[]> {
  const stranger = `reporter+${run}@outside.test`;
  const subjects = ['会議の時間変更について', 'Meeting notes — 議事録 ✓', 'The figures for March', 'To somebody who left'] as const;
  return [
    { kind: 'ISO-2022-JP', sender: 'yamada@outside.test', recipient: HANAKO, subject: subjects[0], login: false, raw: japaneseMail('yamada@outside.test', HANAKO, subjects[0]) },
    {
      kind: 'UTF-8', sender: 'yamada@outside.test', recipient: TARO, subject: subjects[1], login: false,
      raw: await compose({
        from: '"Ichirō Yamada" <yamada@outside.test>', to: TARO, subject: subjects[1],
        text: 'All went well. 全員出席。\n.a line with a dot in front\n', html: '<p>All went well. <b>全員出席。</b></p>',
      }),
    },
    {
      kind: 'attachment', sender: HANAKO, recipient: TARO, subject: subjects[2], login: true,
      raw: await compose({
        from: `"花子" <${HANAKO}>`, to: TARO, subject: subjects[2], text: 'See the attached list.\n',
        attachments: [{ filename: '三月.csv', content: 'month,messages\r\n2026-03,48213\r\n', contentType: 'text/csv' }],
      }),
    },
    {
      kind: 'unknown recipient', sender: stranger, recipient: demoAddress('nobody'), subject: subjects[3], login: false,
      raw: await compose({ from: stranger, to: demoAddress('nobody'), subject: subjects[3], text: 'Are you still there?\n' }),
    },
  ];
}
