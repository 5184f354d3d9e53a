import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import { fold } from '@kiroku/domain/kernel/fold.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { tableOf } from '@kiroku/migrations/table-of.js';
import fc from 'fast-check';
import type pg from 'pg';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { apart, openPool } from './database.js';
import { Projector } from './projector.js';

type NoteRow = { shelf: string; n: number; text: string | null; bytes: string | null; total: number; open: boolean };
interface Note { readonly shelf: string; readonly n: number; readonly text?: string; readonly by?: number }

/** Rows on shelves: written blindly, changed by looking at them, taken away, and whole shelves emptied. */
const notes: Projection<NoteRow> = {
  name: 'note_1',
  topics: ['decision'],
  inline: true,
  types: ['Written', 'Raised', 'Torn', 'ShelfEmptied', 'Moved'],
  blind: ['Written', 'Torn'],
  key: ['shelf', 'n'],
  columns: { shelf: 'text', n: 'integer', text: 'text', bytes: 'bytea', total: 'bigint', open: 'boolean' },
  keysOf: ({ event }) => {
    const { shelf, n } = event.data as Note;
    if (event.type === 'ShelfEmptied') return [];
    return event.type === 'Moved' ? [{ shelf, n }, { shelf, n: n + 1 }] : [{ shelf, n }];
  },
  removes: ({ event }) => (event.type === 'ShelfEmptied' ? { shelf: (event.data as Note).shelf } : undefined),
  apply(row, { event }, key) {
    const { shelf, text, by } = event.data as Note;
    const made = { shelf, n: key.n as number, text: text ?? null, bytes: null, total: 0, open: false };
    switch (event.type) {
      case 'Written':
        return { ...made, bytes: `\\x${Buffer.from(text ?? '').toString('hex')}`, open: true };
      case 'Raised':
        return { ...(row ?? made), total: (row?.total ?? 0) + (by ?? 1) };
      case 'Moved': // both rows count it, where there is one
        return row && { ...row, total: row.total + 100 };
      default:
        return null;
    }
  },
};

let db: TestPostgres;
let pool: pg.Pool;
const projector = new Projector(notes);

beforeAll(async () => {
  db = await testPostgres();
  pool = openPool(db.connection, 2);
  await pool.query('CREATE SCHEMA view');
  await pool.query(tableOf(notes));
});
afterAll(async () => {
  await pool.end();
  await db.close();
});
beforeEach(() => pool.query('TRUNCATE view.note_1'));

const positioned = (events: readonly (readonly [string, Note])[]): readonly Positioned[] =>
  events.map(([type, data], position) => ({ position, key: 's', event: { id: `${position}`, type, version: 1, at: 0, actor: 'a', correlation: 'c', data } }));
const apply = (...events: readonly (readonly [string, Note])[]) => projector.apply(pool, positioned(events));
const rows = async (): Promise<readonly NoteRow[]> =>
  (await pool.query<NoteRow>('SELECT shelf, n, text, bytes::text, total, open FROM view.note_1 ORDER BY shelf, n')).rows;

