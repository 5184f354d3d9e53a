import { describe, expect, it } from '@jest/globals';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import { startRig } from './testing/rig.js';

const mail = (subject: string, more = ''): string => `From: Ann <ann@x.test>\r\nTo: ben@x.test\r\nSubject: ${subject}\r\nDate: Mon, 5 Jan 2026 09:00:00 +0900\r\n\r\nHello ${subject}${more}\r\n`;

describe('SELECT', () => {
  it('describes the mailbox', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('one'), { flags: ['\\Seen'] });
    await rig.deliver(mail('two'), { flags: ['\\Flagged', 'work'] });
    const client = await rig.loggedIn();
    expect(await client.ask('SELECT inbox')).toEqual([
      '* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)',
      '* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work \\*)] Kept for good',
      '* 2 EXISTS',
      '* 0 RECENT',
      '* OK [UNSEEN 2] The first unread one',
      '* OK [UIDVALIDITY 1700000001] UIDs are valid',
      '* OK [UIDNEXT 3] The next UID',
      '* OK [HIGHESTMODSEQ 3] Changes are numbered',
      '* OK [MAILBOXID (box-1)] The same for ever',
      'OK [READ-WRITE] Selected',
    ]);
    expect((await client.ask('EXAMINE INBOX')).filter((line) => /CLOSED|PERMANENT|READ/.test(line))).toEqual([
      '* OK [CLOSED] The mailbox before is closed', '* OK [PERMANENTFLAGS ()] Read-only', 'OK [READ-ONLY] Read-only',
    ]);
  });

  it('of rev2 names the mailbox and forgets RECENT and UNSEEN', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('one'));
    const client = await rig.loggedIn();
    expect(await client.ok('ENABLE IMAP4rev2')).toEqual(['* ENABLED IMAP4rev2']);
    const lines = await client.ok('SELECT INBOX');
    expect(lines.at(-1)).toBe('* LIST () "/" INBOX');
    expect(lines.join()).not.toMatch(/RECENT|UNSEEN/);
  });

  it('of no mailbox leaves none open', async () => {
    await using rig = await startRig();
    const client = await rig.selected();
    expect(await client.end('SELECT nowhere')).toBe('NO [NONEXISTENT] There is no such mailbox');
    expect(await client.end('FETCH 1 FLAGS')).toBe('BAD Select a mailbox first');
  });

  it('with QRESYNC tells what was missed', async () => {
    await using rig = await startRig();
    for (const name of ['a', 'b', 'c', 'd']) await rig.deliver(mail(name));
    const client = await rig.selected();
    await client.ok('STORE 2 +FLAGS.SILENT (\\Deleted)');
    await client.ok('EXPUNGE');
    await client.ok('STORE 3 +FLAGS.SILENT (\\Seen)');
    const back = await rig.loggedIn();
    expect(await back.end('SELECT INBOX (QRESYNC (1700000001 5))')).toMatch(/^BAD/);
    await back.ok('ENABLE QRESYNC');
    const lines = await back.ok('SELECT INBOX (QRESYNC (1700000001 5 1:4))');
    expect(lines.slice(-2)).toEqual(['* VANISHED (EARLIER) 2', '* 3 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (8))']);
    expect((await back.ok('SELECT INBOX (QRESYNC (1 5))')).join()).not.toMatch(/VANISHED|FETCH/);
  });
});

