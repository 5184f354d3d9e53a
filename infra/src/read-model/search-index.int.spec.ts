import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fold } from '@kiroku/domain/imap/search/fold.js';
import { sortOrder } from '@kiroku/domain/imap/search/sort.js';
import type { SourceTest } from '@kiroku/domain/imap/search/source.js';
import { references, threadText } from '@kiroku/domain/imap/search/thread.js';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { appendMessage, createMailbox, type MailboxEvent, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { Hints } from '../event-log/hints.js';
import { PostgresMailboxStore } from './mailboxes/store.js';
import fc from 'fast-check';
import { TestFolder } from '../object-store/files-folder.js';
import type { FileObjectStore } from '../object-store/files.js';
import { until } from '../rig/until.js';
import { MailboxSearch } from './search-index.js';
import { BodyCache } from './search-index-cache.js';
import { fillCache, followMail, sweepCache } from './search-index-filler.js';
import type { Gate } from './search-index-pace.js';
import { sortColumns } from './search-index-sorting.js';
import { type KnownMail, readable, written } from './search-index-testing.js';
import { NINE, recorded, type TestHistory, testHistory } from './testing.js';

const DAY = 86_400_000;
let h: TestHistory;
let folder: TestFolder;
let objects: FileObjectStore;
let cache: BodyCache;
beforeAll(async () => {
  h = await testHistory();
  folder = await TestFolder.make();
  objects = await folder.open();
  cache = new BodyCache(h.pool, objects, (error) => h.troubles.push(error));
});
afterAll(async () => {
  await folder.remove();
  await h.close();
});

async function kept(bytes: Uint8Array): Promise<BodyRef> {
  const writer = objects.create();
  for (let at = 0; at < bytes.length; at += 65_536) await writer.write(bytes.subarray(at, at + 65_536));
  return writer.commit();
}

interface Entry { readonly bytes: Uint8Array; readonly prefix?: string; readonly receivedAt?: number; readonly at?: number; readonly lost?: boolean }
/** A mailbox with these messages, UIDs 1, 2, 3 … */
async function mailboxOf(entries: readonly Entry[]): Promise<{ readonly id: string; readonly refs: readonly BodyRef[]; readonly search: MailboxSearch }> {
  const id = h.engine.ids.uuid();
  const created = createMailbox(id, h.engine.ids.uuid(), 'INBOX', NINE);
  const facts: MailboxEvent[] = [created];
  const refs: BodyRef[] = [];
  let { head } = created.data;
  for (const [i, { bytes, prefix = '', receivedAt = NINE, lost }] of entries.entries()) {
    const ref = lost ? { sha256: 'dead'.repeat(16), size: bytes.length } : await kept(bytes);
    refs.push(ref);
    const appended = appendMessage(id, head, {
      messageId: `Q${i}`, sha256: ref.sha256, bodySize: ref.size, ...(ref.at !== undefined && { at: ref.at }), prefix, size: prefix.length + ref.size, receivedAt,
      recipient: 'ann@x.test', via: [], deliveredTo: 'ann@x.test',
    });
    head = appended.data.head;
    facts.push(appended);
  }
  await h.engine.store.append([{ stream: mailboxStream(id), expected: 0, events: facts.map((f, i) => ({ ...recorded(h.engine, f), at: entries[i - 1]?.at ?? NINE })) }]);
  return { id, refs, search: new MailboxSearch(h.pool, cache, id) };
}
/** However busy the machine is: tests run beside each other. */
const open: Gate = (_, work) => work(() => true);
const message = (header: string, body = ''): Uint8Array => Buffer.from(`${header.replaceAll('\n', '\r\n')}\r\n\r\n${body}`);
const all = (n: number): Uint32Array => Uint32Array.from({ length: n }, (_, i) => i + 1);
const known = async (refs: readonly BodyRef[]): Promise<number> =>
  Number((await h.pool.query<{ n: number }>(`SELECT count(*) AS n FROM cache.search_1 WHERE sha256 = ANY ($1::bytea[])`, [refs.map((r) => `\\x${r.sha256}`)])).rows[0]?.n);

const words = ['会議', '議事録', 'スケジュール', '本日', '税', 'meeting', 'Invoice', '12/24', 'おはよう', 'ガイド', 'カ', 'ab', 'lunch'];
const sentence = fc.array(fc.constantFrom(...words, ' ', '\r\n', '。'), { maxLength: 25 }).map((w) => w.join(''));
const oneLine = fc.array(fc.constantFrom(...words), { maxLength: 4 }).map((w) => w.join(''));
const knownMail: fc.Arbitrary<KnownMail> = fc.record({
  subject: oneLine, from: fc.constantFrom('山田', 'Ann', 'ａｎｎ'), to: fc.constantFrom('bob@x.test', 'carol@y.test'), extra: fc.constantFrom('one', 'two words', 'Three'),
  charset: fc.constantFrom('utf-8', 'iso-2022-jp', 'shift_jis', 'euc-jp'), encoding: fc.constantFrom('base64', 'quoted-printable'), shape: fc.constantFrom('plain', 'mixed', 'forwarded'),
  text: sentence.map((t) => `ご案内 ${t}`),
});

describe('searching by the index', () => {
  it('finds what reading every message finds: random mail in four charsets, random strings', async () => {
    const mails = fc.sample(knownMail, { numRuns: 80, seed: 7 });
    const { search, refs } = await mailboxOf(mails.map((m) => ({ bytes: written(m) })));
    const has = (text: string, needle: string): boolean => fold(text).includes(fold(needle));
    const questions: readonly (readonly [(needle: string) => SourceTest, (m: KnownMail, needle: string) => boolean])[] = [
      [(needle) => ({ by: 'header', field: 'subject', needle }), (m, n) => has(m.subject ?? '', n)],
      [(needle) => ({ by: 'header', field: 'from', needle }), (m, n) => has(`${m.from} <ann@x.test>`, n)],
      [(needle) => ({ by: 'header', field: 'x-extra', needle }), (m, n) => has(m.extra ?? '', n)],
      [(needle) => ({ by: 'text', in: 'body', needle }), (m, n) => readable(m).body.some((t) => has(t, n))],
      [(needle) => ({ by: 'text', in: 'all', needle }), (m, n) => [readable(m).header, ...readable(m).body].some((t) => has(t, n))],
    ];
    const needle = fc.oneof(
      fc.constantFrom(...words, '会', '議事', 'ｽｹｼﾞｭｰﾙ', 'MEET', '日本', 'y.test', 'two words', '山', 'ＡＮＮ', 'to:', 'b'),
      fc.tuple(sentence, fc.nat(), fc.integer({ min: 1, max: 8 })).map(([t, from, n]) => t.slice(from % (t.length + 1)).slice(0, n)).filter((t) => t !== ''),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: questions.length - 1 }), needle, async (q, n) => {
        const [test, passes] = questions[q] as (typeof questions)[number];
        expect([...(await search.matching(all(mails.length), [test(fold(n))]))]).toEqual(mails.flatMap((m, i) => (passes(m, n) ? [i + 1] : [])));
      }),
      { numRuns: 150 },
    );
    expect(await known(refs)).toBe(new Set(refs.map((r) => r.sha256)).size);
  });

  it('asks several things at once, and of the messages named only', async () => {
    const { search } = await mailboxOf([message('Subject: a\nX-A: one', 'hello'), message('Subject: a\nX-A: two', 'hello'), message('Subject: b\nX-A: one', 'hello')].map((bytes) => ({ bytes })));
    const tests: readonly SourceTest[] = [{ by: 'header', field: 'subject', needle: 'A' }, { by: 'header', field: 'x-a', needle: 'ONE' }];
    expect([...(await search.matching(all(3), tests))]).toEqual([1]);
    expect([...(await search.matching(all(3), [...tests, { by: 'text', in: 'body', needle: 'ELL' }, { by: 'text', in: 'all', needle: 'SUBJECT: A' }]))]).toEqual([1]);
    expect([...(await search.matching(Uint32Array.of(2, 3, 9_000), [{ by: 'text', in: 'body', needle: 'HELLO' }]))]).toEqual([2, 3]);
    expect([...(await search.matching(new Uint32Array(), tests))]).toEqual([]);
  });

  it.each<readonly [string, SourceTest, readonly number[]]>([
    ['a field that this server added', { by: 'header', field: 'from', needle: 'BOB' }, [1]],
    ['any address of the field', { by: 'header', field: 'from', needle: '' }, [1, 2]],
    ['a trace field', { by: 'header', field: 'delivered-to', needle: 'ANN@' }, [1]],
    ['a field that is there and empty', { by: 'header', field: 'x-empty', needle: '' }, [2]],
    ['text across the fold of a field before the body', { by: 'text', in: 'all', needle: 'FROM A BY B' }, [1]],
    ['text in both headers', { by: 'text', in: 'all', needle: 'X.TEST' }, [1, 2]],
    ['nothing of the header in the body', { by: 'text', in: 'body', needle: 'X.TEST' }, []],
    ['a day that only the added Date says', { by: 'sent', from: 20_458, before: 20_459 }, [1]],
    ['the day as the sender wrote it', { by: 'sent', from: 20_457, before: 20_458 }, [2]],
    ['no field with a control character', { by: 'header', field: 'subject', needle: 'A\nB' }, []],
    ['no text with a NUL', { by: 'text', in: 'all', needle: 'A\0B' }, []],
  ])('finds %s', async (_, test, expected) => {
    const prefix = 'Delivered-To: ann@x.test\r\nReceived: from a\r\n by b\r\nDate: Mon, 05 Jan 2026 09:00:00 +0900\r\nFrom: <bob@x.test>\r\n';
    const { search } = await mailboxOf([
      { bytes: message('Subject: none'), prefix },
      { bytes: message('From: carl@x.test\nX-Empty:\nDate: Sun, 04 Jan 2026 23:00:00 -0900\nSubject: a\n b') },
      { bytes: message('X: y') },
    ]);
    expect([...(await search.matching(all(3), [test]))]).toEqual(expected);
  });

  it('compares what is stored with a message: size, dates, EMAILID', async () => {
    const { id, search, refs } = await mailboxOf([
      { bytes: message('A: 1'), receivedAt: NINE - DAY, at: NINE }, { bytes: message('A: 22'), prefix: 'X: é\r\n' }, { bytes: message('A: 1'), prefix: '' },
    ]);
    const trouble = (error: unknown): void => void h.troubles.push(error);
    const hints = new Hints(h.connection, h.pool, trouble);
    const store = new PostgresMailboxStore(h.pool, h.engine, hints, trouble);
    const stored = await store.messages(id, [1, 2, 3]);
    await store.close();
    await hints.close();
    expect(refs).toHaveLength(3);
    for (const { uid, emailId } of stored) expect([...(await search.matching(all(3), [{ by: 'emailId', id: emailId }]))]).toEqual(uid === 2 ? [2] : [1, 3]);
    expect([...(await search.matching(all(3), [{ by: 'emailId', id: "M' OR true" }]))]).toEqual([]);
    expect([...(await search.matching(all(3), [{ by: 'receivedAt', from: NINE, before: Infinity }]))]).toEqual([2, 3]);
    expect([...(await search.matching(all(3), [{ by: 'savedAt', from: NINE, before: Infinity }]))]).toEqual([1, 2, 3]);
    expect([...(await search.matching(all(3), [{ by: 'savedAt', from: -Infinity, before: NINE }, { by: 'size', from: 0, before: 1e9 }]))]).toEqual([]);
    expect([...(await search.matching(all(3), [{ by: 'size', from: (stored[0]?.size ?? 0) + 1, before: Infinity }]))]).toEqual([2]);
  });

  it('passes over a body that is gone, and tells the administrator', async () => {
    const { search, refs } = await mailboxOf([{ bytes: message('Subject: gone'), lost: true }, { bytes: message('Subject: gone and here') }]);
    expect([...(await search.matching(all(2), [{ by: 'header', field: 'subject', needle: 'GONE' }]))]).toEqual([2]);
    expect(String(h.troubles.at(-1))).toContain((refs[0] as BodyRef).sha256);
  });

  it('reads a text that is too long for the index, to its end and in little memory', async () => {
    const line = Buffer.from(`${'x'.repeat(70)}\r\n`);
    const bytes = Buffer.concat([Buffer.from('Subject: long\r\n\r\n'), ...Array.from({ length: 400_000 }, () => line), Buffer.from('the needle é\r\n')]);
    const { search, refs } = await mailboxOf([{ bytes }]);
    await cache.ensure(refs);
    const before = process.memoryUsage().arrayBuffers;
    expect([...(await search.matching(all(1), [{ by: 'text', in: 'body', needle: fold('Needle é') }]))]).toEqual([1]);
    expect([...(await search.matching(all(1), [{ by: 'text', in: 'body', needle: 'NEEDLES' }]))]).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * 1_048_576);
    expect((await h.pool.query(`SELECT text_grams FROM cache.search_1 WHERE sha256 = $1`, [`\\x${refs[0]?.sha256}`])).rows).toEqual([{ text_grams: null }]);
  });
});

