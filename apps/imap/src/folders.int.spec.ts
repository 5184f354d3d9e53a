import { describe, expect, it } from '@jest/globals';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import { startRig } from './testing/rig.js';

const body = 'Subject: x\r\n\r\nx\r\n';

describe('LIST', () => {
  it('matches names, and knows superiors that are no mailboxes', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    for (const name of ['work/2026/jan', 'Sent', '"a b"', '&ZeVnLIqe-']) await client.ok(`CREATE ${name}`);
    await client.ok('DELETE work/2026');
    expect(await client.ok('LIST "" *')).toEqual([
      '* LIST (\\HasNoChildren) "/" INBOX',
      '* LIST (\\HasNoChildren) "/" Sent',
      '* LIST (\\HasNoChildren) "/" "a b"',
      '* LIST (\\HasChildren) "/" work',
      '* LIST (\\NonExistent \\HasChildren \\Noselect) "/" work/2026',
      '* LIST (\\HasNoChildren) "/" work/2026/jan',
      '* LIST (\\HasNoChildren) "/" &ZeVnLIqe-',
    ]);
    expect((await client.ok('LIST "" %')).map((line) => line.split(' ').at(-1))).toEqual(['INBOX', 'Sent', 'b"', 'work', '&ZeVnLIqe-']);
    expect(await client.ok('LIST work/ %')).toEqual(['* LIST (\\NonExistent \\HasChildren \\Noselect) "/" work/2026']);
    expect(await client.ok('LIST "" w*n')).toEqual(['* LIST (\\HasNoChildren) "/" work/2026/jan']);
    expect(await client.ok('LIST "" inbox')).toEqual(['* LIST (\\HasNoChildren) "/" INBOX']);
    expect(await client.ok('LIST "" ""')).toEqual(['* LIST (\\Noselect) "/" ""']);
    await client.ok('ENABLE UTF8=ACCEPT');
    expect(await client.ok('LIST "" (Sent "日*")')).toEqual(['* LIST (\\HasNoChildren) "/" Sent', `* LIST (\\HasNoChildren) "/" "${Buffer.from('日本語').toString('latin1')}"`]);
  });

  it('selects and returns more where asked', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    await client.ok('CREATE Post (USE (\\Sent))');
    await client.ok('CREATE a/b');
    for (const name of ['a/b', 'gone', 'Post']) await client.ok(`SUBSCRIBE ${name}`);
    expect(await client.ok('LIST (SUBSCRIBED) "" *')).toEqual([
      '* LIST (\\HasNoChildren \\Subscribed \\Sent) "/" Post', '* LIST (\\HasNoChildren \\Subscribed) "/" a/b', '* LIST (\\NonExistent \\Subscribed \\Noselect) "/" gone',
    ]);
    expect(await client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" %')).toEqual([
      '* LIST (\\HasNoChildren \\Subscribed \\Sent) "/" Post', '* LIST (\\HasChildren) "/" a ("CHILDINFO" ("SUBSCRIBED"))', '* LIST (\\NonExistent \\Subscribed \\Noselect) "/" gone',
    ]);
    expect(await client.ok('LIST (SPECIAL-USE) "" *')).toEqual(['* LIST (\\HasNoChildren \\Sent) "/" Post']);
    expect(await client.ok('LIST (SPECIAL-USE RECURSIVEMATCH) "" *')).toEqual(['* LIST (\\HasNoChildren \\Sent) "/" Post']);
    expect(await client.ok('LIST "" INBOX RETURN (MYRIGHTS STATUS (MESSAGES UNSEEN))')).toEqual([
      '* LIST (\\HasNoChildren) "/" INBOX', '* MYRIGHTS INBOX lrswipkxteacd', '* STATUS INBOX (MESSAGES 0 UNSEEN 0)',
    ]);
    expect(await client.ok('LSUB "" %')).toEqual(['* LSUB () "/" Post', '* LSUB (\\Noselect) "/" a', '* LSUB () "/" gone']);
    await client.ok('UNSUBSCRIBE gone');
    expect(await client.ok('LSUB "" *')).toEqual(['* LSUB () "/" Post', '* LSUB () "/" a/b']);
  });

  it('takes patterns that are meant to run for ever', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    await client.ok(`CREATE ${'a'.repeat(200)}`);
    expect(await client.ok(`LIST "" ${'*a%'.repeat(150)}b`)).toEqual([]);
  });
});

