import { describe, expect, it } from '@jest/globals';
import { startRig } from './testing/rig.js';

const mail = 'Subject: x\r\n\r\nx\r\n';

describe('NOTIFY', () => {
  it('tells of the selected mailbox without IDLE, and fetches what is new', async () => {
    await using rig = await startRig();
    await rig.deliver(mail);
    const [client, other] = [await rig.selected(), await rig.selected()];
    await client.ok('NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))');
    await rig.deliver(mail);
    expect([await client.line(), await client.line(), await client.line()]).toEqual(['* 2 EXISTS', '* 0 RECENT', '* 2 FETCH (UID 2 FLAGS ())']);
    await other.ok('STORE 1 +FLAGS.SILENT (\\Deleted)');
    expect(await client.line()).toBe('* 1 FETCH (FLAGS (\\Deleted))');
    await other.ok('EXPUNGE');
    expect(await client.line()).toBe('* 1 EXPUNGE');
    await client.ok('NOTIFY NONE');
    await rig.deliver(mail);
    expect(await client.ok('NOOP')).toEqual(['* 2 EXISTS', '* 0 RECENT']);
  });

  it('keeps EXPUNGE back where it is to be delayed', async () => {
    await using rig = await startRig();
    await rig.deliver(mail);
    await rig.deliver(mail);
    const [client, other] = [await rig.selected(), await rig.selected()];
    await client.ok('NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))');
    await other.ok('STORE 1 +FLAGS.SILENT (\\Deleted)');
    expect(await client.line()).toBe('* 1 FETCH (FLAGS (\\Deleted))');
    await other.ok('EXPUNGE');
    await rig.deliver(mail);
    expect([await client.line(), await client.line()]).toEqual(['* 3 EXISTS', '* 0 RECENT']);
    expect(await client.ok('NOOP')).toEqual(['* 1 EXPUNGE']);
  });

  it('tells of other mailboxes, at once where they stand and later what changes', async () => {
    await using rig = await startRig();
    const [client, other] = [await rig.loggedIn(), await rig.loggedIn()];
    await other.ok('CREATE work');
    expect(await client.ok('NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))')).toEqual([
      '* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1700000001 UNSEEN 0)', '* STATUS work (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1700000004 UNSEEN 0)',
    ]);
    await rig.deliver(mail, { path: 'work' });
    expect(await client.line()).toBe('* STATUS work (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1700000004 UNSEEN 1)');
    await other.ok('RENAME work done');
    expect(await client.line()).toBe('* LIST () "/" done ("OLDNAME" (work))');
    await other.ok('SUBSCRIBE done');
    expect(await client.line()).toBe('* LIST (\\Subscribed) "/" done');
    await other.ok('DELETE done');
    expect(await client.line()).toBe('* LIST (\\NonExistent) "/" done');
    await other.ok('CREATE new');
    expect(await client.line()).toBe('* LIST () "/" new');
    await rig.deliver(mail, { path: 'new' });
    expect(await client.line()).toMatch(/^\* STATUS new \(MESSAGES 1 /);
  });

  it('tells that metadata have changed', async () => {
    await using rig = await startRig();
    const [client, other] = [await rig.loggedIn(), await rig.loggedIn()];
    await client.ok('NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))');
    await other.ok('SETMETADATA INBOX (/private/comment "x")');
    expect(await client.line()).toBe('* METADATA INBOX /private/comment');
    await other.ok('SETMETADATA "" (/private/comment "x")');
    expect(await client.line()).toBe('* METADATA "" /private/comment');
  });
});
