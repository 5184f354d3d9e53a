import { readFileSync } from 'node:fs';
import { ImapClient } from '@kiroku/infra/rig/imap-client.js';
import { appendCommand } from './imap-client.js';
import type { ImapServer } from './imap-servers.js';
import { imapMessage, openImap } from './imap.js';
import { settle } from './settle.js';
import { PASSWORD } from './sut.js';

/** One command on the large mailbox, or in the account with many folders: its time, once its answer has been found right. */
export interface ImapLargeRow {
  readonly what: string;
  readonly ms: number;
}

export interface ImapLargeResult {
  readonly rows: readonly ImapLargeRow[];
  /** Bytes: the most that the imap process has held (VmHWM). */
  readonly memory: number;
}

interface Plan {
  readonly messages: number;
  readonly folders: number;
}
const FULL: Plan = { messages: 1_000_000, folders: 10_000 };
const QUICK: Plan = { messages: 20_000, folders: 500 };
/** Different messages; the rest are copies of them, which to IMAP are messages like any other. */
const DIFFERENT = 10_000;
/** Messages per APPEND, and per COPY: it takes 250,000 at most. */
const APPENDED = 200;
const COPIED = 200_000;

const numbered = (count: number): string => count.toLocaleString('en');

/**
 * A mailbox of a million messages and an account with ten thousand folders, by IMAP alone. Every answer is checked, as far as numbers can tell.
 * @throws Error when one is wrong.
 */
export async function benchImapLarge(start: () => Promise<ImapServer>, quick: boolean, say: (text: string) => void): Promise<ImapLargeResult> {
  const plan = quick ? QUICK : FULL;
  const server = await start();
  const rows: ImapLargeRow[] = [];
  const told = (what: string, ms: number): void => {
    rows.push({ what, ms });
    say(`imap ${what}: ${Math.round(ms)} ms`);
  };
  await fill(server, plan, say);
  await settle(server);
  await server.restart();
  await settle(server);
  await mailbox(server, plan, told);
  await folders(server, plan, told);
  const memory = Math.max(...server.processes().filter((pid) => textOf(pid, 'comm').startsWith('kiroku-imap')).map(peakOf));
  await server.stop();
  return { rows, memory };
}

type Tell = (what: string, ms: number) => void;

/** Doubles the mailbox by COPY to itself until it has what is wanted. */
async function fill(server: ImapServer, { messages }: Plan, say: (text: string) => void): Promise<void> {
  const since = performance.now();
  const client = await openImap(server);
  const first = Math.min(DIFFERENT, messages);
  for (let at = 0; at < first; at += APPENDED)
    await client.run(appendCommand('INBOX', Array.from({ length: APPENDED }, (_, i) => imapMessage(at + i))));
  await client.run('SELECT INBOX');
  for (let count = first; count < messages; ) {
    const more = Math.min(count, messages - count, COPIED);
    await client.run(`COPY 1:${more} INBOX`);
    count += more;
    await client.run('NOOP');
  }
  client.close();
  say(`imap: ${numbered(messages)} messages after ${((performance.now() - since) / 1000).toFixed(0)} s`);
}

