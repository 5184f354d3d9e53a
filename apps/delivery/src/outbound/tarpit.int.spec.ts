import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import { type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { until } from '@kiroku/infra/rig/until.js';
import { claimsIn, enqueue, type Rig, rig, rowsOf, SETTINGS, World } from './testing.js';

let h: TestHistory;
let world: World;
let r: Rig;
/** Those that were called and said nothing. */
let stuck = new Set<string>();
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());
beforeEach(() => {
  world = new World();
  stuck = new Set();
  world.otherwise = ({ name }) => (name.startsWith('mx.tar') ? { connect: () => (stuck.add(name), new Promise<void>(() => undefined)) } : {});
});
afterEach(async () => {
  await r.close();
  await h.pool.query('TRUNCATE view.queue_1, view.notice_1, ops.sending');
});
function start(sessions: number): void {
  r = rig(h, world, { settings: () => ({ ...SETTINGS, sessions }) });
  r.outbound.start();
}
/** Three seconds go by at each look. */
const asTimeGoesBy = (what: string, done: () => boolean | Promise<boolean>) =>
  until(what, 60_000, async () => {
    if (await done()) return true;
    r.member.engine.clock.advance(3_000);
    return false;
  });

describe('a thousand servers that accept connections and say nothing', () => {
  it('do not keep others from having their mail', async () => {
    start(200);
    await enqueue(r.member, ['ann@known.test']);
    await until('a good server is known', 10_000, async () => world.delivered.length === 1 && r.outbound.state.rows === 0);
    for (let n = 0; n < 1_000; n++) await enqueue(r.member, [`bob@tar${n}.test`]);
    await until('they hold all connections', 10_000, () => stuck.size >= 199);

    await enqueue(r.member, ['cid@known.test']);
    await enqueue(r.member, ['dan@unknown.test']);
    await asTimeGoesBy('the good one is served', () => world.delivered.includes('cid@known.test'));
    expect(stuck.size).toBeLessThan(500); // it did not wait for its turn behind all of them
    await asTimeGoesBy('an unknown one is served', () => world.delivered.includes('dan@unknown.test'));
    expect(r.outbound.state.sessions).toBeLessThanOrEqual(200);
    await asTimeGoesBy('all were tried', () => stuck.size === 1_000);

    // From now on they are known: half of the connections are left for all others.
    r.member.engine.clock.advance(10_000);
    for (let n = 0; n < 80; n++) await enqueue(r.member, [`eve@fresh${n}.test`]);
    await until('the rest is served while time stands still', 20_000, () => world.delivered.length === 83);
    expect(r.member.troubles).toEqual([]);
  }, 120_000);

  it('are put off on record, as not having answered', async () => {
    start(4);
    const ids: string[] = [];
    for (let n = 0; n < 10; n++) ids.push(await enqueue(r.member, [`bob@tar${n}.test`]));
    await asTimeGoesBy('all were tried', () => stuck.size === 10);
    await until('those beyond the half are on record', 10_000, async () => (await rowsOf(h)).filter((row) => row.attempts > 0).length >= 6);
    const { events } = await h.store.read(messageStream((await rowsOf(h)).find((row) => row.attempts > 0)?.message_id ?? ''));
    expect((events[1]?.data as QueueFact<'DeliveryAttempted'>).results).toMatchObject([{ outcome: 'deferred', cause: 'line', reply: '450 4.4.1 Given up', phase: 'greeting' }]);
    expect(ids).toHaveLength(10);
  }, 60_000);

  it('do not hold up the end of this server, and have no failure for it', async () => {
    start(10);
    const id = await enqueue(r.member, ['bob@tar.test']);
    await until('it is being tried', 10_000, async () => stuck.size === 1 && (await claimsIn(h)) === 1);
    expect(await r.outbound.stop(2_000)).toBe(true);
    expect(await rowsOf(h, id)).toMatchObject([{ attempts: 0, last_at: null }]);
    expect(await claimsIn(h)).toBe(0);
  });

  it('are waited for as long as that may be when nobody else needs their place', async () => {
    start(2);
    await enqueue(r.member, ['bob@tar.test']);
    await until('it is being tried', 10_000, () => stuck.size === 1);
    await enqueue(r.member, ['ann@known.test']);
    await until('a connection has no work', 10_000, async () => world.delivered.length === 1 && (await rowsOf(h)).length === 1);
    r.member.engine.clock.advance(240_000);
    await until('connections were looked at', 10_000, () => world.quits === 1);
    expect(await rowsOf(h)).toMatchObject([{ attempts: 0, last_at: null }]);
    expect(r.outbound.state.sessions).toBe(1);
  });
});
