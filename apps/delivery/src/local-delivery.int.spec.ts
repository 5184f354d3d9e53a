import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import type { Slice, Subscription } from '@kiroku/domain/kernel/event-log.js';
import { CheckpointMoved, type EventStore } from '@kiroku/domain/kernel/event-store.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import { mailboxStream, type MailboxEvent } from '@kiroku/domain/mailbox/mailbox.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import { PostgresMaildrops } from '@kiroku/infra/read-model/maildrops.js';
import { accepted, type Member, recorded, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { DELIVERY, LocalDelivery } from './local-delivery.js';
import { Placement } from './placement.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
const settings = { fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'v1.sealed', reversible: false };
let h: TestHistory;
let commands: DirectoryCommands;
/** Accounts' ids by local part. */
const ids = new Map<string, string>();

beforeAll(async () => {
  h = await testHistory();
  commands = new DirectoryCommands(h.engine);
  await commands.addDomain('x.test', { accountLimit: 0 }, ORIGIN);
  await people('ann', 'bob', 'cid', 'dora', 'eve', 'doomed');
  await commands.addAlias('all@x.test', ['ann', 'bob', 'cid'].map((n) => ({ address: `${n}@x.test` })), ORIGIN);
  await commands.addAlias('mixed@x.test', [{ address: 'ann@x.test' }, { address: 'far@y.test' }], ORIGIN);
});
afterAll(() => h.close());

async function people(...names: readonly string[]): Promise<void> {
  for (let start = 0; start < names.length; start += 500) {
    const some = names.slice(start, start + 500).map((n) => ({ accountId: h.engine.ids.uuid(), address: `${n}@x.test`, ...settings }));
    await commands.addAccounts(some, ORIGIN);
    for (const { address, accountId } of some) ids.set(address.replace('@x.test', ''), accountId);
  }
}

const deliveryOf = (member: Member, store: EventStore = member.store) =>
  new LocalDelivery({ ...member.engine, store }, new PostgresDirectory(member.pool, () => '+'));
const follow = (member: Member, delivery: LocalDelivery, troubles: unknown[] = []): Promise<Subscription> =>
  member.log.consume({ group: DELIVERY, topics: ['mail'], batch: 50, start: delivery.start, handle: delivery.handle, trouble: (e) => troubles.push(e) });

/** Resolves when all mail accepted by now is delivered. */
async function allDelivered(): Promise<void> {
  for (let p = 0; p < h.log.partitions('mail'); p++) {
    const head = await h.log.head('mail', p);
    while ((await h.store.checkpoint(DELIVERY, 'mail', p)) < head) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
async function deliverAll(member: Member = h, delivery = deliveryOf(member)): Promise<void> {
  const running = await follow(member, delivery);
  await allDelivered();
  await running.stop();
}

let count = 0;
/** Accepts a message for each list of local parts or addresses. @returns their ids. */
async function accept(...messages: readonly (readonly string[])[]): Promise<readonly string[]> {
  const named = messages.map((to) => [`M${String(++count).padStart(6, '0')}`, to.map((t) => (t.includes('@') ? t : `${t}@x.test`))] as const);
  await h.log.append(named.map(([id, to]) => accepted(h.engine, id, to)));
  return named.map(([id]) => id);
}
const inboxOf = async (name: string): Promise<string> =>
  (await h.pool.query<{ inbox: string }>('SELECT inbox FROM view.account_1 WHERE address = $1', [`${name}@x.test`])).rows[0]?.inbox ?? '';
/** Message ids in a mailbox, by UID. */
const mailOf = async (name: string): Promise<readonly string[]> =>
  (await h.pool.query<{ message_id: string }>('SELECT message_id FROM view.mailbox_message_1 WHERE mailbox_id = $1 ORDER BY uid', [await inboxOf(name)])).rows.map((r) => r.message_id);
const outcomesOf = async (id: string): Promise<readonly Recorded[]> => (await h.store.read(messageStream(id))).events;

describe('accepted mail', () => {
  it('is in the mailbox, with Return-Path, Delivered-To and the trace before the body', async () => {
    const [id] = await accept(['dora+news']);
    await deliverAll();
    expect(await mailOf('dora')).toEqual([id]);
    const last = (await h.store.readLast([mailboxStream(await inboxOf('dora'))])).get(mailboxStream(await inboxOf('dora')));
    const { data, correlation, actor } = last?.event as unknown as Recorded<'MessageAppended', Extract<MailboxEvent, { type: 'MessageAppended' }>['data']>;
    expect(data.prefix).toBe('Return-Path: <bob@y.test>\r\nDelivered-To: dora+news@x.test\r\nReceived: here\r\n');
    expect(data).toMatchObject({ uid: 1, recipient: 'dora+news@x.test', size: data.prefix.length + 10, head: { messages: 1, uidNext: 2 } });
    expect([correlation, actor]).toEqual([id, 'system:delivery']);
  });

  it('goes to everybody behind an alias, once each, and waits for other servers', async () => {
    const [one, two] = await accept(['all', 'ann', 'ann'], ['mixed', 'other@z.test']);
    await deliverAll();
    expect([await mailOf('ann'), await mailOf('bob'), await mailOf('cid')]).toEqual([expect.arrayContaining([one, two]), [one], [one]]);
    expect((await mailOf('ann')).length).toBe(2);
    const routed = await outcomesOf(two as string);
    expect(routed).toMatchObject([{ type: 'MessageQueued', data: { recipients: [{ address: 'other@z.test', via: [] }, { address: 'far@y.test', via: ['mixed@x.test'] }] } }]);
    const { rows } = await h.pool.query('SELECT address, destination, state, version FROM view.queue_1 WHERE message_id = $1 ORDER BY address', [two]);
    expect(rows).toEqual([
      { address: 'far@y.test', destination: 'y.test', state: 'waiting', version: 1 }, { address: 'other@z.test', destination: 'z.test', state: 'waiting', version: 1 },
    ]);
  });

  it('waits for other servers with the priority that settings give it, recipient by recipient', async () => {
    const [letter] = await accept(['a@y.test', 'b@slow.test']);
    const bulk = `M${String(++count).padStart(6, '0')}`;
    await h.log.append([accepted(h.engine, bulk, ['c@y.test'], { bulk: true })]);
    const placement = new Placement(h.engine, () => ({ senders: { outside: 1 }, bulk: 10, destinations: { 'slow.test': 5 } }));
    await deliverAll(h, new LocalDelivery(h.engine, new PostgresDirectory(h.pool, () => '+'), placement));
    const { rows } = await h.pool.query('SELECT address, priority FROM view.queue_1 WHERE message_id = ANY ($1) ORDER BY address', [[letter, bulk]]);
    expect(rows).toEqual([{ address: 'a@y.test', priority: 1 }, { address: 'b@slow.test', priority: 6 }, { address: 'c@y.test', priority: 11 }]);
    expect(await outcomesOf(letter as string)).toMatchObject([{ data: { priority: 1, recipients: [{ address: 'a@y.test' }, { address: 'b@slow.test', priority: 6 }] } }]);
  });

  it('that nobody here can have is recorded so, with the reply they would have heard', async () => {
    const [id] = await accept(['nobody', 'bob']);
    await deliverAll();
    expect(await outcomesOf(id as string)).toMatchObject([
      { type: 'RecipientBounced', data: { recipient: 'nobody@x.test', rule: 'unknown', reply: '550 5.1.1 User unknown' } },
      { type: 'NoticeOwed', data: { kind: 'failed', recipient: 'nobody@x.test', message: { sender: 'bob@y.test' } } },
    ]);
    expect(await mailOf('bob')).toContain(id);
  });

  it('for an account deleted meanwhile holds up nobody', async () => {
    const delivery = deliveryOf(h);
    const [first] = await accept(['doomed', 'bob']);
    await deliverAll(h, delivery);
    expect(await mailOf('doomed')).toEqual([first]); // the delivery knows the mailbox by now
    await commands.deleteAccount(ids.get('doomed') as string, ORIGIN);
    const [second] = await accept(['doomed', 'bob']);
    await deliverAll(h, delivery);
    expect(await outcomesOf(second as string)).toMatchObject([{ type: 'RecipientBounced', data: { rule: 'unknown' } }, { type: 'NoticeOwed' }]);
    expect(await mailOf('bob')).toContain(second);
  });

  it('bounces when the mailbox vanishes between looking it up and writing', async () => {
    await people('brief');
    const directory = new PostgresDirectory(h.pool, () => '+');
    const inbox = await inboxOf('brief');
    const late = {
      lookup: async (addresses: readonly string[]) => {
        const found = await directory.lookup(addresses);
        await commands.deleteAccount(ids.get('brief') as string, ORIGIN).catch(() => undefined);
        return found;
      },
    };
    const [id] = await accept(['brief', 'cid']);
    await deliverAll(h, new LocalDelivery(h.engine, late));
    expect(await outcomesOf(id as string)).toMatchObject([{ type: 'RecipientBounced', data: { rule: 'mailbox-gone' } }, { type: 'NoticeOwed' }]);
    expect(await mailOf('cid')).toContain(id);
    expect((await h.store.readLast([mailboxStream(inbox)])).get(mailboxStream(inbox))?.event.type).toBe('MailboxDeleted');
  });

  it('for a mailbox over its quota is delivered all the same, and says so', async () => {
    await people('full');
    await commands.changeAccount(ids.get('full') as string, { quota: 1 }, ORIGIN);
    await accept(['full']);
    await accept(['full']);
    await deliverAll();
    const { events } = await h.store.read(mailboxStream(await inboxOf('full')));
    expect(events.map((e) => (e.data as { overQuota?: boolean }).overQuota)).toEqual([undefined, undefined, true]);
  });

  it('for a mailbox without UIDs left bounces and holds up nobody', async () => {
    await people('worn');
    const stream = mailboxStream(await inboxOf('worn'));
    const last = (await h.store.readLast([stream])).get(stream);
    const created = last?.event as unknown as Extract<MailboxEvent, { type: 'MailboxCreated' }>;
    const head = { ...created.data.head, uidNext: 2 ** 32 };
    await h.store.append([{ stream, expected: last?.version ?? 0, events: [recorded(h.engine, { type: 'MailboxCreated', data: { ...created.data, head } })] }]);
    const [id] = await accept(['worn', 'eve']);
    await deliverAll();
    expect(await outcomesOf(id as string)).toMatchObject([{ type: 'RecipientBounced', data: { rule: 'mailbox-used-up' } }, { type: 'NoticeOwed' }]);
    expect(await mailOf('eve')).toContain(id);
  });

  it('that the log holds twice is delivered once when it left a trace of its own, and stops nothing', async () => {
    const [id] = await accept(['eve', 'far@y.test']);
    await h.log.append([accepted(h.engine, id as string, ['eve@x.test', 'far@y.test'])]);
    await deliverAll();
    await h.log.append([accepted(h.engine, id as string, ['eve@x.test', 'far@y.test'])]);
    await deliverAll();
    expect((await mailOf('eve')).filter((m) => m === id)).toHaveLength(1);
    expect(await outcomesOf(id as string)).toHaveLength(1);
  });
});

describe('a large delivery', () => {
  const crowd = Array.from({ length: 1_000 }, (_, n) => `c${n}`);
  beforeAll(async () => {
    await people(...crowd);
    await commands.addAlias('crowd@x.test', crowd.map((n) => ({ address: `${n}@x.test` })), ORIGIN);
  });
  const each = async (message: string): Promise<number> =>
    (await h.pool.query<{ n: number }>('SELECT count(DISTINCT mailbox_id) AS n FROM view.mailbox_message_1 WHERE message_id = $1', [message])).rows[0]?.n ?? 0;

  it('of one message to 1,000 recipients reaches each of them', async () => {
    const [id] = await accept(crowd);
    await deliverAll();
    expect(await each(id as string)).toBe(1_000);
  });

  it('of many messages to many recipients is done in steps of a bounded size, each once', async () => {
    let most = 0;
    const store: EventStore = {
      read: (s, after) => h.store.read(s, after), readLast: (s) => h.store.readLast(s), checkpoint: (c, t, p) => h.store.checkpoint(c, t, p),
      append: (appends, checkpoints) => {
        most = Math.max(most, appends.reduce((n, a) => n + a.events.length, 0));
        return h.store.append(appends, checkpoints);
      },
    };
    const ids20 = await accept(...Array.from({ length: 20 }, () => ['crowd']));
    await deliverAll(h, deliveryOf(h, store));
    expect(most).toBeLessThanOrEqual(4_000);
    for (const id of ids20) expect(await each(id)).toBe(1_000);
    expect((await h.pool.query('SELECT 1 FROM view.mailbox_message_1 GROUP BY mailbox_id, message_id HAVING count(*) > 1')).rowCount).toBe(0);
  });
});

describe('exactly once', () => {
  const twice = async (): Promise<number> =>
    (await h.pool.query('SELECT 1 FROM view.mailbox_message_1 GROUP BY mailbox_id, message_id HAVING count(*) > 1')).rowCount ?? 0;

  it('holds when the answer to the append is lost, whether it was written or not', async () => {
    const before = (await mailOf('bob')).length;
    let n = 0;
    const flaky: EventStore = {
      read: (s, after) => h.store.read(s, after), readLast: (s) => h.store.readLast(s), checkpoint: (c, t, p) => h.store.checkpoint(c, t, p),
      append: async (appends, checkpoints) => {
        n++;
        if (n % 3 === 1) throw new Error('the connection broke before the append');
        await h.store.append(appends, checkpoints);
        if (n % 3 === 2) throw new Error('the connection broke after the append');
      },
    };
    const running = await follow(h, deliveryOf(h, flaky));
    const sent: string[] = [];
    for (let i = 0; i < 10; i++) sent.push(...(await accept(['bob'], ['bob', 'far@y.test'], ['nobody', 'bob'])));
    await allDelivered();
    await running.stop();
    expect(n).toBeGreaterThan(3);
    const got = (await mailOf('bob')).slice(before);
    expect(got.toSorted()).toEqual(sent.toSorted());
    expect(await twice()).toBe(0);
  });

  it('holds with two processes on the same partitions, each believing they are its own', async () => {
    const before = (await mailOf('cid')).length;
    const sent = (await accept(...Array.from({ length: 300 }, () => ['cid']))).toSorted();
    const [a, b] = [h.another(), h.another()];
    const moved: unknown[] = [];
    const race = async (member: Member): Promise<void> => {
      const delivery = deliveryOf(member);
      await Promise.all(Array.from({ length: h.log.partitions('mail') }, async (_, partition) => {
        for (;;) {
          const from = await delivery.start('mail', partition);
          const events = await member.log.read('mail', partition, from, 7);
          const last = events.at(-1);
          if (!last) return;
          const slice: Slice = { topic: 'mail', partition, from, events, next: last.position + 1 };
          await delivery.handle(slice).catch((error: unknown) => { moved.push(error); });
        }
      }));
    };
    await Promise.all([race(a), race(b)]);
    expect((await mailOf('cid')).slice(before).toSorted()).toEqual(sent);
    for (const error of moved) expect(error).toBeInstanceOf(CheckpointMoved);
    expect(await twice()).toBe(0);
  });

  it('holds while connections are cut and POP3 expunges in between', async () => {
    await people('busy');
    const [worker, pop3] = [h.another(), h.another()];
    const running = await follow(worker, deliveryOf(worker));
    const maildrops = new PostgresMaildrops(pop3.pool, h.connection, pop3.engine, () => undefined);
    const inbox = await inboxOf('busy');
    const account = { id: ids.get('busy') as string, address: 'busy@x.test', enabled: true, smtp: true, pop3: true, imap: true, quota: 0, used: 0, inbox };
    const fetched: string[] = [];
    const sent: string[] = [];
    for (let round = 0; round < 15; round++) {
      sent.push(...(await accept(...Array.from({ length: 20 }, () => ['busy']))));
      if (round % 4 === 1) await h.cut('%append_decision%');
      const drop = await maildrops.open(account);
      if (drop === 'in-use') throw new Error('in use');
      const uids = [...drop.snapshot.uids];
      const { rows } = await h.pool.query<{ message_id: string }>('SELECT message_id FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid = ANY($2)', [inbox, uids]);
      await drop.expunge(uids, ORIGIN);
      fetched.push(...rows.map((r) => r.message_id));
      await drop.close();
    }
    await allDelivered();
    await running.stop();
    await maildrops.close();
    expect([...fetched, ...(await mailOf('busy'))].toSorted()).toEqual(sent.toSorted());
  });
});

describe('a partition that another process has taken over', () => {
  it('does not hold up the others that are delivered together with it', async () => {
    const delivery = deliveryOf(h);
    const sent = await accept(...Array.from({ length: 40 }, () => ['eve']));
    const slices = await Promise.all(Array.from({ length: h.log.partitions('mail') }, async (_, partition): Promise<Slice> => {
      const from = await h.store.checkpoint(DELIVERY, 'mail', partition);
      const events = await h.log.read('mail', partition, from, 1_000);
      return { topic: 'mail', partition, from, events, next: from + events.length };
    }));
    // Somebody else was here: the checkpoint of the first is elsewhere.
    const [taken] = slices;
    await h.store.append([], [{ consumer: DELIVERY, topic: 'mail', partition: 0, from: taken?.from ?? 0, to: taken?.next ?? 0 }]);
    const results = await Promise.allSettled(slices.map((s) => delivery.handle(s)));
    expect(results.map((r) => r.status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
    expect((results[0] as PromiseRejectedResult).reason).toBeInstanceOf(CheckpointMoved);
    const stolen = new Set(taken?.events.map((e) => e.key));
    const mail = new Set(await mailOf('eve'));
    expect(sent.filter((id) => mail.has(id)).toSorted()).toEqual(sent.filter((id) => !stolen.has(id)).toSorted());
  });
});
