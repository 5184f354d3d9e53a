import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import type { PostgresMailboxStore } from './store.js';
import { body, mailboxWorld, type MailboxWorld, ORIGIN, type Person, shown, upTo } from './testing.js';

let w: MailboxWorld;
let n = 0;
beforeAll(async () => void (w = await mailboxWorld()));
afterAll(async () => {
  expect(w.h.troubles).toEqual([]);
  await w.close();
});

async function reader(count: number, more?: Parameters<MailboxWorld['person']>[1]): Promise<Person> {
  const ann = await w.person(`c${++n}`, more);
  if (count > 0) await w.deliver(ann.inbox, count);
  return ann;
}
const flag = (s: PostgresMailboxStore, ann: Person, uids: readonly number[], operation: 'add' | 'remove', ...flags: readonly string[]) =>
  s.storeFlags(ann.id, ann.inbox, { uids, operation, flags }, ORIGIN);
/** Appends to a stream: each is a row of the history. */
async function appendsTo(mailbox: string): Promise<number> {
  const { rows } = await w.h.pool.query<{ n: number }>('SELECT count(*) AS n FROM history.decision WHERE stream = $1', [mailboxStream(mailbox)]);
  return rows[0]?.n ?? 0;
}
const refusalOf = (error: unknown): string => (error instanceof MailboxRefusal ? error.trouble : String(error));

