import { planTls } from '@kiroku/domain/tls-policy/demands.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import { QUEUE_PARTITIONS } from '@kiroku/domain/delivery/queue-view.js';
import type { EventStore } from '@kiroku/domain/kernel/event-store.js';
import { BodyMissing } from '@kiroku/domain/kernel/object-store.js';
import { ConnectFailed } from '@kiroku/domain/smtp-client/types.js';
import { PartitionLeases } from '@kiroku/infra/event-log/leases.js';
import { NINE, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { until, within } from '@kiroku/infra/rig/until.js';
import type { OutboundPorts } from './ports.js';
import { claimsIn, enqueue, type Rig, rig, rowsOf, SETTINGS, World } from './testing.js';

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

function delivery(changes: Partial<OutboundPorts> = {}): Rig {
  const made = rig(h, world, changes);
  rigs = [...rigs, made];
  return made;
}
function started(changes: Partial<OutboundPorts> = {}): Rig {
  const made = delivery(changes);
  made.outbound.start();
  return made;
}
const emptied = () => until('the queue is empty', 20_000, async () => (await rowsOf(h)).length === 0 && (await claimsIn(h)) === 0);
const eventsOf = async (messageId: string) => (await h.store.read(messageStream(messageId))).events;
const attemptsOf = async (messageId: string) =>
  (await eventsOf(messageId)).filter((e) => e.type === 'DeliveryAttempted').map((e) => e.data as QueueFact<'DeliveryAttempted'>);
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
/** The same store, but for its appends. */
const storeWith = (store: EventStore, append: EventStore['append']): EventStore => ({
  read: (stream, after) => store.read(stream, after), readLast: (streams) => store.readLast(streams), append,
  checkpoint: (consumer, topic, partition) => store.checkpoint(consumer, topic, partition),
});
/** A process that ends between two instructions: its connections are cut, what it was about to do never comes. */
async function die(r: Rig): Promise<void> {
  rigs = rigs.filter((other) => other !== r);
  await r.hints.close();
  await r.member.close();
}

describe('a process that dies while it sends', () => {
  it('leaves a claim, from which the next makes an unknown outcome that is tried again by rule', async () => {
    const { opened, open } = gate();
    world.hosts.set('mx.y.test', { gate: () => opened });
    const id = await enqueue(h, ['bob@y.test']);
    const first = started();
    await until('it is being sent, and it is known where to', 5_000, async () =>
      (await h.pool.query<{ host: string }>('SELECT host FROM ops.sending')).rows[0]?.host === 'mx.y.test' && world.connections === 1);
    const claimed = await rowsOf(h, id);
    void first.outbound.stop(0);
    await die(first);
    world = new World();
    const next = started();
    await until('the outcome is on record', 10_000, async () => (await attemptsOf(id)).length === 1 && (await claimsIn(h)) === 0);
    expect((await attemptsOf(id))[0]?.host).toBe('mx.y.test');
    expect((await attemptsOf(id))[0]?.results).toEqual([{
      address: 'bob@y.test', outcome: 'unknown', cause: 'line', reply: '451 4.4.2 This server stopped before it recorded the outcome', phase: 'end-of-data',
      nextAt: NINE + 120_000, why: expect.stringContaining('line fault') as unknown,
    }]);
    expect(claimed).toHaveLength(1);
    expect(world.seen).toEqual([]);
    next.member.engine.clock.advance(120_000);
    await emptied();
    expect(world.delivered).toEqual(['bob@y.test']);
    open();
  });

  it('is not asked about what it had recorded before', async () => {
    const [sent, put] = [await enqueue(h, ['bob@y.test']), await enqueue(h, ['cid@z.test'])];
    world.hosts.set('mx.z.test', { answer: () => '450 4.2.1 Busy' });
    const first = started();
    await until('both are recorded', 5_000, async () => (await attemptsOf(sent)).length + (await attemptsOf(put)).length === 2 && (await claimsIn(h)) === 0);
    // As if it had died between the record and the release.
    await h.pool.query(`INSERT INTO ops.sending VALUES ($1, 'bob@y.test', 0, $3, '', $4), ($2, 'cid@z.test', 0, $3, '', $4)`, [sent, put, first.queue.owner, NINE]);
    await first.outbound.stop();
    await die(first);
    started();
    await until('the claims are swept', 5_000, async () => (await claimsIn(h)) === 0);
    expect(await attemptsOf(put)).toHaveLength(1);
    expect((await rowsOf(h)).map((w) => w.attempts)).toEqual([1]);
  });
});

describe('two processes', () => {
  const wanted = Array.from({ length: QUEUE_PARTITIONS }, (_, partition) => ({ topic: 'mail' as const, partition }));
  async function member(): Promise<{ r: Rig; leases: PartitionLeases }> {
    const held: PartitionLeases[] = [];
    const r = delivery({ owns: (p) => held.some((leases) => leases.has('mail', p)) });
    const leases = await PartitionLeases.open(r.hints, 'outbound', wanted, () => undefined);
    held.push(leases);
    r.outbound.start();
    return { r, leases };
  }

  it('share the queue and send everything once', async () => {
    const [one, two] = [await member(), await member()];
    const ids: string[] = [];
    const add = async (n: number) => { for (let i = 0; i < n; i++) ids.push(await enqueue(h, [`a@d${i % 40}.test`, `b@d${(i * 7) % 40}.test`])); };
    await add(100);
    await until('both work', 10_000, () => wanted.filter((w) => one.leases.has('mail', w.partition)).length === 8);
    await add(200);
    await emptied();
    expect(world.delivered).toHaveLength(600);
    const attempts = (await Promise.all(ids.map(attemptsOf))).flat();
    expect(attempts.flatMap((a) => a.results).filter((r) => r.outcome === 'delivered')).toHaveLength(600);
    expect(attempts.flatMap((a) => a.results)).toHaveLength(600);
    await one.leases.close();
    await two.leases.close();
  });

  it('leave a recipient to the one that is at it, also when its partition has changed hands', async () => {
    const { opened, open } = gate();
    world.hosts.set('mx.y.test', { gate: () => opened });
    let mine = true;
    const first = started({ owns: () => mine });
    const id = await enqueue(h, ['bob@y.test']);
    await until('it is being sent', 5_000, async () => (await claimsIn(h)) === 1 && world.connections === 1);
    mine = false;
    const second = started();
    await enqueue(h, ['cid@z.test']);
    await until('the second has taken over', 5_000, () => world.delivered.includes('cid@z.test'));
    expect(world.targets.filter((t) => t.name === 'mx.y.test')).toHaveLength(1);
    open();
    await emptied();
    expect(world.delivered).toEqual(['cid@z.test', 'bob@y.test']);
    expect(await attemptsOf(id)).toHaveLength(1);
    expect([...first.member.troubles, ...second.member.troubles]).toEqual([]);
  });
});

describe('a store that says no', () => {
  it('loses no result and sends no more until it says yes', async () => {
    let down = false;
    let refused = 0;
    const made = delivery();
    const { store } = made.member.engine;
    const engine = {
      ...made.member.engine,
      store: storeWith(store, (...args) => (down ? (refused++, Promise.reject(new Error('no store'))) : store.append(...args))),
    };
    const r = started({ engine });
    await enqueue(h, ['warm@y.test']);
    await emptied();
    down = true;
    for (let i = 0; i < 40; i++) await enqueue(h, [`u${i}@y.test`]);
    await until('it has refused', 10_000, () => refused > 5);
    const before = await until('nothing is sent any more', 10_000, async () => {
      const seen = world.seen.length;
      const tries = refused;
      await until('another round failed', 10_000, () => refused > tries);
      return world.seen.length === seen ? seen : undefined;
    });
    expect(before).toBeLessThanOrEqual(41);
    down = false;
    await emptied();
    expect(world.delivered).toHaveLength(41);
    expect(new Set(world.delivered).size).toBe(41);
    expect(r.outbound.state.unrecorded).toBe(0);
  }, 60_000);

  it('is asked whether it has written what it did not answer for', async () => {
    const made = delivery();
    const { store } = made.member.engine;
    let once = true;
    const engine = {
      ...made.member.engine,
      store: storeWith(store, async (...args) => {
        await store.append(...args);
        if (!once) return;
        once = false;
        throw new Error('connection lost');
      }),
    };
    world.hosts.set('mx.y.test', { answer: () => '450 4.2.1 Busy' });
    const id = await enqueue(h, ['bob@y.test']);
    started({ engine });
    await until('the claim is gone', 10_000, async () => !once && (await claimsIn(h)) === 0);
    expect(await attemptsOf(id)).toHaveLength(1);
  });
});

describe("this machine's own trouble", () => {
  it('is not counted against recipients whose body cannot be read', async () => {
    const id = await enqueue(h, ['bob@y.test'], { sha256: 'f'.repeat(64) });
    started({ bodies: { read: (ref) => { throw new BodyMissing(ref.sha256); } } });
    const waiting = await until('it is put off', 5_000, async () => (await rowsOf(h, id)).find((w) => w.last_at !== null));
    expect(waiting).toMatchObject({ attempts: 0, next_at: NINE + 60_000, last_outcome: 'deferred' });
  });

  it('pauses everything when it does not end, and gives the recipients back untouched', async () => {
    let broken = true;
    const connect = (): void => { if (broken) throw new ConnectFailed('connect', 'deferred', 'local', '451 4.3.0 Too many open files'); };
    world.hosts.set('mx.y.test', { connect });
    const r = started();
    for (let i = 0; i < 10; i++) await enqueue(h, [`u${i}@y.test`]);
    const tried = await until('it pauses', 10_000, async () => {
      const before = world.targets.length;
      await enqueue(h, ['x@y.test']);
      await until('rows are in memory', 5_000, () => r.outbound.state.rows > 0);
      return before >= 3 && world.targets.length === before ? before : undefined;
    });
    expect(tried).toBeLessThan(30);
    broken = false;
    // A failure that was under way may begin another pause.
    await until('the queue is empty', 20_000, async () => {
      r.member.engine.clock.advance(10_000);
      return (await rowsOf(h)).length === 0 && (await claimsIn(h)) === 0;
    });
    const attempts = await h.pool.query(`SELECT FROM history.decision WHERE events LIKE '%Too many open files%'`);
    expect(attempts.rowCount).toBe(0);
  });
});

describe('a connection that had died of idleness', () => {
  it('with a pool of local addresses is on record, holds up no other mail, and passes when it is mended', async () => {
    let pool = ['192.0.2.66'];
    const connect = (target: { source?: string }): void => {
      if (target.source === '192.0.2.66') throw new ConnectFailed('connect', 'deferred', 'source', '451 4.3.0 Local address cannot be used: 192.0.2.66 (EADDRNOTAVAIL)');
    };
    world.hosts.set('mx.y.test', { connect });
    const ids = [await enqueue(h, ['bob@y.test']), await enqueue(h, ['cid@y.test'])];
    for (let i = 0; i < 5; i++) await enqueue(h, [`u${i}@z.test`]);
    const hosts: OutboundPorts['hosts'] = async (route) => ({ kind: 'hosts', hosts: [{ name: `mx.${route.kind === 'mx' ? route.domain : ''}`, ip: '192.0.2.25', port: 25, preference: 0, secure: false }] });
    const r = started({ hosts, pool: ({ destination }) => (destination === 'y.test' ? pool : undefined) });
    await until('all were tried', 10_000, async () => world.seen.length === 5 && (await rowsOf(h)).every((row) => row.last_outcome === 'deferred') && (await claimsIn(h)) === 0);
    expect(await rowsOf(h)).toMatchObject(ids.map((message_id) => ({ message_id, attempts: 0, last_host: 'mx.y.test', last_reply: '451 4.3.0 Local address cannot be used: 192.0.2.66 (EADDRNOTAVAIL)' })));
    pool = ['192.0.2.7'];
    r.member.engine.clock.advance(70_000);
    await emptied();
    expect(world.targets.at(-1)?.source).toBe('192.0.2.7');
  });

  it('costs the message nothing', async () => {
    let first = true;
    world.hosts.set('mx.y.test', { answer: (_, __, sentBefore) => (sentBefore > 0 && first ? ((first = false), { phase: 'MAIL', reply: '421 4.4.2 Idle for too long', close: true }) : '250 Ok') });
    started({ settings: () => ({ ...SETTINGS, concurrency: 1 }) });
    await enqueue(h, ['bob@y.test']);
    await emptied();
    const id = await enqueue(h, ['cid@y.test']);
    await emptied();
    expect(first).toBe(false);
    expect(await attemptsOf(id)).toMatchObject([{ results: [{ outcome: 'delivered' }] }]);
    expect(world.connections).toBe(2);
  });
});

describe('stopping', () => {
  it('finishes what is under way, begins nothing, and closes politely', async () => {
    const { opened, open } = gate();
    world.hosts.set('mx.y.test', { gate: () => opened });
    for (let i = 0; i < 5; i++) await enqueue(h, [`u${i}@y.test`]);
    const r = started({ settings: () => ({ ...SETTINGS, concurrency: 1 }) });
    await until('one is being sent and one is claimed', 5_000, async () => world.connections === 1 && (await claimsIn(h)) === 2);
    const stopped = r.outbound.stop(10_000);
    open();
    expect(await within('it stops', 10_000, stopped)).toBe(true);
    expect(world.seen).toHaveLength(1);
    expect(world.quits).toBe(1);
    expect(await rowsOf(h)).toHaveLength(4);
    await until('no claim is left', 5_000, async () => (await claimsIn(h)) === 0);
  });

  it('does not wait for ever for a peer that says nothing; its claim stays', async () => {
    world.hosts.set('mx.y.test', { gate: () => new Promise<void>(() => undefined) });
    await enqueue(h, ['bob@y.test']);
    const r = started();
    await until('it is being sent', 5_000, async () => world.connections === 1 && (await claimsIn(h)) === 1);
    expect(await r.outbound.stop(50)).toBe(false);
    expect(await claimsIn(h)).toBe(1);
  });
});

describe('a message that does not ask for TLS', () => {
  it('has a connection of its own, made without what the other side publishes about TLS', async () => {
    const asked: boolean[] = [];
    const demandsFor: OutboundPorts['tls']['demandsFor'] = async (question) => {
      asked.push(question.tlsOptional);
      return planTls({ ...question, row: undefined, dane: { kind: 'none' }, sts: {}, reports: false });
    };
    started({ tls: { demandsFor, failed: () => undefined } });
    await enqueue(h, ['bob@y.test'], { tlsOptional: true });
    await enqueue(h, ['cid@y.test']);
    await enqueue(h, ['dan@z.test'], { tlsOptional: true, requireTls: true });
    await emptied();
    expect(asked.sort()).toEqual([false, false, true]);
    expect(world.connections).toBe(2);
  });
});

describe('a message that requires TLS all the way', () => {
  it('goes only where TLS was verified and the name is to be trusted', async () => {
    const secure = { name: 'mx.safe.test', ip: 'mx.safe.test', port: 25, preference: 10, secure: true };
    started({
      hosts: async (route) => ({ kind: 'hosts', hosts: [route.kind === 'mx' && route.domain === 'safe.test' ? secure : { ...secure, name: 'mx.y.test', ip: 'mx.y.test', secure: false }] }),
      tls: {
        demandsFor: async (question) => planTls({ ...question, row: undefined, dane: { kind: 'none' }, sts: {}, reports: false }), failed: () => undefined,
      },
    });
    const refused = await enqueue(h, ['bob@y.test'], { requireTls: true });
    await enqueue(h, ['bob@safe.test'], { requireTls: true });
    await enqueue(h, ['cid@y.test']);
    await emptied();
    expect((await attemptsOf(refused))[0]?.results[0]).toMatchObject({ outcome: 'refused', reply: expect.stringContaining('5.7.30') as unknown });
    expect(world.seen.map((s) => s.recipients[0]).sort()).toEqual(['bob@safe.test', 'cid@y.test']);
    expect(world.targets.find((t) => t.name === 'mx.safe.test')?.tls).toMatchObject({ mode: 'required', verify: 'pkix' });
  });
});
