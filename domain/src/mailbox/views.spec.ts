import { describe, expect, it } from '@jest/globals';
import { fold } from '../kernel/fold.js';
import { appendMessage, createMailbox, expungeMessages, type MailboxEvent, type MailboxHead } from './mailbox.js';
import { mailboxes, mailboxMessages } from './views.js';

const NINE = Date.UTC(2026, 0, 5);
const incoming = { messageId: 'Q1', sha256: 'ab'.repeat(32), bodySize: 90, prefix: 'P: q\r\n', size: 96, receivedAt: NINE, recipient: 'a@x.test', via: [], deliveredTo: 'a@x.test' };

/** A mailbox of `n` messages, the first of them expunged. */
function used(mailboxId: string, n: number): { readonly events: readonly MailboxEvent[]; readonly head: MailboxHead } {
  const created = createMailbox(mailboxId, 'account-1', 'INBOX', NINE);
  const events: MailboxEvent[] = [created];
  let { head } = created.data;
  for (let i = 0; i < n; i++) {
    const appended = appendMessage(mailboxId, head, incoming);
    events.push(appended);
    head = appended.data.head;
  }
  const [expunged] = expungeMessages(mailboxId, head, [{ uid: 1, messageId: 'Q1', sha256: incoming.sha256, size: 96 }]);
  if (expunged) events.push(expunged);
  return { events, head: expunged?.data.head ?? head };
}

const stored = (events: readonly MailboxEvent[]) =>
  events.map((event, i) => ({ stream: `mailbox-${event.data.mailboxId}`, event: { id: `${i}`, version: 1, at: NINE, actor: 'system:delivery', correlation: 'Q1', ...event } }));

describe('the views of a mailbox', () => {
  const kept = used('box-1', 3);
  const doomed = used('box-2', 2);
  const history = [...kept.events, ...doomed.events];
  const deleted: MailboxEvent = { type: 'MailboxDeleted', data: { mailboxId: 'box-2', head: doomed.head } };

  it('count what is in it', () =>
    expect(fold(mailboxes, stored(history))).toEqual([
      { id: 'box-1', account_id: 'account-1', name: 'INBOX', uid_validity: NINE / 1000, uid_next: 4, highest_mod_seq: 5, messages: 2, bytes: 192 },
      { id: 'box-2', account_id: 'account-1', name: 'INBOX', uid_validity: NINE / 1000, uid_next: 3, highest_mod_seq: 4, messages: 1, bytes: 96 },
    ]));

  it('list what is in it', () => {
    const rows = fold(mailboxMessages, stored(history));
    expect(rows.map((r) => [r.mailbox_id, r.uid, r.mod_seq])).toEqual([['box-1', 2, 3], ['box-1', 3, 4], ['box-2', 2, 3]]);
    expect(rows[0]).toMatchObject({ message_id: 'Q1', sha256: `\\x${'ab'.repeat(32)}`, body_size: 90, at: null, prefix: 'P: q\r\n', size: 96, smtputf8: false, received_at: NINE });
  });

  it('have nothing left of one that was deleted', () => {
    expect(fold(mailboxes, stored([...history, deleted])).map((r) => r.id)).toEqual(['box-1']);
    expect(fold(mailboxMessages, stored([...history, deleted])).map((r) => r.mailbox_id)).toEqual(['box-1', 'box-1']);
  });
});
