import { describe, expect, it } from '@jest/globals';
import { type Rig, startRig } from './testing/rig.js';

/** Wrong syntax of every kind, by what is wrong. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  'an argument too few': ['SELECT', 'LIST ""', 'STATUS INBOX', 'RENAME a', 'FETCH 1', 'STORE 1 FLAGS', 'COPY 1', 'UID', 'UID EXPUNGE', 'SEARCH', 'SORT (DATE) UTF-8', 'THREAD REFERENCES', 'APPEND INBOX', 'ENABLE', 'NOTIFY', 'COMPRESS', 'GETQUOTA', 'SETACL INBOX ann', 'GETMETADATA INBOX', 'REPLACE 1 INBOX'],
  'an argument too many': ['NOOP x', 'CLOSE 1', 'IDLE now', 'SELECT a b', 'CAPABILITY ALL', 'NAMESPACE ""', 'EXPUNGE 1:*', 'LIST "" * %', 'MYRIGHTS INBOX ann'],
  'white space where none belongs': [' NOOP', 'NOOP ', 'FETCH  1 FLAGS', 'FETCH 1 (FLAGS )', 'FETCH 1 ( FLAGS)', 'SEARCH ALL ', 'LIST ""  *', 'SELECT\tINBOX'],
  'a set that is none': ['FETCH 0 FLAGS', 'FETCH 1: FLAGS', 'FETCH :1 FLAGS', 'FETCH 1,,2 FLAGS', 'FETCH 1:2:3 FLAGS', 'FETCH -1 FLAGS', 'FETCH 4294967296 FLAGS', 'FETCH ** FLAGS', 'FETCH 01 FLAGS', 'FETCH $1 FLAGS', 'UID FETCH x FLAGS'],
  'an item that is none': ['FETCH 1 X', 'FETCH 1 BODY[', 'FETCH 1 BODY[]<0>', 'FETCH 1 BODY[]<0.0>', 'FETCH 1 BODY[]<-1.5>', 'FETCH 1 BODY[MIME]', 'FETCH 1 BODY[1.]', 'FETCH 1 BODY[0]', 'FETCH 1 BODY[HEADER.FIELDS]', 'FETCH 1 BODY[HEADER.FIELDS ()]', 'FETCH 1 ()', 'FETCH 1 BINARY[HEADER]', 'STATUS INBOX ()', 'STATUS INBOX (X)', 'STATUS INBOX MESSAGES'],
  'flags that are none': ['STORE 1 +FLAGS \\Recent', 'STORE 1 +FLAGS (\\Unknown)', 'STORE 1 +FLAGS (a(b)', 'STORE 1 *FLAGS (x)', 'STORE 1 FLAGS.LOUD (x)', 'STORE 1 (UNCHANGEDSINCE) FLAGS ()', 'STORE 1 (UNCHANGEDSINCE -1) FLAGS ()', 'APPEND INBOX (\\Recent) {1+}\r\nx'],
  'a key that is none': ['SEARCH X', 'SEARCH NOT', 'SEARCH OR ALL', 'SEARCH ()', 'SEARCH (ALL', 'SEARCH SINCE yesterday', 'SEARCH ON 31-Feb-2026', 'SEARCH LARGER x', 'SEARCH KEYWORD \\Seen', 'SEARCH HEADER x', 'SEARCH RETURN (X) ALL', 'SEARCH RETURN (ALL PARTIAL 1:2) ALL', 'SEARCH RETURN (PARTIAL 1:-2) ALL', 'SEARCH OLDER 0', 'SORT () UTF-8 ALL', 'SORT (X) UTF-8 ALL', 'THREAD X UTF-8 ALL', 'SEARCH MODSEQ x'],
  'a string that is none': ['SELECT "INBOX', 'SELECT "a\\b"', 'SELECT {x}', 'SELECT {-1}', 'SELECT {1 }', 'SELECT ~{1+}\r\nx', 'LOGIN', 'SELECT a"b"', 'LIST (X) "" *', 'LIST "" * RETURN (X)', 'LIST (RECURSIVEMATCH) "" *'],
  'a date that is none': ['APPEND INBOX "1-Jan-2026 00:00:00" {1+}\r\nx', 'APPEND INBOX "32-Jan-2026 00:00:00 +0000" {1+}\r\nx', 'APPEND INBOX " 1-Jan-2026 25:00:00 +0000" {1+}\r\nx'],
  'a message that is none': ['APPEND INBOX x', 'APPEND INBOX "x"', 'APPEND INBOX {0+}\r\n', 'APPEND INBOX {3+}\r\na\0b', 'APPEND INBOX CATENATE ()', 'APPEND INBOX CATENATE (FILE x)', 'APPEND INBOX UTF8 ({1+}\r\nx)'],
  'an option that is none': ['SELECT INBOX (X)', 'SELECT INBOX ()', 'SELECT INBOX (QRESYNC)', 'SELECT INBOX (QRESYNC (0 1))', 'UID FETCH 1 FLAGS (VANISHED)', 'FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)', 'FETCH 1 FLAGS (PARTIAL 1:2 PARTIAL 1:2)', 'NOTIFY SET', 'NOTIFY SET (inboxes (MessageNew))', 'NOTIFY SET (everywhere NONE)', 'SETACL INBOX ann +-l', 'SETACL INBOX ann z', 'SETMETADATA INBOX (comment x)', 'SETMETADATA INBOX (/other/x "y")', 'GETMETADATA (DEPTH 7) INBOX /private', 'SETQUOTA "" (STORAGE -1)'],
  'no command at all': ['', 'XYZZY', 'UID NOOP', 'UID UID FETCH 1 FLAGS', 'FETCH(1 FLAGS)'],
};

describe('a command with', () => {
  let rig: Rig;
  it.each(Object.entries(WRONG))('%s is BAD, and the next is heard', async (_, commands) => {
    rig = await startRig({ settings: { commandErrors: 0 } });
    await using own = rig;
    await own.deliver('Subject: x\r\n\r\nx\r\n');
    const client = await own.selected();
    for (const command of commands) {
      client.write(`a ${command}\r\nb NOOP\r\n`);
      const lines: string[] = [];
      do lines.push(await client.line());
      while (!lines.at(-1)?.startsWith('b '));
      expect([command, ...lines]).toEqual([command, expect.stringMatching(/^[a*] BAD /), 'b OK Done nothing']);
    }
    expect(own.troubles).toEqual([]);
  });

  it('a tag that is none is BAD without one', async () => {
    await using own = await startRig({ settings: { commandErrors: 0 } });
    const client = await own.loggedIn();
    for (const line of ['* NOOP', '+ NOOP', '', ' ', '(a) NOOP', '{3+}', `${'t'.repeat(200)} NOOP`]) {
      client.write(`${line}\r\n`);
      if (line.endsWith('+}')) client.write('abc\r\n');
      expect([line, await client.line()]).toEqual([line, expect.stringMatching(/^\* BAD /)]);
    }
    await client.ok('NOOP');
  });
});