describe('FETCH', () => {
  it('answers what is asked, in the order asked', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('日本'), { flags: ['\\Seen'], prefix: 'Return-Path: <a@b.test>\r\n' });
    const client = await rig.selected('INBOX', 'ENABLE CONDSTORE');
    expect(await client.ok('FETCH 1 (FLAGS UID RFC822.SIZE INTERNALDATE EMAILID THREADID SAVEDATE MODSEQ)')).toEqual([
      expect.stringMatching(/^\* 1 FETCH \(FLAGS \(\\Seen\) UID 1 RFC822\.SIZE \d+ INTERNALDATE "14-Nov-2023 22:13:20 \+0000" EMAILID \(E[0-9a-f]{16}\) THREADID NIL SAVEDATE "14-Nov-2023 22:13:20 \+0000" MODSEQ \(2\)\)$/),
    ]);
    const whole = Buffer.from(`Return-Path: <a@b.test>\r\n${mail('日本')}`);
    expect(await client.ok('FETCH 1 BODY.PEEK[]')).toEqual([`* 1 FETCH (BODY[] {${whole.length}}\r\n${whole.toString('latin1')})`]);
    expect(await client.ok('UID FETCH 1 BODY.PEEK[]<7.4>')).toEqual(['* 1 FETCH (UID 1 BODY[]<7> {4}\r\nPath)']);
    expect(await client.ok('FETCH 1 BODY.PEEK[HEADER.FIELDS (return-path To)]')).toEqual([
      '* 1 FETCH (BODY[HEADER.FIELDS (return-path To)] {43}\r\nReturn-Path: <a@b.test>\r\nTo: ben@x.test\r\n\r\n)',
    ]);
    expect(await client.ok('FETCH 1 (BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[2])')).toEqual([
      `* 1 FETCH (BODY[TEXT] {14}\r\nHello ${Buffer.from('日本').toString('latin1')}\r\n BODY[1] {14}\r\nHello ${Buffer.from('日本').toString('latin1')}\r\n BODY[2] NIL)`,
    ]);
    const [envelope] = await client.ok('FETCH 1 (ENVELOPE BODY BODYSTRUCTURE)');
    expect(envelope).toContain('ENVELOPE ("Mon, 5 Jan 2026 09:00:00 +0900" {6}\r\n');
    expect(envelope).toContain('(("Ann" NIL "ann" "x.test"))');
    expect(envelope).toContain('BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 14 1)');
  });

  it('marks as read what is read, unless it only peeks', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('one'));
    const client = await rig.selected();
    expect((await client.ok('FETCH 1 BODY.PEEK[TEXT]')).length).toBe(1);
    expect(await client.ok('FETCH 1 BODY[TEXT]')).toEqual(['* 1 FETCH (BODY[TEXT] {11}\r\nHello one\r\n)', '* 1 FETCH (FLAGS (\\Seen))']);
    expect(await client.ok('FETCH 1 (FLAGS RFC822.TEXT)')).toEqual(['* 1 FETCH (FLAGS (\\Seen) RFC822.TEXT {11}\r\nHello one\r\n)']);
    await client.ok('STORE 1 -FLAGS.SILENT (\\Seen)');
    expect(await client.ok('FETCH 1 (BODY[1] FLAGS)')).toEqual(['* 1 FETCH (BODY[1] {11}\r\nHello one\r\n FLAGS (\\Seen))']);
    await client.ok('STORE 1 -FLAGS.SILENT (\\Seen)');
    await client.ok('EXAMINE INBOX');
    await client.ok('FETCH 1 RFC822');
    expect(await client.ok('FETCH 1 FLAGS')).toEqual(['* 1 FETCH (FLAGS ())']);
  });

  it('decodes with BINARY', async () => {
    await using rig = await startRig();
    await rig.deliver('Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\nAwQF\r\n');
    await rig.deliver('Content-Transfer-Encoding: x-own\r\n\r\nabc\r\n');
    const client = await rig.selected();
    expect(await client.ok('FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])')).toEqual(['* 1 FETCH (BINARY.SIZE[1] 6 BINARY[1] ~{6}\r\n\0\x01\x02\x03\x04\x05)']);
    expect(await client.ok('FETCH 1 BINARY.PEEK[1]<2.2>')).toEqual(['* 1 FETCH (BINARY[1]<2> ~{2}\r\n\x02\x03)']);
    expect(await client.end('FETCH 2 BINARY.PEEK[1]')).toBe('NO [UNKNOWN-CTE] The encoding is not known');
  });

  it('streams what is large, and is not held up by one that cannot be read', async () => {
    await using rig = await startRig();
    const large = mail('large', 'x'.repeat(300_000));
    await rig.deliver(large);
    await rig.deliver(mail('lost'));
    rig.boxes.deliver('id-of-ann', 'INBOX', { sha256: '0'.repeat(64), size: 10 });
    await rig.deliver(mail('last'));
    const client = await rig.selected();
    const lines = await client.ask('FETCH 1:* BODY.PEEK[]');
    expect(lines[0]).toBe(`* 1 FETCH (BODY[] {${large.length}}\r\n${large})`);
    expect(lines.map((line) => line.slice(0, 9))).toEqual(['* 1 FETCH', '* 2 FETCH', '* 4 FETCH', 'NO [UNAVA']);
    expect(rig.troubles).toHaveLength(1);
    await client.ok('NOOP');
  });

  it('of sequence numbers that are not there is an error, of UIDs nothing', async () => {
    await using rig = await startRig();
    const client = await rig.selected();
    expect(await client.ok('FETCH 1:* FLAGS')).toEqual([]);
    expect(await client.end('FETCH 1 FLAGS')).toBe('BAD There is no message of that number');
    expect(await client.ok('UID FETCH 1:9 FLAGS')).toEqual([]);
    await rig.deliver(mail('one'));
    expect(await client.ok('UID FETCH 7:* FLAGS')).toEqual(['* 1 EXISTS', '* 0 RECENT', '* 1 FETCH (UID 1 FLAGS ())']);
  });

  it('of what has changed', async () => {
    await using rig = await startRig();
    for (const name of ['a', 'b', 'c']) await rig.deliver(mail(name));
    const client = await rig.selected('INBOX', 'ENABLE QRESYNC');
    await client.ok('STORE 3 +FLAGS (\\Seen)');
    expect(await client.ok('FETCH 1:* FLAGS (CHANGEDSINCE 4)')).toEqual(['* 3 FETCH (FLAGS (\\Seen) MODSEQ (5))']);
    await client.ok('STORE 1 +FLAGS (\\Deleted)');
    await client.ok('EXPUNGE');
    expect(await client.ok('UID FETCH 1:* FLAGS (CHANGEDSINCE 4 VANISHED)')).toEqual(['* VANISHED (EARLIER) 1', '* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (5))']);
    expect(await client.ok('UID FETCH 1:* FLAGS (PARTIAL -1:-1)')).toEqual(['* 2 FETCH (UID 3 FLAGS (\\Seen))']);
  });
});

