import { describe, expect, it } from '@jest/globals';
import type { Verb } from '@kiroku/domain/imap/grammar/commands.js';
import { PASSWORD, startRig } from './testing/rig.js';

type Phase = 'not logged in' | 'logged in' | 'selected';

/** Each verb, so that it can be carried out or refused for what it is about, and where it has its place. */
const VERBS: Readonly<Record<Exclude<Verb, 'LOGOUT' | 'IDLE' | 'COMPRESS' | 'UNAUTHENTICATE'>, readonly [command: string, ...phases: Phase[]]>> = {
  CAPABILITY: ['CAPABILITY', 'not logged in', 'logged in', 'selected'],
  NOOP: ['NOOP', 'not logged in', 'logged in', 'selected'],
  ID: ['ID NIL', 'not logged in', 'logged in', 'selected'],
  STARTTLS: ['STARTTLS'],
  LOGIN: [`LOGIN nobody@x.test ${PASSWORD}`, 'not logged in'],
  AUTHENTICATE: ['AUTHENTICATE PLAIN AG5vYm9keQB4', 'not logged in'],
  ENABLE: ['ENABLE CONDSTORE', 'logged in', 'selected'],
  NAMESPACE: ['NAMESPACE', 'logged in', 'selected'],
  NOTIFY: ['NOTIFY NONE', 'logged in', 'selected'],
  LIST: ['LIST "" *', 'logged in', 'selected'],
  LSUB: ['LSUB "" *', 'logged in', 'selected'],
  STATUS: ['STATUS INBOX (MESSAGES)', 'logged in', 'selected'],
  CREATE: ['CREATE INBOX', 'logged in', 'selected'],
  DELETE: ['DELETE INBOX', 'logged in', 'selected'],
  RENAME: ['RENAME nowhere x', 'logged in', 'selected'],
  SUBSCRIBE: ['SUBSCRIBE INBOX', 'logged in', 'selected'],
  UNSUBSCRIBE: ['UNSUBSCRIBE INBOX', 'logged in', 'selected'],
  APPEND: ['APPEND nowhere {1+}\r\nx', 'logged in', 'selected'],
  GETQUOTA: ['GETQUOTA ""', 'logged in', 'selected'],
  GETQUOTAROOT: ['GETQUOTAROOT INBOX', 'logged in', 'selected'],
  SETQUOTA: ['SETQUOTA "" (STORAGE 1)', 'logged in', 'selected'],
  GETACL: ['GETACL INBOX', 'logged in', 'selected'],
  SETACL: ['SETACL nowhere ben@x.test l', 'logged in', 'selected'],
  DELETEACL: ['DELETEACL nowhere ben@x.test', 'logged in', 'selected'],
  LISTRIGHTS: ['LISTRIGHTS INBOX ben@x.test', 'logged in', 'selected'],
  MYRIGHTS: ['MYRIGHTS INBOX', 'logged in', 'selected'],
  GETMETADATA: ['GETMETADATA INBOX /private/comment', 'logged in', 'selected'],
  SETMETADATA: ['SETMETADATA INBOX (/private/comment NIL)', 'logged in', 'selected'],
  CHECK: ['CHECK', 'selected'],
  EXPUNGE: ['EXPUNGE', 'selected'],
  FETCH: ['FETCH 1:* FLAGS', 'selected'],
  STORE: ['STORE 1:* +FLAGS ()', 'selected'],
  COPY: ['COPY 1:* nowhere', 'selected'],
  MOVE: ['MOVE 1:* nowhere', 'selected'],
  REPLACE: ['REPLACE * nowhere {1+}\r\nx', 'selected'],
  SEARCH: ['SEARCH ALL', 'selected'],
  SORT: ['SORT (DATE) UTF-8 ALL', 'selected'],
  THREAD: ['THREAD REFERENCES UTF-8 ALL', 'selected'],
  SELECT: ['SELECT INBOX', 'logged in', 'selected'],
  EXAMINE: ['EXAMINE INBOX', 'logged in', 'selected'],
  UNSELECT: ['UNSELECT', 'selected'],
  CLOSE: ['CLOSE', 'selected'],
};
const REFUSALS: Readonly<Record<Phase, RegExp>> = {
  'not logged in': /^BAD (Log in first|Not before login|TLS is on already)$/,
  'logged in': /^BAD (Select a mailbox first|Already logged in)$/,
  selected: /^BAD (Already logged in)$/,
};

