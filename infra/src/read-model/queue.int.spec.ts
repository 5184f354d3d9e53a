import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import { until } from '../rig/until.js';
import { Hints } from '../event-log/hints.js';
import { openPool } from './database.js';
import { FROM_THE_START, type Head, PostgresQueue } from './queue.js';
import { type Member, NINE, recorded, type TestHistory, testHistory } from './testing.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());
afterEach(async () => void (await h.pool.query('TRUNCATE view.queue_1, ops.sending')));

const ALL = Array.from({ length: 16 }, (_, p) => p);
const message = { sender: 'ann@x.test', sha256: 'a'.repeat(64), size: 10, trace: '', body: '7BIT', smtputf8: false, requireTls: false, hops: 0, acceptedAt: NINE };
let count = 0;
async function enqueue(addresses: readonly string[], sender = 'ann@x.test'): Promise<string> {
  const messageId = `Q${String(++count).padStart(6, '0')}`;
  const data = { messageId, message: { ...message, sender }, priority: 0, recipients: addresses.map((address) => ({ address, recipient: address, via: [] })) };
  await h.store.append([{ stream: messageStream(messageId), expected: 0, events: [recorded(h.engine, { type: 'MessageQueued', data }, messageId)] }]);
  return messageId;
}
async function attempted(messageId: string, address: string, nextAt: number): Promise<void> {
  const data = { messageId, route: 'mx', duration: 1, results: [{ address, outcome: 'deferred', cause: 'line', reply: '450 No', phase: 'RCPT', nextAt }] };
  const { version } = await h.store.read(messageStream(messageId));
  await h.store.append([{ stream: messageStream(messageId), expected: version, events: [recorded(h.engine, { type: 'DeliveryAttempted', data }, messageId)] }]);
}
function process(member: Member = h.another()): { queue: PostgresQueue; hints: Hints } {
  const hints = new Hints(h.connection, member.pool, (e) => member.troubles.push(e));
  return { hints, queue: new PostgresQueue(member.pool, hints, member.engine.ids.uuid()) };
}
const addresses = (heads: readonly { address: string }[]): readonly string[] => heads.map((one) => one.address);