describe('STORE', () => {
  it('adds, removes and replaces', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('a'));
    await rig.deliver(mail('b'));
    const client = await rig.selected();
    expect(await client.ask('STORE 1:2 +FLAGS (\\Seen $Forwarded)')).toEqual([
      '* 1 FETCH (FLAGS ($Forwarded \\Seen))', '* 2 FETCH (FLAGS ($Forwarded \\Seen))',
      '* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded)',
      '* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded \\*)] Kept for good',
      'OK Stored',
    ]);
    expect(await client.ok('UID STORE 2 -FLAGS \\Seen')).toEqual(['* 2 FETCH (UID 2 FLAGS ($Forwarded))']);
    expect(await client.ok('STORE 1 FLAGS.SILENT ()')).toEqual([]);
    expect(await client.ok('FETCH 1:2 FLAGS')).toEqual(['* 1 FETCH (FLAGS ())', '* 2 FETCH (FLAGS ($Forwarded))']);
    await client.ok('EXAMINE INBOX');
    expect(await client.end('STORE 1 FLAGS ()')).toBe('NO [READ-ONLY] The mailbox was opened for reading');
  });

  it('leaves alone what has changed meanwhile', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('a'));
    await rig.deliver(mail('b'));
    const client = await rig.selected();
    await client.ok('STORE 1 +FLAGS (\\Seen)');
    expect(await client.ok('FETCH 1 MODSEQ')).toEqual(['* OK [HIGHESTMODSEQ 4] Changes are numbered', '* 1 FETCH (MODSEQ (4))']);
    expect(await client.ask('STORE 1:2 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Flagged)')).toEqual([
      '* 2 FETCH (UID 2 MODSEQ (5))', 'OK [MODIFIED 1] Some had changed and were left alone',
    ]);
  });
});

