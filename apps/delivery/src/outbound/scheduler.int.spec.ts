import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import { queueAggregate } from '@kiroku/domain/delivery/queue.js';
import { execute } from '@kiroku/domain/kernel/execute.js';
import { NINE, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { until } from '@kiroku/infra/rig/until.js';
import type { OutboundPorts } from './ports.js';
import { claimsIn, enqueue, mxOf, type Rig, rig, rowsOf, SETTINGS, unreachable, World } from './testing.js';

const ORIGIN = { actor: 'admin:root', correlation: 'c' };
let h: TestHistory;
let world: World;
let rigs: Rig[] = [];
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());
beforeEach(() => void (world = new World()));
afterEach(async () => {
  for (const r of rigs) await r.close();
  rigs = [];
  await h.pool.query('TRUNCATE view.queue_1, view.notice_1, ops.sending');
});

function delivery(changes: Partial<OutboundPorts> = {}, capacity?: number): Rig {
  const made = rig(h, world, changes, capacity);
  rigs = [...rigs, made];
  return made;
}
function started(changes: Partial<OutboundPorts> = {}, capacity?: number): Rig {
  const made = delivery(changes, capacity);
  made.outbound.start();
  return made;
}
const emptied = () => until('the queue is empty', 20_000, async () => (await rowsOf(h)).length === 0 && (await claimsIn(h)) === 0);
const eventsOf = async (messageId: string) => (await h.store.read(messageStream(messageId))).events;
const attemptsOf = async (messageId: string) =>
  (await eventsOf(messageId)).filter((e) => e.type === 'DeliveryAttempted').map((e) => e.data as QueueFact<'DeliveryAttempted'>);
