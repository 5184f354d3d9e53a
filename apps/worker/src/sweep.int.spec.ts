import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { SessionFact } from '@kiroku/domain/mail/events.js';
import { columnsOf } from '@kiroku/domain/mailbox/batch.js';
import { appendMessages, expungeAll } from '@kiroku/domain/mailbox/decisions.js';
import { mailboxStream, expungeMessages, type MailboxEvent } from '@kiroku/domain/mailbox/mailbox.js';
import { messages, positionsOf, sessions } from '@kiroku/domain/story/views.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { MemoryObjectStore } from '@kiroku/infra/object-store/memory.js';
import { PgBodyIndex } from '@kiroku/infra/object-store/pg-index.js';
import { Rebuild } from '@kiroku/infra/read-model/rebuild.js';
import { accepted, filledMailbox, NINE, recorded, sha256, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { checkpointOf, runView, viewConsumer } from '@kiroku/infra/read-model/view-runner.js';
import { pruneSessions, sweepBodies } from './sweep.js';

const HOUR = 3_600_000;
const GRACE = 24 * HOUR;
let h: TestHistory;
let index: PgBodyIndex;

/** Bodies by their index alone: what lies where is not the sweep's business. */
class IndexedBodies extends MemoryObjectStore {
  meanwhile: () => Promise<void> = () => Promise.resolve();
  override async delete(names: readonly string[], storedBefore?: number): Promise<void> {
    await this.meanwhile();
    await index.remove(names, storedBefore);
  }
}
let bodies: IndexedBodies;

beforeAll(async () => {
  h = await testHistory();
  index = new PgBodyIndex(h.pool);
});
beforeEach(async () => {
  bodies = new IndexedBodies();
  await h.pool.query('TRUNCATE object_body');
});
afterAll(() => h.close());

let last = 1_000;
/** A body stored `age` ms before NINE. */
async function stored(age: number): Promise<number> {
  const n = ++last;
  await index.put([{ sha256: sha256(n), size: 10, segment: 1, offset: n, storedAt: NINE - age }]);
  return n;
}
const there = async (...ns: readonly number[]): Promise<readonly boolean[]> => {
  const found = await index.find(ns.map(sha256));
  return ns.map((n) => found.has(sha256(n)));
};
const sweep = (now = NINE) => sweepBodies(h, bodies, { now, grace: GRACE, patience: 0 });

async function follow(view: unknown): Promise<void> {
  const projection = view as Projection;
  const running = await runView(h.log, h.pool, projection, () => undefined);
  for (const topic of projection.topics)
    for (let p = 0; p < h.log.partitions(topic); p++)
      while ((await checkpointOf(h.pool, viewConsumer(projection), topic, p)) < (await h.log.head(topic, p))) await new Promise((resolve) => setTimeout(resolve, 5));
  await running.stop();
}
/** As if delivery had seen all mail. */
async function delivered(): Promise<void> {
  await h.pool.query(`INSERT INTO history.checkpoint SELECT 'delivery', topic, partition, next FROM history.head WHERE topic = 'mail'
    ON CONFLICT (consumer, topic, partition) DO UPDATE SET position = excluded.position`);
}
async function settled(): Promise<void> {
  await delivered();
  await follow(messages);
}
async function expunge(box: Awaited<ReturnType<typeof filledMailbox>>): Promise<void> {
  const [event] = expungeMessages(box.id, box.head, [{ uid: 1, messageId: 'Q1', sha256: sha256(0), size: 1 }]) as readonly MailboxEvent[];
  if (event) await h.store.append([{ stream: mailboxStream(box.id), expected: box.version, events: [recorded(h.engine, event)] }]);
}

describe('the sweep of bodies', () => {
  it('removes what nothing refers to once the grace is over, and not before', async () => {
    const [old, edge, young] = [await stored(GRACE + 1), await stored(GRACE), await stored(0)];
    await settled();
    expect(await sweep()).toMatchObject({ bodies: 1 });
    expect(await there(old, edge, young)).toEqual([false, true, true]);
  });

  it('keeps a body that two mailboxes share until both have expunged it', async () => {
    const body = await stored(GRACE + 1);
    const [ann, bob] = [await filledMailbox(h, 1, () => sha256(body)), await filledMailbox(h, 1, () => sha256(body))];
    for (const [box, left] of [[ann, true], [bob, false]] as const) {
      await expunge(box);
      await settled();
      await sweep();
      expect(await there(body)).toEqual([left]);
    }
  });

  it('keeps a body that was copied by IMAP until the copy is expunged too', async () => {
    const body = await stored(GRACE + 1);
    const [ann, box] = [await filledMailbox(h, 1, () => sha256(body)), await filledMailbox(h, 0)];
    const columns = columnsOf([{ messageId: 'Q1', sha256: sha256(body), bodySize: 10, size: 10, prefix: '', receivedAt: NINE }]);
    const { events, head } = appendMessages(box.id, box.head, { columns, flags: [[]], from: ann.id });
    const append = (facts: readonly MailboxEvent[], expected: number) => h.store.append([{ stream: mailboxStream(box.id), expected, events: facts.map((f) => recorded(h.engine, f)) }]);
    await append(events, box.version);
    await expunge(ann);
    await settled();
    await sweep();
    expect(await there(body)).toEqual([true]);
    await append(expungeAll(box.id, head, { uids: [1], messageIds: ['Q1'], sizes: [10] }).events, box.version + 1);
    await settled();
    await sweep();
    expect(await there(body)).toEqual([false]);
  });

  it('keeps a body whose last message is expunged while it is being copied', async () => {
    const body = await stored(GRACE + 1);
    const ann = await filledMailbox(h, 1, () => sha256(body));
    await expunge(ann); // the copy has read it before, and comes after the first look
    await settled();
    const other = h.another();
    const copied = (async () => {
      while ((await other.pool.query(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'INSERT INTO doomed%' AND state = 'idle'`)).rowCount === 0);
      await filledMailbox(other, 1, () => sha256(body));
    })();
    expect(await sweepBodies(h, bodies, { now: NINE, grace: GRACE, patience: 0, linger: 1_000 })).toMatchObject({ bodies: 0 });
    await copied;
    expect(await there(body)).toEqual([true]);
  });

  const routed = (messageId: string) => h.store.append([{
    stream: messageStream(messageId), expected: 0,
    events: [recorded(h.engine, { type: 'RecipientRouted', data: { messageId, recipient: 'far@y.test', address: 'far@y.test', via: [], route: 'remote' } }, messageId)],
  }]);
  const mail = async (messageId: string, body: number, age: number): Promise<void> => {
    const entry = accepted(h.engine, messageId, ['far@y.test'], { sha256: sha256(body) });
    await h.log.append([{ ...entry, event: { ...entry.event, at: NINE - age } }]);
  };

  it('keeps the body of a message set aside, for as long as it is', async () => {
    const body = await stored(3 * GRACE);
    await mail('QASIDE', body, 3 * GRACE);
    const data = { messageId: 'QASIDE', sha256: sha256(body), size: 10, partition: 0, position: 0, error: 'TypeError: no', tries: 5, since: NINE };
    const decided = (type: string, facts: object, expected: number) =>
      h.store.append([{ stream: 'quarantine-QASIDE', expected, events: [recorded(h.engine, { type, data: facts }, 'QASIDE')] }]);
    await decided('MessageQuarantined', data, 0);
    await settled();
    await sweep();
    expect(await there(body)).toEqual([true]);
    await decided('QuarantineEnded', { messageId: 'QASIDE' }, 1);
    await settled();
    await sweep();
    expect(await there(body)).toEqual([false]);
  });

  it('keeps the body of a message that waits for another server', async () => {
    const body = await stored(3 * GRACE);
    await mail('R1', body, 3 * GRACE);
    await routed('R1');
    await settled();
    await sweep();
    expect(await there(body)).toEqual([true]);
  });

  it('keeps it also while the message view has not seen yet that it waits', async () => {
    const body = await stored(3 * GRACE);
    await mail('R2', body, 3 * GRACE);
    await settled();
    await routed('R2'); // delivery was away for long, and has just been here
    expect(await sweep()).toMatchObject({ bodies: 0 });
    expect(await there(body)).toEqual([true]);
    await settled();
    await sweep();
    expect(await there(body)).toEqual([true]);
  });

  it('keeps the body of what waits in the queue, and of what its sender is owed a report about, and no longer', async () => {
    const body = await stored(3 * GRACE);
    const message = {
      sender: 'bob@y.test', sha256: sha256(body), size: 10, trace: '', body: '7BIT', smtputf8: false, requireTls: false, hops: 0, acceptedAt: NINE - 3 * GRACE,
    } as const;
    const about = { messageId: 'W1', address: 'far@z.test' };
    const steps: readonly (readonly [boolean, readonly QueueEvent[]])[] = [
      [true, [{ type: 'MessageQueued', data: { messageId: 'W1', message, recipients: [{ address: 'far@z.test', recipient: 'far@z.test', via: [] }], priority: 0 } }]],
      [true, [
        { type: 'RecipientExpired', data: { ...about, recipient: 'far@z.test', rule: 'no-answer', reply: '451 4.4.1 no' } },
        { type: 'NoticeOwed', data: { ...about, kind: 'failed', recipient: 'far@z.test', reply: '451 4.4.1 no', message } },
      ]],
      [false, [{ type: 'NoticeSent', data: { messageId: 'W1', kind: 'failed', addresses: ['far@z.test'], noticeId: 'W2' } }]],
    ];
    let expected = 0;
    for (const [kept, events] of steps) {
      await h.store.append([{ stream: messageStream('W1'), expected, events: events.map((e) => recorded(h.engine, e, 'W1')) }]);
      expected += events.length;
      await settled();
      await sweep();
      expect(await there(body)).toEqual([kept]);
    }
  });

  it.each([['delivery', delivered], ['the message view', () => follow(messages)]] as const)('removes nothing while %s lags behind', async (_, other) => {
    await settled();
    const body = await stored(2 * GRACE);
    await mail(`L${body}`, body, 2 * GRACE);
    if (other === delivered) await follow(messages);
    else await delivered();
    expect(await sweep()).toMatchObject({ bodies: 0 });
    expect(await there(body)).toEqual([true]);
    await settled();
    expect(await sweep()).toMatchObject({ bodies: 1 });
  });

  it('keeps a body that was stored again, also in the moment of its removal', async () => {
    const [before, during] = [await stored(2 * GRACE), await stored(2 * GRACE)];
    await settled();
    const again = (n: number) => index.put([{ sha256: sha256(n), size: 10, segment: 2, offset: n, storedAt: NINE }]);
    await again(before);
    bodies.meanwhile = async () => void (await again(during));
    await sweep();
    expect(await there(before, during)).toEqual([true, true]);
  });

  it('goes through many bodies', async () => {
    await settled();
    await h.pool.query(`INSERT INTO object_body SELECT sha256(n::text::bytea), 1, n, 10, $1 FROM generate_series(1, 12000) n`, [NINE - 2 * GRACE]);
    expect(await sweep()).toMatchObject({ bodies: 12_000 });
    expect((await h.pool.query('SELECT 1 FROM object_body')).rowCount).toBe(0);
  });

  it('ends early when it is told to', async () => {
    await settled();
    const body = await stored(2 * GRACE);
    expect(await sweepBodies(h, bodies, { now: NINE, grace: GRACE, signal: AbortSignal.abort() })).toEqual({ bodies: 0, bytes: 0 });
    expect(await there(body)).toEqual([true]);
  });
});

describe('the retention of session facts', () => {
  const DAY = 24 * HOUR;
  // Facts come in the order of time: what one test left would be younger than what the next one calls old.
  beforeEach(() => h.pool.query('TRUNCATE history.session, view.session_1'));
  const session = async (name: string, at: number): Promise<void> => {
    const peer = { ip: '192.0.2.1', port: 1 };
    const facts: readonly SessionFact[] = [
      { type: 'SessionOpened', data: { protocol: 'smtp', listener: 'mx', peer, local: 'x' } },
      { type: 'CommandRefused', data: { protocol: 'smtp', peer, verb: 'MA\u0000IL', rule: 'r', reply: '500' } },
    ];
    await h.log.append(facts.map((f) => ({ topic: 'session' as const, key: name, event: { ...recorded(h.engine, f, name), at } })));
  };
  const storyOf = async (session: string): Promise<number> => {
    const { rows } = await h.pool.query<{ facts: string }>('SELECT facts FROM view.session_1 WHERE session = $1', [session]);
    return positionsOf(rows[0]?.facts ?? '').length;
  };
  const verified = () => new Rebuild(h.log, h.pool, sessions).verify();

  it('forgets what is older, in the history and in the stories, which still equal their rebuild', async () => {
    await session('S-old', NINE - 91 * DAY);
    await session('S-new', NINE - 89 * DAY);
    await follow(sessions);
    expect(await pruneSessions(h, NINE, 90 * DAY)).toBe(2);
    expect([await storyOf('S-old'), await storyOf('S-new')]).toEqual([0, 2]);
    expect((await verified()).differences).toEqual([]);
    expect(await pruneSessions(h, NINE, 90 * DAY)).toBe(0);
  });

  it('keeps what is younger of a session that began long ago', async () => {
    await session('S-long', NINE - 95 * DAY);
    await h.log.append([{ topic: 'session', key: 'S-long', event: recorded(h.engine, { type: 'TlsStarted', data: {} }, 'S-long') }]);
    await follow(sessions);
    expect(await storyOf('S-long')).toBe(3);
    expect(await pruneSessions(h, NINE, 90 * DAY)).toBe(2);
    expect(await storyOf('S-long')).toBe(1);
    expect((await verified()).differences).toEqual([]);
  });

  it('forgets nothing that the stories have not seen yet', async () => {
    await session('S-unseen', NINE - 100 * DAY);
    expect(await pruneSessions(h, NINE, 90 * DAY)).toBe(0);
    await follow(sessions);
    expect(await storyOf('S-unseen')).toBe(2);
    expect(await pruneSessions(h, NINE, 90 * DAY)).toBe(2);
    expect((await verified()).differences).toEqual([]);
  });

  it('waits for a rebuild of the stories: what that has read would stay in them for ever', async () => {
    await session('S-read', NINE - 100 * DAY);
    await follow(sessions);
    let pruned: Promise<number> | undefined;
    const read = async (): Promise<void> => { await (pruned ??= pruneSessions(h, NINE, 90 * DAY)); };
    const log = { partitions: (t: 'mail') => h.log.partitions(t), head: (...what: Parameters<typeof h.log.head>) => h.log.head(...what), read: async (...what: Parameters<typeof h.log.read>) => { const found = await h.log.read(...what); await read(); return found; } };
    await new Rebuild(log as typeof h.log, h.pool, sessions).replace();
    expect(await pruned).toBe(0);
    expect((await verified()).differences).toEqual([]);
    expect(await pruneSessions(h, NINE, 90 * DAY)).toBe(2);
    expect((await verified()).differences).toEqual([]);
  });
});