describe.each<Phase>(['not logged in', 'logged in', 'selected'])('a client that is %s', (phase) => {
  it('may say what has its place there, and hears BAD to all else', async () => {
    await using rig = await startRig({ settings: { commandErrors: 0 } });
    await rig.deliver('Subject: x\r\n\r\nx\r\n');
    const client = phase === 'not logged in' ? await rig.connect('imaps') : await rig.loggedIn();
    if (phase === 'not logged in') await client.line();
    for (const [verb, [command, ...phases]] of Object.entries(VERBS)) {
      if (phase === 'selected') await client.ok('SELECT INBOX');
      else if (phase === 'logged in') await client.ask('UNSELECT');
      const answer = await client.end(command);
      if (phases.includes(phase)) expect([verb, answer]).toEqual([verb, expect.stringMatching(/^(OK|NO) /)]);
      else expect([verb, answer]).toEqual([verb, expect.stringMatching(REFUSALS[phase])]);
    }
    await client.ok('LOGOUT');
  });
});

describe('UIDONLY', () => {
  it('knows no number of the first unread message', async () => {
    await using rig = await startRig();
    await rig.deliver('Subject: x\r\n\r\nx\r\n');
    const client = await rig.selected('INBOX');
    expect((await client.ok('SELECT INBOX')).join('\n')).toContain('[UNSEEN 1]');
    await client.ok('CLOSE');
    await client.ok('ENABLE UIDONLY');
    expect((await client.ok('SELECT INBOX')).join('\n')).not.toContain('UNSEEN');
  });

  it('leaves nothing that names messages by number', async () => {
    await using rig = await startRig({ settings: { commandErrors: 0 } });
    await rig.deliver('Subject: x\r\n\r\nx\r\n');
    const client = await rig.selected('INBOX', 'ENABLE UIDONLY QRESYNC');
    const commands = [
      'FETCH 1 FLAGS', 'STORE 1 +FLAGS (\\Seen)', 'SEARCH ALL', 'SORT (DATE) UTF-8 ALL', 'THREAD REFERENCES UTF-8 ALL', 'COPY 1 INBOX', 'MOVE 1 INBOX', 'REPLACE 1 INBOX {1+}\r\nx',
      'UID SEARCH 1:*', 'UID SEARCH NOT OR (UID 1 2) SEEN', 'UID SORT (DATE) UTF-8 1', 'UID THREAD REFERENCES UTF-8 1', 'SELECT INBOX (QRESYNC (1700000001 1 1:9 (1 1)))',
    ];
    for (const command of commands) expect([command, await client.end(command)]).toEqual([command, 'BAD [UIDREQUIRED] Only UIDs are in use']);
    expect(await client.ok('UID SEARCH RETURN (SAVE COUNT) ALL')).toEqual([expect.stringMatching(/UID COUNT 1$/)]);
    expect(await client.ok('UID SEARCH $')).toEqual(['* SEARCH 1']);
    expect(await client.ok('UID FETCH 1 UID')).toEqual(['* 1 UIDFETCH (UID 1)']);
    expect(await client.ok('UID FETCH $ FLAGS')).toEqual(['* 1 UIDFETCH (FLAGS ())']);
    // RFC 9586 §3.3: who asks for UID gets it once more.
    expect(await client.ok('UID FETCH $ (UID FLAGS)')).toEqual(['* 1 UIDFETCH (UID 1 FLAGS ())']);
    await client.ok('UID STORE 1 +FLAGS.SILENT (\\Deleted)');
    expect(await client.ok('EXPUNGE')).toEqual(['* VANISHED 1']);
  });
});
