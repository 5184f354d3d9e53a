import { describe, expect, it } from '@jest/globals';
import { Tracker } from '@kiroku/domain/imap/session/tracker.js';
import { MemoryMailboxes } from '../testing/memory-mailboxes.js';
import { LiveMailboxes } from './live-mailboxes.js';

const ANN = 'id-of-ann';
const body = { sha256: 'a'.repeat(64), size: 10 };

async function opened(messages: number) {
  const store = new MemoryMailboxes([ANN]);
  for (let i = 0; i < messages; i++) store.deliver(ANN, 'INBOX', body);
  const [inbox] = await store.folders(ANN);
  if (!inbox) throw new Error('no INBOX');
  const all = new LiveMailboxes(store, (error) => { throw error; });
  const box = await all.acquire(inbox.id);
  if (!box) throw new Error('no mailbox');
  const flag = (uids: number[], ...flags: string[]) => store.storeFlags(ANN, inbox.id, { uids, operation: 'add', flags });
  return { store, all, box, id: inbox.id, flag };
}

describe('a mailbox that sessions share', () => {
  it('is read once and then only brought up to date', async () => {
    const { store, all, box, id, flag } = await opened(3);
    expect(await all.acquire(id)).toBe(box);
    await flag([2], '\\Seen', 'work');
    store.deliver(ANN, 'INBOX', body, ['\\Flagged']);
    await box.refresh();
    expect(Array.from(box.uids.subarray(0, box.count))).toEqual([1, 2, 3, 4]);
    expect([0, 1, 2, 3].map((index) => box.flagsOf(index))).toEqual([[], ['\\Seen', 'work'], [], ['\\Flagged']]);
    expect([...box.keywords.values()]).toEqual(['work']);
    expect(box.flaggedSince(4)).toEqual([2]);
    expect(box.flaggedSince(box.status.highestModSeq)).toEqual([]);
  });

  it('leaves alone the array that a session has not caught up with', async () => {
    const { store, box, id, flag } = await opened(3);
    const tracker = new Tracker(box);
    await flag([1], '\\Deleted');
    await store.expunge(ANN, id, undefined);
    store.deliver(ANN, 'INBOX', body);
    await box.refresh();
    expect([tracker.uid(1), tracker.size]).toEqual([1, 3]);
    expect(tracker.advance(box, true)).toEqual({ expunged: [{ uid: 1, seq: 1 }], firstNew: 3 });
  });

  it('takes what a STORE answers as it is, unless others came in between', async () => {
    const { store, box, flag } = await opened(3);
    let asked = 0;
    const changes = store.changes.bind(store);
    store.changes = (...args) => {
      asked++;
      return changes(...args);
    };
    await box.stored(await flag([1], '\\Seen'));
    expect([asked, box.flagsOf(0)]).toEqual([0, ['\\Seen']]);
    await flag([3], '\\Flagged');
    await box.stored(await flag([3], '\\Flagged')); // changes nothing, and must not hide what the other did
    expect([asked, box.flagsOf(2)]).toEqual([1, ['\\Flagged']]);
  });

  it('asks once for all who ask at the same moment, and again for who asks later', async () => {
    const { store, all, box } = await opened(1);
    all.release(box); // follows no hints any more
    let asked = 0;
    const changes = store.changes.bind(store);
    store.changes = async (...args) => {
      asked++;
      const answer = await changes(...args);
      await new Promise(setImmediate);
      return answer;
    };
    const first = box.refresh();
    await Promise.resolve();
    store.deliver(ANN, 'INBOX', body);
    await Promise.all([first, box.refresh(), box.refresh(), box.refresh()]);
    expect([asked, box.count]).toEqual([2, 2]);
  });

  it('takes answers that overtake each other', async () => {
    const { store, all, box, flag } = await opened(3);
    all.release(box);
    const changes = store.changes.bind(store);
    const answers: (() => void)[] = [];
    store.changes = async (...args) => {
      const answer = await changes(...args);
      await new Promise<void>((resolve) => answers.push(resolve));
      return answer;
    };
    await flag([1], '\\Seen');
    const first = box.refresh();
    await new Promise(setImmediate);
    await flag([2], '\\Flagged');
    store.deliver(ANN, 'INBOX', body);
    const second = box.refresh();
    await new Promise(setImmediate);
    const before = box.status.highestModSeq;
    answers[1]?.();
    await second;
    answers[0]?.();
    await first;
    expect([box.count, box.flagsOf(0), box.flagsOf(1)]).toEqual([4, ['\\Seen'], ['\\Flagged']]);
    expect([...box.flaggedSince(before)].sort()).toEqual([1, 2]);
  });

  it('asks nothing after a STORE that somebody else was told of already', async () => {
    const { store, all, box, flag } = await opened(3);
    all.release(box);
    const stored = await flag([1], '\\Seen');
    await box.refresh();
    store.changes = async () => { throw new Error('must not be asked'); };
    await box.stored(stored);
    expect(box.flagsOf(0)).toEqual(['\\Seen']);
  });

  it('is opened under the name by which it was known, which may stand for another one by now', async () => {
    const { store, all, box, id } = await opened(1);
    expect(all.acquireNamed(ANN, 'INBOX')).toBeUndefined();
    all.named(ANN, 'INBOX', id);
    expect(await all.acquireNamed(ANN, 'INBOX')).toBe(box);
    const folder = await store.create(ANN, 'x', []);
    all.named(ANN, 'x', folder.id);
    await store.delete(ANN, 'x');
    expect(await all.acquireNamed(ANN, 'x')).toBeUndefined();
  });

  it('is forgotten when it is gone', async () => {
    const { store, all } = await opened(1);
    const folder = await store.create(ANN, 'x', []);
    const box = await all.acquire(folder.id);
    await store.delete(ANN, 'x');
    await box?.refresh();
    expect(box?.gone).toBe(true);
    expect(await all.acquire(folder.id)).toBeUndefined();
  });

  it('stays at hand for a while after the last one has left', async () => {
    const { store, all, box, id } = await opened(2);
    all.release(box);
    store.deliver(ANN, 'INBOX', body);
    expect(await all.acquire(id)).toBe(box);
    expect(box.count).toBe(3);
  });
});
