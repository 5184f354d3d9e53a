import { describe, expect } from '@jest/globals';
import type { ImapAnswer, ImapClient } from '@kiroku/infra/rig/imap-client.js';
import { signalAll } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, letter, upTo, useServer } from './harness.js';
import { imapOf, note, post, put, query, wireName } from './imap-scene.js';

const server = useServer(['ann', 'ben', 'cat']);
const ANN = addressOf('ann');

const lines = (...text: readonly string[]): string => `${text.join('\n')}\n`;
const SHAPES: readonly ((token: string) => string)[] = [
  (token) => letter(token, ANN),
  (token) => lines(`From: =?ISO-2022-JP?B?GyRCOzNFRBsoQg==?= <yamada@y.test>`, `To: ann@x.test, "Ben" <ben@x.test>`, `Cc: x@y.test`, `Subject: =?ISO-2022-JP?B?GyRCQEE1YT1xGyhC?= ${token}`,
    `Message-ID: <${token}@y.test>`, 'Date: Sun, 22 Nov 2026 10:00:00 +0900', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="b b"', '', 'preamble', '--b b',
    'Content-Type: multipart/alternative; boundary=c', '', '--c', 'Content-Type: text/plain; charset=iso-2022-jp', '', '\x1b$B@A5a=q\x1b(B', '--c', 'Content-Type: text/html', 'Content-Transfer-Encoding: quoted-printable', '', '<p>=E8=AB=8B=E6=B1=82</p>', '--c--', '--b b',
    `Content-Type: application/pdf; name*=UTF-8''%E8%AB%8B%E6%B1%82%E6%9B%B8.pdf`, 'Content-Disposition: attachment', 'Content-Transfer-Encoding: base64', '', 'JVBERi0xLjQKJcTl', '--b b',
    'Content-Type: message/rfc822', '', 'Subject: inner', 'From: inner@y.test', '', 'within', '--b b--', 'epilogue'),
  (token) => lines(`From: re@y.test`, `Subject: Re: thread`, `Message-ID: <${token}@y.test>`, 'References: <root@y.test> <second@y.test>', `In-Reply-To: <second@y.test>`, 'Date: Sat, 21 Nov 2026 23:59:59 -0800', '', `answer ${token}`),
  (token) => `Subject: broken ${token}\nContent-Type: multipart/mixed; boundary=never\nDate: yesterday\nFrom: "unclosed <x@\n\n--other\nContent-Type: \n\n`,
];

/** Folders, copies, moves, flags, keywords, expunges, renames, rights, all that leaves a trace in a view. */
async function liveALittle(): Promise<void> {
  const ann = await imapOf(server, 'ann');
  for (const n of upTo(4)) {
    await post(server, 'ann', letter(`smtp-${n}`, ANN));
    await server.arrived('ann', `smtp-${n}`);
  }
  for (const n of upTo(24)) await put(ann, 'INBOX', SHAPES[n % SHAPES.length]?.(`m${n}`) ?? '', n % 3 === 0 ? '\\Seen $Work' : n % 5 === 0 ? '\\Flagged important' : '');
  for (const name of ['Work', 'Work/Deep/Deeper', 'Trash', 'Gone', wireName('受信箱/請求書')]) await ann.ok(`CREATE "${name}"`);
  await ann.ok('CREATE Sent (USE (\\Sent))');
  await ann.ok('SELECT INBOX');
  for (const command of [
    'COPY 1:10 Work', 'UID MOVE 3,5,7:9 Work/Deep/Deeper', 'STORE 1:5 +FLAGS (\\Answered $Later)', 'STORE 2:3 -FLAGS (\\Seen)', 'STORE 8:9 FLAGS.SILENT (\\Deleted)', 'UID EXPUNGE 1:20',
    'STORE 4 (UNCHANGEDSINCE 1) +FLAGS (\\Draft)', 'COPY 1:* INBOX', 'STORE 10:12 +FLAGS (\\Deleted)', 'EXPUNGE', `COPY 1:3 "${wireName('受信箱/請求書')}"`,
    'COPY 1 Gone', 'DELETE Gone', 'CREATE Gone', 'COPY 2 Gone', 'RENAME Work Job', 'SUBSCRIBE Job', 'SUBSCRIBE "never was"', `SUBSCRIBE "${wireName('受信箱/請求書')}"`, 'UNSUBSCRIBE INBOX',
    'SETMETADATA Job (/private/comment "mine" /shared/comment "ours")', 'SETMETADATA "" (/private/vendor/x "y")', `SETACL Job ${addressOf('ben')} lrswit`, `SETACL INBOX ${addressOf('ben')} lr`, `SETACL Trash ${addressOf('ben')} lr`, `DELETEACL Trash ${addressOf('ben')}`,
    'SELECT Job', 'REPLACE 2 Job {21+}\r\nSubject: new\r\n\r\nnew\r\n', 'MOVE 1:2 Trash', 'STORE 1:* +FLAGS (last)', 'RENAME INBOX Archive', 'SELECT Archive', 'COPY 1:12 INBOX', 'STORE 1:4 +FLAGS.SILENT (\\Deleted)', 'CLOSE',
  ]) await ann.ok(command);
  const pop3 = await server.login('ann');
  await pop3.command('DELE 4');
  await pop3.quit();
  await ann.logout();
  const ben = await imapOf(server, 'ben');
  await ben.ok(`SELECT "#Shared/${ANN}/Job"`);
  await ben.ok('STORE 1:2 +FLAGS (\\Seen fromBen)');
  await ben.ok(`COPY 1:2 INBOX`);
  await put(ben, `#Shared/${ANN}/Job`, note('from-ben'));
  await ben.logout();
}

