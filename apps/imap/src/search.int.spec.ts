import { describe, expect, it } from '@jest/globals';
import { type Rig, startRig } from './testing/rig.js';

const mail = (subject: string, id: string, more = ''): string => `From: ${subject}@x.test\r\nSubject: ${subject}\r\nMessage-ID: <${id}@x.test>\r\n${more}\r\nbody of ${subject}\r\n`;

async function filled(): Promise<Rig> {
  const rig = await startRig();
  await rig.deliver(mail('beta', 'm1'), { flags: ['\\Seen'] });
  await rig.deliver(mail('alpha', 'm2'));
  await rig.deliver(mail('Re: beta', 'm3', 'References: <m1@x.test>\r\n'), { flags: ['\\Flagged'] });
  return rig;
}

describe('SEARCH', () => {
  it('finds by flags, fields and text', async () => {
    await using rig = await filled();
    const client = await rig.selected();
    expect(await client.ok('SEARCH UNSEEN')).toEqual(['* SEARCH 2 3']);
    expect(await client.ok('SEARCH SUBJECT beta NOT FLAGGED')).toEqual(['* SEARCH 1']);
    expect(await client.ok('UID SEARCH TEXT "body of alpha"')).toEqual(['* SEARCH 2']);
    expect(await client.ok('SEARCH SUBJECT nothing')).toEqual(['* SEARCH']);
    expect(await client.ok('SEARCH MODSEQ 4')).toEqual(['* OK [HIGHESTMODSEQ 4] Changes are numbered', '* SEARCH 3 (MODSEQ 4)']);
    expect(await client.end('SEARCH CHARSET X-UNKNOWN SUBJECT x')).toMatch(/^NO \[BADCHARSET/);
  });

  it('returns what is asked for, and saves it', async () => {
    await using rig = await filled();
    const client = await rig.selected();
    expect(await client.ok('SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN')).toEqual([expect.stringMatching(/^\* ESEARCH \(TAG "t\d+"\) MIN 2 MAX 3 COUNT 2 ALL 2:3$/)]);
    expect(await client.ok('UID SEARCH RETURN (PARTIAL -1:-1) ALL')).toEqual([expect.stringMatching(/UID PARTIAL \(-1:-1 3\)$/)]);
    expect(await client.ok('SEARCH RETURN (SAVE) UNSEEN')).toEqual([]);
    expect(await client.ok('FETCH $ UID')).toEqual(['* 2 FETCH (UID 2)', '* 3 FETCH (UID 3)']);
    expect(await client.ok('SEARCH RETURN (SAVE MIN) UNSEEN')).toEqual([expect.stringMatching(/MIN 2$/)]);
    expect(await client.ok('UID FETCH $ FLAGS')).toEqual(['* 2 FETCH (UID 2 FLAGS ())']);
    await client.ok('ENABLE IMAP4rev2');
    expect(await client.ok('SEARCH FLAGGED')).toEqual([expect.stringMatching(/^\* ESEARCH \(TAG "t\d+"\) ALL 3$/)]);
    await client.ok('SELECT INBOX');
    expect(await client.ok('FETCH $ UID')).toEqual([]);
  });

  it('sorts and threads', async () => {
    await using rig = await filled();
    const client = await rig.selected();
    expect(await client.ok('SORT (SUBJECT REVERSE ARRIVAL) UTF-8 ALL')).toEqual(['* SORT 2 1 3']);
    expect(await client.ok('UID SORT RETURN (COUNT ALL) (REVERSE SUBJECT) UTF-8 UNSEEN')).toEqual([expect.stringMatching(/UID COUNT 2 ALL 3,2$/)]);
    expect(await client.ok('THREAD REFERENCES UTF-8 ALL')).toEqual(['* THREAD (1 3)(2)']);
    expect(await client.ok('UID THREAD ORDEREDSUBJECT UTF-8 UNSEEN')).toEqual(['* THREAD (2)(3)']);
    expect(await client.ok('THREAD REFERENCES UTF-8 DELETED')).toEqual(['* THREAD']);
  });
});

describe('UIDONLY', () => {
  it('knows no sequence numbers', async () => {
    await using rig = await filled();
    const client = await rig.selected('INBOX', 'ENABLE UIDONLY');
    expect(await client.end('FETCH 1 FLAGS')).toBe('BAD [UIDREQUIRED] Only UIDs are in use');
    expect(await client.ok('UID FETCH 1 FLAGS')).toEqual(['* 1 UIDFETCH (FLAGS (\\Seen))']);
    expect(await client.ok('UID STORE 2 +FLAGS (\\Deleted)')).toEqual(['* 2 UIDFETCH (FLAGS (\\Deleted))']);
    expect(await client.ok('EXPUNGE')).toEqual(['* VANISHED 2']);
  });
});

describe('MESSAGELIMIT', () => {
  it('stops after so many messages, the last ones first', async () => {
    await using rig = await startRig({ settings: { imapMessageLimit: 2 } });
    for (const id of ['a', 'b', 'c']) await rig.deliver(mail(id, id));
    const client = await rig.selected();
    expect(await client.ask('UID FETCH 1:* FLAGS')).toEqual([
      '* 2 FETCH (UID 2 FLAGS ())', '* 3 FETCH (UID 3 FLAGS ())', 'OK [MESSAGELIMIT 2 2] Not all: too many messages for one command',
    ]);
    expect((await client.ok('CAPABILITY'))[0]).toContain(' MESSAGELIMIT=2');
    for (const [keys, found] of [['UIDAFTER 1', ' 2 3'], ['UIDAFTER 3', ''], ['UIDBEFORE 3', ' 1 2'], ['UIDBEFORE 1', ''], ['NOT UIDBEFORE 3 UIDAFTER 1', ' 3']] as const)
      expect([keys, await client.ok(`UID SEARCH ${keys}`)]).toEqual([keys, [`* SEARCH${found}`]]);
  });
});
