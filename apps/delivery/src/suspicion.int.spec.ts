import { EventEmitter, once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { quarantineAggregate, quarantineStream } from '@kiroku/domain/delivery/quarantine.js';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { execute } from '@kiroku/domain/kernel/execute.js';
import { accepted, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { until } from '@kiroku/infra/rig/until.js';
import { Backoff } from '@kiroku/infra/supervise/backoff.js';
import { RoleSlot } from '@kiroku/infra/supervise/role-slot.js';
import { makeScript } from '@kiroku/infra/supervise/testing.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
const home = mkdtempSync('/tmp/kiroku-suspicion-');
const [script, poison, diary] = [join(home, 'delivery.mjs'), join(home, 'poison'), join(home, 'diary')];

/**
 * A delivery process in small: the product's delivery, caution and supervision on a real database. What a message does to it is the
 * test's: the file `poison` names one and how it strikes. Its clock runs twenty times as fast.
 */
const SOURCE = `
  import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';
  import { cautionAfter } from '${import.meta.dirname}/caution.js';
  import { DELIVERY, LocalDelivery } from '${import.meta.dirname}/local-delivery.js';
  import { Placement } from '${import.meta.dirname}/placement.js';
  import { Retrials } from '${import.meta.dirname}/retrials.js';
  import { Hints } from '@kiroku/infra/event-log/hints.js';
  import { PostgresEventLog } from '@kiroku/infra/event-log/postgres.js';
  import { PostgresEventStore } from '@kiroku/infra/event-store/postgres.js';
  import { systemIds } from '@kiroku/infra/ids/ids.js';
  import { openPool } from '@kiroku/infra/read-model/database.js';
  import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
  import { Projector } from '@kiroku/infra/read-model/projector.js';
  import { INLINE_VIEWS } from '@kiroku/infra/read-model/views.js';
  import { abnormalEndHere, leave, runRole } from '@kiroku/infra/supervise/role-process.js';

  const [home, base] = [process.argv[1].replace(/[^/]*$/, ''), ${Date.now()}];
  const clock = { now: () => base + (Date.now() - base) * 20 };
  const say = (word: string) => appendFileSync(home + 'diary', word + '\\n');
  const held: unknown[] = [];
  async function strike(how: string): Promise<void> {
    say(how);
    if (how === 'memory') {
      closeSync(2); // what V8 says there, Jest takes for the end of its own worker
      openSync('/dev/null', 'w');
      for (;;) held.push(new Array(10_000).fill(held.length));
    }
    if (how === 'loop') for (;;);
    if (how === 'error') setImmediate(() => { throw new TypeError('a bug'); });
    if (how === 'disk') setImmediate(() => { throw Object.assign(new Error('no space'), { code: 'ENOSPC' }); });
    await new Promise<void>((resolve) => setInterval(() => { if (!existsSync(home + 'poison')) resolve(); }, 20));
  }
  runRole('test', async ({ postgres }) => {
    const pool = openPool(postgres, 6, () => undefined);
    const hints = new Hints(postgres, pool, () => undefined);
    const log = new PostgresEventLog(pool, hints);
    const store = new PostgresEventStore(pool, hints, INLINE_VIEWS.map((view) => new Projector(view)));
    const engine = { store, clock, ids: systemIds() };
    const after = abnormalEndHere();
    const caution = cautionAfter({ after, leave, clock, first: 100 });
    say(after ? 'careful' : 'careless');
    const prepare = async (mails: readonly { messageId: string }[], expansions: never) => {
      const [id, how] = existsSync(home + 'poison') ? readFileSync(home + 'poison', 'utf8').split(' ') : [];
      for (const { messageId } of mails) if (messageId === id) await strike(how ?? '');
      return expansions;
    };
    const [directory, placement] = [new PostgresDirectory(pool, () => '+'), new Placement(engine)];
    const delivery = new LocalDelivery(engine, directory, placement, prepare, undefined, caution);
    const subscription = await log.consume({ group: DELIVERY, topics: ['mail'], batch: 500, start: delivery.start, handle: delivery.handle, trouble: () => undefined });
    const retrials = new Retrials({ pool, log, engine, directory, placement, prepare, caution, quarantined: () => undefined });
    let stopped = false;
    const rounds = (async () => { for (; !stopped; await new Promise((resolve) => setTimeout(resolve, 50))) await retrials.round(); })();
    return { drain: async () => { stopped = true; await rounds; await subscription.stop(); await hints.close(); await pool.end(); } };
  });`;

let h: TestHistory;
let slot: RoleSlot | undefined;
const happened = new EventEmitter();
beforeAll(async () => {
  // How much longer the supervisor waits with each death is its own test's; here, many die.
  jest.spyOn(Backoff.prototype, 'next').mockReturnValue(100);
  symlinkSync(join(import.meta.dirname, '../../../node_modules'), join(home, 'node_modules'));
  makeScript(SOURCE, script);
  h = await testHistory();
  const commands = new DirectoryCommands(h.engine);
  await commands.addDomain('x.test', { accountLimit: 0 }, ORIGIN);
  await commands.addAccount(
    { accountId: h.engine.ids.uuid(), address: 'ann@x.test', fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'v1.sealed', reversible: false }, ORIGIN);
});
afterEach(async () => {
  rmSync(poison, { force: true });
  rmSync(diary, { force: true });
  await slot?.stop(5_000);
});
afterAll(async () => {
  await h.close();
  rmSync(home, { recursive: true, force: true });
});

async function supervise(stuckAfter?: number, program = script): Promise<void> {
  slot = new RoleSlot({
    role: { role: 'test', count: 1, script: program, nodeOptions: ['--max-old-space-size=48'] }, index: 0, postgres: () => h.connection, tell: {}, changed: () => undefined,
    readyWithin: 60_000, log: (_, message) => happened.emit(message), ...(stuckAfter !== undefined && { stuckAfter }),
  });
  await slot.started;
}

let count = 0;
/** Accepts messages into partition 0, or into the others. */
async function accept(n: number, first = true): Promise<readonly string[]> {
  const ids: string[] = [];
  while (ids.length < n) {
    const id = `M${String(++count).padStart(6, '0')}`;
    const before = await h.log.head('mail', 0);
    await h.log.append([accepted(h.engine, id, ['ann@x.test'])]);
    if (((await h.log.head('mail', 0)) > before) === first) ids.push(id);
  }
  return ids;
}
const arrived = async (ids: readonly string[]): Promise<readonly string[]> =>
  (await h.pool.query<{ message_id: string }>('SELECT message_id FROM view.mailbox_message_1 WHERE message_id = ANY ($1) ORDER BY message_id', [ids])).rows.map((r) => r.message_id);
const aside = async (id: string) => (await h.pool.query<{ error: string; tries: number }>('SELECT error, tries FROM view.quarantine_1 WHERE message_id = $1', [id])).rows;
const words = (): readonly string[] => (existsSync(diary) ? readFileSync(diary, 'utf8').trim().split('\n') : []);
const WHILE = 60_000;
const all = (ids: readonly string[], within = WHILE) => until(`${ids.length} messages have arrived`, within, async () => ((await arrived(ids)).length === ids.length ? true : undefined));

describe('a message that ends the process', () => {
  it.each([
    ['uses up the memory', 'memory', /SIG(ABRT|TRAP|ILL)/],
    ['runs into an endless loop', 'loop', /endless loop/],
    ['raises an error that nothing catches', 'error', /exit code 1/],
  ])('because it %s is found among others and set aside, and all others are delivered', async (_, how, reason) => {
    const ids = await accept(9);
    const others = ids.filter((__, i) => i !== 4);
    writeFileSync(poison, `${ids[4]} ${how}`);
    await supervise(how === 'loop' ? 500 : undefined);
    await all(others);
    expect(await arrived(ids)).toEqual(others);
    const [kept] = await until('it is set aside', WHILE, async () => { const rows = await aside(ids[4] as string); return rows.length > 0 ? rows : undefined; });
    expect(kept).toMatchObject({ error: expect.stringMatching(reason) });
    expect(kept?.tries).toBeGreaterThanOrEqual(3);
    expect((await Promise.all(others.map(aside))).flat()).toEqual([]);
  }, WHILE);

  it('does so once or twice more when an administrator wants it tried again, then is set aside again; and is delivered when it does no harm any more', async () => {
    const retry = (id: string) =>
      execute(h.engine, quarantineAggregate, quarantineStream(id), { type: 'Retry', messageId: id, reason: 'a new release' }, ORIGIN);
    const { rows: [kept] } = await h.pool.query<{ message_id: string; tries: number }>('SELECT message_id, tries FROM view.quarantine_1 LIMIT 1');
    const id = kept?.message_id ?? '';
    await supervise();
    writeFileSync(poison, `${id} memory`);
    await retry(id);
    await until('it is set aside again', WHILE, async () => ((await aside(id))[0]?.tries === (kept?.tries ?? 0) + 1 ? true : undefined));
    expect(words().filter((w) => w === 'memory')).toHaveLength(2);
    await all(await accept(2));
    rmSync(poison);
    await retry(id);
    await all([id]);
    expect(await aside(id)).toEqual([]);
  }, WHILE);
});

describe('a message in hand', () => {
  it('is not suspected when an administrator, or the kernel, kills the process, however often', async () => {
    const [id] = await accept(1);
    writeFileSync(poison, `${id} wait`);
    await supervise();
    for (let kills = 1; kills <= 5; kills++) {
      await until('it is in hand', WHILE, async () => (words().filter((w) => w === 'wait').length === kills ? true : undefined));
      const again = once(happened, 'role serves');
      process.kill(slot?.process?.pid ?? 0, 'SIGKILL');
      await again;
    }
    rmSync(poison);
    await all([id as string]);
    expect([await aside(id as string), words().includes('careful')]).toEqual([[], false]);
  }, WHILE);

  it('is not suspected when the process ends for want of disk space, however often', async () => {
    const ids = await accept(2);
    writeFileSync(poison, `${ids[1]} disk`);
    await supervise();
    await until('eight processes have ended', WHILE, async () => (words().filter((w) => w === 'disk').length >= 8 ? true : undefined));
    rmSync(poison);
    await all(ids);
    expect((await Promise.all(ids.map(aside))).flat()).toEqual([]);
  }, WHILE);

  it('is delivered when the process ended abnormally by something else', async () => {
    const ids = await accept(3);
    writeFileSync(poison, `${ids[1]} memory`);
    await supervise();
    await until('two processes have ended', WHILE, async () => (words().filter((w) => w === 'memory').length >= 2 ? true : undefined));
    rmSync(poison);
    await all(ids);
    expect((await Promise.all(ids.map(aside))).flat()).toEqual([]);
  }, WHILE);
});

describe('the delivery role', () => {
  it('delivers, and sends, also when the process before ended abnormally', async () => {
    const main = join(home, 'main.mjs');
    makeScript(
      `import { readConfig } from '@kiroku/infra/config/config.js';
       import { runRole } from '@kiroku/infra/supervise/role-process.js';
       import { startDelivery } from '${import.meta.dirname}/role.js';
       runRole('delivery', ({ postgres }) => startDelivery(readConfig({ KIROKU_DATA: ${JSON.stringify(join(home, 'data'))} }), postgres));`,
      main, ['@kurrent/kurrentdb-client'],
    );
    // Sending begins with leases: those of the log, of the queue, and of the notices.
    const sends = () => until('it sends', WHILE, async () =>
      ((await h.pool.query(`SELECT DISTINCT l.classid FROM pg_stat_activity a JOIN pg_locks l USING (pid) WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND a.datname = current_database()`)).rowCount ?? 0) >= 3 ? true : undefined);
    await supervise(undefined, main);
    await all(await accept(2));
    await sends();
    const again = once(happened, 'role serves');
    process.kill(slot?.process?.pid ?? 0, 'SIGSEGV');
    await again;
    await all(await accept(2));
    await sends();
  }, WHILE);
});
