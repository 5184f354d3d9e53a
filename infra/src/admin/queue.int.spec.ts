import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { AttemptResult, QueuedMessage, QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import type { EventStore } from '@kiroku/domain/kernel/event-store.js';
import { base32 } from '../ids/ids.js';
import { NINE, recorded, type TestHistory, testHistory } from '../read-model/testing.js';
import { QueueQueries } from './queue.js';
import { QueueCommands, type QueueLine, type QueueOrder, type QueueTally } from './queue-commands.js';
import type { QueueFilter } from './queue-filter.js';
import { QueueStories } from './queue-story.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
let h: TestHistory;
let queue: QueueQueries;
let commands: QueueCommands;
let stories: QueueStories;
beforeAll(async () => {
  h = await testHistory();
  queue = new QueueQueries(h.pool, h.engine);
  commands = new QueueCommands(h.pool, h.engine, queue);
  stories = new QueueStories(queue, h.engine);
});
afterAll(() => h.close());

let count = 0;
/** A message that was accepted before NINE, and waits. @returns its id. */
async function queued(addresses: readonly string[], { age = 0, ...more }: Partial<QueuedMessage> & { readonly age?: number } = {}, sender?: string): Promise<string> {
  const acceptedAt = NINE - age;
  const messageId = `${base32(acceptedAt, 9)}${String(++count).padStart(6, '0')}`;
  const message: QueuedMessage = { sender: 'ann@x.test', sha256: 'ab'.repeat(32), size: 1_000, trace: '', body: '7BIT', smtputf8: false, requireTls: false, hops: 0, acceptedAt, ...more };
  const recipients = addresses.map((address) => ({ address, recipient: address, via: [], ...(sender !== undefined && { sender }) }));
  await append(messageId, { type: 'MessageQueued', data: { messageId, message, recipients, priority: 0 } });
  return messageId;
}

async function append(messageId: string, ...events: readonly QueueEvent[]): Promise<void> {
  const { version } = await h.store.read(messageStream(messageId));
  await h.store.append([{ stream: messageStream(messageId), expected: version, events: events.map((e) => recorded(h.engine, e, messageId)) }]);
}
const attempted = (messageId: string, ...results: readonly AttemptResult[]): Promise<void> =>
  append(messageId, { type: 'DeliveryAttempted', data: { messageId, host: 'mx.y.test', ip: '192.0.2.9', port: 25, route: 'mx', duration: 12, results } });
const deferred = (address: string, reply = '450 4.7.1 Greylisted', nextAt = NINE + HOUR): AttemptResult =>
  ({ address, outcome: 'deferred', cause: 'line', reply, phase: 'RCPT', nextAt, why: 'line fault: try 1, next in 3600 s, given up after 8 h' });

const found = async (filter: QueueFilter): Promise<readonly string[]> => (await queue.list({ ...filter, limit: 100 })).items.map((i) => i.address);
async function all(order: QueueOrder, filter: QueueFilter, options: { readonly all?: boolean; readonly dryRun?: boolean } = {}, by = commands): Promise<{ results: readonly string[]; summary: QueueTally; lines: readonly QueueLine[] }> {
  const lines: QueueLine[] = [];
  for await (const line of by.applyToAll(order, filter, { all: false, dryRun: false, ...options }, ORIGIN)) lines.push(line);
  const summary = lines.flatMap((l) => ('summary' in l ? [l.summary] : []))[0] as QueueTally;
  return { results: lines.flatMap((l) => ('result' in l ? [`${l.address} ${l.reason ?? l.result}`] : [])), summary, lines };
}
const because = (verb: QueueOrder['verb'], route?: string): QueueOrder => ({ verb, reason: 'ticket 7', ...(route !== undefined && { route }) });

describe('a list of the queue', () => {
  let [old, held, mid]: string[] = [];
  beforeAll(async () => {
    old = await queued(['Bob@a.test', 'cid@b.test'], { age: 5 * HOUR, sender: 'Eve_1@spam.test', headerMessageId: 'm1@spam.test', size: 2_000 });
    mid = await queued(['dan@sub.a.test'], { age: HOUR, sender: '' });
    held = await queued(['fay%@c.test'], { age: MINUTE });
    await attempted(old, deferred('Bob@a.test', '450 4.7.1 Greylisted, try 100% later'));
    await append(held, { type: 'RecipientHeld', data: { messageId: held, address: 'fay%@c.test', reason: 'odd' } });
    await append(mid, { type: 'RecipientRerouted', data: { messageId: mid, address: 'dan@sub.a.test', route: 'gw.test:25', reason: 'MX is wrong' } });
    await h.pool.query('INSERT INTO ops.sending VALUES ($1, $2, 3, gen_random_uuid(), $3, $4)', [old, 'cid@b.test', 'mx.b.test', NINE]);
  });
  afterAll(async () => { await all(because('remove'), {}, { all: true }); });

  it('says everything about each recipient', async () => {
    const [bob, cid] = (await queue.list({ messageId: old?.toLowerCase(), limit: 10 })).items;
    expect(bob).toEqual({
      messageId: old, address: 'Bob@a.test', recipient: 'Bob@a.test', via: [], destination: 'a.test', sender: 'Eve_1@spam.test', envelopeSender: null, headerMessageId: 'm1@spam.test', size: 2_000,
      state: 'waiting', sendingTo: null, acceptedAt: NINE - 5 * HOUR, nextAt: NINE + HOUR, why: 'line fault: try 1, next in 3600 s, given up after 8 h', attempts: 1,
      lastAt: NINE, lastHost: 'mx.y.test', lastReply: '450 4.7.1 Greylisted, try 100% later', lastOutcome: 'deferred', route: '', delayed: false, priority: 0,
    });
    expect(cid).toMatchObject({ sendingTo: 'mx.b.test', attempts: 0, nextAt: NINE });
    expect((await queue.list({ state: 'held', limit: 10 })).items).toMatchObject([{ state: 'held', nextAt: null }]);
  });

  it.each<[QueueFilter, readonly string[]]>([
    [{}, ['Bob@a.test', 'cid@b.test', 'dan@sub.a.test', 'fay%@c.test']],
    [{ sender: 'eve_1@SPAM.test' }, ['Bob@a.test', 'cid@b.test']],
    [{ sender: 'eve_*@spam.test' }, ['Bob@a.test', 'cid@b.test']],
    [{ sender: 'ev__1@spam.test' }, []],
    [{ sender: '<>' }, ['dan@sub.a.test']],
    [{ sender: '' }, ['dan@sub.a.test']],
    [{ recipient: 'bob@a.test' }, ['Bob@a.test']],
    [{ recipient: '*%@c.test' }, ['fay%@c.test']],
    [{ recipient: '%' }, []],
    [{ destination: 'A.test' }, ['Bob@a.test']],
    [{ destination: '*.a.test' }, ['dan@sub.a.test']],
    [{ state: 'held' }, ['fay%@c.test']],
    [{ outcome: 'deferred' }, ['Bob@a.test']],
    [{ outcome: 'untried', state: 'waiting' }, ['cid@b.test', 'dan@sub.a.test']],
    [{ reply: 'TRY 100%' }, ['Bob@a.test']],
    [{ reply: 'try 10_%' }, []],
    [{ host: 'mx.*' }, ['Bob@a.test']],
    [{ route: 'gw.test:25' }, ['dan@sub.a.test']],
    [{ attempts: 1 }, ['Bob@a.test']],
    [{ until: NINE - HOUR }, ['Bob@a.test', 'cid@b.test']],
    [{ since: NINE - HOUR, until: NINE - MINUTE }, ['dan@sub.a.test']],
    [{ nextBefore: NINE + HOUR }, ['cid@b.test', 'dan@sub.a.test']],
    [{ nextBefore: NINE + HOUR + 1, destination: 'a.test' }, ['Bob@a.test']],
    [{ messageId: 'NONE' }, []],
  ])('finds by %j', async (filter, addresses) => expect(await found(filter)).toEqual(addresses));

  it('finds by Message-ID what the view of messages knows', async () => {
    await h.pool.query(`INSERT INTO view.message_2 (message_id, header_message_id, delivered, remote, sent, bounced, facts, decisions) VALUES ($1, 'm1@spam.test', 0, 2, 0, 0, '[]', '[]')`, [old]);
    expect(await found({ messageId: '<m1@spam.test>' })).toEqual(['Bob@a.test', 'cid@b.test']);
  });

  it.each([['age', ['Bob@a.test', 'cid@b.test', 'dan@sub.a.test', 'fay%@c.test']], ['newest', ['fay%@c.test', 'dan@sub.a.test', 'cid@b.test', 'Bob@a.test']], ['next', ['cid@b.test', 'dan@sub.a.test', 'Bob@a.test']]] as const)(
    'comes in pages sorted by %s', async (sort, addresses) => {
      const seen: string[] = [];
      for (let after: string | undefined, pages = 0; pages < 10; pages++) {
        const page = await queue.list({ sort, after, limit: 1 });
        seen.push(...page.items.map((i) => i.address));
        if ((after = page.next) === undefined) break;
      }
      expect(seen).toEqual(addresses);
      await expect(queue.list({ sort, after: 'bm9uc2Vuc2U', limit: 1 })).rejects.toMatchObject({ reason: 'bad-request' });
    });

  it('knows the sender that a forward goes out with', async () => {
    const id = await queued(['gus@d.test'], { sender: 'hal@y.test' }, 'SRS0=x=hal@x.test');
    expect((await queue.list({ sender: 'srs0=*', limit: 9 })).items).toMatchObject([{ address: 'gus@d.test', sender: 'hal@y.test', envelopeSender: 'SRS0=x=hal@x.test' }]);
    expect(await found({ sender: 'hal@y.test' })).toEqual(['gus@d.test']);
    await commands.apply(because('remove'), id, undefined, ORIGIN);
  });

  it('is exported whole', async () => {
    const addresses: string[] = [];
    for await (const item of queue.items({ state: 'waiting' })) addresses.push(item.address);
    expect(addresses).toEqual(['Bob@a.test', 'cid@b.test', 'dan@sub.a.test']);
  });

  it('is summed up by destination, with ages as qshape has them', async () => {
    const { total, destinations, destinationCount } = await queue.summary({}, 2);
    expect(total).toEqual({ recipients: 4, messages: 3, bytes: 4_000, waiting: 3, held: 1, oldestAt: NINE - 5 * HOUR, nextAt: NINE });
    expect(destinationCount).toBe(4);
    expect(destinations).toEqual([
      { destination: 'a.test', recipients: 1, bytes: 2_000, waiting: 1, held: 0, sending: 0, oldestAt: NINE - 5 * HOUR, nextAt: NINE + HOUR, lastAt: NINE, lastHost: 'mx.y.test',
        lastReply: '450 4.7.1 Greylisted, try 100% later', ages: [0, 0, 0, 0, 0, 0, 1, 0, 0, 0] },
      { destination: 'b.test', recipients: 1, bytes: 2_000, waiting: 1, held: 0, sending: 1, oldestAt: NINE - 5 * HOUR, nextAt: NINE, lastAt: null, lastHost: null, lastReply: null,
        ages: [0, 0, 0, 0, 0, 0, 1, 0, 0, 0] },
    ]);
    expect((await queue.summary({ state: 'held' }, 9)).destinations).toMatchObject([{ destination: 'c.test', held: 1, nextAt: null, ages: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0] }]);
    expect(await queue.summary({ messageId: 'NONE' }, 9)).toEqual({ total: { recipients: 0, messages: 0, bytes: 0, waiting: 0, held: 0, oldestAt: null, nextAt: null }, destinations: [], destinationCount: 0 });
  });
});