describe('the columns for sorting', () => {
  const mail = (header: string, prefix = ''): Entry => ({ bytes: Buffer.from(`${header.replaceAll('\n', '\r\n')}\r\n\r\n`), prefix });
  it('are those of the header, and of what this server added', async () => {
    const { id } = await mailboxOf([
      mail('Subject: =?utf-8?B?5Lya6K2w?=\nFrom: Zoe <ann@x.test>\nTo: =?utf-8?Q?G=C3=BCnther?= <g@x.test>, b@x.test\nCc: team: c@x.test;\nMessage-ID: <1@x>\nDate: Mon, 05 Jan 2026 09:00:00 +0900'),
      mail('Subject: Re: =?iso-2022-jp?B?GyRCMnE1RBsoQg==?=\nReferences: <1@x>', 'Date: Mon, 05 Jan 2026 10:00:00 +0900\r\nMessage-ID: <2@x>\r\nFrom: <bob@x.test>\r\n'),
      mail('X: y'),
    ]);
    const columns = await sortColumns(h.pool, cache, id, Uint32Array.of(1, 2, 3, 4), true);
    expect([...columns.uids]).toEqual([1, 2, 3]);
    expect(columns.headers).toEqual([
      { sentAt: NINE, subject: '会議', from: 'ANN', to: 'G', cc: 'TEAM', displayFrom: 'ZOE', displayTo: fold('Günther'), messageId: '1@x', references: [] },
      { sentAt: NINE + 3_600_000, subject: 'RE: 会議', from: 'BOB', to: '', cc: '', displayFrom: 'BOB@X.TEST', displayTo: '', messageId: '2@x', references: ['1@x'] },
      { sentAt: undefined, subject: '', from: '', to: '', cc: '', displayFrom: '', displayTo: '', messageId: undefined, references: [] },
    ]);
    expect([...sortOrder(3, columns, [{ key: 'DISPLAYFROM', reverse: true }])]).toEqual([0, 1, 2]);
    expect(threadText(references(columns), (i) => columns.uids[i] as number)).toBe('(1 2)(3)');
  });

  it('need no body for size and arrival', async () => {
    const { id, refs } = await mailboxOf([mail('X: unread')]);
    expect(await sortColumns(h.pool, cache, id, all(1), false)).toMatchObject({ uids: all(1), receivedAt: Float64Array.of(NINE), headers: [] });
    expect(await known(refs)).toBe(0);
  });
});