const COMMANDS_OF_ACCOUNT = [
  'CAPABILITY', 'NAMESPACE', 'LIST "" ""', 'LIST "" *', 'LIST "" %', 'LSUB "" *', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (CHILDREN)', 'LIST (SPECIAL-USE) "" *', 'LIST "" (#Shared/* Job/*) RETURN (MYRIGHTS SUBSCRIBED SPECIAL-USE)',
  'LIST "" (* #Shared/*) RETURN (STATUS (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ MAILBOXID))', 'GETMETADATA (DEPTH infinity) "" (/private /shared)', 'GETQUOTA ""',
];
const COMMANDS_OF_MAILBOX = [
  'FETCH 1:* (UID FLAGS INTERNALDATE SAVEDATE RFC822.SIZE MODSEQ EMAILID THREADID ENVELOPE BODY BODYSTRUCTURE PREVIEW)',
  'FETCH 1:* (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT]<3.50> BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[1.1] BODY.PEEK[3.HEADER] BODY.PEEK[HEADER.FIELDS (SUBJECT DATE)] BODY.PEEK[HEADER.FIELDS.NOT (RECEIVED)] BINARY.PEEK[1.2] BINARY.SIZE[2])',
  'UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12 VANISHED)', 'UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)',
  'SEARCH ALL', 'SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN', 'SEARCH OR KEYWORD $Work KEYWORD last NOT DELETED', 'SEARCH CHARSET UTF-8 TEXT {9+}\r\n請求書', 'SEARCH CHARSET UTF-8 SUBJECT {6+}\r\n請求', 'SEARCH BODY "start of a line"', 'SEARCH HEADER Message-ID m2', 'SEARCH MODSEQ 20', 'SEARCH SENTSINCE 22-Nov-2026 LARGER 400', 'SEARCH FROM yamada',
  'UID SORT (REVERSE ARRIVAL SUBJECT) UTF-8 ALL', 'SORT RETURN (ALL) (DISPLAYFROM SIZE) UTF-8 ALL', 'UID SORT (DATE CC TO FROM) UTF-8 UNDELETED', 'UID THREAD REFERENCES UTF-8 ALL', 'THREAD ORDEREDSUBJECT UTF-8 ALL', 'UNSELECT',
];

interface Said extends ImapAnswer { readonly command: string }

/** What reading commands of all kinds are answered, octet by octet, on a connection of its own. */
async function transcript(user: string, mailboxes: readonly string[]): Promise<Said[]> {
  const client = await imapOf(server, user);
  const said: Said[] = [];
  const ask = async (command: string): Promise<ImapAnswer> => {
    const answer = await client.ask(command);
    said.push({ command, ...answer });
    return answer;
  };
  for (const command of COMMANDS_OF_ACCOUNT) await ask(command);
  await client.ok('ENABLE QRESYNC');
  for (const name of mailboxes) {
    for (const command of ['STATUS # (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)', 'GETACL #', `LISTRIGHTS # ${addressOf('cat')}`, 'MYRIGHTS #', 'GETQUOTAROOT #', 'GETMETADATA # (/private/comment /shared/comment)'])
      await ask(command.replace('#', `"${name}"`));
    const opened = await ask(`EXAMINE "${name}"`);
    if (!opened.end.startsWith('OK')) continue;
    const validity = opened.lines.map((line) => /UIDVALIDITY (\d+)/.exec(line)?.[1]).find((found) => found !== undefined);
    for (const known of [1, 10, 25, 40]) await ask(`SELECT "${name}" (QRESYNC (${validity} ${known} 1:60))`);
    await ask(`SELECT "${name}" (QRESYNC (${validity} 5 1:20 (1:3 1:3)))`);
    for (const command of COMMANDS_OF_MAILBOX) await ask(command);
  }
  await client.logout();
  return said;
}

async function transcripts(): Promise<Record<string, Said[]>> {
  const own = ['INBOX', 'Archive', 'Job', 'Job/Deep/Deeper', 'Trash', 'Gone', 'Sent', wireName('受信箱'), wireName('受信箱/請求書')];
  return { ann: await transcript('ann', own), ben: await transcript('ben', ['INBOX', `#Shared/${ANN}/Job`, `#Shared/${ANN}/INBOX`, `#Shared/${ANN}/Trash`]) };
}

async function stored(client: ImapClient, until: () => boolean): Promise<number> {
  let count = 0;
  while (!until()) {
    await put(client, 'INBOX', note(`meanwhile-${count}`));
    if (count++ % 2 === 0) await client.ok('STORE 1:* +FLAGS (\\Flagged)');
    else await client.ok('STORE 1:* -FLAGS (\\Flagged)');
  }
  return count;
}

async function restartImap(): Promise<void> {
  const killed = server.kiroku.pidsOf('imap');
  signalAll(killed, 'SIGKILL');
  await until('IMAP is served by another process', 30_000, async () => {
    await (await imapOf(server, 'ann')).logout();
    return !server.kiroku.pidsOf('imap').some((pid) => killed.includes(pid));
  });
}

describe('mailbox views that are rebuilt from the history while the server runs', () => {
  server.it('answer every command octet by octet as before: at once, after a restart, and without what was kept about bodies', async () => {
    await liveALittle();
    await restartImap(); // nothing may come from the memory of the process that made the changes
    const before = await transcripts();
    const all = Object.values(before).flat();
    const text = all.flatMap(({ lines }) => lines).join('\n');
    const SIGNS = ['* VANISHED (EARLIER) ', '("application" "pdf" ', 'fromBen', '\\Sent', '* THREAD (', '* SORT ', '* MYRIGHTS ', '/shared/comment', '* LISTRIGHTS'];
    expect(SIGNS.filter((sign) => !text.includes(sign))).toEqual([]);
    const refused = all.filter(({ end }) => !end.startsWith('OK')).map(({ command, end }) => `${command.split(' ')[0]} ${end.split(']')[0]}`);
    const forbidden = ['GETACL NO [NOPERM', 'LISTRIGHTS NO [NOPERM'];
    const lost = ['STATUS', 'GETACL', 'LISTRIGHTS', 'MYRIGHTS', 'GETQUOTAROOT', 'GETMETADATA', 'EXAMINE'].map((verb) => `${verb} NO [NONEXISTENT`);
    expect(refused).toEqual([...forbidden, ...forbidden, ...lost]); // all by the other account, which has few rights or none
    expect(await transcripts()).toEqual(before); // reading changes nothing

    const [open, busy] = [await imapOf(server, 'ann'), await imapOf(server, 'cat')];
    await open.ok('SELECT Job');
    await busy.ok('SELECT INBOX');
    let over = false;
    const replaying = server.kiroku.must('replay', '--all').finally(() => (over = true));
    const count = await stored(busy, () => over);
    await replaying;
    expect(count).toBeGreaterThan(0);
    expect(await transcripts()).toEqual(before);
    expect((await open.ok('UID FETCH 1:* (FLAGS)')).length).toBe((await open.search('ALL')).length);
    expect(await busy.search('ALL')).toEqual(upTo(count));
    for (const client of [open, busy]) await client.logout();

    await query(server, 'TRUNCATE cache.body_1, cache.search_1');
    await restartImap();
    expect(await transcripts()).toEqual(before);
  }, 120_000);
});