describe('mailboxes', () => {
  it('are made, renamed and deleted, with reasons where they are not', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    expect(await client.end('CREATE a/b')).toMatch(/^OK \[MAILBOXID \(box-\d+\)\] Created$/);
    expect(await client.end('CREATE a')).toBe('NO [ALREADYEXISTS] There is a mailbox of that name already');
    expect(await client.end('CREATE inbox')).toBe('NO [ALREADYEXISTS] There is a mailbox of that name already');
    expect(await client.end('CREATE x (USE (\\Everything))')).toMatch(/^NO \[USEATTR\]/);
    expect(await client.end('RENAME a c')).toBe('OK Renamed');
    expect(await client.end('DELETE a')).toBe('NO [NONEXISTENT] There is no such mailbox');
    expect(await client.end('DELETE INBOX')).toBe('NO [CANNOT] INBOX stays');
    expect(await client.end('DELETE c/b')).toBe('OK Deleted');
    await rig.deliver(body);
    await client.ok('SELECT INBOX');
    expect(await client.ask('RENAME INBOX old')).toEqual(['* 1 EXPUNGE', 'OK Renamed']);
    expect(await client.ok('STATUS old (MESSAGES)')).toEqual(['* STATUS old (MESSAGES 1)']);
  });

  it('tell their STATUS', async () => {
    await using rig = await startRig();
    await rig.deliver(body, { flags: ['\\Seen', '\\Deleted'] });
    await rig.deliver(body);
    const client = await rig.loggedIn();
    expect(await client.ok('STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT MAILBOXID DELETED-STORAGE)')).toEqual([
      '* STATUS INBOX (MESSAGES 2 RECENT 0 UIDNEXT 3 UIDVALIDITY 1700000001 UNSEEN 1 DELETED 1 SIZE 34 HIGHESTMODSEQ 3 APPENDLIMIT 104857600 MAILBOXID (box-1) DELETED-STORAGE 17)',
    ]);
    expect(await client.end('STATUS nowhere (MESSAGES)')).toBe('NO [NONEXISTENT] There is no such mailbox');
    expect(await client.ok('NAMESPACE')).toEqual(['* NAMESPACE (("" "/")) NIL (("#Shared/" "/"))']);
  });
});

describe('a shared mailbox', () => {
  it('is seen and used as far as the rights go', async () => {
    await using rig = await startRig();
    await rig.deliver(body);
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    expect(await ben.ok('LIST "" #Shared/*')).toEqual([]);
    await ann.ok('SETACL INBOX ben@x.test lr');
    expect(await ann.ok('GETACL INBOX')).toEqual(['* ACL INBOX ann@x.test lrswipkxteacd ben@x.test lr']);
    expect(await ben.ok('LIST "" #Shared/*')).toEqual([
      '* LIST (\\NonExistent \\HasChildren \\Noselect) "/" #Shared/ann@x.test', '* LIST (\\HasNoChildren) "/" #Shared/ann@x.test/INBOX',
    ]);
    expect(await ben.end('SELECT #Shared/ann@x.test/INBOX')).toBe('OK [READ-ONLY] Read-only');
    expect(await ben.end('STORE 1 +FLAGS (\\Seen)')).toMatch(/^NO \[READ-ONLY\]/);
    expect(await ben.ok('MYRIGHTS #Shared/ann@x.test/INBOX')).toEqual(['* MYRIGHTS #Shared/ann@x.test/INBOX lr']);
    expect(await ben.end('GETACL #Shared/ann@x.test/INBOX')).toBe('NO [NOPERM] Your rights do not allow that');
    await ann.ok('SETACL INBOX ben@x.test +s');
    expect(await ben.end('SELECT #Shared/ann@x.test/INBOX')).toBe('OK [READ-WRITE] Selected');
    expect(await ben.end('EXPUNGE')).toBe('NO [NOPERM] Your rights do not allow that');
    expect(await ben.ok('GETQUOTAROOT #Shared/ann@x.test/INBOX')).toEqual(['* QUOTAROOT #Shared/ann@x.test/INBOX']);
    expect(await ann.ok('LISTRIGHTS INBOX ben@x.test')).toEqual(['* LISTRIGHTS INBOX ben@x.test "" l r s w i p k x t e a c d']);
    await ben.ok('UNSELECT');
    await ann.ok('DELETEACL INBOX ben@x.test');
    expect(await ben.end('STATUS #Shared/ann@x.test/INBOX (MESSAGES)')).toMatch(/^NO \[NONEXISTENT\]/);
  });
});

