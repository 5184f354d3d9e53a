import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { appendOf, ImapClient } from '@kiroku/infra/rig/imap-client.js';
import { run, type CommandResult } from '@kiroku/infra/rig/kiroku.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import { addressOf, crlf, PASSWORD, type ServerUnderTest } from './harness.js';

/** Logged in over TLS. */
export const imapOf = ({ kiroku }: ServerUnderTest, user: string): Promise<ImapClient> =>
  ImapClient.login({ port: kiroku.ports.imaps, tls: true }, addressOf(user), PASSWORD);

/** Mail from outside, by SMTP. */
export async function post({ kiroku }: ServerUnderTest, user: string, message: string): Promise<void> {
  const client = await SmtpClient.hello({ port: kiroku.ports.smtp });
  const reply = await client.send('stranger@outside.test', [addressOf(user)], crlf(message));
  await client.quit();
  if (reply.code !== 250) throw new Error(`not accepted: ${reply.code} ${reply.lines.join(' ')}`);
}

export const note = (token: string): string => `From: Ann <ann@y.test>\nSubject: ${token}\nMessage-ID: <${token}@y.test>\n\n${token}\n`;

/** @returns the UID that the message was given. */
export async function put(client: ImapClient, mailbox: string, message: string, flags = ''): Promise<number> {
  const end = await client.end(appendOf(mailbox, crlf(message), flags));
  const uid = /^OK \[APPENDUID \d+ (\d+)\]/.exec(end)?.[1];
  if (uid === undefined) throw new Error(`APPEND: ${end}`);
  return Number(uid);
}

/** What a mailbox holds, `UID subject flags`, in order of UIDs. Its name as it is on the wire. */
export async function heldIn(client: ImapClient, mailbox: string): Promise<string[]> {
  await client.ok(`EXAMINE "${mailbox}"`);
  const lines = await client.ok('UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])');
  const held = lines.flatMap((line) => {
    const [, uid, flags = ''] = /^\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)/.exec(line) ?? [];
    if (uid === undefined) return [];
    const subject = /Subject: ([^\r]*)/.exec(line)?.[1] ?? '';
    return [[uid, subject, ...flags.split(' ').filter((flag) => flag !== '').sort()].join(' ')];
  });
  return held.sort((a, b) => parseInt(a) - parseInt(b));
}

/** What a client that keeps a copy may go by; changes with every change. Without any command that changes it. */
export async function standOf(client: ImapClient, mailboxes: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  for (const mailbox of mailboxes) {
    const told = await client.ok(`STATUS "${mailbox}" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)`);
    lines.push(...told.filter((line) => line.startsWith('* STATUS')));
    lines.push(...(await heldIn(client, mailbox)));
  }
  return lines;
}

/** Modified UTF-7 (RFC 3501 §5.1.3). */
export const wireName = (name: string): string =>
  name.replaceAll('&', '&-').replace(/[^\x20-\x7e]+/g, (text) => {
    const utf16 = Buffer.from(text, 'utf16le').swap16();
    return `&${utf16.toString('base64').replaceAll('/', ',').replaceAll('=', '')}-`;
  });

/** A message of a Maildir: its file, its flags by letter, its content. */
export interface Kept {
  readonly file: string;
  readonly flags: string;
  readonly text: string;
}

export const makeMaildir = (path: string): string => {
  for (const part of ['new', 'cur', 'tmp']) mkdirSync(join(path, part), { recursive: true });
  return path;
};

export function maildirOf(path: string): Kept[] {
  return ['new', 'cur'].flatMap((part) =>
    readdirSync(join(path, part)).map((name) => {
      const file = join(path, part, name);
      return { file, flags: /:2,(\w*)$/.exec(name)?.[1] ?? '', text: readFileSync(file, 'utf8') };
    }),
  );
}

/** The one whose text has this in it. */
export function keptWith(path: string, text: string): Kept {
  const [found, ...more] = maildirOf(path).filter((kept) => kept.text.includes(text));
  if (!found || more.length > 0) throw new Error(`${path} has ${found ? more.length + 1 : 0} messages with ${text}`);
  return found;
}

/** Runs a client's program. @throws Error with what it said when it fails. */
export async function must(home: string, file: string, args: readonly string[], input?: string): Promise<CommandResult> {
  const result = await run(file, args, { ...process.env, HOME: home, LC_ALL: 'C.UTF-8', TERM: 'xterm' }, input);
  if (result.code !== 0) throw new Error(`${file} ended with ${result.code}\n${result.stdout.slice(-2_000)}${result.stderr.slice(-2_000)}`);
  return result;
}

/** One statement on the database of a server, running or not. */
export async function query<Row extends object>({ kiroku }: ServerUnderTest, text: string): Promise<Row[]> {
  return withDatabase(readConfig({ KIROKU_DATA: kiroku.data }), async (connection) => {
    const pool = openPool(connection, 1);
    try {
      return (await pool.query<Row>(text)).rows;
    } finally {
      await pool.end();
    }
  });
}