describe('two sessions on one mailbox', () => {
  it('see what the other has done at their next command', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('a'));
    await rig.deliver(mail('b'));
    const [one, two] = [await rig.selected(), await rig.selected()];
    await one.ok('STORE 2 +FLAGS (\\Deleted)');
    expect(await two.ok('NOOP')).toEqual(['* 2 FETCH (FLAGS (\\Deleted))']);
    expect(await one.ok('EXPUNGE')).toEqual(['* 2 EXPUNGE']);
    expect(await two.ask('FETCH 1:2 UID')).toEqual(['* 1 FETCH (UID 1)', 'OK [EXPUNGEISSUED] Some are no longer there']);
    expect(await two.ok('NOOP')).toEqual(['* 2 EXPUNGE']);
    expect(await two.ok('NOOP')).toEqual([]);
  });

  it('may name by its UID what the other was just told that it has stored', async () => {
    await using rig = await startRig();
    const [one, two] = [await rig.selected(), await rig.selected()];
    await one.ok('CREATE to');
    const put = async (uid: number): Promise<void> => expect((await two.ask(`APPEND INBOX {${mail('a').length}+}\r\n${mail('a')}`)).at(-1)).toMatch(new RegExp(`^OK \\[APPENDUID 1700000001 ${uid}\\]`));
    await put(1);
    expect(await one.ok('UID STORE 1 +FLAGS (\\Seen)')).toEqual(['* 1 EXISTS', '* 0 RECENT', '* 1 FETCH (UID 1 FLAGS (\\Seen))']);
    await put(2);
    expect((await one.ask('UID COPY 2 to')).at(-1)).toMatch(/^OK \[COPYUID \d+ 2 1\]/);
    await put(3);
    expect(await one.ok('UID MOVE 3 to')).toEqual(['* 3 EXISTS', '* 0 RECENT', expect.stringMatching(/^\* OK \[COPYUID \d+ 3 2\]/), '* 3 EXPUNGE']);
    await put(4);
    expect((await one.ask('UID REPLACE 4 to {3+}\r\na\r\n')).at(-1)).toMatch(/^OK /);
    await put(5);
    await two.ok('UID STORE 5 +FLAGS.SILENT (\\Deleted)');
    expect(await one.ok('UID EXPUNGE 5')).toContain('* 3 EXPUNGE');
    expect(await one.ok('UID STORE 99 +FLAGS (\\Seen)')).toEqual([]);
  });

  it('count on while EXPUNGE must wait', async () => {
    await using rig = await startRig();
    for (const name of ['a', 'b', 'c']) await rig.deliver(mail(name));
    const [one, two] = [await rig.selected(), await rig.selected()];
    await one.ok('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await one.ok('EXPUNGE');
    await rig.deliver(mail('d'));
    expect(await two.ok('STORE 3 +FLAGS (\\Seen)')).toEqual(['* 3 FETCH (FLAGS (\\Seen))', '* 4 EXISTS', '* 0 RECENT']);
    expect(await two.ok('FETCH 3:4 (UID FLAGS)')).toEqual(['* 3 FETCH (UID 3 FLAGS (\\Seen))', '* 4 FETCH (UID 4 FLAGS ())']);
    expect(await two.ok('NOOP')).toEqual(['* 1 EXPUNGE']);
    expect(await two.ok('FETCH 3 UID')).toEqual(['* 3 FETCH (UID 4)']);
  });

  it('hear VANISHED once they asked for QRESYNC', async () => {
    await using rig = await startRig();
    for (const name of ['a', 'b', 'c']) await rig.deliver(mail(name));
    const client = await rig.selected('INBOX', 'ENABLE QRESYNC');
    await client.ok('STORE 1:3 +FLAGS.SILENT (\\Deleted)');
    expect(await client.ask('UID EXPUNGE 2:9')).toEqual(['* VANISHED 2:3', expect.stringMatching(/^OK \[HIGHESTMODSEQ \d+\] Expunged$/)]);
  });

  it('are told that the mailbox is gone', async () => {
    await using rig = await startRig();
    const one = await rig.loggedIn();
    await one.ok('CREATE x');
    await one.ok('SELECT x');
    const two = await rig.selected('x');
    expect(await one.ask('DELETE x')).toEqual(['* OK [CLOSED] The mailbox is gone', 'OK Deleted']);
    two.write('a NOOP\r\n');
    expect(await two.socket.readToEnd()).toMatch(/^\* BYE The mailbox has been deleted\r\n/);
  });
});

describe('IDLE', () => {
  it('pushes what others do at once', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('a'));
    const [client, other] = [await rig.selected(), await rig.selected()];
    const tag = client.say('IDLE');
    expect(await client.line()).toBe('+ idling');
    await rig.deliver(mail('b'));
    expect([await client.line(), await client.line()]).toEqual(['* 2 EXISTS', '* 0 RECENT']);
    await other.ok('STORE 1 +FLAGS.SILENT (\\Deleted)');
    expect(await client.line()).toBe('* 1 FETCH (FLAGS (\\Deleted))');
    await other.ok('EXPUNGE');
    expect(await client.line()).toBe('* 1 EXPUNGE');
    client.write('done\r\n');
    expect(await client.answer(tag)).toEqual(['OK No longer idle']);
  });

  it('ends with anything but DONE as an error', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    client.write('a IDLE\r\nb NOOP\r\n');
    expect([await client.line(), await client.line()]).toEqual(['+ idling', 'a BAD Expected DONE']);
  });

  it('ends when the mailbox is deleted', async () => {
    await using rig = await startRig();
    const one = await rig.loggedIn();
    await one.ok('CREATE x');
    const two = await rig.selected('x');
    two.say('IDLE');
    await two.line();
    await one.ok('DELETE x');
    expect(await two.socket.readToEnd()).toBe('* BYE The mailbox has been deleted\r\n');
  });
});

