import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventLog, Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { mailboxes, mailboxMessages } from '@kiroku/domain/mailbox/views.js';
import { messages, sessions } from '@kiroku/domain/story/views.js';
import { type Progress, Rebuild } from './rebuild.js';
import { accepted, filledMailbox, type Member, recorded, sha256, type TestHistory, testHistory } from './testing.js';
import { checkpointOf, runView, viewConsumer } from './view-runner.js';
import { ALL_VIEWS } from './views.js';

const [entries, boxes, story, message] = [mailboxMessages, mailboxes, sessions, messages] as unknown as readonly [Projection, Projection, Projection, Projection];

let h: TestHistory;
beforeAll(async () => {
  h = await testHistory();
  await filledMailbox(h, 50);
  await filledMailbox(h, 30);
  for (let n = 0; n < 40; n++) await h.log.append([accepted(h.engine, `A${n}`, ['ann@x.test']), opened(`S${n}`)]);
  await follow(story);
  await follow(message);
});
afterAll(() => h.close());

const opened = (session: string) => ({ topic: 'session' as const, key: session, event: recorded(h.engine, { type: 'SessionOpened', data: {} }, session) });

async function follow(view: Projection): Promise<void> {
  const running = await runView(h.log, h.pool, view, () => undefined);
  await caughtUp(view);
  await running.stop();
}

