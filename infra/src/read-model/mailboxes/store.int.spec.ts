import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { MailboxRefusal, type MailboxTrouble } from '@kiroku/domain/mailbox/store-port.js';
import { rangesOf, uidText } from '@kiroku/domain/mailbox/uid-set.js';
import { Rebuild } from '../rebuild.js';
import { NINE, sha256 } from '../testing.js';
import { INLINE_VIEWS } from '../views.js';
import { body, mailboxWorld, type MailboxWorld, ORIGIN, type Person, prefixOf, shown, upTo } from './testing.js';

let w: MailboxWorld;
let n = 0;
beforeAll(async () => void (w = await mailboxWorld()));
afterAll(async () => {
  expect(w.h.troubles).toEqual([]);
  await w.close();
});

const person = (more?: Parameters<MailboxWorld['person']>[1]): Promise<Person> => w.person(`p${++n}`, more);
/** Somebody with mail in INBOX. */
async function reader(count: number): Promise<Person> {
  const ann = await person();
  if (count > 0) await w.deliver(ann.inbox, count);
  return ann;
}
const trouble = async (what: MailboxTrouble, work: Promise<unknown>): Promise<void> => {
  const error = await work.then(() => undefined, (e: unknown) => e);
  expect(error).toBeInstanceOf(MailboxRefusal);
  expect((error as MailboxRefusal).trouble).toBe(what);
};
const shownIn = async (mailbox: string) => shown(await w.process().store.snapshot(mailbox));
const uidsIn = async (mailbox: string) => uidText(rangesOf((await shownIn(mailbox)).map(([uid]) => uid)));
const store = (ann: Person, uids: readonly number[], ...flags: readonly string[]) => w.store.storeFlags(ann.id, ann.inbox, { uids, operation: 'add', flags }, ORIGIN);

describe('STORE', () => {
  it('is seen at once, everywhere', async () => {
    const ann = await reader(3);
    const other = w.process().store;
    expect(shown(await other.snapshot(ann.inbox))).toEqual([[1, 2, ''], [2, 3, ''], [3, 4, '']]);
    const { changed, status } = await store(ann, [1, 3, 9], '\\seen', 'Wichtig');
    expect(changed).toEqual([{ first: 1, last: 1, modSeq: 5, flags: ['Wichtig', '\\Seen'] }, { first: 3, last: 3, modSeq: 5, flags: ['Wichtig', '\\Seen'] }]);
    expect(status).toMatchObject({ id: ann.inbox, highestModSeq: 5, messages: 3, uidNext: 4 });
    for (const from of [w.store, other]) expect(shown(await from.snapshot(ann.inbox))).toEqual([[1, 5, 'Wichtig \\Seen'], [2, 3, ''], [3, 5, 'Wichtig \\Seen']]);
  });

  it('writes a keyword as it was written first', async () => {
    const ann = await reader(2);
    await store(ann, [1], 'Wichtig');
    expect((await store(ann, [2], 'WICHTIG')).changed[0]?.flags).toEqual(['Wichtig']);
    expect(await w.store.count(ann.inbox, 'wichtig')).toBe(2);
  });

  it('replaces and removes, and is no event when nothing changes', async () => {
    const ann = await reader(1);
    const change = (operation: 'add' | 'remove' | 'replace', ...flags: string[]) => w.store.storeFlags(ann.id, ann.inbox, { uids: [1], operation, flags }, ORIGIN);
    await change('add', '\\Seen', 'a');
    await change('replace', '\\Flagged');
    await change('remove', '\\Flagged', 'b');
    const { version } = await w.h.store.read(mailboxStream(ann.inbox));
    await change('remove', '\\Flagged');
    expect((await w.h.store.read(mailboxStream(ann.inbox))).version).toBe(version);
    expect(await shownIn(ann.inbox)).toEqual([[1, 5, '']]);
  });

  it('of 10,000 messages is one event', async () => {
    const ann = await reader(10_000);
    const before = (await w.h.store.read(mailboxStream(ann.inbox))).version;
    const { changed } = await store(ann, upTo(10_000), '\\Seen');
    expect(changed).toEqual([{ first: 1, last: 10_000, modSeq: 10_002, flags: ['\\Seen'] }]);
    const { events } = await w.h.store.read(mailboxStream(ann.inbox), before);
    expect(events).toHaveLength(1);
    expect(JSON.stringify(events).length).toBeLessThan(1_000);
    expect(await w.store.count(ann.inbox, '\\Seen')).toBe(10_000);
    await w.store.storeFlags(ann.id, ann.inbox, { uids: upTo(10_000).filter((uid) => uid % 2 === 0), operation: 'remove', flags: ['\\Seen'] }, ORIGIN);
    expect(await w.store.count(ann.inbox, '\\Seen')).toBe(5_000);
  });

  it('leaves alone what was changed after UNCHANGEDSINCE', async () => {
    const ann = await reader(3);
    await store(ann, [2], '\\Seen');
    const { changed, modified } = await w.store.storeFlags(ann.id, ann.inbox, { uids: [1, 2, 3], operation: 'add', flags: ['x'], unchangedSince: 4 }, ORIGIN);
    expect([changed.map((c) => c.first), modified]).toEqual([[1, 3], [2]]);
  });

  it('gets through while mail keeps coming in, and each of two sessions that store at once', async () => {
    const ann = await reader(50);
    const other = w.process();
    let flowing = true;
    let arrived = 50;
    const mail = (async () => { while (flowing) { await w.deliver(ann.inbox, 3, other.member); arrived += 3; } })();
    await Promise.all([w.store, w.process().store].map(async (s, i) => {
      for (let uid = 1; uid <= 20; uid++) await s.storeFlags(ann.id, ann.inbox, { uids: [uid, uid + 30], operation: 'add', flags: [`k${i}`] }, ORIGIN);
    }));
    flowing = false;
    await mail;
    const rows = await shownIn(ann.inbox);
    expect(rows).toHaveLength(arrived);
    expect(rows.filter(([, , flags]) => flags === 'k0 k1').map(([uid]) => uid)).toEqual([...upTo(20), ...upTo(20, 31)]);
    expect(shown(await w.store.snapshot(ann.inbox))).toEqual(rows);
  });
});