const row = async (messageId: string) => (await rowsOf(h, messageId))[0];
/** A promise and its end. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

describe('outbound delivery', () => {
  it('sends what waits, with the trace in front, and records how it went', async () => {
    const id = await enqueue(h, ['bob@y.test']);
    const r = started();
    await emptied();
    expect(world.seen).toMatchObject([{ host: 'mx.y.test', sender: 'ann@here.test', recipients: ['bob@y.test'], text: 'Received: by here\r\nSubject: x\r\n\r\nHello\r\n' }]);
    expect(await attemptsOf(id)).toEqual([{
      messageId: id, host: 'mx.y.test', ip: 'mx.y.test', port: 25, source: '192.0.2.9', route: 'mx', duration: 0,
      results: [{ address: 'bob@y.test', outcome: 'delivered', reply: '250 2.1.5 Ok', phase: 'end-of-data', relayed: true }],
    }]);
    expect(r.member.troubles).toEqual([]);
  });

  it('sends what comes in while it runs, without being told', async () => {
    started();
    const ids = await Promise.all(Array.from({ length: 50 }, (_, i) => enqueue(h, [`u${i}@y.test`])));
    await emptied();
    expect(world.seen).toHaveLength(ids.length);
  });

  it('lets recipients of one message at one route share a transaction', async () => {
    await enqueue(h, Array.from({ length: 150 }, (_, i) => `u${i}@y.test`));
    await enqueue(h, ['a@one.test', 'b@two.test', 'c@three.test']);
    started({ route: ({ destination }) => (destination === 'y.test' ? { kind: 'mx', domain: destination } : { kind: 'gateway', host: 'gate.test', port: 25, implicitTls: false }) });
    await emptied();
    expect(world.seen.filter((s) => s.host === 'mx.y.test').map((s) => s.recipients.length)).toEqual([100, 50]);
    expect(world.seen.filter((s) => s.host === 'mx.gate.test').map((s) => [...s.recipients].sort())).toEqual([['a@one.test', 'b@two.test', 'c@three.test']]);
  });

  it('uses a connection again and closes it when it has been idle', async () => {
    const r = started({ settings: () => ({ ...SETTINGS, concurrency: 1 }) });
    for (let i = 0; i < 5; i++) await enqueue(h, ['bob@y.test']);
    await emptied();
    expect(world.connections).toBe(1);
    expect(world.quits).toBe(0);
    r.member.engine.clock.advance(5_000);
    await until('the idle connection is closed', 5_000, () => world.quits === 1);
    expect(r.outbound.state.sessions).toBe(0);
  });

  it('closes a connection after a hundred messages', async () => {
    await Promise.all(Array.from({ length: 250 }, (_, i) => enqueue(h, [`u${i}@y.test`])));
    started({ settings: () => ({ ...SETTINGS, concurrency: 1 }) });
    await emptied();
    const perConnection = [1, 2, 3].map((n) => world.seen.filter((s) => s.conversation === n).length);
    expect(perConnection).toEqual([100, 100, 50]);
  });

  it('sends by turns for several senders, and the better priority first', async () => {
    for (let i = 0; i < 20; i++) await enqueue(h, [`n${i}@y.test`], { sender: 'newsletter@here.test' });
    for (let i = 0; i < 3; i++) await enqueue(h, [`a${i}@y.test`], { sender: 'ann@here.test' });
    await enqueue(h, ['first@y.test'], { sender: 'newsletter@here.test' }, -1);
    started({ settings: () => ({ ...SETTINGS, concurrency: 1 }) });
    await emptied();
    const order = world.delivered.map((a) => a[0]);
    expect(order[0]).toBe('f');
    expect(order.slice(1, 7).filter((c) => c === 'a')).toHaveLength(3);
  });

  it('puts first what an administrator wants first, though it waits in memory already', async () => {
    const first = gate();
    world.hosts.set('mx.y.test', { gate: () => first.opened });
    await enqueue(h, ['busy@y.test']);
    const read: number[] = [];
    const mayDeliver = ({ address, priority }: { address: string; priority: number }): boolean => (address === 'urgent@y.test' && read.push(priority), true);
    const r = started({ settings: () => ({ ...SETTINGS, concurrency: 1 }), mayDeliver });
    await until('one is on its way', 20_000, async () => (await claimsIn(h)) === 1);
    for (let i = 0; i < 10; i++) await enqueue(h, [`n${i}@y.test`]);
    const urgent = await enqueue(h, ['urgent@y.test']);
    await until('all are in memory', 20_000, () => r.outbound.state.rows === 12);
    await execute(h.engine, queueAggregate, messageStream(urgent), { type: 'Prioritize', messageId: urgent, priority: -10, reason: 'the board waits' }, ORIGIN);
    await until('that is seen', 20_000, () => read.includes(-10));
    first.open();
    await emptied();
    // The one after the busy one may have been claimed before.
    expect(world.delivered.indexOf('urgent@y.test')).toBeLessThanOrEqual(2);
  });

  it('holds up nobody for a destination that is dead, and tries that again by the clock', async () => {
    world.hosts.set('mx.dead.test', { connect: () => unreachable() });
    const dead = await Promise.all(Array.from({ length: 30 }, (_, i) => enqueue(h, [`u${i}@dead.test`])));
    for (let i = 0; i < 30; i++) await enqueue(h, [`u${i}@y.test`]);
    const r = started();
    await until('the others are delivered and the dead put off', 20_000, async () =>
      world.seen.length === 30 && (await rowsOf(h)).every((w) => w.attempts === 1) && (await claimsIn(h)) === 0);
    const waiting = await rowsOf(h);
    expect(waiting).toHaveLength(30);
    expect(waiting[0]).toMatchObject({ last_reply: '451 4.4.1 Connection refused', last_outcome: 'deferred', next_at: NINE + 120_000, last_host: 'mx.dead.test' });
    expect((await attemptsOf(dead[29] as string))[0]?.results[0]).toMatchObject({ cause: 'no-answer', phase: 'connect' });
    // Few connections were tried for the thirty.
    expect(world.targets.filter((t) => t.name === 'mx.dead.test').length).toBeLessThanOrEqual(2);
    world.hosts.delete('mx.dead.test');
    r.member.engine.clock.advance(119_999);
    r.outbound.wake();
    await enqueue(r.member, ['later@y.test']);
    await until('the later one is delivered', 5_000, async () => world.seen.length === 31 && (await rowsOf(h)).length === 30);
    r.member.engine.clock.advance(1);
    await emptied();
    expect(world.seen).toHaveLength(61);
  });

  it('opens more connections with success, and fewer when the other side is overtaxed', async () => {
    let gentle = true;
    world.hosts.set('mx.y.test', {
      gate: () => new Promise((resolve) => setImmediate(resolve)),
      answer: () => (gentle ? '250 Ok' : { phase: 'MAIL', reply: '451 4.7.0 Too many messages' }),
    });
    const r = started({ settings: () => ({ ...SETTINGS, concurrency: 8 }) });
    await Promise.all(Array.from({ length: 400 }, (_, i) => enqueue(h, [`u${i}@y.test`])));
    await emptied();
    expect(world.most.get('mx.y.test')).toBe(8);
    gentle = false;
    await Promise.all(Array.from({ length: 40 }, (_, i) => enqueue(h, [`v${i}@y.test`])));
    await until('all are put off', 20_000, async () => (await rowsOf(h)).every((w) => w.attempts === 1) && r.outbound.state.unrecorded === 0);
    await until('connections were closed', 5_000, () => (world.open.get('mx.y.test') ?? 0) <= 1);
  });

  it('keeps to the rate of a route', async () => {
    const r = started({ settings: () => ({ ...SETTINGS, perMinute: () => 60 }) });
    for (let i = 0; i < 3; i++) await enqueue(h, [`u${i}@y.test`]);
    await until('one is sent', 5_000, () => world.seen.length === 1);
    r.member.engine.clock.advance(999);
    r.outbound.wake();
    await enqueue(r.member, ['other@z.test']); // by the clock that went on: what lies further back than the last moments is not read again
    await until('another destination is served', 5_000, () => world.seen.some((s) => s.host === 'mx.z.test'));
    expect(world.seen.filter((s) => s.host === 'mx.y.test')).toHaveLength(1);
    r.member.engine.clock.advance(1);
    await until('the next is sent', 5_000, () => world.seen.filter((s) => s.host === 'mx.y.test').length === 2);
    r.member.engine.clock.advance(1_000);
    await emptied();
  });

  it('keeps to the total of connections and serves all destinations in turn', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, i) => enqueue(h, [`u@d${i % 12}.test`])));
    const r = started({ settings: () => ({ ...SETTINGS, sessions: 3 }) });
    let most = 0;
    for (let i = 0; i < 12; i++) world.hosts.set(`mx.d${i}.test`, { gate: () => void (most = Math.max(most, [...world.open.values()].reduce((a, b) => a + b, 0))) });
    await emptied();
    expect(most).toBeLessThanOrEqual(3);
    expect(r.outbound.state.sessions).toBeLessThanOrEqual(3);
    expect(world.seen).toHaveLength(60);
  });

  it('keeps a window over a long queue', async () => {
    const { engine } = h;
    // Twenty thousand recipients: many at a destination that hangs, the rest anywhere.
    for (let i = 0; i < 20; i++) await enqueue({ engine }, Array.from({ length: 500 }, (_, n) => `u${i}-${n}@slow.test`), { sender: `s${i % 3}@here.test` });
    for (let i = 0; i < 20; i++) await enqueue({ engine }, Array.from({ length: 500 }, (_, n) => `u@d${i}-${n % 250}.test${n < 250 ? '' : 'ing'}`));
    const { opened, open } = gate();
    world.hosts.set('mx.slow.test', { gate: () => opened });
    const r = started({}, 1_000);
    let most = 0;
    await until('the others are delivered', 60_000, () => {
      most = Math.max(most, r.outbound.state.rows);
      return world.delivered.length >= 10_000;
    });
    expect(most).toBeLessThanOrEqual(1_000);
    open();
    await until('the slow are delivered', 60_000, () => {
      most = Math.max(most, r.outbound.state.rows);
      return world.delivered.length === 20_000;
    });
    await emptied();
    expect(most).toBeLessThanOrEqual(1_000);
    expect(new Set(world.delivered).size).toBe(20_000);
    expect(r.member.troubles).toEqual([]);
  }, 150_000);

  it('leaves alone what may not go, until it may', async () => {
    let hours = false;
    const r = started({ mayDeliver: ({ destination }) => hours || destination !== 'y.test' });
    const id = await enqueue(h, ['bob@y.test']);
    await enqueue(h, ['cid@z.test']);
    await until('the other is delivered', 5_000, () => world.seen.length === 1);
    expect((await row(id))?.attempts).toBe(0);
    hours = true;
    r.outbound.wake();
    await emptied();
  });

  it('goes the way that the routing says when the turn comes', async () => {
    const { opened, open } = gate();
    let via = 'old';
    world.hosts.set('mx.old.test', { gate: () => opened });
    const r = started({ route: () => ({ kind: 'gateway', host: `${via}.test`, port: 25, implicitTls: false }), settings: () => ({ ...SETTINGS, concurrency: 1 }) });
    for (let i = 0; i < 5; i++) await enqueue(h, [`u${i}@y.test`]);
    await until('all are in memory', 5_000, () => r.outbound.state.rows === 5);
    via = 'new';
    open();
    await emptied();
    expect(world.seen.filter((s) => s.host === 'mx.new.test').length).toBeGreaterThanOrEqual(3);
  });
});

describe('the hosts of a route', () => {
  const two = { hosts: async () => ({ kind: 'hosts' as const, hosts: [mxOf('one.test'), mxOf('two.test', 20)] }) };

  it('are tried in order, and one that failed is passed over for a while', async () => {
    world.hosts.set('mx.one.test', { connect: () => unreachable() });
    const id = await enqueue(h, ['bob@y.test']);
    started({ ...two, settings: () => ({ ...SETTINGS, concurrency: 1 }) });
    await emptied();
    expect((await attemptsOf(id))[0]).toMatchObject({ host: 'mx.two.test', results: [{ outcome: 'delivered' }] });
    await enqueue(h, ['bob@y2.test']);
    await emptied();
    expect(world.targets.map((t) => t.name)).toEqual(['mx.one.test', 'mx.two.test', 'mx.two.test']);
  });

  it('are asked one after the other when one takes nothing from this sender', async () => {
    world.hosts.set('mx.one.test', { answer: () => ({ phase: 'MAIL', reply: '451 4.3.2 Not now' }) });
    const id = await enqueue(h, ['bob@y.test', 'cid@y.test']);
    started(two);
    await emptied();
    expect(await attemptsOf(id)).toMatchObject([{ host: 'mx.two.test', results: [{ outcome: 'delivered' }, { outcome: 'delivered' }] }]);
  });

  it('leave the last reply on record when none is willing', async () => {
    for (const name of ['one', 'two']) world.hosts.set(`mx.${name}.test`, { answer: () => ({ phase: 'MAIL', reply: `451 4.3.2 Not now, says ${name}` }) });
    const id = await enqueue(h, ['bob@y.test']);
    started(two);
    const waiting = await until('it is put off', 5_000, async () => (await rowsOf(h, id)).find((w) => w.attempts === 1));
    expect(waiting).toMatchObject({ last_reply: '451 4.3.2 Not now, says two', last_host: 'mx.two.test' });
  });

  it('do not bounce the mail when one refuses to talk and another is away', async () => {
    world.hosts.set('mx.one.test', { connect: () => unreachable() });
    world.hosts.set('mx.two.test', { connect: () => { throw new (class extends Error {})('not a ConnectFailed'); } });
    const id = await enqueue(h, ['bob@y.test']);
    const r = started(two);
    await until('trouble is told', 5_000, () => r.member.troubles.length > 0);
    expect(await row(id)).toMatchObject({ attempts: 0, state: 'waiting' });
  });

  it('are not asked where the DNS says never', async () => {
    const id = await enqueue(h, ['bob@y.test']);
    started({ hosts: async () => ({ kind: 'refused', reply: '556 5.1.10 Domain does not accept mail (null MX)' }) });
    await emptied();
    expect((await eventsOf(id)).map((e) => e.type)).toEqual(['MessageQueued', 'DeliveryAttempted', 'RecipientBounced', 'NoticeOwed']);
    expect(world.targets).toEqual([]);
  });
});

describe('a message to ten recipients with ten fates', () => {
  it('has one story', async () => {
    const fates: Record<string, string> = {
      'a@f.test': '250 Ok', 'b@f.test': '450 4.2.1 Busy', 'c@f.test': '550 5.1.1 Unknown', 'd@f.test': '452 4.2.2 Full', 'e@f.test': '554 5.7.1 No',
    };
    world.hosts.set('mx.f.test', { answer: (recipient) => fates[recipient] ?? '250 Ok' });
    world.hosts.set('mx.away.test', { connect: () => unreachable() });
    world.hosts.set('mx.broken.test', { answer: () => 'break' });
    world.hosts.set('mx.closed.test', { answer: () => ({ phase: 'MAIL', reply: '450 4.3.2 Closed' }) });
    world.hosts.set('mx.no.test', { answer: () => ({ phase: 'MAIL', reply: '550 5.7.1 Go away' }) });
    const others = ['g@away.test', 'h@broken.test', 'i@closed.test', 'j@no.test', 'k@good.test'];
    const id = await enqueue(h, [...Object.keys(fates), ...others].map((address) => ({ address, recipient: address, via: [], notify: ['FAILURE', 'SUCCESS'] as const })));
    started();
    await until('all have met their fate', 10_000, async () => (await attemptsOf(id)).flatMap((a) => a.results).length === 10);
    const outcomes = new Map((await attemptsOf(id)).flatMap((a) => a.results).map((r) => [r.address[0], r.outcome]));
    expect(Object.fromEntries(outcomes)).toEqual({
      a: 'delivered', b: 'deferred', c: 'refused', d: 'deferred', e: 'refused', g: 'deferred', h: 'unknown', i: 'deferred', j: 'refused', k: 'delivered',
    });
    expect((await rowsOf(h, id)).map((w) => w.address[0])).toEqual(['b', 'd', 'g', 'h', 'i']);
    const owed = (await eventsOf(id)).filter((e) => e.type === 'NoticeOwed').map((e) => e.data as QueueFact<'NoticeOwed'>);
    expect(owed.map((n) => `${n.address[0]} ${n.kind}`).sort()).toEqual(['a relayed', 'c failed', 'e failed', 'j failed', 'k relayed']);
    await until('no claim is left', 5_000, async () => (await claimsIn(h)) === 0);
  });
});

describe('people and attempts at the same time', () => {
  it('record the attempt although the recipient was removed meanwhile', async () => {
    const { opened, open } = gate();
    world.hosts.set('mx.y.test', { gate: () => opened, answer: () => '450 4.2.1 Busy' });
    const id = await enqueue(h, ['bob@y.test']);
    started();
    await until('it is being sent', 5_000, async () => (await claimsIn(h)) === 1 && world.connections === 1);
    await execute(h.engine, queueAggregate, messageStream(id), { type: 'Remove', messageId: id, reason: 'no' }, ORIGIN);
    open();
    await until('the attempt is on record', 5_000, async () => (await attemptsOf(id)).length === 1 && (await claimsIn(h)) === 0);
    const [attempt] = await attemptsOf(id);
    expect(attempt?.results[0]).toEqual({ address: 'bob@y.test', outcome: 'deferred', cause: 'line', reply: '450 4.2.1 Busy', phase: 'RCPT' });
    expect(await rowsOf(h, id)).toEqual([]);
  });

  it('end the wait of a held recipient that was delivered', async () => {
    const { opened, open } = gate();
    world.hosts.set('mx.y.test', { gate: () => opened });
    const id = await enqueue(h, ['bob@y.test']);
    started();
    await until('it is being sent', 5_000, async () => (await claimsIn(h)) === 1 && world.connections === 1);
    await execute(h.engine, queueAggregate, messageStream(id), { type: 'Hold', messageId: id, reason: 'wait' }, ORIGIN);
    open();
    await emptied();
    expect((await eventsOf(id)).map((e) => e.type)).toEqual(['MessageQueued', 'RecipientHeld', 'DeliveryAttempted']);
  });

  it('send nothing that was held while it waited in memory, and send it when it is released', async () => {
    const { opened, open } = gate();
    world.hosts.set('mx.y.test', { gate: () => opened });
    const r = started({ settings: () => ({ ...SETTINGS, concurrency: 1 }) });
    for (let i = 0; i < 3; i++) await enqueue(h, ['x@y.test']);
    const id = await enqueue(h, ['held@y.test']);
    await until('all are in memory', 5_000, () => r.outbound.state.rows === 4 && world.connections === 1);
    await execute(h.engine, queueAggregate, messageStream(id), { type: 'Hold', messageId: id, reason: 'wait' }, ORIGIN);
    open();
    await until('the others are delivered', 5_000, () => world.seen.length === 3);
    await until('only the held one is left', 5_000, async () => (await rowsOf(h)).length === 1 && r.outbound.state.rows === 0);
    expect(world.delivered).not.toContain('held@y.test');
    await execute(h.engine, queueAggregate, messageStream(id), { type: 'Release', messageId: id, reason: 'go' }, ORIGIN);
    await emptied();
    expect(world.delivered).toContain('held@y.test');
  });

  it('try at once what somebody asks for, although the route is down', async () => {
    world.hosts.set('mx.y.test', { connect: () => unreachable() });
    const id = await enqueue(h, ['bob@y.test']);
    started();
    await until('it is put off', 5_000, async () => (await row(id))?.attempts === 1);
    world.hosts.delete('mx.y.test');
    await execute(h.engine, queueAggregate, messageStream(id), { type: 'Retry', messageId: id, reason: 'now' }, ORIGIN);
    await emptied();
    expect(world.delivered).toEqual(['bob@y.test']);
  });
});