describe('QUOTA', () => {
  it('tells what is used of how much, and is not for clients to set', async () => {
    await using rig = await startRig();
    await rig.deliver('x'.repeat(3000));
    rig.boxes.limit = 10 * 1024;
    const client = await rig.loggedIn();
    expect(await client.ok('GETQUOTAROOT INBOX')).toEqual(['* QUOTAROOT INBOX ""', '* QUOTA "" (STORAGE 3 10)']);
    expect(await client.ok('GETQUOTA ""')).toEqual(['* QUOTA "" (STORAGE 3 10)']);
    expect(await client.end('GETQUOTA other')).toMatch(/^NO \[NONEXISTENT\]/);
    expect(await client.end('SETQUOTA "" (STORAGE 9)')).toBe('NO [NOPERM] Administrators set quotas');
    rig.boxes.limit = 0;
    expect(await client.ok('GETQUOTA ""')).toEqual(['* QUOTA "" ()']);
  });
});

describe('METADATA', () => {
  it('is set, read by depth and size, and removed', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    await client.ok('SETMETADATA INBOX (/private/comment "mine" /private/comment/a "longer than that" /shared/comment {3+}\r\na"b)');
    expect(await client.ok('GETMETADATA INBOX /private/comment')).toEqual(['* METADATA INBOX (/private/comment "mine")']);
    expect(await client.ok('GETMETADATA (DEPTH 1) INBOX /private/comment')).toEqual(['* METADATA INBOX (/private/comment "mine" /private/comment/a "longer than that")']);
    expect(await client.ask('GETMETADATA (MAXSIZE 5 DEPTH infinity) INBOX (/private /shared)')).toEqual([
      '* METADATA INBOX (/private/comment "mine" /shared/comment "a\\"b")', 'OK [METADATA LONGENTRIES 16] Some are longer',
    ]);
    await client.ok('SETMETADATA INBOX (/private/comment NIL)');
    expect(await client.ok('GETMETADATA INBOX /private/comment')).toEqual(['* METADATA INBOX (/private/comment NIL)']);
    expect(await client.end('SETMETADATA "" (/shared/admin "x")')).toBe('NO [NOPERM] Administrators set that');
    await client.ok('SETMETADATA "" (/private/vendor/x "y")');
    rig.boxes.setMetadata = () => Promise.reject(new MailboxRefusal('too-big'));
    expect(await client.end('SETMETADATA INBOX (/private/comment "x")')).toBe('NO [METADATA MAXSIZE 65536] That cannot be kept');
    rig.boxes.setMetadata = () => Promise.reject(new MailboxRefusal('too-many'));
    expect(await client.end('SETMETADATA INBOX (/private/comment "x")')).toBe('NO [METADATA TOOMANY] That cannot be kept');
    expect(await client.ok('GETMETADATA "" /private/vendor/x')).toEqual(['* METADATA "" (/private/vendor/x "y")']);
  });
});

