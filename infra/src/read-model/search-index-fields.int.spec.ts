import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fold } from '@kiroku/domain/imap/search/fold.js';
import type { KeptField } from '@kiroku/domain/imap/search/index-row.js';
import type pg from 'pg';
import fc from 'fast-check';
import { MailboxSearch } from './search-index.js';
import { BodyCache } from './search-index-cache.js';
import { FieldTexts, type FieldTest, isFieldTest } from './search-index-fields.js';
import { type TestHistory, testHistory } from './testing.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

interface Row { readonly subject?: string; readonly to?: string; readonly prefix?: string; readonly unknown?: boolean }

/** Messages of a mailbox, UIDs from `first` on, as the views have them. */
async function put(mailbox: string, rows: readonly Row[], first = 1): Promise<void> {
  for (const [i, { subject, to, prefix = '', unknown }] of rows.entries()) {
    const sha256 = `\\x${createHash('sha256').update(`${mailbox} ${first + i}`).digest('hex')}`;
    await h.pool.query(
      `INSERT INTO view.mailbox_message_1 (mailbox_id, uid, mod_seq, sha256, body_size, size, received_at, message_id, prefix, smtputf8) VALUES ($1, $2, 1, $3, 1, 1, 1, '', $4, false)`,
      [mailbox, first + i, sha256, prefix]);
    if (!unknown) await h.pool.query(`INSERT INTO cache.search_1 (sha256, header_grams, subject, to_text, keys, thread) VALUES ($1, '', $2, $3, '', '') ON CONFLICT DO NOTHING`, [sha256, subject === undefined ? null : fold(subject), to === undefined ? null : fold(to)]);
  }
}

const test = (needle: string, field: KeptField = 'subject'): FieldTest => ({ by: 'header', field, needle: fold(needle) });
const all = (n: number): Uint32Array => Uint32Array.from({ length: n }, (_, i) => i + 1);
const sorted = async (texts: FieldTexts, mailbox: string, uids: Uint32Array, ...tests: FieldTest[]) => {
  const { passed, open } = await texts.sort(mailbox, uids, tests);
  return { passed: [...passed], open: [...open] };
};
/** A pool that counts its statements. */
function counting(): { readonly pool: pg.Pool; asked: number } {
  const counted = { pool: { query: (...args: Parameters<pg.Pool['query']>) => (counted.asked++, h.pool.query(...args)) } as unknown as pg.Pool, asked: 0 };
  return counted;
}

describe('header fields in memory', () => {
  it('decide what is known, and leave open what is not', async () => {
    const id = randomUUID();
    await put(id, [{ subject: 'Meeting 会議' }, { subject: 'lunch' }, {}, { unknown: true }, { subject: '' }]);
    const texts = new FieldTexts(h.pool);
    expect(await sorted(texts, id, all(6), test('meeting'))).toEqual({ passed: [1], open: [4, 6] });
    expect(await sorted(texts, id, all(6), test('会議'))).toEqual({ passed: [1], open: [4, 6] });
    expect(await sorted(texts, id, all(6), test(''))).toEqual({ passed: [1, 2, 5], open: [4, 6] });
    expect(await sorted(texts, id, Uint32Array.of(2, 3), test('u'))).toEqual({ passed: [2], open: [] });
  });

  it('are read once, and later only what is new', async () => {
    const id = randomUUID();
    await put(id, [{ subject: 'one' }, { subject: 'two' }]);
    const counted = counting();
    const texts = new FieldTexts(counted.pool);
    for (const needle of ['o', 'one', 'x']) await sorted(texts, id, all(2), test(needle));
    expect(counted.asked).toBe(1);
    await put(id, [{ subject: 'three' }, { subject: 'one more' }], 3);
    expect(await sorted(texts, id, all(4), test('one'))).toEqual({ passed: [1, 4], open: [] });
    expect(await sorted(texts, id, all(4), test('three'))).toEqual({ passed: [3], open: [] });
    expect(counted.asked).toBe(2);
  });

  it('have to be passed all', async () => {
    const id = randomUUID();
    await put(id, [{ subject: 'a', to: 'bob@x' }, { subject: 'a', to: 'carol@x' }, { subject: 'b', to: 'bob@x' }, { unknown: true }]);
    expect(await sorted(new FieldTexts(h.pool), id, all(4), test('a'), test('bob', 'to'))).toEqual({ passed: [1], open: [4] });
  });

  it('do not decide where the field stands before the body too', async () => {
    const id = randomUUID();
    await put(id, [
      { to: 'ann@x', prefix: 'Delivered-To: bob@x\r\n' }, { to: 'ann@x', prefix: 'To: bob@x\r\n' }, { to: 'ann@x', prefix: 'Return-Path: <>\r\n' },
    ]);
    expect(await sorted(new FieldTexts(h.pool), id, all(3), test('ann', 'to'))).toEqual({ passed: [1, 3], open: [2] });
  });

  it('find what each text by itself holds, never what lies across two', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.option(fc.stringMatching(/^[ab 会]{0,6}$/), { nil: undefined }), { minLength: 1, maxLength: 12 }), fc.stringMatching(/^[ab 会]{0,3}$/), async (subjects, needle) => {
      const id = randomUUID();
      await put(id, subjects.map((subject): Row => (subject === undefined ? {} : { subject })));
      const wanted = subjects.flatMap((subject, i) => (subject !== undefined && fold(subject).includes(fold(needle)) ? [i + 1] : []));
      expect(await sorted(new FieldTexts(h.pool), id, all(subjects.length), test(needle))).toEqual({ passed: wanted, open: [] });
    }), { numRuns: 25 });
  });

  it('stay within their limit', async () => {
    const texts = new FieldTexts(h.pool, 4_000);
    for (let i = 0; i < 5; i++) {
      const id = randomUUID();
      await put(id, [{ subject: 'x'.repeat(600) }]);
      expect(await sorted(texts, id, all(1), test('xx'))).toEqual({ passed: [1], open: [] });
      expect(texts.size).toBeLessThanOrEqual(4_000);
    }
    const [id] = [randomUUID()];
    await put(id, [{ subject: 'y'.repeat(9_000) }]); // too large to be kept, and found all the same
    expect(await sorted(texts, id, all(1), test('yy'))).toEqual({ passed: [1], open: [] });
  });

  it('are left to the database in the largest mailboxes', async () => {
    const id = randomUUID();
    await put(id, [{ subject: 'apple' }, { subject: 'pear' }]);
    const cache = new BodyCache(h.pool, {} as never, () => undefined);
    const search = new MailboxSearch(h.pool, cache, id);
    expect([...(await search.matching(all(200_001), [test('app')]))]).toEqual([1]);
    expect(cache.fields.size).toBe(0);
    expect([...(await search.matching(all(200_000), [test('app')]))]).toEqual([1]);
    expect(cache.fields.size).toBeGreaterThan(0);
  });

  it('are of no use for other fields and for needles that no field holds', () => {
    expect([{ by: 'header', field: 'x-y', needle: 'A' } as const, { by: 'header', field: 'to', needle: 'A\n' } as const, test('a')].map(isFieldTest)).toEqual([false, false, true]);
  });
});