describe('sessions that change one mailbox at the same time', () => {
  it('lose nothing and get a MODSEQ each, in one process and in two', async () => {
    const ann = await reader(60);
    const stores = [w.store, w.process().store];
    const before = await appendsTo(ann.inbox);
    const answers = await Promise.all(upTo(50).map((i) => flag(stores[i % 2] as PostgresMailboxStore, ann, [i, 60], 'add', `k${i}`)));
    const modSeqs = answers.map(({ changed }) => changed[0]?.modSeq ?? 0);
    expect([...modSeqs].sort((a, b) => a - b)).toEqual(upTo(50, 62));
    expect(answers.map(({ status }) => status.highestModSeq)).toEqual(modSeqs);
    const rows = shown(await w.process().store.snapshot(ann.inbox));
    expect(rows.slice(0, 50)).toEqual(modSeqs.map((modSeq, i) => [i + 1, modSeq, `k${i + 1}`]));
    expect(rows.at(-1)).toEqual([60, 111, upTo(50).map((i) => `k${i}`).sort().join(' ')]);
    for (const s of stores) expect(shown(await s.snapshot(ann.inbox))).toEqual(rows);
    // The commands that waited went together.
    expect((await appendsTo(ann.inbox)) - before).toBeLessThan(25);
  });

  it('are right where a process does not know yet what another has done', async () => {
    const ann = await reader(3);
    const other = w.process().store;
    await flag(w.store, ann, [1], 'add', '\\Seen'); // both have it at hand now
    await flag(other, ann, [2], 'add', '\\Seen');
    // An event: its append proves it. None: it is asked.
    expect((await flag(w.store, ann, [1, 2], 'remove', '\\Seen')).changed.map(({ modSeq }) => modSeq)).toEqual([7]);
    expect((await flag(other, ann, [1, 2], 'add', '\\Seen')).changed.map(({ modSeq }) => modSeq)).toEqual([8]);
    expect((await flag(w.store, ann, [1, 2], 'add', '\\Seen')).changed).toEqual([{ first: 1, last: 2, modSeq: 8, flags: ['\\Seen'] }]);
    await flag(other, ann, [3], 'add', '\\Deleted');
    await other.expunge(ann.id, ann.inbox, undefined, ORIGIN);
    expect((await flag(w.store, ann, [3], 'add', '\\Seen')).changed).toEqual([]);
    expect((await w.store.append(ann.id, ann.inbox, [{ body: body(1), flags: [] }], ORIGIN)).uids).toEqual([4]);
    expect((await other.append(ann.id, ann.inbox, [{ body: body(2), flags: [] }], ORIGIN)).uids).toEqual([5]);
  });

  it('hear that the mailbox is gone, whoever deleted it', async () => {
    const ann = await reader(0);
    const other = w.process().store;
    const { id } = await w.store.create(ann.id, 'Going', [], ORIGIN);
    for (const s of [w.store, other]) await s.append(ann.id, id, [{ body: body(1), flags: [] }], ORIGIN);
    await other.delete(ann.id, 'Going', ORIGIN);
    await expect(w.store.append(ann.id, id, [{ body: body(1), flags: [] }], ORIGIN)).rejects.toThrow('nonexistent');
    await expect(w.store.storeFlags(ann.id, id, { uids: [1], operation: 'add', flags: ['x'] }, ORIGIN)).rejects.toThrow('nonexistent');
  });

  it('see each what those before it did, also when they are written together', async () => {
    const ann = await reader(2);
    await flag(w.store, ann, [1], 'remove', 'nothing'); // what it has to read is read: commands come in order
    const before = await appendsTo(ann.inbox);
    const [first, second, third, gone] = await Promise.all([
      flag(w.store, ann, [1], 'add', 'Kw'),
      flag(w.store, ann, [1, 2], 'add', 'KW', '\\Deleted'),
      flag(w.store, ann, [1], 'remove', 'kw'),
      flag(w.store, ann, [1], 'remove', 'kw'),
    ]);
    expect(first.changed).toEqual([{ first: 1, last: 1, modSeq: 4, flags: ['Kw'] }]);
    expect(second).toMatchObject({ before: 4, changed: [{ first: 1, last: 2, modSeq: 5, flags: ['Kw', '\\Deleted'] }] });
    expect(third.changed).toEqual([{ first: 1, last: 1, modSeq: 6, flags: ['\\Deleted'] }]);
    expect(gone).toEqual({ ...third, before: 6 });
    expect(await appendsTo(ann.inbox)).toBe(before + 1);
  });

  it('are refused alone', async () => {
    const ann = await reader(3, { quota: 10_000 });
    const results = await Promise.allSettled([
      flag(w.store, ann, [1], 'add', 'good'),
      flag(w.store, ann, [2], 'add', 'not a flag'),
      w.store.append(ann.id, ann.inbox, [{ body: body(1, 20_000), flags: [] }], ORIGIN),
      w.store.append(ann.id, ann.inbox, [{ body: body(2), flags: [] }], ORIGIN),
      w.store.copy(ann.id, ann.inbox, [1], '019b8b3a-0c00-7000-8000-00000000dead', ORIGIN),
      flag(w.store, ann, [3], 'add', 'good'),
    ]);
    expect(results.map((r) => (r.status === 'fulfilled' ? 'done' : refusalOf(r.reason)))).toEqual(['done', 'bad-name', 'over-quota', 'done', 'nonexistent', 'done']);
    expect(shown(await w.process().store.snapshot(ann.inbox)).map(([uid, , flags]) => [uid, flags])).toEqual([[1, 'good'], [2, ''], [3, 'good'], [4, '']]);
  });

  it('fail alone when the database cannot keep what one of them brings', async () => {
    const ann = await reader(2);
    const results = await Promise.allSettled([
      flag(w.store, ann, [1], 'add', 'one'),
      w.store.append(ann.id, ann.inbox, [{ body: { sha256: 'no digest', size: 1 }, flags: [] }], ORIGIN),
      flag(w.store, ann, [2], 'add', 'two'),
    ]);
    expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const rows = shown(await w.process().store.snapshot(ann.inbox));
    expect(rows.map(([uid, , flags]) => [uid, flags])).toEqual([[1, 'one'], [2, 'two']]);
    expect(shown(await w.store.snapshot(ann.inbox))).toEqual(rows);
  });

  it('agree in the end with who reads it all anew, whatever they did', async () => {
    const ann = await reader(200);
    const box = await w.store.create(ann.id, 'Other', [], ORIGIN);
    const stores = [w.store, w.process().store];
    const stands: { readonly highestModSeq: number; readonly uidNext: number }[] = [];
    for (let round = 0; round < 8; round++) {
      const { status } = (await w.store.snapshot(ann.inbox)) ?? { status: { highestModSeq: 0, uidNext: 1 } };
      stands.push(status);
      await Promise.all(stores.flatMap((s, i) => [
        flag(s, ann, upTo(30, 1 + round * 20 + i * 5), 'add', '\\Deleted', `r${round}`),
        flag(s, ann, upTo(250).filter((uid) => (uid + i) % 7 === round % 7), round % 2 ? 'remove' : 'add', `s${i}`),
        s.copy(ann.id, ann.inbox, upTo(10, round * 10), box.id, ORIGIN),
        s.append(ann.id, ann.inbox, [{ body: body(round), flags: [`a${i}`] }], ORIGIN),
        s.move(ann.id, ann.inbox, upTo(4, 150 + round * 5), box.id, ORIGIN),
        s.move(ann.id, box.id, [round + 1], ann.inbox, ORIGIN),
        s.expunge(ann.id, ann.inbox, upTo(6, 1 + round * 20), ORIGIN),
        w.deliver(ann.inbox, 2),
      ]));
    }
    const fresh = w.process().store;
    for (const { highestModSeq, uidNext } of stands) {
      const expected = await fresh.changes(ann.inbox, highestModSeq, uidNext);
      for (const s of stores) expect(await s.changes(ann.inbox, highestModSeq, uidNext)).toMatchObject(known(expected));
    }
    for (const mailbox of [ann.inbox, box.id]) {
      const rows = shown(await fresh.snapshot(mailbox));
      for (const s of stores) expect(shown(await s.snapshot(mailbox))).toEqual(rows);
    }
    for (const name of ['s1', '\\Deleted', 'R3']) expect(await w.store.count(ann.inbox, name)).toBe(await w.process().store.count(ann.inbox, name));
  });

  it('lend what does not change any more', async () => {
    const ann = await reader(3);
    const lent = await w.store.snapshot(ann.inbox);
    const rows = shown(lent);
    await flag(w.store, ann, [1, 2], 'add', '\\Deleted');
    await w.store.append(ann.id, ann.inbox, [{ body: body(1), flags: [] }], ORIGIN);
    await w.store.expunge(ann.id, ann.inbox, [1], ORIGIN);
    expect(shown(lent)).toEqual(rows);
    expect(shown(await w.store.snapshot(ann.inbox))).toEqual([[2, 5, '\\Deleted'], [3, 4, ''], [4, 6, '']]);
  });
});

