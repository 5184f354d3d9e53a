import { randomBytes } from 'node:crypto';
import type { Text } from '@kiroku/domain/story/texts.js';
import { tell } from '@kiroku/domain/story/words.js';
import type { AccountInfo } from '@kiroku/infra/admin/directory.js';
import type { MessageInfo, Story } from '@kiroku/infra/admin/messages.js';
import { type Config, readConfig } from '@kiroku/infra/config/config.js';
import { createTransport } from 'nodemailer';
import { type Listed, Refused } from '../client.js';
import { type Adder, leaf, part, type Run } from '../command.js';
import { table } from '../terminal.js';
import { DEMO_DOMAIN, DEMO_USERS, demoAddress, type DemoMail, demoMails } from './mails.js';
import { Pop3Reader } from './pop3.js';

const STEPS = {
  directory: { en: `domain ${DEMO_DOMAIN} and its accounts`, ja: `ドメイン ${DEMO_DOMAIN} とアカウント` },
  sending: { en: 'sending mail over SMTP', ja: 'SMTP でメールを送信' },
  reading: { en: 'reading it over POP3', ja: 'POP3 で受信' },
  stories: { en: 'asking for the stories', ja: '記録を照会' },
  accounts: { en: 'Accounts (new passwords at each run):', ja: 'アカウント(パスワードは実行のたびに新しくなります):' },
  mails: { en: 'Mails:', ja: 'メール:' },
  story: { en: 'The story of', ja: '記録:' },
  mailboxes: { en: 'messages in the mailbox', ja: '通のメール' },
  off: { en: 'the demonstration needs the SMTP, submission and POP3 ports: one is switched off', ja: 'デモには SMTP・サブミッション・POP3 のポートが必要です' },
} as const satisfies Record<string, Text>;

/** ms until what was sent must be in its story. */
const WAIT = 10_000;

interface Sent { readonly mail: DemoMail; readonly reply: string; readonly id: string | undefined }
type Passwords = ReadonlyMap<string, string>;

export const addDemoCommand: Adder = (program, terminal) => {
  leaf(program, terminal, 'demo', 'send a few mails through the running server and tell their stories', demo);
};

async function demo(run: Run): Promise<void> {
  const { KIROKU_TOKEN: _, ...settings } = run.terminal.env;
  const config = readConfig(settings);
  const step = (text: Text): void => void run.terminal.errors.write(`… ${run.text(text)}\n`);
  step(STEPS.directory);
  const passwords = await directory(run);
  step(STEPS.sending);
  const sent: Sent[] = [];
  for (const mail of await demoMails(randomBytes(4).toString('hex'))) sent.push(await send(run, config, mail, passwords));
  step(STEPS.stories);
  const stories = new Map<Sent, Story>();
  for (const one of sent) {
    const id = one.id ?? (await refusedId(run, one.mail));
    if (id !== undefined) stories.set(one, await run.api.get<Story>(`/messages/${part(id)}/story`, { wait: WAIT }));
  }
  step(STEPS.reading);
  const read = new Map<string, number>();
  for (const [address, password] of passwords) read.set(address, await mailIn(run, config, address, password));
  show(run, passwords, sent, stories, read);
}

/** Makes what is missing; accounts of an earlier run get new passwords. */
async function directory(run: Run): Promise<Passwords> {
  const { api } = run;
  await api.post('/domains', { name: DEMO_DOMAIN }).catch(unless('domain-exists'));
  const passwords = new Map<string, string>();
  for (const user of DEMO_USERS) {
    const [address, password] = [demoAddress(user), randomBytes(12).toString('base64url')];
    passwords.set(address, password);
    await api.post<AccountInfo>('/accounts', { address, password, fullName: user }).catch(async (error: unknown) => {
      unless('address-taken')(error);
      await api.put(`/accounts/${part(address)}/password`, { password });
    });
  }
  return passwords;
}

const unless = (reason: string) => (error: unknown): void => {
  if (!(error instanceof Refused && error.reason === reason)) throw error;
};

async function send(run: Run, { bind, smtpPort, submissionPort }: Config, mail: DemoMail, passwords: Passwords): Promise<Sent> {
  const port = mail.login ? submissionPort : smtpPort;
  if (port === undefined) throw new Error(run.text(STEPS.off));
  const pass = passwords.get(mail.sender);
  const transport = createTransport({
    host: hostOf(bind), port, secure: false, requireTLS: mail.login, name: 'demo.outside.test',
    tls: { rejectUnauthorized: false }, // this machine's own server, which signs for itself
    ...(mail.login && pass !== undefined && { auth: { user: mail.sender, pass } }),
  });
  try {
    const { response } = await transport.sendMail({ envelope: { from: mail.sender, to: [mail.recipient] }, raw: mail.raw });
    return { mail, reply: response, id: /\b([0-9A-HJKMNP-TV-Z]{15})\b/.exec(response)?.[1] };
  } catch (error) {
    const { response } = error as { response?: string };
    if (response === undefined) throw error; // the server is away, or did not answer in SMTP
    return { mail, reply: response, id: undefined };
  } finally {
    transport.close();
  }
}

/** A refused message's queue id is not told to its sender: the record finds it by its sender. */
async function refusedId(run: Run, { sender }: DemoMail): Promise<string | undefined> {
  for (const end = performance.now() + WAIT; performance.now() < end; ) {
    const { items } = await run.api.get<Listed<MessageInfo>>('/messages', { sender, limit: 1 });
    if (items[0]) return items[0].id;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return undefined;
}

async function mailIn(run: Run, { bind, pop3Port, pop3sPort }: Config, address: string, password: string): Promise<number> {
  const port = pop3sPort ?? pop3Port;
  if (port === undefined) throw new Error(run.text(STEPS.off));
  const reader = await Pop3Reader.login(hostOf(bind), port, pop3sPort !== undefined, address, password);
  const sizes: number[] = [];
  for await (const message of reader.messages()) sizes.push(message.length);
  await reader.quit();
  return sizes.length;
}

const hostOf = (bind: string): string => (bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind);

function show(run: Run, passwords: Passwords, sent: readonly Sent[], stories: ReadonlyMap<Sent, Story>, read: ReadonlyMap<string, number>): void {
  if (run.json) {
    return run.value({
      accounts: [...passwords].map(([address, password]) => ({ address, password, messages: read.get(address) })),
      mails: sent.map((one) => ({
        kind: one.mail.kind, sender: one.mail.sender, recipient: one.mail.recipient, subject: one.mail.subject, reply: one.reply, story: stories.get(one) ?? null,
      })),
    });
  }
  run.out(`\n${run.text(STEPS.accounts)}\n`);
  for (const [address, password] of passwords) run.out(`    ${address}  ${password}  (${read.get(address) ?? 0} ${run.text(STEPS.mailboxes)})\n`);
  run.out(`\n${run.text(STEPS.mails)}\n`);
  run.out(table(
    [run.heading('queueId'), run.heading('sender'), run.heading('recipients'), run.heading('subject'), run.heading('result')],
    sent.map((one) => [stories.get(one)?.messages[0] ?? '-', one.mail.sender, one.mail.recipient, one.mail.subject, one.reply.split('\n')[0] ?? '']),
  ));
  for (const one of sent) {
    const story = stories.get(one);
    if (!story) continue;
    run.out(`\n${run.text(STEPS.story)} ${one.mail.subject} (${one.mail.kind})\n`);
    run.out(`${tell(story.events, { language: run.language, offset: run.terminal.offset }).join('\n')}\n`);
  }
}
