import { describe, expect, it } from '@jest/globals';
import { read } from './testing.js';

const none = { uid: false };
const condition = { select: { subscribed: false, remote: false, recursiveMatch: false, specialUse: false }, returns: { subscribed: false, children: false, specialUse: false, myRights: false } };

describe('a command without arguments', () => {
  it.each(['CAPABILITY', 'NOOP', 'LOGOUT', 'STARTTLS', 'CHECK', 'CLOSE', 'UNSELECT', 'IDLE', 'NAMESPACE', 'UNAUTHENTICATE', 'EXPUNGE'])('%s is read in any case', (verb) => {
    expect(read(verb)).toEqual({ ...none, verb });
    expect(read(verb.toLowerCase())).toEqual({ ...none, verb });
  });

  it.each(['NOOP ', 'NOOP 1', 'LOGOUT now', ' NOOP', 'EXPUNGE 1:*', 'CHECK()', 'IDLE {0+}\r\n'])('%j is none', (line) =>
    expect(read(line)).toMatchObject({ status: 'BAD' }));
});

describe('login', () => {
  it.each([
    ['LOGIN ann pencil', { verb: 'LOGIN', user: 'ann', password: 'pencil' }],
    ['login "ann@x.test" "pen \\"c\\\\il"', { verb: 'LOGIN', user: 'ann@x.test', password: 'pen "c\\il' }],
    ['LOGIN {3}\r\nann {6+}\r\npencil', { verb: 'LOGIN', user: 'ann', password: 'pencil' }],
    ['LOGIN ann "鉛筆"', { verb: 'LOGIN', user: 'ann', password: '鉛筆' }],
    ['LOGIN ann {6}\r\n鉛筆', { verb: 'LOGIN', user: 'ann', password: '鉛筆' }],
    ['LOGIN "" ""', { verb: 'LOGIN', user: '', password: '' }],
    ['LOGIN ann {0}\r\n', { verb: 'LOGIN', user: 'ann', password: '' }],
    ['LOGIN a]b c]', { verb: 'LOGIN', user: 'a]b', password: 'c]' }],
    ['AUTHENTICATE plain', { verb: 'AUTHENTICATE', mechanism: 'PLAIN' }],
    ['AUTHENTICATE PLAIN AGFubgBwZW5jaWw=', { verb: 'AUTHENTICATE', mechanism: 'PLAIN', initial: 'AGFubgBwZW5jaWw=' }],
    ['AUTHENTICATE SCRAM-SHA-256 =', { verb: 'AUTHENTICATE', mechanism: 'SCRAM-SHA-256', initial: '' }],
    ['ID NIL', { verb: 'ID', fields: null }],
    ['ID ()', { verb: 'ID', fields: [] }],
    ['ID ("name" "x" "version" NIL)', { verb: 'ID', fields: [['name', 'x'], ['version', null]] }],
    ['ENABLE condstore utf8=ACCEPT CONDSTORE', { verb: 'ENABLE', capabilities: ['CONDSTORE', 'UTF8=ACCEPT'] }],
    ['COMPRESS deflate', { verb: 'COMPRESS', mechanism: 'DEFLATE' }],
  ])('%j is read', (line, command) => expect(read(line)).toEqual({ ...none, ...command }));

  it.each([
    'LOGIN', 'LOGIN ann', 'LOGIN ann ', 'LOGIN ann pencil ', 'LOGIN ann pencil x', 'LOGIN  ann pencil', 'LOGIN ann "pencil', 'LOGIN ann "pen\\cil"', 'LOGIN ann pen"cil',
    'LOGIN ann 鉛筆', 'LOGIN (ann) x', 'LOGIN ann {3}\r\na\0b', 'LOGIN ann ~{3}\r\nabc', 'LOGIN ann {6}x', 'LOGIN ann "a\0b"', 'LOGIN ann "a\nb"', 'LOGIN ann "a\rb"', 'LOGIN ann pen%cil',
    'AUTHENTICATE', 'AUTHENTICATE PLAIN ', 'AUTHENTICATE PLAIN ==', 'AUTHENTICATE PLAIN a=b', 'AUTHENTICATE PLAIN a b', 'AUTHENTICATE PL"N',
    'ID', 'ID (name "x")', 'ID ("name")', 'ID ("name" "x"', 'ID ("name" "x" )', 'ID (NIL "x")', `ID ("${'n'.repeat(31)}" "x")`, 'ENABLE', 'ENABLE ', 'ENABLE A  B', 'COMPRESS', 'COMPRESS A B',
  ])('%j is refused', (line) => expect(read(line)).toMatchObject({ status: 'BAD', verb: line.split(' ')[0] }));

  it('takes no more fields of ID than the RFC allows', () =>
    expect(read(`ID (${Array<string>(31).fill('"a" NIL').join(' ')})`)).toMatchObject({ status: 'NO', code: 'LIMIT' }));
});