/** Messages of a mailbox whose header fields are not kept in memory. */
const LARGE = 200_001;

describe('the first search for a text', () => {
  const plain = (n: number): readonly Entry[] => Array.from({ length: n }, (_, i) => ({ bytes: message(`Subject: passed over ${i}`, `needle ${i} in ${h.engine.ids.uuid()}`) }));
  const encoded: Entry = { bytes: Buffer.from('Subject: encoded\r\nContent-Transfer-Encoding: base64\r\n\r\nbmVlZGxlIDM=\r\n') };
  const test: SourceTest = { by: 'text', in: 'all', needle: 'NEEDLE 3' };

  it('passes over plain mail by its octets alone, and asks that it be made known', async () => {
    const { search, refs } = await mailboxOf([...plain(5), encoded]);
    let wanted = 0;
    cache.wanting = () => void wanted++;
    expect([...(await search.matching(all(6), [test]))]).toEqual([4, 6]);
    expect([await known(refs), await known(refs.slice(3, 4)), await known(refs.slice(5))]).toEqual([2, 1, 1]);
    expect(wanted).toBe(1);
    cache.wanting = () => undefined;
  });

  it('is followed by others as quick, and one in ten keeps what it reads', async () => {
    const { search, refs } = await mailboxOf(plain(5));
    for (let times = 1; times <= 9; times++) expect([...(await search.matching(all(5), [test]))]).toEqual([4]);
    expect(await known(refs)).toBe(1);
    expect([...(await search.matching(all(5), [{ ...test, needle: 'NEEDLE 2' }]))]).toEqual([3]);
    expect(await known(refs)).toBe(5);
  });

  it('of a header field, where memory keeps nothing, is one of ten that keeps what it reads as well', async () => {
    const { search, refs } = await mailboxOf(plain(5));
    const header: SourceTest = { by: 'header', field: 'subject', needle: 'OVER 3' };
    const size = cache.fields.size;
    for (let times = 1; times <= 9; times++) expect([...(await search.matching(all(LARGE), [header]))]).toEqual([4]);
    expect([await known(refs), cache.fields.size]).toEqual([0, size]);
    expect([...(await search.matching(all(LARGE), [header]))]).toEqual([4]);
    expect(await known(refs)).toBe(5);
  });

  it('of a large mailbox keeps what it reads of another tenth each time', () => {
    const stretches = Array.from({ length: 50 }, (_, i) => i);
    const fresh = new BodyCache(h.pool, {} as never, () => undefined);
    const kept = Array.from({ length: 10 }, () => stretches.filter((stretch) => fresh.passedOften('one', stretch)));
    expect(kept.map(({ length }) => length)).toEqual(Array.from({ length: 10 }, () => 5));
    expect(kept.flat().sort((a, b) => a - b)).toEqual(stretches);
  });

  it('passes over nothing that cannot be read together with others', async () => {
    const { search } = await mailboxOf([{ bytes: message('Subject: lost', 'needle 3'), lost: true }, ...plain(4), { bytes: message('Subject: large', `needle 3 ${'x'.repeat(600_000)}`) }]);
    expect([...(await search.matching(all(6), [test]))]).toEqual([5, 6]);
  });
});