/** Resolves when the view stands at what was the end of the history. */
async function caughtUp(view: Projection): Promise<void> {
  for (const topic of view.topics)
    for (let p = 0; p < h.log.partitions(topic); p++) {
      const head = await h.log.head(topic, p);
      while ((await checkpointOf(h.pool, viewConsumer(view), topic, p)) < head) await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

const rebuild = (view: Projection, progress?: (p: Progress) => void, { log, pool }: Member = h) => new Rebuild(log, pool, view, progress);
const countOf = async (view: Projection): Promise<number> => (await h.pool.query<{ n: number }>(`SELECT count(*) AS n FROM view.${view.name}`)).rows[0]?.n ?? 0;
const leftOver = async (): Promise<number> => (await h.pool.query(`SELECT 1 FROM pg_tables WHERE schemaname = 'rebuild'`)).rowCount ?? 0;

describe('a verified view', () => {
  it.each(ALL_VIEWS.map((v) => [v.name, v] as const))('%s equals its rebuild', async (_, view) => {
    expect(await rebuild(view).verify()).toMatchObject({ view: view.name, differences: [], rows: await countOf(view) });
    expect(await leftOver()).toBe(0);
  });

  it.each(ALL_VIEWS.map((v) => [v.name, v] as const))('%s has in its table the types that are written there as they are', async (_, view) => {
    const { rows } = await h.pool.query<{ name: string; type: string }>(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`, [`view.${view.name}`]);
    expect(Object.fromEntries(rows.map(({ name, type }) => [name, type]))).toEqual(view.columns);
  });

  it('is found out when somebody changed, removed or added a row by hand', async () => {
    const { id } = await filledMailbox(h, 5);
    await h.pool.query(`UPDATE view.mailbox_message_1 SET size = size + 1 WHERE mailbox_id = $1 AND uid = 1`, [id]);
    await h.pool.query(`DELETE FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid = 2`, [id]);
    await h.pool.query(`INSERT INTO view.mailbox_message_1 SELECT mailbox_id, 99, mod_seq, message_id, sha256, body_size, at, prefix, size, smtputf8, received_at
                        FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid = 3`, [id]);
    const { differences } = await rebuild(entries).verify();
    expect(differences?.toSorted()).toEqual([
      `${id}/1: only in the live view`, `${id}/1: only in the rebuild`, `${id}/2: only in the rebuild`, `${id}/99: only in the live view`,
    ]);
    await rebuild(entries).replace();
    expect((await rebuild(entries).verify()).differences).toEqual([]);
  });

  it('is compared at one instant while mail flows', async () => {
    let flowing = true;
    const mail = (async () => { while (flowing) await filledMailbox(h, 10); })();
    for (let n = 0; n < 3; n++) expect((await rebuild(boxes).verify()).differences).toEqual([]);
    flowing = false;
    await mail;
  });

  it('tells how far it is, to the end', async () => {
    const seen: Progress[] = [];
    const { events } = await rebuild(story, (p) => seen.push(p)).verify();
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.at(-1)).toEqual({ done: events, total: events });
    expect(seen.every((p, i) => p.done <= p.total && p.done >= (seen[i - 1]?.done ?? 0))).toBe(true);
  });
});

describe('a view that is replaced', () => {
  it('loses nothing that is appended meanwhile, and readers never find it empty: inline', async () => {
    let flowing = true;
    const before = await countOf(entries);
    let written = 0;
    const mail = (async () => { while (flowing) { await filledMailbox(h, 7); written += 7; } })();
    let least = Infinity;
    const reader = h.another();
    const reading = (async () => {
      while (flowing) {
        const { rows } = await reader.pool.query<{ n: number }>({ name: 'count', text: 'SELECT count(*) AS n FROM view.mailbox_message_1' });
        least = Math.min(least, rows[0]?.n ?? 0);
      }
    })();
    for (let n = 0; n < 3; n++) await rebuild(entries).replace();
    flowing = false;
    await Promise.all([mail, reading]);
    expect(least).toBeGreaterThanOrEqual(before);
    expect(await countOf(entries)).toBe(before + written);
    expect((await rebuild(entries).verify()).differences).toEqual([]);
    expect(await leftOver()).toBe(0);
  });

  it('loses nothing that is appended meanwhile: following', async () => {
    let flowing = true;
    let n = 0;
    const worker = h.another([]);
    const running = await Promise.all([story, message].map((view) => runView(worker.log, worker.pool, view, () => undefined)));
    const mail = (async () => {
      while (flowing) {
        await h.log.append(Array.from({ length: 9 }, () => accepted(h.engine, `B${n++}`, ['ann@x.test'])));
        await h.log.append([opened(`B${n}`)]);
        await filledMailbox(h, 3, () => sha256(n));
      }
    })();
    for (const view of [message, story, message]) await rebuild(view).replace();
    flowing = false;
    await mail;
    await Promise.all([story, message].map(caughtUp));
    await Promise.all(running.map((r) => r.stop()));
    for (const view of [message, story]) expect((await rebuild(view).verify()).differences).toEqual([]);
    expect((await h.pool.query(`SELECT 1 FROM view.message_2 WHERE message_id LIKE 'B%' AND accepted_at IS NOT NULL`)).rowCount).toBe(n);
  });

  it('has the indexes, the settings and the durability of the one before', async () => {
    const shape = async () => (await h.pool.query<{ relpersistence: string; reloptions: string[] | null; indexes: string[] }>(
      `SELECT relpersistence, reloptions, (SELECT array_agg(regexp_replace(indexdef, 'INDEX \\S+ ', '') ORDER BY 1) FROM pg_indexes i WHERE i.schemaname = 'view' AND i.tablename = c.relname) AS indexes
       FROM pg_class c WHERE relnamespace = 'view'::regnamespace AND relname = 'message_2'`)).rows;
    const before = await shape();
    await rebuild(message).replace();
    expect(await shape()).toEqual(before);
    expect(before).toMatchObject([{ relpersistence: 'p', reloptions: null }]);
  });

  it('is built anew when an earlier attempt was cut off', async () => {
    const attempt = rebuild(story, () => { throw new Error('cut off'); }).replace();
    await expect(attempt).rejects.toThrow('cut off');
    expect(await leftOver()).toBe(1);
    await follow(story);
    expect((await rebuild(story).verify()).differences).toEqual([]);
    expect(await leftOver()).toBe(0);
  });

  it('is not touched by a rebuild that has lost its lock: another may have begun', async () => {
    const doomed = h.another();
    const before = await countOf(message);
    let reads = 0;
    const log = {
      partitions: (topic: Topic) => doomed.log.partitions(topic),
      head: (...what: Parameters<EventLog['head']>) => doomed.log.head(...what),
      read: async (...what: Parameters<EventLog['read']>) => {
        if (++reads === 3) await Promise.all([h.cut('SELECT'), h.cut('%lock_shared%')]);
        return doomed.log.read(...what);
      },
    } as EventLog;
    await expect(new Rebuild(log, doomed.pool, message).replace()).rejects.toThrow();
    expect(reads).toBeGreaterThanOrEqual(3);
    expect(await countOf(message)).toBe(before);
    expect((await rebuild(message).verify()).differences).toEqual([]);
  });

  it('is rebuilt by one at a time', async () => {
    let second: Promise<unknown> | undefined;
    const log = {
      partitions: (topic: Topic) => h.log.partitions(topic),
      read: (...what: Parameters<EventLog['read']>) => h.log.read(...what),
      head: async (...what: Parameters<EventLog['head']>) => {
        await (second ??= rebuild(story, undefined, h.another()).verify().catch((error: unknown) => error)); // while the first is at it
        return h.log.head(...what);
      },
    } as EventLog;
    await new Rebuild(log, h.pool, story).replace();
    expect(await second).toMatchObject({ message: 'session_1 is being rebuilt by another process' });
    await expect(rebuild(story).verify()).resolves.toMatchObject({ differences: [] });
  });

  it('stays as it was when the rebuild fails', async () => {
    const before = await countOf(entries);
    const broken = { ...entries, apply: () => { throw new Error('a bug'); } };
    await expect(rebuild(broken).replace()).rejects.toThrow('a bug');
    expect(await countOf(entries)).toBe(before);
  });
});