describe('a command on more messages than one may work on', () => {
  it('works on the last ones and names the first of them, or does nothing at all where it is to be whole', async () => {
    await using rig = await startRig({ settings: { imapMessageLimit: 3 } });
    for (let i = 0; i < 5; i++) await rig.deliver(mail(`${i}`), { flags: ['\\Deleted'] });
    const client = await rig.selected('INBOX', 'CREATE to');
    expect(await client.ask('FETCH 1:* UID')).toEqual([...[3, 4, 5].map((n) => `* ${n} FETCH (UID ${n})`), 'OK [MESSAGELIMIT 3 3] Not all: too many messages for one command']);
    expect(await client.ask('STORE 1:* +FLAGS.SILENT (\\Seen)')).toEqual(['OK [MESSAGELIMIT 3 3] Not all: too many messages for one command']);
    expect(await client.ok('SEARCH SEEN')).toEqual(['* SEARCH 3 4 5']);
    expect(await client.ask('COPY 1:* to')).toEqual(['NO [MESSAGELIMIT 3] Too many messages for one command']);
    expect(await client.ask('UID FETCH 1:* FLAGS (PARTIAL -1:-4)')).toEqual(['NO [MESSAGELIMIT 3] Too many messages for one command']);
    expect(await client.ok('UID FETCH 1:* FLAGS (PARTIAL 1:3)')).toHaveLength(3);
    expect(await client.ok('STATUS to (MESSAGES)')).toEqual(['* STATUS to (MESSAGES 0)']);
    expect(await client.ask('UID EXPUNGE 1:*')).toEqual(['* 5 EXPUNGE', '* 4 EXPUNGE', '* 3 EXPUNGE', 'OK [MESSAGELIMIT 3 3] Not all: too many messages for one command']);
    expect(await client.ok('EXPUNGE')).toEqual(['* 2 EXPUNGE', '* 1 EXPUNGE']);
  });

  it('moves the last ones, so that the same command again moves the rest', async () => {
    await using rig = await startRig({ settings: { imapMessageLimit: 3 } });
    for (let i = 0; i < 5; i++) await rig.deliver(mail(`${i}`));
    const client = await rig.selected('INBOX', 'CREATE to');
    const [copied, ...rest] = await client.ask('UID MOVE 1:5 to');
    expect(copied).toMatch(/^\* OK \[COPYUID \d+ 3:5 1:3\]/);
    expect(rest).toEqual(['* 5 EXPUNGE', '* 4 EXPUNGE', '* 3 EXPUNGE', 'OK [MESSAGELIMIT 3 3] Not all: too many messages for one command']);
    expect((await client.ask('UID MOVE 1:5 to')).at(-1)).toBe('OK Moved');
    expect(await client.ok('STATUS to (MESSAGES)')).toEqual(['* STATUS to (MESSAGES 5)']);
  });

  it('counts for UID EXPUNGE only those marked for deletion, so that the same command again gets on', async () => {
    await using rig = await startRig({ settings: { imapMessageLimit: 3 } });
    for (let i = 0; i < 9; i++) await rig.deliver(mail(`${i}`), i < 4 ? { flags: ['\\Deleted'] } : {});
    const client = await rig.selected('INBOX', 'ENABLE QRESYNC');
    expect(await client.ask('UID EXPUNGE 1:9')).toEqual(['* NO [MESSAGELIMIT 3 2] Not all: too many messages for one command', '* VANISHED 2:4', expect.stringMatching(/^OK \[HIGHESTMODSEQ \d+\] Expunged$/)]);
    expect(await client.ask('UID EXPUNGE 1:9')).toEqual(['* VANISHED 1', expect.stringMatching(/^OK \[HIGHESTMODSEQ/)]);
    expect(await client.ok('UID EXPUNGE 1:9')).toEqual([]);
  });

  it('says so before another answer that has a code', async () => {
    await using rig = await startRig({ settings: { imapMessageLimit: 2 } });
    for (let i = 0; i < 3; i++) await rig.deliver(mail(`${i}`));
    const [client, other] = [await rig.selected(), await rig.selected()];
    await other.ok('STORE 2 +FLAGS (\\Deleted)');
    expect(await client.ask('STORE 1:3 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Seen)')).toEqual(expect.arrayContaining([
      '* NO [MESSAGELIMIT 2 2] Not all: too many messages for one command', expect.stringMatching(/^OK \[MODIFIED 2(:3)?\]/),
    ]));
    await client.ok('NOOP');
    await other.ok('EXPUNGE');
    expect((await client.ask('FETCH 1:3 BODY[]')).filter((line) => /NO \[|^OK/.test(line))).toEqual(['* NO [MESSAGELIMIT 2 2] Not all: too many messages for one command', expect.stringMatching(/^OK \[EXPUNGEISSUED\]/)]);
  });
});

describe('messages that somebody else has removed', () => {
  it.each(['COPY', 'MOVE'])('are missed by %s of their numbers, and passed over by UID', async (verb) => {
    await using rig = await startRig();
    await rig.deliver(mail('a'), { flags: ['\\Deleted'] });
    const [one, two] = [await rig.selected('INBOX', 'CREATE to'), await rig.selected()];
    await one.ok('EXPUNGE');
    expect(await two.ask(`${verb} 1 to`)).toEqual(['* 1 EXPUNGE', 'NO [EXPUNGEISSUED] They are no longer there']);
    expect(await two.end(`UID ${verb} 1 to`)).toMatch(/^OK Nothing to/);
  });
});

describe('CLOSE', () => {
  it('removes what is marked, and closes also what is gone or may not be changed', async () => {
    await using rig = await startRig();
    const [one, two] = [await rig.loggedIn(), await rig.loggedIn()];
    await one.ok('CREATE x');
    await one.ok('APPEND x (\\Deleted) {3+}\r\na\r\n');
    await one.ok('SELECT x');
    expect(await one.ask('CLOSE')).toEqual(['OK Closed']);
    expect(await one.ok('STATUS x (MESSAGES)')).toEqual(['* STATUS x (MESSAGES 0)']);
    const expunge = rig.boxes.expunge.bind(rig.boxes);
    await one.ok('SELECT x');
    rig.boxes.expunge = async (...args) => {
      await rig.boxes.delete('id-of-ann', 'x');
      return expunge(...args);
    };
    expect(await one.ask('CLOSE')).toEqual(['OK Closed']);
    await two.ok('NOOP');
  });
});

describe('120,000 messages', () => {
  it('are marked and removed in steps, and copied whole or not at all', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('a'));
    const [stored] = await rig.boxes.messages('box-1', [1]);
    for (let i = 1; i < 120_000; i++) if (stored) rig.boxes.deliver('id-of-ann', 'INBOX', stored.body);
    const client = await rig.selected('INBOX', 'ENABLE QRESYNC', 'CREATE to');
    const steps: number[] = [];
    const storeFlags = rig.boxes.storeFlags.bind(rig.boxes);
    const expunge = rig.boxes.expunge.bind(rig.boxes);
    rig.boxes.storeFlags = (account, id, change) => (steps.push(change.uids.length), storeFlags(account, id, change));
    rig.boxes.expunge = (account, id, uids) => (steps.push(uids?.length ?? Infinity), expunge(account, id, uids));
    rig.boxes.copy = rig.boxes.move = () => Promise.reject(new MailboxRefusal('too-many'));
    for (const verb of ['COPY', 'MOVE']) expect(await client.ask(`${verb} 1:* to`)).toEqual(['NO [LIMIT] There are too many already']);
    await client.ok('STORE 1:* +FLAGS.SILENT (\\Deleted)');
    expect(await client.ok('UID EXPUNGE 1:10000')).toEqual(['* VANISHED 1:10000']);
    expect(await client.ask('EXPUNGE')).toEqual(['* VANISHED 10001:120000', expect.stringMatching(/^OK \[HIGHESTMODSEQ \d+\] Expunged$/)]);
    expect(steps).toEqual([50_000, 50_000, 20_000, 10_000, 50_000, 50_000, 10_000]);
  }, 60_000);
});
