import { Signer } from '@kiroku/domain/imap/search/grams.js';
import { completed, indexRow, threadHeader } from '@kiroku/domain/imap/search/index-row.js';
import type { ThreadHeader } from '@kiroku/domain/imap/search/thread.js';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { parseStructure } from '@kiroku/domain/mime/structure-parser.js';
import type pg from 'pg';
import type { BodyCache } from './search-index-cache.js';

/** What SORT and THREAD look at, columns of equal length: those of the messages that are still there, ascending by UID. */
export interface SortColumns {
  readonly uids: Uint32Array;
  readonly receivedAt: Float64Array;
  readonly sizes: Float64Array;
  /** Empty when no header was asked for. */
  readonly headers: readonly ThreadHeader[];
}

const BATCH = 10_000;

type EntryRow = readonly [uid: number, receivedAt: number, size: number];
type HeaderRow = readonly [...EntryRow, known: boolean, sentAt: number | null, subject: string | null, keys: string | null, thread: string | null, prefix: string | null];

/** @param uids ascending. @param withHeaders false for ARRIVAL and SIZE, which look at no header. */
export async function sortColumns(pool: pg.Pool, cache: BodyCache, mailbox: string, uids: Uint32Array, withHeaders: boolean): Promise<SortColumns> {
  const [found, receivedAt, sizes, headers]: [number[], number[], number[], ThreadHeader[]] = [[], [], [], []];
  for (let start = 0; start < uids.length; start += BATCH) {
    const some = uids.subarray(start, start + BATCH);
    const rows = withHeaders ? await headerRows(pool, cache, mailbox, some) : await entryRows(pool, mailbox, some);
    for (const row of rows) {
      found.push(row[0]);
      receivedAt.push(row[1]);
      sizes.push(row[2]);
      if (row.length > 3) headers.push(headerOf(row as HeaderRow));
    }
  }
  return { uids: Uint32Array.from(found), receivedAt: Float64Array.from(receivedAt), sizes: Float64Array.from(sizes), headers };
}

const among = (uids: Uint32Array): readonly [string, number, number] => [`{${uids.join(',')}}`, uids[0] ?? 0, uids.at(-1) ?? 0];
/** The range is for the planner: it reads the mailbox's part of the index once. */
const AMONG = 'm.mailbox_id = $1 AND m.uid = ANY ($2::bigint[]) AND m.uid BETWEEN $3 AND $4';

async function entryRows(pool: pg.Pool, mailbox: string, uids: Uint32Array): Promise<readonly EntryRow[]> {
  const { rows } = await pool.query<EntryRow & unknown[]>({
    rowMode: 'array', text: `SELECT m.uid, m.received_at, m.size FROM view.mailbox_message_1 m WHERE ${AMONG} ORDER BY m.uid`, values: [mailbox, ...among(uids)],
  });
  return rows;
}

async function headerRows(pool: pg.Pool, cache: BodyCache, mailbox: string, uids: Uint32Array): Promise<readonly HeaderRow[]> {
  const read = async (): Promise<readonly HeaderRow[]> => {
    // The fields before a body count where the body lacks Date, From or Message-ID.
    const { rows } = await pool.query<HeaderRow & unknown[]>({
      rowMode: 'array',
      text: `SELECT m.uid, m.received_at, m.size, s.sha256 IS NOT NULL, s.sent_at, s.subject, s.keys, s.thread,
               CASE WHEN s.sent_at IS NULL OR starts_with(s.keys, E'\\n') OR s.thread = '' OR starts_with(s.thread, ' ') THEN m.prefix END
             FROM view.mailbox_message_1 m LEFT JOIN cache.search_1 s ON s.sha256 = m.sha256 WHERE ${AMONG} ORDER BY m.uid`,
      values: [mailbox, ...among(uids)],
    });
    return rows;
  };
  const rows = await read();
  const unknown = Uint32Array.from(rows.filter(([, , , known]) => !known), ([uid]) => uid);
  if (unknown.length === 0) return rows;
  await cache.ensure(await bodiesOf(pool, mailbox, unknown));
  return read();
}

async function bodiesOf(pool: pg.Pool, mailbox: string, uids: Uint32Array): Promise<readonly BodyRef[]> {
  const { rows } = await pool.query<{ sha256: string; size: number; at: string | null }>({
    text: `SELECT encode(m.sha256, 'hex') AS sha256, m.body_size AS size, m.at FROM view.mailbox_message_1 m WHERE ${AMONG}`, values: [mailbox, ...among(uids)],
  });
  return rows.map(({ sha256, size, at }) => ({ sha256, size, ...(at !== null && { at }) }));
}

const signer = new Signer();

/** Of a body that cannot be read: as one without fields. */
function headerOf([, , , , sentAt, subject, keys, thread, prefix]: HeaderRow): ThreadHeader {
  const row = { sentAt, subject, keys: keys ?? '', thread: thread ?? '' };
  if (prefix === null || prefix === '') return threadHeader(row);
  const bytes = Buffer.from(`${prefix}\r\n`);
  return threadHeader(completed(row, indexRow(bytes, parseStructure(bytes), [], signer)));
}