describe('a shared mailbox whose rights change while it is open', () => {
  const name = '#Shared/ann@x.test/INBOX';

  it('is used as far as they go now', async () => {
    await using rig = await startRig();
    await rig.deliver(body);
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('SETACL INBOX ben@x.test lrswite');
    await ben.ok(`SELECT ${name}`);
    await ann.ok('SETACL INBOX ben@x.test lrs');
    expect(await ben.end('EXPUNGE')).toBe('NO [NOPERM] Your rights do not allow that');
    await ben.ok('STORE 1 +FLAGS (\\Seen)');
    await ann.ok('SETACL INBOX ben@x.test lr');
    expect(await ben.end('STORE 1 -FLAGS (\\Seen)')).toBe('NO [NOPERM] Your rights do not allow that');
    expect(await ben.ok('FETCH 1 BODY[TEXT]')).toEqual(['* 1 FETCH (BODY[TEXT] {3}\r\nx\r\n)']);
  });

  it('is left when it may not be read any more', async () => {
    await using rig = await startRig();
    await rig.deliver(body);
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('SETACL INBOX ben@x.test lr');
    await ben.ok(`SELECT ${name}`);
    await ann.ok('DELETEACL INBOX ben@x.test');
    ben.write('a FETCH 1 BODY[]\r\n');
    expect(await ben.socket.readToEnd()).toBe('* BYE The mailbox is not shared with you any more\r\na NO [NOPERM] The mailbox is not shared with you any more\r\n');
  });

  it.each(['IDLE', 'NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))'])('tells nothing more to who waits with %s', async (command) => {
    await using rig = await startRig();
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('SETACL INBOX ben@x.test lr');
    await ben.ok(`SELECT ${name}`);
    if (command === 'IDLE') {
      ben.say('IDLE');
      await ben.line();
    } else await ben.ok(command);
    await rig.deliver(body);
    expect(await ben.line()).toBe('* 1 EXISTS');
    await ben.line();
    await ann.ok('DELETEACL INBOX ben@x.test');
    await rig.deliver(body);
    expect(await ben.socket.readToEnd()).toBe('* BYE The mailbox is not shared with you any more\r\n');
  });

  it('goes on where the owner only renames it', async () => {
    await using rig = await startRig();
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('CREATE work');
    await ann.ok('SETACL work ben@x.test lr');
    await ben.ok('SELECT #Shared/ann@x.test/work');
    await ann.ok('RENAME work done');
    expect(await ben.ok('NOOP')).toEqual([]);
  });

  it('names the flags that can be kept', async () => {
    await using rig = await startRig();
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('SETACL INBOX ben@x.test lrst');
    expect((await ben.ok(`SELECT ${name}`))[1]).toBe('* OK [PERMANENTFLAGS (\\Deleted \\Seen)] Kept for good');
  });

  it('tells no UIDs to who may put messages there but not read them', async () => {
    await using rig = await startRig();
    await rig.deliver(body, { to: 'ben' });
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('CREATE drop');
    await ann.ok('SETACL drop ben@x.test li');
    await ben.ok('SELECT INBOX');
    expect(await ben.ask('APPEND #Shared/ann@x.test/drop {3+}\r\na\r\n')).toEqual(['OK Appended']);
    expect(await ben.ask('COPY 1 #Shared/ann@x.test/drop')).toEqual(['OK Copied']);
    expect(await ben.ask('MOVE 1 #Shared/ann@x.test/drop')).toEqual(['* 1 EXPUNGE', 'OK Moved']);
  });
});

describe('a mailbox of another name', () => {
  it('that is open is known by what it is, not by its name', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    await client.ok('CREATE x');
    await client.ok('SELECT x');
    await client.ok('RENAME x y');
    await client.ok('CREATE x');
    expect(await client.ask('DELETE x')).toEqual(['OK Deleted']);
    await client.ok('CHECK');
    expect(await client.ask('DELETE y')).toEqual(['* OK [CLOSED] The mailbox is gone', 'OK Deleted']);
    expect(await client.end('CHECK')).toBe('BAD Select a mailbox first');
  });
});