describe('APPEND', () => {
  it('puts messages at the end, in order, with their flags and dates', async () => {
    const ann = await reader(1);
    const { uids, uidValidity } = await w.store.append(ann.id, ann.inbox, [{ body: { ...body(7), at: 's/1/7' }, flags: ['\\Seen'], receivedAt: 5_000 }, { body: body(8), flags: [] }], ORIGIN);
    expect([uids, uidValidity]).toEqual([[2, 3], NINE / 1000]);
    expect(await w.store.messages(ann.inbox, [3, 2, 9])).toMatchObject([
      { uid: 2, size: 100, receivedAt: 5_000, savedAt: NINE, prefix: '', messageId: '', body: { sha256: sha256(7), size: 100, at: 's/1/7' } },
      { uid: 3, receivedAt: NINE, savedAt: NINE, body: { sha256: sha256(8) } },
    ]);
    expect(await shownIn(ann.inbox)).toEqual([[1, 2, ''], [2, 4, '\\Seen'], [3, 4, '']]);
  });

  it('is refused when it does not fit the quota, all of it, counting all mailboxes', async () => {
    const ann = await person({ quota: 300 });
    const box = await w.store.create(ann.id, 'Box', [], ORIGIN);
    await w.store.append(ann.id, box.id, [{ body: body(1), flags: [] }], ORIGIN);
    await trouble('over-quota', w.store.append(ann.id, ann.inbox, [{ body: body(1), flags: [] }, { body: body(2, 101), flags: [] }], ORIGIN));
    await w.store.append(ann.id, ann.inbox, [{ body: body(1), flags: [] }, { body: body(2), flags: [] }], ORIGIN);
    expect(await w.store.quota(ann.id)).toEqual({ limit: 300, used: 300, messages: 3 });
    await trouble('over-quota', w.store.copy(ann.id, ann.inbox, [1], box.id, ORIGIN));
    await w.store.move(ann.id, ann.inbox, [1], box.id, ORIGIN);
    expect(await w.store.quota(ann.id)).toMatchObject({ used: 300 });
  });
});