describe('a view in PostgreSQL', () => {
  it('gives back text, nothing, bytes, numbers and truth as the fold made them', async () => {
    await apply(['Written', { shelf: 'a', n: 1, text: '日本\n"\\\t' }], ['Raised', { shelf: 'a', n: 2, by: 2 ** 52 }]);
    expect(await rows()).toEqual([
      { shelf: 'a', n: 1, text: '日本\n"\\\t', bytes: `\\x${Buffer.from('日本\n"\\\t').toString('hex')}`, total: 0, open: true },
      { shelf: 'a', n: 2, text: null, bytes: null, total: 2 ** 52, open: false },
    ]);
    await apply(['Raised', { shelf: 'a', n: 1 }]); // read back, changed, written again
    expect((await rows())[0]).toMatchObject({ text: '日本\n"\\\t', bytes: `\\x${Buffer.from('日本\n"\\\t').toString('hex')}`, total: 1, open: true });
  });

  it('folds all events of a row in a batch, one after the other', async () => {
    await apply(['Raised', { shelf: 'a', n: 1 }], ['Raised', { shelf: 'a', n: 1 }], ['Written', { shelf: 'a', n: 1 }], ['Raised', { shelf: 'a', n: 1, by: 5 }]);
    expect((await rows()).map((r) => r.total)).toEqual([5]);
  });

  it('sees in an event that looks what an event that does not look wrote before it, in the same batch or not', async () => {
    await apply(['Written', { shelf: 'a', n: 1, text: 'x' }], ['Raised', { shelf: 'a', n: 1 }]);
    await apply(['Raised', { shelf: 'a', n: 1 }]);
    expect(await rows()).toMatchObject([{ text: 'x', total: 2 }]);
  });

  it('removes a row, and makes it anew when the batch says so', async () => {
    await apply(['Written', { shelf: 'a', n: 1 }], ['Written', { shelf: 'a', n: 2 }]);
    await apply(['Torn', { shelf: 'a', n: 1 }], ['Torn', { shelf: 'a', n: 2 }], ['Raised', { shelf: 'a', n: 2 }], ['Torn', { shelf: 'b', n: 9 }]);
    expect(await rows()).toMatchObject([{ n: 2, total: 1, open: false }]);
  });

  it('empties a shelf in the middle of a batch: what came before is gone, what comes after stays', async () => {
    await apply(['Written', { shelf: 'a', n: 1 }], ['Written', { shelf: 'b', n: 1 }]);
    await apply(['Written', { shelf: 'a', n: 2 }], ['Raised', { shelf: 'a', n: 1 }], ['ShelfEmptied', { shelf: 'a', n: 0 }], ['Raised', { shelf: 'a', n: 1 }]);
    expect((await rows()).map((r) => [r.shelf, r.n, r.total])).toEqual([['a', 1, 1], ['b', 1, 0]]);
  });

  it('takes an event for several rows, also where one of them is not there', async () => {
    await apply(['Written', { shelf: 'a', n: 1 }], ['Moved', { shelf: 'a', n: 1 }]);
    expect((await rows()).map((r) => [r.n, r.total])).toEqual([[1, 100]]);
  });

  it('keeps what can be kept of a text that PostgreSQL cannot hold', async () => {
    await apply(['Written', { shelf: 'a', n: 1, text: 'a\u0000b\ud800' }]);
    expect(await rows()).toMatchObject([{ text: 'a\ufffdb\ufffd' }]);
  });

  it('writes nothing for events that are not its own', async () => {
    await apply(['Whispered', { shelf: 'a', n: 1 }]);
    expect(await rows()).toEqual([]);
  });

  it('is the same table whether a history comes in one batch, in pieces or event by event, with rows held back or not, and the same as the pure fold', () => {
    const note = fc.record({ shelf: fc.constantFrom('a', 'b'), n: fc.integer({ min: 1, max: 3 }), text: fc.string({ unit: 'grapheme', maxLength: 5 }), by: fc.integer({ min: 1, max: 9 }) });
    const event = fc.tuple(fc.constantFrom('Written', 'Raised', 'Raised', 'Torn', 'Moved', 'ShelfEmptied'), note);
    return fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 25 }), fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 25 }), async (history, sizes) => {
        const all = positioned(history);
        const run = async (cuts: readonly number[]): Promise<readonly NoteRow[]> => {
          await pool.query('TRUNCATE view.note_1');
          let start = 0;
          for (const size of [...cuts, all.length]) {
            await projector.apply(pool, all.slice(start, start + size));
            start += size;
          }
          return rows();
        };
        // As a rebuild does it: the next batch is folded while this one is being written.
        const runHolding = async (holds: number, copying: boolean): Promise<readonly NoteRow[]> => {
          await pool.query('TRUNCATE view.note_1');
          await apart(pool, async (db, copyIn) => {
            const holding = new Projector(notes, 'view', holds);
            if (copying) holding.copyIn = copyIn;
            let [start, written] = [0, Promise.resolve()];
            for (const size of [...sizes, all.length]) {
              const before = written;
              written = holding.apply(db, all.slice(start, start + size), before);
              await before;
              start += size;
            }
            await written;
            await holding.flush(db);
          });
          return rows();
        };
        const expected = fold(notes, all.map((p) => ({ stream: p.key, event: p.event }))).toSorted((x, y) => x.shelf.localeCompare(y.shelf) || x.n - y.n);
        expect(await run([])).toEqual(expected);
        expect(await run(sizes)).toEqual(expected);
        expect(await run(all.map(() => 1))).toEqual(expected);
        for (const holds of [1, 2, 100]) for (const copying of [false, true]) expect(await runHolding(holds, copying)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});
