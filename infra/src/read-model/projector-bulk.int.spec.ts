import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { columnsOf } from '@kiroku/domain/mailbox/batch.js';
import { appendMessages, expungeAll } from '@kiroku/domain/mailbox/decisions.js';
import { type MailboxEvent, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { filledMailbox, NINE, recorded, sha256, type TestHistory, testHistory } from './testing.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

type Box = Awaited<ReturnType<typeof filledMailbox>>;
/** As if these messages had been in `from`, with the UIDs 1, 2, 3 … */
const copied = (to: Box, from: string, count: number) =>
  appendMessages(to.id, to.head, {
    from, flags: [],
    columns: columnsOf(Array.from({ length: count }, (_, i) => ({ messageId: `Q${i + 1}`, sha256: sha256(i + 1), bodySize: 10, size: 15, prefix: 'P: x\r\n'.slice(1), receivedAt: NINE }))),
  });
const append = (box: Box, events: readonly MailboxEvent[], expected = box.version) =>
  h.store.append([{ stream: mailboxStream(box.id), expected, events: events.map((e) => recorded(h.engine, e)) }]);
const rows = async (box: Box) =>
  (await h.pool.query<Record<string, unknown>>(`SELECT uid, mod_seq, message_id, encode(sha256, 'hex') AS sha256, prefix FROM view.mailbox_message_1 WHERE mailbox_id = $1 ORDER BY uid`, [box.id])).rows;

describe('an event that copies rows', () => {
  it('takes them from the view, under their new keys', async () => {
    const [from, to] = [await filledMailbox(h, 3), await filledMailbox(h, 1)];
    await append(to, copied(to, from.id, 3).events);
    const there = await rows(to);
    expect(there.map((r) => [r['uid'], r['mod_seq']])).toEqual([[1, 2], [2, 5], [3, 5], [4, 5]]);
    // What the source has, not what this event says of it: nobody writes such an event, and so the test sees which of the two it was.
    expect(there.slice(1).map((r) => r['prefix'])).toEqual((await rows(from)).map((r) => r['prefix']));
  });

  it('is applied itself where one of them is gone', async () => {
    const [from, to] = [await filledMailbox(h, 3), await filledMailbox(h, 0)];
    await append(from, expungeAll(from.id, from.head, { uids: [2], messageIds: ['Q2'], sizes: [1] }).events);
    await append(to, copied(to, from.id, 3).events);
    expect((await rows(to)).map((r) => [r['uid'], r['message_id'], r['sha256'], r['prefix']])).toEqual([1, 2, 3].map((n) => [n, `Q${n}`, sha256(n), ': x\r\n']));
  });
});

describe('an event that removes ranges of rows', () => {
  it('removes these and no others, in the order of events', async () => {
    const box = await filledMailbox(h, 10);
    const other = await filledMailbox(h, 10);
    const first = expungeAll(box.id, box.head, { uids: [1, 2, 3, 7, 10], messageIds: [], sizes: [] });
    const more = appendMessages(box.id, first.head, { flags: [[]], columns: columnsOf([{ messageId: 'N', sha256: sha256(1), bodySize: 1, size: 1, prefix: '', receivedAt: NINE }]) });
    const last = expungeAll(box.id, more.head, { uids: [4, 11], messageIds: [], sizes: [] });
    await append(box, [...first.events, ...more.events, ...last.events]);
    expect((await rows(box)).map((r) => r['uid'])).toEqual([5, 6, 8, 9]);
    expect(await rows(other)).toHaveLength(10);
  });
});

describe('large events', () => {
  it('lie in rows of their own, so that the last one is read without the others', async () => {
    const to = await filledMailbox(h, 0);
    const { events } = appendMessages(to.id, to.head, {
      flags: [], columns: columnsOf(Array.from({ length: 4_000 }, (_, i) => ({ messageId: `Q${i}`, sha256: sha256(i), bodySize: 1, size: 101, prefix: 'x'.repeat(100), receivedAt: NINE }))),
    });
    await append(to, events);
    const { rows: parts } = await h.pool.query<{ version: number; count: number }>('SELECT version, count FROM history.decision WHERE stream = $1 ORDER BY version', [mailboxStream(to.id)]);
    expect(parts.slice(1)).toEqual([2, 3, 4, 5].map((version) => ({ version, count: 1 })));
    expect((await h.store.read(mailboxStream(to.id))).events.map((e) => e.type)).toEqual(['MailboxCreated', ...Array<string>(4).fill('MessagesAppended')]);
    expect((await h.store.readLast([mailboxStream(to.id)])).get(mailboxStream(to.id))).toMatchObject({ version: 5, event: { data: { firstUid: 3001 } } });
  });
});
