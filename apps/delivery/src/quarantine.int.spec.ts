import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import { quarantineAggregate, quarantineStream } from '@kiroku/domain/delivery/quarantine.js';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import type { EventStore } from '@kiroku/domain/kernel/event-store.js';
import { execute } from '@kiroku/domain/kernel/execute.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { quarantineView } from '@kiroku/domain/delivery/quarantine-view.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import { Rebuild } from '@kiroku/infra/read-model/rebuild.js';
import { accepted, NINE, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { DELIVERY, LocalDelivery, type Prepare } from './local-delivery.js';
import { Placement } from './placement.js';
import { Retrials } from './retrials.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
const SECOND = 1_000;
let h: TestHistory;
beforeAll(async () => {
  h = await testHistory();
  const commands = new DirectoryCommands(h.engine);
  await commands.addDomain('x.test', { accountLimit: 0 }, ORIGIN);
  await commands.addAccount(
    { accountId: h.engine.ids.uuid(), address: 'ann@x.test', fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'v1.sealed', reversible: false }, ORIGIN);
});
afterAll(() => h.close());

/** Messages that a bug strikes, whatever is done with them. */
const struck = new Set<string>();
const bug: Prepare = async (mails, expansions) => {
  for (const { messageId } of mails) if (struck.has(messageId)) throw new TypeError(`cannot read 'head' of ${messageId}\0`);
  return expansions;
};
const directory = () => new PostgresDirectory(h.pool, () => '+');
const aside: string[] = [];
const quarantined = (messageId: string): void => void aside.push(messageId);
const deliveryOf = (store: EventStore = h.store, prepare = bug): LocalDelivery =>
  new LocalDelivery({ ...h.engine, store }, directory(), new Placement({ ...h.engine, store }), prepare, { delivered: () => undefined, quarantined });

/** Hands one partition's waiting mail over, as the log does. @returns the error that it was rejected with. */
async function handle(delivery: LocalDelivery, partition: number): Promise<unknown> {
  const from = await delivery.start('mail', partition);
  const events = await h.log.read('mail', partition, from, 500);
  const last = events.at(-1);
  if (!last) return undefined;
  return delivery.handle({ topic: 'mail', partition, from, events, next: last.position + 1 }).then(() => undefined, (error: unknown) => error);
}

let count = 0;
/** Accepts messages into one partition. */
async function accept(partition: number, n: number): Promise<readonly string[]> {
  const ids: string[] = [];
  while (ids.length < n) {
    const id = `M${String(++count).padStart(6, '0')}`;
    const before = await h.log.head('mail', partition);
    await h.log.append([accepted(h.engine, id, ['ann@x.test'])]);
    if ((await h.log.head('mail', partition)) > before) ids.push(id);
  }
  return ids;
}
const arrived = async (ids: readonly string[]): Promise<readonly string[]> =>
  (await h.pool.query<{ message_id: string }>('SELECT message_id FROM view.mailbox_message_1 WHERE message_id = ANY ($1) ORDER BY message_id', [ids])).rows.map((r) => r.message_id);
const kept = async (id: string) =>
  (await h.pool.query<{ state: string; tries: number; error: string }>('SELECT state, tries, error FROM view.quarantine_1 WHERE message_id = $1', [id])).rows;
const atHead = async (partition: number): Promise<boolean> => (await h.store.checkpoint(DELIVERY, 'mail', partition)) === (await h.log.head('mail', partition));

describe('a message that a bug strikes', () => {
  it('holds up those behind it for half a minute and five tries, then is set aside, and all others are delivered', async () => {
    const ids = await accept(0, 20);
    const [poison] = ids.slice(7);
    struck.add(poison as string);
    const delivery = deliveryOf();
    const others = ids.filter((id) => id !== poison);
    for (let attempt = 1; attempt <= 4; attempt++) {
      expect(await handle(delivery, 0)).toBeInstanceOf(TypeError);
      expect(await arrived(ids)).toEqual(ids.slice(0, 7)); // what goes before it is not held up
      h.engine.clock.advance(15 * SECOND);
    }
    expect(await handle(delivery, 0)).toBeUndefined();
    expect([await arrived(ids), await atHead(0), aside]).toEqual([others, true, [poison]]);
    expect(await kept(poison as string)).toEqual([{ state: 'aside', tries: 5, error: `TypeError: cannot read 'head' of ${poison} ` }]);
    const { events } = await h.store.read(quarantineStream(poison as string));
    expect(events).toMatchObject([{ type: 'MessageQuarantined', actor: 'system:delivery', correlation: poison, data: { partition: 0, size: 10, since: NINE } }]);
    expect((await h.store.read(messageStream(poison as string))).events).toEqual([]);
  });

  it('is not set aside before its time, however often it is tried', async () => {
    const [poison] = await accept(1, 2);
    struck.add(poison as string);
    const delivery = deliveryOf();
    for (let attempt = 1; attempt <= 20; attempt++) expect(await handle(delivery, 1)).toBeInstanceOf(TypeError);
    h.engine.clock.advance(30 * SECOND - 1);
    expect(await handle(delivery, 1)).toBeInstanceOf(TypeError);
    h.engine.clock.advance(1);
    expect(await handle(delivery, 1)).toBeUndefined();
    expect(await atHead(1)).toBe(true);
  });

  it('waits longer when nothing shows that others fare better', async () => {
    const ids = await accept(2, 3);
    for (const id of ids) struck.add(id);
    const delivery = deliveryOf();
    for (let attempt = 1; attempt <= 9; attempt++) {
      expect(await handle(delivery, 2)).toBeInstanceOf(TypeError);
      h.engine.clock.advance(60 * SECOND);
    }
    expect(await kept(ids[0] as string)).toEqual([]);
    h.engine.clock.advance(60 * SECOND);
    await handle(delivery, 2);
    expect(await kept(ids[0] as string)).toMatchObject([{ state: 'aside' }]);
    for (const id of ids) struck.delete(id);
    expect(await handle(delivery, 2)).toBeUndefined();
    expect(await arrived(ids)).toEqual(ids.slice(1));
  });
});

describe('trouble that passes', () => {
  it('sets nothing aside, however long it lasts', async () => {
    const ids = await accept(3, 3);
    let away = true;
    const store: EventStore = {
      read: (s, after) => h.store.read(s, after), readLast: (s) => h.store.readLast(s), checkpoint: (c, t, p) => h.store.checkpoint(c, t, p),
      append: (appends, moves) => (away ? Promise.reject(Object.assign(new Error('no'), { code: '57P01' })) : h.store.append(appends, moves)),
    };
    const delivery = deliveryOf(store);
    for (let attempt = 1; attempt <= 10; attempt++) {
      expect(await handle(delivery, 3)).toMatchObject({ code: '57P01' });
      h.engine.clock.advance(600 * SECOND);
    }
    away = false;
    expect(await handle(delivery, 3)).toBeUndefined();
    expect(await arrived(ids)).toEqual(ids);
  });
});

describe('an administrator’s wish to try again', () => {
  const retry = (id: string): Promise<unknown> =>
    execute(h.engine, quarantineAggregate, quarantineStream(id), { type: 'Retry', messageId: id, reason: 'a new release' }, { actor: 'admin:ann', correlation: 'r' });
  const retrials = (store: EventStore = h.store) =>
    new Retrials({ pool: h.pool, log: h.log, engine: { ...h.engine, store }, directory: directory(), placement: new Placement({ ...h.engine, store }), prepare: bug, quarantined });
  const someAside = async (state: string): Promise<string> =>
    (await h.pool.query<{ message_id: string }>('SELECT message_id FROM view.quarantine_1 WHERE state = $1 ORDER BY message_id LIMIT 1', [state])).rows[0]?.message_id ?? '';

  it('has the message tried once: while the bug is there, it goes back', async () => {
    const id = await someAside('aside');
    await retry(id);
    expect(await kept(id)).toMatchObject([{ state: 'retrying' }]);
    expect(await retrials().round()).toBe(0);
    expect(await kept(id)).toMatchObject([{ state: 'aside', tries: 6 }]);
    expect(await retrials().round()).toBe(0);
    expect(await kept(id)).toMatchObject([{ tries: 6 }]);
  });

  it('delivers it once when the bug is gone, with two processes at it', async () => {
    const id = await someAside('aside');
    await retry(id);
    struck.clear();
    const done = await Promise.all([retrials().round(), retrials().round()]);
    expect(done[0] + done[1]).toBe(1);
    expect([await arrived([id]), await kept(id)]).toEqual([[id], []]);
    expect((await h.store.read(quarantineStream(id))).events.map((e) => e.type)).toEqual([
      'MessageQuarantined', 'QuarantineRetried', 'MessageQuarantined', 'QuarantineRetried', 'QuarantineEnded',
    ]);
  });

  it('waits for a database that is away', async () => {
    const id = await someAside('aside');
    await retry(id);
    const away: EventStore = {
      read: (s, after) => h.store.read(s, after), readLast: (s) => h.store.readLast(s), checkpoint: (c, t, p) => h.store.checkpoint(c, t, p),
      append: () => Promise.reject(Object.assign(new Error('no'), { code: '57P01' })),
    };
    await expect(retrials(away).round()).rejects.toMatchObject({ code: '57P01' });
    expect(await kept(id)).toMatchObject([{ state: 'retrying' }]);
    expect(await retrials().round()).toBe(1);
  });

  it('comes to nothing when the message is discarded while it is being tried', async () => {
    const [id] = await accept(0, 1);
    struck.add(id as string);
    const delivery = deliveryOf();
    await handle(delivery, 0);
    h.engine.clock.advance(600 * SECOND);
    for (let attempt = 1; attempt <= 4; attempt++) await handle(delivery, 0);
    await retry(id as string);
    struck.clear();
    const discard = { type: 'Discard', messageId: id as string, reason: 'spam' } as const;
    const late: EventStore = {
      read: (s, after) => h.store.read(s, after), readLast: (s) => h.store.readLast(s), checkpoint: (c, t, p) => h.store.checkpoint(c, t, p),
      append: async (appends, moves) => {
        await execute(h.engine, quarantineAggregate, quarantineStream(id as string), discard, ORIGIN);
        return h.store.append(appends, moves);
      },
    };
    expect(await retrials(late).round()).toBe(0);
    expect(await retrials().round()).toBe(0);
    expect([await arrived([id as string]), await kept(id as string)]).toEqual([[], []]);
    await expect(retry(id as string)).rejects.toMatchObject({ reason: 'already-discarded' });
  });

  it('leaves a view that equals its rebuild', async () => {
    expect((await new Rebuild(h.log, h.pool, quarantineView as unknown as Projection).verify()).differences).toEqual([]);
  });
});
