import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { partitionOf } from '@kiroku/domain/kernel/event-log.js';
import { accepted, type TestHistory, testHistory } from '../read-model/testing.js';
import { fact, readAll } from './contract.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

const numbersOf = async (topic: 'mail' | 'session'): Promise<readonly number[]> =>
  (await Promise.all(Array.from({ length: h.log.partitions(topic) }, (_, p) => readAll(h.log, topic, p, 1_000)))).flat().map((p) => (p.event.data as { n: number }).n);

describe('the PostgreSQL event log', () => {
  it('gives back text that PostgreSQL could not hold as text', async () => {
    const event = { ...fact(1), data: { n: 1, text: 'a\u0000b \ud800 \\u0000 日本' } };
    await h.log.append([{ topic: 'session', key: 'odd', event }]);
    const [kept] = await readAll(h.log, 'session', partitionOf('odd', h.log.partitions('session')));
    expect(kept?.event).toEqual(event);
  });

  it('gives a reader large events a few at a time, and skips none', async () => {
    const recipients = Array.from({ length: 1_000 }, (_, n) => `ann+${Math.imul(n, 0x9e3779b1).toString(36).padEnd(50, `${n}`)}@x.test`);
    const entries = Array.from({ length: 120 }, (_, n) => accepted(h.engine, `BIG${n}`, recipients));
    await h.log.append(entries);
    const { rows } = await h.pool.query<{ most: number }>('SELECT max(length(entries)) AS most FROM history.mail');
    expect(rows[0]?.most).toBeLessThan(1.1 * 2 ** 20);
    let seen = 0;
    for (let partition = 0; partition < h.log.partitions('mail'); partition++) {
      let from = 0;
      for (;;) {
        const events = await h.log.read('mail', partition, from, 5_000);
        if (events.length === 0) break;
        expect(events.map((e) => e.position)).toEqual(events.map((_, i) => from + i));
        from += events.length;
        seen += events.length;
      }
    }
    expect(seen).toBe(120);
  });

  it('takes appends to all partitions from four writers at once without a deadlock', async () => {
    const writers = Array.from({ length: 4 }, () => h.another());
    const before = (await numbersOf('session')).length;
    await Promise.all(writers.map(async ({ log }, w) => {
      for (let i = 0; i < 50; i++) {
        // Keys in another order for every writer; locks are taken in the order of partitions all the same.
        const entries = Array.from({ length: 8 }, (_, k) => ({ topic: 'session' as const, key: `D${(w % 2 ? 8 - k : k)}-${i}`, event: fact(w * 1_000 + i) }));
        await log.append(entries);
      }
    }));
    expect((await numbersOf('session')).length - before).toBe(4 * 50 * 8);
  });

  it('keeps nothing of an append that the server gave up waiting for, and takes it when it is made again', async () => {
    const m = h.another();
    await m.pool.query('SELECT 1');
    const blocker = await h.pool.connect();
    await blocker.query('BEGIN');
    await blocker.query(`SELECT 1 FROM history.head WHERE topic = 'session' FOR UPDATE`);
    await h.pool.query(`ALTER ROLE CURRENT_USER IN DATABASE ${h.connection.database} SET lock_timeout = '200ms'`);
    const impatient = h.another();
    const before = (await numbersOf('session')).length;
    const append = () => impatient.log.append([{ topic: 'session', key: 'late', event: fact(77) }, { topic: 'session', key: 'later', event: fact(78) }]);
    await expect(append()).rejects.toMatchObject({ code: '55P03' });
    await blocker.query('ROLLBACK');
    blocker.release();
    expect((await numbersOf('session')).length).toBe(before);
    await append();
    expect((await numbersOf('session')).length).toBe(before + 2);
    await h.pool.query(`ALTER ROLE CURRENT_USER IN DATABASE ${h.connection.database} RESET lock_timeout`);
  });
});