const known = ({ status, appended, flagged, vanished }: NonNullable<Awaited<ReturnType<PostgresMailboxStore['changes']>>> | undefined = never()) => ({ status, appended, flagged, vanished });
function never(): never {
  throw new Error('the mailbox is gone');
}

describe('what a process remembers', () => {
  it('of rights ends when another process takes them away', async () => {
    const [ann, bob] = [await reader(1), await reader(0)];
    const other = w.process().store;
    await other.setAcl(ann.id, 'INBOX', bob.address, 'lrws', ORIGIN);
    await w.store.storeFlags(bob.id, ann.inbox, { uids: [1], operation: 'add', flags: ['\\Seen'] }, ORIGIN);
    expect((await w.store.folder(bob.id, `#Shared/${ann.address}/INBOX`))?.rights).toBe('lrsw');
    await other.setAcl(ann.id, 'INBOX', bob.address, '', ORIGIN);
    expect(await w.store.folder(bob.id, `#Shared/${ann.address}/INBOX`)).toBeUndefined();
    await expect(w.store.storeFlags(bob.id, ann.inbox, { uids: [1], operation: 'remove', flags: ['\\Seen'] }, ORIGIN)).rejects.toThrow('nonexistent');
  });

  it('of a mailbox ends when another process deletes it', async () => {
    const ann = await reader(1);
    const box = await w.store.create(ann.id, 'Short', [], ORIGIN);
    await w.store.copy(ann.id, ann.inbox, [1], box.id, ORIGIN);
    expect(shown(await w.store.snapshot(box.id))).toHaveLength(1);
    await w.process().store.delete(ann.id, 'Short', ORIGIN);
    expect([await w.store.snapshot(box.id), await w.store.changes(box.id, 0), await w.store.status([box.id])]).toEqual([undefined, undefined, []]);
    await expect(w.store.copy(ann.id, ann.inbox, [1], box.id, ORIGIN)).rejects.toThrow('nonexistent');
  });

  it('of flags does not hide what another process took away again', async () => {
    const ann = await reader(1);
    const other = w.process().store;
    for (let i = 0; i < 5; i++) {
      expect((await flag(w.store, ann, [1], 'add', '\\Seen')).changed[0]?.modSeq).toBe(3 + 2 * i);
      await flag(other, ann, [1], 'remove', '\\Seen');
    }
  });
});