describe('a command on mailboxes', () => {
  it.each([
    ['SELECT inbox', { verb: 'SELECT', mailbox: 'INBOX', condstore: false }],
    ['EXAMINE "inBOX/a b"', { verb: 'EXAMINE', mailbox: 'INBOX/a b', condstore: false }],
    ['SELECT Inboxes', { verb: 'SELECT', mailbox: 'Inboxes', condstore: false }],
    ['SELECT &MMYwuTDI-', { verb: 'SELECT', mailbox: 'テスト', condstore: false }],
    ['SELECT "R&-D"', { verb: 'SELECT', mailbox: 'R&D', condstore: false }],
    ['SELECT {5}\r\nab] c', { verb: 'SELECT', mailbox: 'ab] c', condstore: false }],
    ['SELECT a (CONDSTORE)', { verb: 'SELECT', mailbox: 'a', condstore: true }],
    ['SELECT a (QRESYNC (67890007 20050715194045000))', { verb: 'SELECT', mailbox: 'a', condstore: false, qresync: { uidValidity: 67890007, modSeq: 20050715194045000 } }],
    ['SELECT a (QRESYNC (1 2 41,43:211) CONDSTORE)', { verb: 'SELECT', mailbox: 'a', condstore: true, qresync: { uidValidity: 1, modSeq: 2, uids: [41, 41, 43, 211] } }],
    ['SELECT a (QRESYNC (1 2 1:9 (1,3 4,9)))', { verb: 'SELECT', mailbox: 'a', condstore: false, qresync: { uidValidity: 1, modSeq: 2, uids: [1, 9], match: { numbers: [1, 1, 3, 3], uids: [4, 4, 9, 9] } } }],
    ['SELECT a (QRESYNC (1 2 (1:3 4:6)))', { verb: 'SELECT', mailbox: 'a', condstore: false, qresync: { uidValidity: 1, modSeq: 2, match: { numbers: [1, 3], uids: [4, 6] } } }],
    ['CREATE a/b/', { verb: 'CREATE', mailbox: 'a/b', specialUse: [] }],
    ['CREATE a (USE (\\sent \\Drafts))', { verb: 'CREATE', mailbox: 'a', specialUse: ['\\Sent', '\\Drafts'] }],
    ['CREATE a (USE ())', { verb: 'CREATE', mailbox: 'a', specialUse: [] }],
    ['DELETE a', { verb: 'DELETE', mailbox: 'a' }],
    ['RENAME a "b c"', { verb: 'RENAME', from: 'a', to: 'b c' }],
    ['SUBSCRIBE #Shared/x', { verb: 'SUBSCRIBE', mailbox: '#Shared/x' }],
    ['UNSUBSCRIBE a', { verb: 'UNSUBSCRIBE', mailbox: 'a' }],
    ['LSUB "" *', { verb: 'LSUB', reference: '', pattern: '*' }],
    ['LSUB a "%"', { verb: 'LSUB', reference: 'a', pattern: '%' }],
    ['STATUS a (messages UIDNEXT messages DELETED-STORAGE)', { verb: 'STATUS', mailbox: 'a', items: ['MESSAGES', 'UIDNEXT', 'DELETED-STORAGE'] }],
    ['STATUS NIL (RECENT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT MAILBOXID)', {
      verb: 'STATUS', mailbox: 'NIL', items: ['RECENT', 'UIDVALIDITY', 'UNSEEN', 'DELETED', 'SIZE', 'HIGHESTMODSEQ', 'APPENDLIMIT', 'MAILBOXID'],
    }],
  ])('%j is read', (line, command) => expect(read(line)).toEqual({ ...none, ...command }));

  it.each([
    'SELECT', 'SELECT a b', 'SELECT a ()', 'SELECT a (CONDSTORE', 'SELECT a (UTF8)', 'SELECT a (QRESYNC)', 'SELECT a (QRESYNC (0 1))', 'SELECT a (QRESYNC (1 0))', 'SELECT a (QRESYNC (1 2 1:*))',
    'SELECT a (QRESYNC (1 2 $))', 'SELECT a (QRESYNC (1 2 (1:3 4:5)))', 'SELECT a (QRESYNC (1 2 ))', 'SELECT a (QRESYNC (1 2) QRESYNC (1 2))', 'SELECT a%b', 'SELECT a*', 'SELECT (a)',
    'CREATE', 'CREATE a (USE \\Sent)', 'CREATE a (FOO)', 'CREATE a (USE (Sent))', 'RENAME a', 'RENAME a b c', 'DELETE', 'LSUB a', 'LSUB a (b)',
    'STATUS a', 'STATUS a ()', 'STATUS a MESSAGES', 'STATUS a (FOO)', 'STATUS a (MESSAGES UNSEEN', 'STATUS a (MESSAGES  UNSEEN)',
  ])('%j is refused', (line) => expect(read(line)).toMatchObject({ status: 'BAD', verb: line.split(' ')[0] }));

  it.each(['SELECT "a&b"', 'SELECT &AGE-', 'SELECT "&MMY"', 'SELECT "&MMY-&MLk-"', 'SELECT "日本"', 'DELETE {6}\r\n日本'])('%j names no mailbox', (line) =>
    expect(read(line)).toMatchObject({ status: 'NO', code: 'CANNOT' }));

  it('refuses a special use that is not known', () => expect(read('CREATE a (USE (\\Foo))')).toMatchObject({ status: 'NO', code: 'USEATTR' }));

  it('has names in UTF-8, whatever their form, once that is enabled', () => {
    expect(read('SELECT "日本&"', { utf8: true })).toMatchObject({ mailbox: '日本&' });
    expect(read('SELECT "か\u3099"', { utf8: true })).toMatchObject({ mailbox: 'が' });
    expect(read('SELECT &MMYwuTDI-', { utf8: true })).toMatchObject({ mailbox: '&MMYwuTDI-' });
    expect(read('SELECT inbox', { utf8: true })).toMatchObject({ mailbox: 'INBOX' });
  });

  it('has the normal form of a name also in modified UTF-7', () => expect(read('SELECT &MEswmQ-')).toMatchObject({ mailbox: 'が' }));
});