describe('orders about one message', () => {
  it('are events with reason and actor, all or none', async () => {
    const id = await queued(['bob@y.test', 'cid@y.test']);
    expect(await commands.apply(because('hold'), id.toLowerCase(), ['BOB@y.test'], ORIGIN)).toEqual({ messageId: id, addresses: ['bob@y.test'] });
    await expect(commands.apply(because('hold'), id, ['cid@y.test', 'bob@y.test'], ORIGIN)).rejects.toMatchObject({ reason: 'already-held' });
    expect(await found({ messageId: id, state: 'held' })).toEqual(['bob@y.test']);
    expect(await commands.apply(because('reroute', 'gw.test:25'), id, undefined, ORIGIN)).toEqual({ messageId: id, addresses: ['bob@y.test', 'cid@y.test'] });
    expect(await commands.apply({ ...because('priority'), priority: -3 }, id, ['bob@y.test'], ORIGIN)).toEqual({ messageId: id, addresses: ['bob@y.test'] });
    expect(await commands.count({ verb: 'priority', priority: -3 }, { messageId: id })).toMatchObject({ recipients: 1 });
    expect(await commands.apply(because('bounce'), id, ['cid@y.test'], ORIGIN)).toEqual({ messageId: id, addresses: ['cid@y.test'] });
    expect(await commands.apply(because('release'), id, undefined, ORIGIN)).toEqual({ messageId: id, addresses: ['bob@y.test'] });
    expect(await commands.apply(because('retry'), id, undefined, ORIGIN)).toEqual({ messageId: id, addresses: ['bob@y.test'] });
    expect(await commands.apply(because('remove'), id, undefined, ORIGIN)).toEqual({ messageId: id, addresses: ['bob@y.test'] });
    const { events } = await h.store.read(messageStream(id));
    expect(events.slice(1).map((e) => [e.type, e.actor, (e.data as { reason?: string }).reason])).toEqual([
      ['RecipientHeld', 'admin:ann', 'ticket 7'], ['RecipientRerouted', 'admin:ann', 'ticket 7'], ['RecipientRerouted', 'admin:ann', 'ticket 7'],
      ['RecipientPrioritized', 'admin:ann', 'ticket 7'], ['RecipientBounced', 'admin:ann', 'ticket 7'], ['NoticeOwed', 'admin:ann', undefined], ['RecipientReleased', 'admin:ann', 'ticket 7'],
      ['RetryRequested', 'admin:ann', 'ticket 7'], ['RecipientRemoved', 'admin:ann', 'ticket 7'],
    ]);
  });

  it('are refused by their rules', async () => {
    const id = await queued(['bob@y.test']);
    const refuses = (reason: string, work: Promise<unknown>) => expect(work).rejects.toMatchObject({ reason });
    await refuses('unknown-recipient', commands.apply(because('hold'), 'NONE', undefined, ORIGIN));
    await refuses('unknown-recipient', commands.apply(because('hold'), id, ['cid@y.test'], ORIGIN));
    await refuses('not-held', commands.apply(because('release'), id, undefined, ORIGIN));
    await refuses('bad-route', commands.apply(because('reroute', 'nowhere'), id, undefined, ORIGIN));
    await refuses('bad-route', commands.apply(because('reroute'), id, undefined, ORIGIN));
    await refuses('bad-priority', commands.apply(because('priority'), id, undefined, ORIGIN));
    await refuses('bad-priority', commands.apply({ ...because('priority'), priority: 1_000 }, id, undefined, ORIGIN));
    await refuses('same-priority', commands.apply({ ...because('priority'), priority: 0 }, id, undefined, ORIGIN));
    await refuses('bad-reason', commands.apply({ verb: 'hold', reason: ' ' }, id, undefined, ORIGIN));
    await commands.apply(because('remove'), id, undefined, ORIGIN);
  });

  it('puts another address in a recipient’s place, but none of this server', async () => {
    const id = await queued(['bob@y.test']);
    await new DirectoryCommands(h.engine).addDomain('here.test', { accountLimit: 0 }, ORIGIN);
    await expect(commands.change(id, { address: 'bob@y.test', to: 'Bob@HERE.test', reason: 'x' }, ORIGIN)).rejects.toMatchObject({ reason: 'local-address', detail: 'Bob@HERE.test' });
    await expect(commands.change(id, { address: 'bob@y.test', to: 'nonsense', reason: 'x' }, ORIGIN)).rejects.toMatchObject({ reason: 'bad-address' });
    expect(await commands.change(id, { address: 'BOB@y.test', to: 'Bob@Z.test', reason: 'moved' }, ORIGIN)).toEqual({ messageId: id, addresses: ['Bob@z.test'] });
    expect(await found({ messageId: id })).toEqual(['Bob@z.test']);
    await commands.apply(because('remove'), id, undefined, ORIGIN);
  });
});