describe('the queue', () => {
  it('shows due rows page by page, each once, and none that is not due', async () => {
    const { queue } = process();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await enqueue([`a${i}@y.test`, `b${i}@y.test`]));
    await attempted(ids[0] as string, 'a0@y.test', NINE + 1_000);
    const seen: Head[] = [];
    for (let page = await queue.heads(ALL, FROM_THE_START, NINE, 4); page.length > 0; page = await queue.heads(ALL, page.at(-1) as Head, NINE, 4)) seen.push(...page);
    expect(addresses(seen)).toEqual(['b0@y.test', ...[1, 2, 3, 4].flatMap((i) => [`a${i}@y.test`, `b${i}@y.test`])]);
    expect(addresses(await queue.heads(ALL, FROM_THE_START, NINE + 1_000, 100)).at(-1)).toBe('a0@y.test');
    expect(await queue.nextDue(ALL, NINE)).toBe(NINE + 1_000);
    expect(await queue.nextDue(ALL, NINE + 1_000)).toBeUndefined();
  });

  it('keeps partitions apart', async () => {
    const { queue } = process();
    await enqueue(['a@y.test']);
    const [head] = await queue.heads(ALL, FROM_THE_START, NINE, 10);
    const mine = head?.partition as number;
    expect(await queue.heads(ALL.filter((p) => p !== mine), FROM_THE_START, NINE, 10)).toEqual([]);
    expect(await queue.nextDue([mine], 0)).toBe(NINE);
  });

  it('fills several lanes at once, from a row on, each up to the limit', async () => {
    const { queue } = process();
    for (let i = 0; i < 4; i++) {
      await enqueue([`a${i}@y.test`]);
      await enqueue([`b${i}@y.test`], 'bob@x.test');
      await enqueue([`a${i}@z.test`]);
    }
    const third = (await queue.heads(ALL, FROM_THE_START, NINE, 100)).find((one) => one.address === 'a2@y.test') as Head;
    const heads = await queue.lanes([
      { destination: 'y.test', sender: 'ann@x.test', from: third }, { destination: 'y.test', sender: 'bob@x.test', from: FROM_THE_START },
    ], NINE, 3);
    expect(addresses(heads).filter((a) => a.startsWith('a'))).toEqual(['a2@y.test', 'a3@y.test']);
    expect(addresses(heads).filter((a) => a.startsWith('b'))).toEqual(['b0@y.test', 'b1@y.test', 'b2@y.test']);
  });

  it('looks at no rows but those it reads and claims, also with plans made while the queue was empty', async () => {
    const pool = openPool(h.connection, 1, () => undefined, { byKey: true });
    const hints = new Hints(h.connection, pool, () => undefined);
    const queue = new PostgresQueue(pool, hints, h.engine.ids.uuid());
    const touched = async (): Promise<number> => {
      await pool.query('SELECT pg_stat_force_next_flush()');
      const { rows } = await h.pool.query<{ n: number }>(`SELECT (seq_tup_read + idx_tup_fetch)::bigint AS n FROM pg_stat_user_tables WHERE relname = 'queue_1' AND schemaname = 'view'`);
      return rows[0]?.n ?? NaN;
    };
    try {
      await enqueue(['a@y.test']);
      await h.pool.query('VACUUM ANALYZE view.queue_1');
      const [first] = await queue.rows([{ message_id: `Q${String(count).padStart(6, '0')}`, address: 'a@y.test' }]);
      if (!first) throw new Error('no row');
      await queue.claim([{ row: first, host: 'y.test' }], NINE);
      await h.pool.query(`INSERT INTO view.queue_1 (message_id, address, recipient, via, destination, partition, sender, state, next_at, priority, attempts, accepted_at, retry, route, delayed, size, message, version)
        SELECT 'M' || n, 'u@d', '', '[]', 'd', n % 16, 's', 'waiting', $1::bigint + n, 0, 0, 0, '{}', '', false, 0, '{}', 1 FROM generate_series(1, 5000) n`, [NINE]);
      const names = Array.from({ length: 200 }, (_, n) => ({ message_id: `M${n * 25 + 1}`, address: 'u@d' }));
      const before = await touched();
      const rows = await queue.rows(names);
      expect(rows).toHaveLength(200);
      expect(await queue.claim(rows.map((row) => ({ row, host: 'd' })), NINE)).toHaveLength(200);
      await until('the statistics are told', 10_000, async () => (await touched()) - before >= 400);
      expect((await touched()) - before).toBeLessThan(1_000);
    } finally {
      await hints.close();
      await pool.end();
    }
  });

  it('finds due rows by an index, however long the queue', async () => {
    await h.pool.query(`INSERT INTO view.queue_1 (message_id, address, recipient, via, destination, partition, sender, state, next_at, priority, attempts, accepted_at, retry, route, delayed, size, message, version)
      SELECT 'L' || n, 'u@d' || n % 100, '', '[]', 'd' || n % 100, n % 16, 's', 'waiting', $1::bigint + n, 0, 0, 0, '{}', '', false, 0, '{}', 1 FROM generate_series(1, 20000) n`, [NINE]);
    await h.pool.query('ANALYZE view.queue_1');
    const plan = async (text: string): Promise<string> => (await h.pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`)).rows.map((r) => r['QUERY PLAN']).join('\n');
    const due = await plan(`SELECT message_id FROM view.queue_1 WHERE state = 'waiting' AND partition = ANY ('{1,2,3}'::int[])
      AND (next_at, message_id, address) > (${NINE}, '', '') AND next_at <= ${NINE + 5_000} ORDER BY next_at, message_id, address LIMIT 500`);
    expect(due).toMatch(/Index/);
    expect(due).not.toMatch(/Sort|Seq Scan/);
    const lane = await plan(`SELECT message_id FROM view.queue_1 WHERE state = 'waiting' AND destination = 'd7' AND sender = 's' AND next_at <= ${NINE + 20_000}
      ORDER BY next_at, message_id, address LIMIT 100`);
    expect(lane).toMatch(/Index Scan/);
    expect(lane).not.toMatch(/Seq Scan/);
  });
});

describe('claims', () => {
  it('are had by one process only, and again when they were released', async () => {
    const [one, two] = [process(), process()];
    await enqueue(['a@y.test', 'b@y.test']);
    const rows = await one.queue.rows(await one.queue.heads(ALL, FROM_THE_START, NINE, 10));
    expect(rows).toHaveLength(2);
    const [first] = rows;
    expect(await one.queue.claim(rows.slice(0, 1).map((row) => ({ row, host: '' })), NINE)).toEqual([{ message_id: first?.message_id, address: first?.address }]);
    const both = rows.map((row) => ({ row, host: '' }));
    expect(await two.queue.claim(both, NINE)).toHaveLength(1);
    expect(await one.queue.claim(both, NINE)).toEqual([]);
    await one.queue.unclaim(rows); // only its own
    expect(await one.queue.claim(both, NINE)).toHaveLength(1);
  });

  it('are not had for rows that have changed, are held, or are gone', async () => {
    const { queue } = process();
    const id = await enqueue(['a@y.test', 'b@y.test', 'c@y.test']);
    const rows = await queue.rows(await queue.heads(ALL, FROM_THE_START, NINE, 10));
    await attempted(id, 'a@y.test', NINE);
    const held = { messageId: id, address: 'b@y.test', reason: 'wait' };
    await h.store.append([{ stream: messageStream(id), expected: 2, events: [recorded(h.engine, { type: 'RecipientHeld', data: held }, id)] }]);
    expect(addresses(await queue.claim(rows.map((row) => ({ row, host: '' })), NINE))).toEqual(['c@y.test']);
  });

  it('are not had for a row that another process takes out of the queue while the claim waits for that one’s claim to go', async () => {
    const { queue } = process();
    const other = process();
    const id = await enqueue(['a@y.test']);
    const rows = await queue.rows([{ message_id: id, address: 'a@y.test' }]);
    await other.queue.claim(rows.map((row) => ({ row, host: '' })), NINE);
    const writer = await h.pool.connect();
    try {
      await writer.query('BEGIN');
      await writer.query('DELETE FROM view.queue_1 WHERE message_id = $1', [id]);
      await writer.query('DELETE FROM ops.sending WHERE message_id = $1', [id]);
      let settled = false;
      const claimed = queue.claim(rows.map((row) => ({ row, host: '' })), NINE).finally(() => (settled = true));
      await until('the claim is settled or waits', 5_000, async () =>
        settled || (await h.pool.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO ops.sending%'`)).rowCount !== 0);
      await writer.query('COMMIT');
      expect(await claimed).toEqual([]);
    } finally {
      writer.release();
    }
  });

  it('begin after the last attempt on record, whatever this machine’s clock says', async () => {
    const { queue } = process();
    const id = await enqueue(['a@y.test']);
    await attempted(id, 'a@y.test', NINE);
    const rows = await queue.rows([{ message_id: id, address: 'a@y.test' }]);
    await queue.claim(rows.map((row) => ({ row, host: 'mx' })), NINE - 60_000);
    const other = process();
    expect(await other.queue.foreignClaims(ALL)).toMatchObject([{ message_id: id, host: 'mx', started_at: NINE + 1, alive: false }]);
  });

  it('are known to be alive for as long as their process is', async () => {
    const [one, two] = [process(), process()];
    await one.queue.live();
    await one.queue.live();
    const id = await enqueue(['a@y.test']);
    const rows = await one.queue.rows([{ message_id: id, address: 'a@y.test' }]);
    await one.queue.claim(rows.map((row) => ({ row, host: '' })), NINE);
    expect(await one.queue.foreignClaims(ALL)).toEqual([]);
    expect(await two.queue.foreignClaims(ALL)).toMatchObject([{ owner: one.queue.owner, alive: true }]);
    await one.hints.close();
    await until('its connection is gone', 5_000, async () => (await two.queue.foreignClaims(ALL))[0]?.alive === false);
    await two.queue.unclaim(rows, one.queue.owner);
    expect(await two.queue.foreignClaims(ALL)).toEqual([]);
    await two.hints.close();
  });
});