async function mailbox(server: ImapServer, { messages }: Plan, tell: Tell): Promise<void> {
  const client = await openImap(server);
  const step = async (what: string, command: string, right: RegExp): Promise<void> => {
    const since = performance.now();
    const { tail } = await client.run(command);
    tell(what, performance.now() - since);
    if (!right.test(tail)) throw new Error(`${command}: ${tail.slice(-300)}`);
  };
  const some = Math.min(10_000, messages / 10);
  const half = messages / 2;
  const different = Math.min(DIFFERENT, messages);
  const counted = (count: number): RegExp => new RegExp(`^\\* ESEARCH .*\\bCOUNT ${count}\\r$`, 'm');
  await step(`SELECT of ${numbered(messages)}, cold`, 'SELECT INBOX', new RegExp(`^\\* ${messages} EXISTS\\r$`, 'm'));
  await step('SELECT, warm', 'SELECT INBOX', new RegExp(`^\\* ${messages} EXISTS\\r$`, 'm'));
  await step('STATUS (MESSAGES UNSEEN SIZE)', 'STATUS INBOX (MESSAGES UNSEEN SIZE)', new RegExp(`MESSAGES ${messages} UNSEEN ${messages} `));
  await step('FETCH 1:* (UID FLAGS)', 'FETCH 1:* (UID FLAGS)', new RegExp(`^\\* ${messages} FETCH \\(UID ${messages} `, 'm'));
  await step('FETCH of 1,000 (ENVELOPE BODYSTRUCTURE)', `FETCH ${half}:${half + 999} (ENVELOPE BODYSTRUCTURE)`, new RegExp(`^\\* ${half + 999} FETCH `, 'm'));
  await step('FETCH of one BODY.PEEK[]', `FETCH ${messages} BODY.PEEK[]`, /--b\d+--/);
  await step('SEARCH UNSEEN', 'SEARCH RETURN (COUNT) UNSEEN', counted(messages));
  await step('SEARCH LARGER', 'SEARCH RETURN (COUNT) LARGER 100000', counted(0));
  // Also in "number 770" and so on.
  const hits = Array.from({ length: different }, (_, i) => String(i)).filter((number) => number.startsWith('77')).length * (messages / different);
  await step('SEARCH SUBJECT', 'SEARCH RETURN (COUNT) SUBJECT "number 77"', counted(hits));
  await step('SEARCH SUBJECT, again', 'SEARCH RETURN (COUNT) SUBJECT "number 77"', counted(hits));
  await step('SEARCH TEXT', 'SEARCH RETURN (COUNT) TEXT "needle 77"', counted(hits));
  await step('SEARCH TEXT, again', 'SEARCH RETURN (COUNT) TEXT "needle 77"', counted(hits));
  await step('SORT (ARRIVAL)', 'SORT RETURN (COUNT) (ARRIVAL) UTF-8 ALL', counted(messages));
  await step(`STORE of ${numbered(some)}, silent`, `STORE 1:${some} +FLAGS.SILENT (\\Flagged)`, /OK/);
  await step('SEARCH FLAGGED', 'SEARCH RETURN (COUNT) FLAGGED', counted(some));
  await step('STORE 1:*, silent', 'STORE 1:* +FLAGS.SILENT (\\Seen)', /OK/);
  await step('SEARCH UNSEEN, after it', 'SEARCH RETURN (COUNT) UNSEEN', counted(0));
  await step(`STORE of ${numbered(some)} \\Deleted, silent`, `STORE ${half}:${half + some - 1} +FLAGS.SILENT (\\Deleted)`, /OK/);
  await step(`EXPUNGE of ${numbered(some)}`, 'EXPUNGE', new RegExp(`^\\* ${half} EXPUNGE\\r$`, 'm'));
  await step('STATUS, after it', 'STATUS INBOX (MESSAGES)', new RegExp(`MESSAGES ${messages - some}\\)`));
  client.close();
}

async function folders(server: ImapServer, { folders: count }: Plan, tell: Tell): Promise<void> {
  const client = await ImapClient.login({ port: server.port }, server.users[1] ?? '', PASSWORD);
  const timed = async (what: string, wanted: number, work: () => Promise<number>): Promise<void> => {
    const since = performance.now();
    const found = await work();
    tell(what, performance.now() - since);
    if (found !== wanted) throw new Error(`${what}: ${found}, not ${wanted}`);
  };
  const name = (i: number): string => `Projects/${Math.floor(i / 100)}/${i}`;
  const lines = async (command: string, kind: string): Promise<number> => (await client.ok(command)).filter((line) => line.startsWith(kind)).length;
  // A folder above others comes with the first of them.
  const all = count + Math.ceil(count / 100) + 1;
  await timed(`CREATE of ${numbered(count)} folders, one by one`, count, async () => {
    let made = 0;
    for (let i = 0; i < count; i++) made += (await client.end(`CREATE ${name(i)}`)).startsWith('OK') ? 1 : 0;
    return made;
  });
  await timed('LIST of all of them', all, () => lines('LIST "" "Projects*"', '* LIST '));
  await timed('LIST of the top level', 1, () => lines('LIST "" "Projects%"', '* LIST '));
  await timed('LSUB, subscribed to none', 0, () => lines('LSUB "" "Projects*"', '* LSUB '));
  await timed('LIST with STATUS of each', all, () => lines('LIST "" "Projects*" RETURN (STATUS (MESSAGES UNSEEN))', '* STATUS '));
  await timed('APPEND to the last folder, and SELECT', 1, async () => {
    const said = await client.append(name(count - 1), imapMessage(0));
    if (!said.startsWith('OK')) throw new Error(said);
    return lines(`SELECT ${name(count - 1)}`, '* 1 EXISTS');
  });
  await timed('RENAME of the folder above them all', all, async () => {
    await client.ok('RENAME Projects Archive');
    return lines('LIST "" "Archive*"', '* LIST ');
  });
  client.close();
}

const textOf = (pid: number, file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');

const peakOf = (pid: number): number => Number(/^VmHWM:\s+(\d+) kB$/m.exec(textOf(pid, 'status'))?.[1] ?? NaN) * 1024;