describe('COPY', () => {
  it('takes flags, dates, prefix and EMAILID along, and gives a SAVEDATE', async () => {
    const ann = await reader(3);
    await store(ann, [1, 3], '\\Seen', 'Kw');
    const box = await w.store.create(ann.id, 'Copies', [], ORIGIN);
    w.h.engine.clock.advance(1_000);
    const copied = await w.store.copy(ann.id, ann.inbox, [3, 1, 77], box.id, ORIGIN);
    expect(copied).toMatchObject({ from: [1, 3], to: [1, 2], uidValidity: box.id ? expect.any(Number) : 0 });
    const [one] = await w.store.messages(ann.inbox, [3]);
    const [, two] = await w.store.messages(box.id, [1, 2]);
    expect(two).toEqual({ ...one, uid: 2, savedAt: w.h.engine.clock.now() });
    expect(two?.prefix).toBe(prefixOf(3));
    expect((await shownIn(box.id)).map(([uid, , flags]) => [uid, flags])).toEqual([[1, 'Kw \\Seen'], [2, 'Kw \\Seen']]);
    await w.store.copy(ann.id, box.id, [1, 2], box.id, ORIGIN);
    expect(await uidsIn(box.id)).toBe('1:4');
    expect(await uidsIn(ann.inbox)).toBe('1:3');
  });

  it('copies nothing of nothing', async () => {
    const ann = await reader(1);
    const box = await w.store.create(ann.id, 'Empty', [], ORIGIN);
    expect(await w.store.copy(ann.id, ann.inbox, [9], box.id, ORIGIN)).toMatchObject({ from: [], to: [] });
    await trouble('nonexistent', w.store.copy(ann.id, ann.inbox, [1], '019b8b3a-0c00-7000-8000-00000000dead', ORIGIN));
  });

  it('copies what was there, also when it is expunged at that moment', async () => {
    const ann = await reader(40);
    const box = await w.store.create(ann.id, 'Race', [], ORIGIN);
    await store(ann, upTo(40), '\\Deleted');
    const other = w.process().store;
    const [{ from, to }] = await Promise.all([
      w.store.copy(ann.id, ann.inbox, upTo(40), box.id, ORIGIN),
      (async () => { for (const uid of upTo(40)) await other.expunge(ann.id, ann.inbox, [uid], ORIGIN); })(),
    ]);
    expect(to).toEqual(upTo(from.length));
    const copies = await w.store.messages(box.id, to);
    expect(copies.map((m) => m.prefix)).toEqual(from.map(prefixOf));
    expect(await uidsIn(ann.inbox)).toBe('');
  });
});

describe('MOVE and EXPUNGE', () => {
  it('moves in one decision', async () => {
    const ann = await reader(5);
    await store(ann, [2], '\\Flagged');
    const box = await w.store.create(ann.id, 'Moved', [], ORIGIN);
    const moved = await w.store.move(ann.id, ann.inbox, [2, 4], box.id, ORIGIN);
    expect(moved).toMatchObject({ from: [2, 4], to: [1, 2], highestModSeq: 8 });
    expect([await uidsIn(ann.inbox), await uidsIn(box.id)]).toEqual(['1,3,5', '1:2']);
    expect((await shownIn(box.id))[0]?.[2]).toBe('\\Flagged');
    const again = await w.store.move(ann.id, box.id, [1], box.id, ORIGIN);
    expect(again).toMatchObject({ from: [1], to: [3] });
    expect(await uidsIn(box.id)).toBe('2:3');
  });

  it('moves each message once, whoever else moves it', async () => {
    const ann = await reader(100);
    const [a, b] = [await w.store.create(ann.id, 'A', [], ORIGIN), await w.store.create(ann.id, 'B', [], ORIGIN)];
    const results = await Promise.all([w.store.move(ann.id, ann.inbox, upTo(100), a.id, ORIGIN), w.process().store.move(ann.id, ann.inbox, upTo(100), b.id, ORIGIN)]);
    expect(results.map((r) => r.from.length).sort((x, y) => x - y)).toEqual([0, 100]);
    const left = await w.store.status([ann.inbox, a.id, b.id]);
    expect(left.map((s) => s.messages).sort((x, y) => x - y)).toEqual([0, 0, 100]);
  });

  it('expunges what has \\Deleted, of these or of all', async () => {
    const ann = await reader(6);
    await store(ann, [2, 3, 5], '\\Deleted');
    expect(await w.store.expunge(ann.id, ann.inbox, [1, 2, 3, 77], ORIGIN)).toEqual({ uids: [2, 3], highestModSeq: 9 });
    expect(await w.store.expunge(ann.id, ann.inbox, undefined, ORIGIN)).toEqual({ uids: [5], highestModSeq: 10 });
    expect(await w.store.expunge(ann.id, ann.inbox, undefined, ORIGIN)).toEqual({ uids: [], highestModSeq: 10 });
    expect(await uidsIn(ann.inbox)).toBe('1,4,6');
    expect(await w.store.status([ann.inbox])).toMatchObject([{ messages: 3, uidNext: 7, highestModSeq: 10 }]);
    expect(await w.store.count(ann.inbox, '\\Deleted')).toBe(0);
  });

  it('replaces a message in one decision', async () => {
    const ann = await reader(2);
    const drafts = await w.store.create(ann.id, 'Drafts', ['\\Drafts'], ORIGIN);
    expect(await w.store.replace(ann.id, ann.inbox, 1, drafts.id, { body: body(5), flags: ['\\Draft'] }, ORIGIN)).toMatchObject({ uids: [1], highestModSeq: 4 });
    expect(await w.store.replace(ann.id, drafts.id, 1, drafts.id, { body: body(6), flags: ['\\Draft'] }, ORIGIN)).toMatchObject({ uids: [2] });
    await trouble('nonexistent', w.store.replace(ann.id, drafts.id, 1, drafts.id, { body: body(6), flags: [] }, ORIGIN));
    expect([await uidsIn(ann.inbox), await uidsIn(drafts.id)]).toEqual(['2', '2']);
  });
});

