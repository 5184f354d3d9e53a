import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Rebuild } from '../rebuild.js';
import { INLINE_VIEWS } from '../views.js';
import { mailboxWorld, type MailboxWorld, ORIGIN, type Person, shown, upTo } from './testing.js';

let w: MailboxWorld;
let n = 0;
beforeAll(async () => void (w = await mailboxWorld()));
afterAll(async () => {
  expect(w.h.troubles).toEqual([]);
  await w.close();
});

async function reader(count: number): Promise<Person> {
  const ann = await w.person(`p${++n}`);
  await w.deliver(ann.inbox, count);
  return ann;
}
const flag = (ann: Person, uids: readonly number[], ...flags: readonly string[]) => w.store.storeFlags(ann.id, ann.inbox, { uids, operation: 'add', flags }, ORIGIN);
/** As a process sees it that has not worked with it yet. */
const cold = async (mailbox: string) => {
  const snapshot = await w.process().store.snapshot(mailbox);
  return { status: snapshot?.status, rows: shown(snapshot) };
};
const packedAt = async (mailbox: string): Promise<number | undefined> => (await w.h.pool.query<{ at: number }>('SELECT mod_seq AS at FROM cache.mailbox_1 WHERE mailbox_id = $1', [mailbox])).rows[0]?.at;
const unpacked = async (mailbox: string) => {
  await w.h.pool.query('DELETE FROM cache.mailbox_1 WHERE mailbox_id = $1', [mailbox]);
  const rows = await cold(mailbox);
  await w.h.pool.query('DELETE FROM cache.mailbox_1 WHERE mailbox_id = $1', [mailbox]); // packed again by the read
  return rows;
};

describe('a packed mailbox', () => {
  it('is read as it is now, whatever has happened since it was packed', async () => {
    const ann = await reader(2_500);
    await w.store.pack([ann.inbox]);
    expect(await packedAt(ann.inbox)).toBe(2_501);
    await flag(ann, upTo(100), '\\Seen');
    await flag(ann, [3, 50, 2_400], '\\Flagged', 'Wichtig');
    await flag(ann, [10, 20, 30], '\\Deleted');
    await w.store.expunge(ann.id, ann.inbox, undefined, ORIGIN);
    await w.deliver(ann.inbox, 5);
    await flag(ann, [2_503], '\\Seen');
    const packed = await cold(ann.inbox);
    expect(packed.rows).toHaveLength(2_502);
    expect(packed.rows.slice(0, 3)).toEqual([[1, 2_502, '\\Seen'], [2, 2_502, '\\Seen'], [3, 2_503, 'Wichtig \\Flagged \\Seen']]);
    expect(await packedAt(ann.inbox)).toBe(2_501); // little has happened
    expect(packed).toEqual(await unpacked(ann.inbox));
  });

  it('goes on being followed like any other', async () => {
    const ann = await reader(2_100);
    await w.store.pack([ann.inbox]);
    const other = w.process().store;
    const before = (await other.snapshot(ann.inbox))?.status.highestModSeq ?? 0;
    await flag(ann, [7], '\\Seen');
    expect((await other.changes(ann.inbox, before))?.flagged).toEqual([{ first: 7, last: 7, modSeq: before + 1, flags: ['\\Seen'] }]);
  });

  it('is packed again once enough has changed, and small ones never are', async () => {
    const [large, small] = [await reader(2_100), await reader(50)];
    await w.store.pack([large.inbox, small.inbox]);
    expect([await packedAt(large.inbox), await packedAt(small.inbox)]).toEqual([2_101, undefined]);
    await w.deliver(large.inbox, 900);
    await w.store.pack([large.inbox]);
    expect(await packedAt(large.inbox)).toBe(2_101);
    await w.deliver(large.inbox, 200);
    await w.store.pack([large.inbox]);
    expect(await packedAt(large.inbox)).toBe(3_201);
  });

  it('is read message by message where what was packed is damaged, or says something else', async () => {
    const ann = await reader(2_100);
    const right = await unpacked(ann.inbox);
    for (const damage of [`columns = '\\x0102'`, `columns = '\\x01020000'`, `columns = substring(columns FROM 1 FOR 5)`]) {
      await w.store.pack([ann.inbox]);
      await w.h.pool.query(`UPDATE cache.mailbox_1 SET ${damage} WHERE mailbox_id = $1`, [ann.inbox]);
      expect(await cold(ann.inbox)).toEqual(right);
    }
  });

  it('counts for nothing once its views have been built anew', async () => {
    const ann = await reader(2_100);
    await w.store.pack([ann.inbox]);
    await w.h.pool.query(`UPDATE cache.mailbox_1 SET columns = '\\x01' WHERE mailbox_id = $1`, [ann.inbox]);
    const view = INLINE_VIEWS.find(({ name }) => name === 'mailbox_message_1');
    if (!view) throw new Error('no such view');
    await new Rebuild(w.h.log, w.h.pool, view).replace();
    expect((await cold(ann.inbox)).rows).toHaveLength(2_100);
  });

  it('that was deleted is gone', async () => {
    const ann = await w.person(`p${++n}`);
    const folder = await w.store.create(ann.id, 'Big', [], ORIGIN);
    await w.deliver(folder.id, 2_100);
    await w.store.pack([folder.id]);
    await w.store.delete(ann.id, 'Big', ORIGIN);
    expect(await w.process().store.snapshot(folder.id)).toBeUndefined();
  });
});