describe('orders about all that fit', () => {
  it('reach every recipient across pages, whatever a message’s size', async () => {
    const many = await queued(Array.from({ length: 700 }, (_, i) => `r${i}@bulk.test`));
    for (let i = 0; i < 40; i++) await queued([`s${i}@bulk.test`, 'other@y.test'], { sender: 'bulk@x.test' });
    const dry = await all(because('hold'), { destination: 'bulk.test' }, { dryRun: true });
    expect([dry.summary, dry.results.length]).toEqual([{ total: 740, done: 740, refused: 0, dryRun: true }, 740]);
    expect((await queue.count({ state: 'held' })).recipients).toBe(0);
    const { summary, results, lines } = await all(because('hold'), { destination: 'bulk.test' });
    expect(summary).toEqual({ total: 740, done: 740, refused: 0, dryRun: false });
    expect(new Set(results).size).toBe(740);
    expect(lines[0]).toEqual({ done: 0, total: 740 });
    expect(lines.at(-2)).toEqual({ done: 740, total: 740 });
    expect(await queue.count({ state: 'held' })).toMatchObject({ recipients: 740, messages: 41 });
    expect((await h.store.read(messageStream(many))).events.filter((e) => e.actor !== 'admin:ann')).toHaveLength(1);
  });

  it('leave alone those for which they mean nothing', async () => {
    expect((await all(because('hold'), { destination: 'bulk.test' })).summary.total).toBe(0);
    expect((await all(because('retry'), { destination: 'bulk.test' })).summary.total).toBe(0);
    expect((await all(because('release'), { recipient: 'r*@bulk.test' })).summary).toMatchObject({ total: 700, done: 700 });
    expect((await all(because('reroute', 'gw.test:25'), { sender: 'bulk@x.test', destination: 'y.test' })).summary.total).toBe(40);
    expect((await all(because('reroute', 'gw.test:25'), { sender: 'bulk@x.test' })).summary.total).toBe(40);
  });

  it('say what was refused because somebody else was faster, and go on', async () => {
    const id = await queued(['p@race.test', 'q@race.test', 'r@race.test']);
    let meanwhile: (() => Promise<void>) | undefined = () => append(id, { type: 'RecipientRemoved', data: { messageId: id, address: 'p@race.test', reason: 'first' } });
    const { store } = h;
    const slow: EventStore = {
      append: (appends, moves) => store.append(appends, moves), readLast: (streams) => store.readLast(streams), checkpoint: (...asked) => store.checkpoint(...asked),
      async read(stream, after) {
        const first = meanwhile;
        meanwhile = undefined;
        await first?.();
        return store.read(stream, after);
      },
    };
    const { results, summary } = await all(because('hold'), { destination: 'race.test' }, {}, new QueueCommands(h.pool, { ...h.engine, store: slow }, queue));
    expect(results).toEqual(['p@race.test unknown-recipient', 'q@race.test done', 'r@race.test done']);
    expect(summary).toEqual({ total: 3, done: 2, refused: 1, dryRun: false });
  });

  it('want a filter, or to hear that everything is meant', async () => {
    await expect(all(because('remove'), {})).rejects.toMatchObject({ reason: 'nothing-chosen' });
    await expect(all({ verb: 'remove', reason: '' }, {}, { all: true, dryRun: true })).rejects.toMatchObject({ reason: 'bad-reason' });
    await expect(all(because('reroute', 'x'), { state: 'held' })).rejects.toMatchObject({ reason: 'bad-route' });
    const { recipients } = await queue.count({});
    expect((await all(because('remove'), {}, { all: true })).summary).toMatchObject({ total: recipients, refused: 0 });
    expect((await queue.count({})).recipients).toBe(0);
    expect((await all(because('remove'), {}, { all: true })).summary.total).toBe(0);
  });
});