describe('a long search', () => {
  it('tells of each message once, read or not', async () => {
    const { id } = await mailboxOf(Array.from({ length: 7 }, (_, i) => ({ bytes: Buffer.from(`Subject: progress ${i}\r\n\r\ntext\r\n`) })));
    for (const needle of ['PROGRESS 3', 'PROGRESS 4']) {
      let looked = 0;
      const search = new MailboxSearch(h.pool, cache, id, (messages) => { looked += messages; });
      expect([...(await search.matching(all(7), [{ by: 'text', in: 'all', needle }]))]).toHaveLength(1);
      expect(looked).toBe(7);
    }
  });
});

describe('the cache of bodies', () => {
  const opened = (structures: Awaited<ReturnType<BodyCache['structures']>>) => new Map([...structures].map(([name, structure]) => [name, structure()]));
  const bodies = (name: string, n: number): readonly Entry[] => Array.from({ length: n }, (_, i) => ({ bytes: Buffer.from(`Subject: ${name} ${i}\r\n\r\ntext\r\n`) }));

  it('gives structures, known or not, and reads each body once for all who ask', async () => {
    const { refs } = await mailboxOf(bodies('structures', 30));
    const [a, b] = await Promise.all([cache.structures(refs), cache.structures([...refs, ...refs])]);
    expect(a.size).toBe(30);
    expect(opened(b)).toEqual(opened(a));
    expect(a.get((refs[3] as BodyRef).sha256)?.().envelope.subject).toBe('structures 3');
    const other = new BodyCache(h.pool, { read: () => { throw new Error('must not be read'); } } as never, () => undefined);
    await cache.settled();
    expect(opened(await other.structures(refs))).toEqual(opened(a));
    expect(await known(refs)).toBe(0); // what only searches need is left to them
  });

  it('replaces a structure that another release wrote', async () => {
    const { refs } = await mailboxOf(bodies('old', 1));
    const ref = refs[0] as BodyRef;
    await cache.structures(refs);
    await h.pool.query(`UPDATE cache.body_1 SET structure = '0[]' WHERE sha256 = $1`, [`\\x${ref.sha256}`]);
    expect((await cache.structures(refs)).get(ref.sha256)?.().envelope.subject).toBe('old 0');
    await cache.settled();
    expect((await h.pool.query<{ structure: string }>(`SELECT structure FROM cache.body_1 WHERE sha256 = $1`, [`\\x${ref.sha256}`])).rows[0]?.structure).toContain('old 0');
  });

  it('forgets a structure that is damaged', async () => {
    const { refs } = await mailboxOf(bodies('damaged', 1));
    const ref = refs[0] as BodyRef;
    await cache.structures(refs);
    await cache.settled();
    await h.pool.query(`UPDATE cache.body_1 SET structure = '1[' WHERE sha256 = $1`, [`\\x${ref.sha256}`]);
    const damaged = (await cache.structures(refs)).get(ref.sha256);
    expect(damaged).toThrow('damaged');
    await until('the damaged one is forgotten', 5_000, async () => (await h.pool.query('SELECT FROM cache.body_1 WHERE sha256 = $1', [`\\x${ref.sha256}`])).rowCount === 0);
    expect((await cache.structures(refs)).get(ref.sha256)?.().envelope.subject).toBe('damaged 0');
  });

  it('is filled in the background, the newest first, as far as is asked', async () => {
    await fillCache(h.pool, cache, 10_000, AbortSignal.timeout(60_000), open);
    const { refs } = await mailboxOf(bodies('filled', 5).map((e, i) => ({ ...e, receivedAt: NINE + i })));
    expect(await fillCache(h.pool, cache, 2, AbortSignal.timeout(60_000), open)).toBe(2);
    expect([await known(refs.slice(3)), await known(refs)]).toEqual([2, 2]);
    expect(await fillCache(h.pool, cache, 100, AbortSignal.timeout(60_000), open)).toBe(3);
    expect(await fillCache(h.pool, cache, 100, AbortSignal.timeout(60_000), open)).toBe(0);
  });

  it('follows mail that comes in', async () => {
    const following = await followMail(h.log, cache, (error) => h.troubles.push(error), open);
    // A consumer begins at the head that it finds when it gets its partition: mail that is there before is not its business.
    const refs: BodyRef[] = [];
    for (let i = 0; (await known(refs)) === 0 && i < 1_000; i++) {
      refs.push(...(await mailboxOf(bodies(`followed ${i}`, 2))).refs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await known(refs)).toBeGreaterThan(0);
    await following.stop();
  });

  it('forgets bodies that no mailbox has any more', async () => {
    const { id, refs } = await mailboxOf(bodies('swept', 3));
    await cache.ensure(refs);
    await h.pool.query('DELETE FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid < 3', [id]);
    expect(await sweepCache(h.pool)).toBeGreaterThanOrEqual(4);
    expect(await known(refs)).toBe(1);
  });
});