describe('LIST', () => {
  it.each([
    ['LIST "" *', { reference: '', patterns: ['*'], extended: false }],
    ['LIST "" ""', { reference: '', patterns: [''], extended: false }],
    ['LIST inbox/ %]x', { reference: 'INBOX/', patterns: ['%]x'], extended: false }],
    ['LIST "" "&MMYwuTDI-/%"', { reference: '', patterns: ['テスト/%'], extended: false }],
    ['LIST "" (a% {2}\r\nb* inbox)', { reference: '', patterns: ['a%', 'b*', 'INBOX'], extended: true }],
    ['LIST () "" *', { reference: '', patterns: ['*'], extended: true }],
    ['LIST (SUBSCRIBED REMOTE recursivematch) "" *', { reference: '', patterns: ['*'], extended: true, select: { ...condition.select, subscribed: true, remote: true, recursiveMatch: true } }],
    ['LIST (SPECIAL-USE) "" *', { reference: '', patterns: ['*'], extended: true, select: { ...condition.select, specialUse: true } }],
    ['LIST "" * RETURN ()', { reference: '', patterns: ['*'], extended: true }],
    ['LIST "" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE MYRIGHTS STATUS (MESSAGES UNSEEN))', {
      reference: '', patterns: ['*'], extended: true,
      returns: { subscribed: true, children: true, specialUse: true, myRights: true, status: ['MESSAGES', 'UNSEEN'] },
    }],
  ])('%j is read', (line, command) => expect(read(line)).toEqual({ ...none, verb: 'LIST', ...condition, ...command }));

  it.each([
    'LIST', 'LIST ""', 'LIST "" ()', 'LIST "" (a', 'LIST "" a b', 'LIST (FOO) "" *', 'LIST (RECURSIVEMATCH) "" *', 'LIST (REMOTE RECURSIVEMATCH) "" *', 'LIST "" * RETURN', 'LIST "" * RETURN (FOO)',
    'LIST "" * RETURN (STATUS)', 'LIST "" * RETURN (STATUS ())', 'LIST "" * RETURN (CHILDREN) x', 'LIST (SUBSCRIBED)"" *',
  ])('%j is refused', (line) => expect(read(line)).toMatchObject({ status: 'BAD', verb: 'LIST' }));

  it('takes a hundred patterns and no more', () => {
    expect(read(`LIST "" (${Array<string>(100).fill('a').join(' ')})`)).toMatchObject({ verb: 'LIST', extended: true });
    expect(read(`LIST "" (${Array<string>(101).fill('a').join(' ')})`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
  });
});

describe('a command on messages', () => {
  it.each([
    ['STORE 1:3 FLAGS (\\seen \\Deleted $Junk)', { verb: 'STORE', set: [1, 3], operation: 'replace', silent: false, flags: ['\\Seen', '\\Deleted', '$Junk'] }],
    ['STORE * +flags.silent \\Seen work Work', { verb: 'STORE', set: [0, 0], operation: 'add', silent: true, flags: ['\\Seen', 'work'] }],
    ['STORE $ -FLAGS ()', { verb: 'STORE', set: '$', operation: 'remove', silent: false, flags: [] }],
    ['STORE 1 (UNCHANGEDSINCE 0) FLAGS.SILENT ()', { verb: 'STORE', set: [1, 1], operation: 'replace', silent: true, flags: [], unchangedSince: 0 }],
    ['COPY 2:4 a', { verb: 'COPY', set: [2, 4], mailbox: 'a' }],
    ['MOVE 2,9:* "b c"', { verb: 'MOVE', set: [2, 2, 9, 0], mailbox: 'b c' }],
    ['UID EXPUNGE 5:7', { uid: true, verb: 'EXPUNGE', set: [5, 7] }],
    ['uid copy $ a', { uid: true, verb: 'COPY', set: '$', mailbox: 'a' }],
    ['UID STORE 4294967295 FLAGS x', { uid: true, verb: 'STORE', set: [4294967295, 4294967295], operation: 'replace', silent: false, flags: ['x'] }],
  ])('%j is read', (line, command) => expect(read(line)).toEqual({ ...none, ...command }));

  it.each([
    'STORE', 'STORE 1', 'STORE 1 FLAGS', 'STORE 1 FLAGS ', 'STORE 1 FLAGS (\\Recent)', 'STORE 1 FLAGS (\\Foo)', 'STORE 1 FLAGS (\\*)', 'STORE 1 FLAGS (a', 'STORE 1 FLAGS (a) b', 'STORE 1 FLAGS ("a")', 'STORE 1 FLAGS (a  b)',
    'STORE 1 FLAG (a)', 'STORE 1 +-FLAGS (a)', 'STORE 1 (UNCHANGEDSINCE) FLAGS ()', 'STORE 1 (UNCHANGEDSINCE 9223372036854775809000) FLAGS ()', 'STORE 1 (FOO 1) FLAGS ()', 'STORE 1 () FLAGS ()',
    'COPY 0 a', 'COPY 01 a', 'COPY 4294967296 a', 'COPY 1: a', 'COPY :1 a', 'COPY 1:2:3 a', 'COPY 1,,2 a', 'COPY ,1 a', 'COPY 1, a', 'COPY ** a', 'COPY 1* a', 'COPY *1 a', 'COPY $,1 a', 'COPY 1,$ a', 'COPY -1 a',
    'COPY 1', 'COPY 1 a b', 'MOVE', 'COPY a 1',
  ])('%j is refused', (line) => expect(read(line)).toMatchObject({ status: 'BAD', verb: line.split(' ')[0] }));

  it.each(['UID', 'UID ', 'UID NOOP', 'UID UID FETCH 1 FLAGS', 'UID SELECT a', 'FOO', 'FETCH1', 'NOOP(', 'UID  FETCH 1 FLAGS', 'CONSTRUCTOR', '__proto__', '1 NOOP'])('%j is no command', (line) => {
    const bad = read(line);
    expect(bad).toMatchObject({ status: 'BAD' });
    expect(bad.verb).toBeUndefined();
  });

  it('takes no keyword that is longer than the limit, nor too many', () => {
    expect(read(`STORE 1 FLAGS (${'k'.repeat(128)})`)).toMatchObject({ verb: 'STORE', silent: false });
    expect(read(`STORE 1 FLAGS (${'k'.repeat(129)})`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
    expect(read(`STORE 1 FLAGS ${Array<string>(101).fill('k').join(' ')}`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
  });

  it('takes sets of many ranges up to the limit', () => {
    expect(read(`COPY ${Array<string>(20_000).fill('1').join(',')} a`)).toMatchObject({ verb: 'COPY', mailbox: 'a' });
    expect(read(`COPY ${Array<string>(20_001).fill('1').join(',')} a`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
  });
});

describe('quotas, rights and metadata', () => {
  it.each([
    ['GETQUOTA ""', { verb: 'GETQUOTA', root: '' }],
    ['GETQUOTAROOT inbox', { verb: 'GETQUOTAROOT', mailbox: 'INBOX' }],
    ['SETQUOTA "" (storage 512 MESSAGE 9007199254740991)', { verb: 'SETQUOTA', root: '', limits: [['STORAGE', 512], ['MESSAGE', 9007199254740991]] }],
    ['SETQUOTA r ()', { verb: 'SETQUOTA', root: 'r', limits: [] }],
    ['GETACL a', { verb: 'GETACL', mailbox: 'a' }],
    ['MYRIGHTS a', { verb: 'MYRIGHTS', mailbox: 'a' }],
    ['SETACL a bob@x.test lrs', { verb: 'SETACL', mailbox: 'a', identifier: 'bob@x.test', operation: 'replace', rights: 'lrs' }],
    ['SETACL a -anyone +srs', { verb: 'SETACL', mailbox: 'a', identifier: '-anyone', operation: 'add', rights: 'rs' }],
    ['SETACL a bob -cd', { verb: 'SETACL', mailbox: 'a', identifier: 'bob', operation: 'remove', rights: 'kxte' }],
    ['SETACL a bob ""', { verb: 'SETACL', mailbox: 'a', identifier: 'bob', operation: 'replace', rights: '' }],
    ['DELETEACL a bob', { verb: 'DELETEACL', mailbox: 'a', identifier: 'bob' }],
    ['LISTRIGHTS a "b c"', { verb: 'LISTRIGHTS', mailbox: 'a', identifier: 'b c' }],
    ['GETMETADATA "" /shared/Comment', { verb: 'GETMETADATA', mailbox: '', entries: ['/shared/comment'], depth: 0 }],
    ['GETMETADATA (MAXSIZE 1024 DEPTH infinity) a (/shared/comment /private/comment)', { verb: 'GETMETADATA', mailbox: 'a', entries: ['/shared/comment', '/private/comment'], maxSize: 1024, depth: 'infinity' }],
    ['GETMETADATA a (DEPTH 1) (/shared/comment)', { verb: 'GETMETADATA', mailbox: 'a', entries: ['/shared/comment'], depth: 1 }],
    ['SETMETADATA a (/private/x NIL /private/y "v" /private/z ~{4+}\r\nnil?)', { verb: 'SETMETADATA', mailbox: 'a', entries: [['/private/x', null], ['/private/y', 'v'], ['/private/z', 'nil?']] }],
  ])('%j is read', (line, command) => expect(read(line)).toEqual({ ...none, ...command }));

  it.each([
    'GETQUOTA', 'SETQUOTA ""', 'SETQUOTA "" (STORAGE)', 'SETQUOTA "" (STORAGE x)', 'SETQUOTA "" (STORAGE -1)', 'GETQUOTAROOT', 'GETACL', 'GETACL a b', 'MYRIGHTS', 'SETACL a bob', 'SETACL a bob lrz', 'SETACL a bob LRS', 'SETACL a "" l',
    'SETACL a bob +-l', 'DELETEACL a', 'LISTRIGHTS a', 'GETMETADATA a', 'GETMETADATA a comment', 'GETMETADATA a /a//b', 'GETMETADATA a /', 'GETMETADATA a "/a/"', 'GETMETADATA a "/a*"', 'GETMETADATA a "/a%"', 'GETMETADATA (FOO 1) a /x',
    'GETMETADATA (DEPTH 2) a /x', 'GETMETADATA (MAXSIZE 1 MAXSIZE 2 DEPTH 0) a /x', 'GETMETADATA a ()', 'SETMETADATA a', 'SETMETADATA a ()', 'SETMETADATA a (/x)', 'SETMETADATA a (/x y)', 'SETMETADATA a (/x "v"', 'SETMETADATA a (/é "v")',
  ])('%j is refused', (line) => expect(read(line)).toMatchObject({ status: 'BAD', verb: line.split(' ')[0] }));
});

describe('NOTIFY', () => {
  it.each([
    ['NOTIFY NONE', null],
    ['NOTIFY SET STATUS (selected-delayed (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (personal (mailboxname SubscriptionChange))', {
      status: true,
      groups: [
        { mailboxes: { filter: 'selected-delayed' }, events: [{ event: 'MessageNew', items: [{ item: 'UID' }, { item: 'FLAGS' }] }, { event: 'MessageExpunge' }, { event: 'FlagChange' }] },
        { mailboxes: { filter: 'personal' }, events: [{ event: 'MailboxName' }, { event: 'SubscriptionChange' }] },
      ],
    }],
    ['NOTIFY SET (subtree (inbox "b c") (MessageNew MessageExpunge)) (mailboxes a NONE)', {
      status: false,
      groups: [
        { mailboxes: { filter: 'subtree', names: ['INBOX', 'b c'] }, events: [{ event: 'MessageNew', items: [] }, { event: 'MessageExpunge' }] },
        { mailboxes: { filter: 'mailboxes', names: ['a'] }, events: [] },
      ],
    }],
  ])('%j is read', (line, set) => expect(read(line)).toEqual({ ...none, verb: 'NOTIFY', set }));

  it.each([
    'NOTIFY', 'NOTIFY SET', 'NOTIFY SET STATUS', 'NOTIFY SET ()', 'NOTIFY SET (selected ())', 'NOTIFY SET STATUS (selected MessageNew)', 'NOTIFY SET (selected (MessageNew))', 'NOTIFY SET (selected (FlagChange))', 'NOTIFY SET (selected (MailboxName))',
    'NOTIFY SET (inboxes (MessageNew (UID) MessageExpunge))', 'NOTIFY SET (selected NONE) (selected-delayed NONE)', 'NOTIFY SET (foo NONE)', 'NOTIFY SET (mailboxes NONE)', 'NOTIFY SET (personal NONE', 'NOTIFY NONE x',
  ])('%j is refused', (line) => expect(read(line)).toMatchObject({ status: 'BAD', verb: 'NOTIFY' }));

  it('names the events that there are when asked for another', () => {
    const bad = read('NOTIFY SET (personal (AnnotationChange))');
    expect(bad).toMatchObject({ status: 'NO' });
    expect(bad.code).toMatch(/^BADEVENT \(MessageNew MessageExpunge FlagChange MailboxName/);
  });
});