describe('what happened since a MODSEQ', () => {
  it('is what came, changed and went', async () => {
    const ann = await reader(6);
    const before = (await w.store.snapshot(ann.inbox))?.status ?? { highestModSeq: 0, uidNext: 0 };
    await w.deliver(ann.inbox, 2);
    await store(ann, [1, 7], '\\Seen');
    await store(ann, [2, 8], '\\Deleted');
    await w.store.expunge(ann.id, ann.inbox, undefined, ORIGIN);
    const changes = await w.store.changes(ann.inbox, before.highestModSeq, before.uidNext);
    expect(changes).toMatchObject({ appended: [{ uid: 7, modSeq: 10, flags: ['\\Seen'] }], flagged: [{ first: 1, last: 1, modSeq: 10, flags: ['\\Seen'] }], vanished: [2] });
    expect(await w.store.changes(ann.inbox, changes?.status.highestModSeq ?? 0)).toMatchObject({ appended: [], flagged: [], vanished: [] });
    expect(await w.store.changes('019b8b3a-0c00-7000-8000-00000000dead', 0)).toBeUndefined();
  });

  it('brings a kept snapshot to what a fresh one is, whatever happened', async () => {
    const ann = await reader(300);
    const box = await w.store.create(ann.id, 'Busy', [], ORIGIN);
    const watcher = w.process().store;
    for (let i = 0; i < 12; i++) {
      await store(ann, upTo(300).filter((uid) => (uid * 7 + i) % 5 === 0), i % 3 === 0 ? '\\Deleted' : `k${i % 4}`);
      if (i % 2) await w.deliver(ann.inbox, i);
      if (i % 3 === 1) await w.store.expunge(ann.id, ann.inbox, upTo(50 * i), ORIGIN);
      if (i % 4 === 0) await w.store.copy(ann.id, ann.inbox, upTo(20 * i), box.id, ORIGIN);
      for (const mailbox of [ann.inbox, box.id]) expect(shown(await watcher.snapshot(mailbox))).toEqual(await shownIn(mailbox));
    }
  });
});

describe('a watch', () => {
  it('tells of what other processes did in the mailbox, within 100 ms, and of nothing after its end', async () => {
    const ann = await reader(1);
    const other = w.process();
    let hints = 0;
    let tell = (): void => undefined;
    const next = () => new Promise<number>((resolve) => (tell = () => resolve(performance.now())));
    const first = next();
    const end = w.store.watch(ann.inbox, () => { hints++; tell(); });
    await first; // the watch has begun
    await w.store.changes(ann.inbox, 0);
    const usual = async (): Promise<number> => {
      const times: number[] = [];
      for (let i = 0; i < 10; i++) {
        const told = next();
        await w.deliver(ann.inbox, 1, other.member);
        const done = performance.now();
        times.push((await told) - done);
      }
      return times.sort((a, b) => a - b)[5] as number;
    };
    let best = await usual();
    for (let i = 0; i < 10 && best >= 100; i++) best = Math.min(best, await usual()); // the machine may have other work
    expect(best).toBeLessThan(100);
    end();
    const before = hints;
    const otherMailbox = await reader(0);
    const told = next();
    const second = w.store.watch(otherMailbox.inbox, () => tell());
    await w.deliver(ann.inbox, 1, other.member);
    await w.deliver(otherMailbox.inbox, 1, other.member);
    await told;
    second();
    expect(hints).toBe(before);
  });

  it('of folders tells the owner and those they are shared with', async () => {
    const [ann, bob] = [await reader(0), await reader(0)];
    const other = w.process().store;
    await w.store.create(ann.id, 'Shared', [], ORIGIN);
    const told = { ann: 0, bob: 0 };
    const ends = [w.store.watchFolders(ann.id, () => told.ann++), w.store.watchFolders(bob.id, () => told.bob++)];
    const until = async (look: () => boolean) => { while (!look()) await new Promise((resolve) => setTimeout(resolve, 5)); };
    await until(() => told.ann > 0 && told.bob > 0);
    Object.assign(told, { ann: 0, bob: 0 });
    await other.setAcl(ann.id, 'Shared', bob.address, 'lr', ORIGIN);
    await until(() => told.ann > 0 && told.bob > 0);
    Object.assign(told, { ann: 0, bob: 0 });
    await other.setAcl(ann.id, 'Shared', bob.address, '', ORIGIN);
    await until(() => told.ann > 0 && told.bob > 0);
    for (const end of ends) end();
  });
});

describe('a process that copies', () => {
  it('leaves views that a rebuild makes again, row by row', async () => {
    for (const view of INLINE_VIEWS) expect(await new Rebuild(w.h.log, w.h.pool, view).verify()).toMatchObject({ view: view.name, differences: [] });
  });
});
