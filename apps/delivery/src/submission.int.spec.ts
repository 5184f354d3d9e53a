import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import { type EventStore, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import { NINE, recorded, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { Placement } from './placement.js';
import { Submission } from './submission.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
let h: TestHistory;
let inbox: string;

beforeAll(async () => {
  h = await testHistory();
  const commands = new DirectoryCommands(h.engine);
  await commands.addDomain('x.test', { accountLimit: 0 }, ORIGIN);
  await commands.addAccounts([{ accountId: h.engine.ids.uuid(), address: 'ann@x.test', fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'v1.sealed', reversible: false }], ORIGIN);
  inbox = (await h.pool.query<{ inbox: string }>('SELECT inbox FROM view.account_1')).rows[0]?.inbox ?? '';
});
afterAll(() => h.close());

const submission = (store: EventStore = h.store) => {
  const engine = { ...h.engine, store };
  return new Submission(engine, new PostgresDirectory(h.pool, () => '+'), new Placement(engine), async (_, expansions) => expansions);
};
const notice = (messageId: string, ...recipients: string[]): QueueFact<'MessageSubmitted'> => ({
  messageId, origin: 'notice', about: 'M0', recipients,
  message: { sender: '', sha256: 'ab'.repeat(32), size: 10, trace: '', body: '8BITMIME', smtputf8: false, requireTls: false, hops: 0, acceptedAt: NINE },
});
const also = (stream: string, expected: number) => [{ stream, expected, events: [recorded(h.engine, { type: 'NoticeSent', data: { messageId: stream, kind: 'failed', addresses: [] } })] }];
const mailOf = async (id: string) => (await h.pool.query('SELECT 1 FROM view.mailbox_message_1 WHERE message_id = $1', [id])).rowCount;

describe('a message that this server writes', () => {
  it('is in mailboxes and in the queue together with the decision to write it', async () => {
    await submission().submit(notice('N1', 'ann@x.test', 'bob@y.test', 'nobody@x.test'), also('message-O1', 0));
    expect(await mailOf('N1')).toBe(1);
    expect((await h.store.read(messageStream('N1'))).events.map((e) => e.type)).toEqual(['MessageSubmitted', 'RecipientBounced', 'MessageQueued']);
    expect((await h.store.read('message-O1')).version).toBe(1);
    // A report about a report would never end.
    expect((await h.pool.query('SELECT 1 FROM view.notice_1')).rowCount).toBe(0);
  });

  it('is not written at all when the decision was taken by somebody else', async () => {
    await expect(submission().submit(notice('N2', 'ann@x.test'), also('message-O1', 0))).rejects.toMatchObject({ streams: ['message-O1'] });
    expect([await mailOf('N2'), (await h.store.read(messageStream('N2'))).version]).toEqual([0, 0]);
  });

  it('finds its place in a mailbox that others write to meanwhile', async () => {
    let raced = 0;
    const busy: EventStore = {
      read: (s, after) => h.store.read(s, after), readLast: (s) => h.store.readLast(s), checkpoint: (c, t, p) => h.store.checkpoint(c, t, p),
      append: async (appends, checkpoints) => {
        if (raced++ < 2) throw new VersionConflict([mailboxStream(inbox)]);
        return h.store.append(appends, checkpoints);
      },
    };
    await submission(busy).submit(notice('N3', 'ann@x.test'), also('message-O3', 0));
    expect([raced, await mailOf('N3')]).toEqual([3, 1]);
  });
});