describe('a recipient’s story', () => {
  it('is what happened to it, also under the name it had before, and to no other', async () => {
    const id = await queued(['bob@y.test', 'cid@y.test']);
    await attempted(id, deferred('bob@y.test'), deferred('cid@y.test'));
    await commands.change(id, { address: 'bob@y.test', to: 'bob@z.test', reason: 'moved' }, ORIGIN);
    await attempted(id, { address: 'cid@y.test', outcome: 'delivered', reply: '250 Ok', phase: 'end-of-data' });
    const { items, events } = await stories.of(id, 'BOB@z.test');
    expect(items.map((i) => i.address)).toEqual(['bob@z.test']);
    expect(events.map((e) => e.type)).toEqual(['MessageQueued', 'DeliveryAttempted', 'RecipientChanged']);
    expect(events[1]?.data).toMatchObject({ results: [{ address: 'bob@y.test' }] });
    const cid = await stories.of(id, 'cid@y.test');
    expect([cid.items, cid.events.map((e) => e.type)]).toEqual([[], ['MessageQueued', 'DeliveryAttempted', 'DeliveryAttempted']]);
    expect((await stories.of(id.toLowerCase())).events).toHaveLength(4);
    await expect(stories.of(id, 'dan@y.test')).rejects.toMatchObject({ reason: 'unknown-recipient' });
    await expect(stories.of('NONE')).rejects.toMatchObject({ reason: 'no-such-message' });
  });
});
