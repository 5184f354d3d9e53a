import type { EntryColumns } from '@kiroku/domain/mailbox/batch.js';
import { chunksOf } from '@kiroku/domain/mailbox/chunk.js';
import type { Doomed } from '@kiroku/domain/mailbox/decisions.js';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import { rangesOf, type UidRange } from '@kiroku/domain/mailbox/uid-set.js';
import type pg from 'pg';
import { FlagReader, type StoredChunk } from './flag-reader.js';
import { arrayText, numbersIn } from './numbers.js';

const bounds = (ranges: readonly UidRange[]): readonly [string, string] => [arrayText(ranges.map(([first]) => first)), arrayText(ranges.map(([, last]) => last))];
export const ascending = (uids: ArrayLike<number>): readonly number[] => {
  let last = 0;
  for (let i = 0; i < uids.length; i++) {
    const uid = uids[i] as number;
    if (uid <= last) return [...new Set(Array.from(uids))].sort((a, b) => a - b);
    last = uid;
  }
  return Array.from(uids);
};

/**
 * Messages of a mailbox within ranges of UIDs, ascending: $1 the mailbox, $2 and $3 the ranges. OFFSET 0 makes the planner look up each
 * range by the key: a join of thousands of ranges with thousands of messages may otherwise compare each with each.
 */
const among = (columns: string): string =>
  `(SELECT m.* FROM unnest($2::bigint[], $3::bigint[]) AS r(first, last) CROSS JOIN LATERAL (
      SELECT ${columns} FROM view.mailbox_message_1 m WHERE m.mailbox_id = $1 AND m.uid BETWEEN r.first AND r.last OFFSET 0) m ORDER BY m.uid) m`;
const CHUNKS = `(SELECT json_agg(json_build_array(s.chunk, s.flags)) FROM view.mailbox_state_1 s WHERE s.mailbox_id = $1 AND s.chunk = ANY ($4::bigint[]) AND s.flags <> '') AS chunks`;

/** Messages and, in the same order, their flags. */
export interface Entries {
  readonly columns: EntryColumns;
  readonly flags: readonly (readonly string[])[];
}
interface EntryRow {
  readonly uids: string | null; readonly chunks: StoredChunk[] | null; readonly message_ids: string[] | null; readonly sha256: string | null; readonly body_sizes: string | null;
  readonly sizes: string | null; readonly received: string | null; readonly at: (string | null)[] | null; readonly prefixes: string[] | null; readonly wide: string | null;
}

/** Those of these messages that exist, as columns: what a copy takes along. @throws MailboxRefusal `nonexistent` */
export async function readEntries(pool: pg.Pool, mailbox: string, wanted: ArrayLike<number>): Promise<Entries> {
  const ranges = rangesOf(ascending(wanted));
  const { rows } = await pool.query<EntryRow>({
    name: 'mailbox-entries',
    text: `SELECT m.*, ${CHUNKS} FROM view.mailbox_1 b CROSS JOIN LATERAL (
             SELECT array_agg(uid)::text AS uids, json_agg(message_id) AS message_ids, encode(string_agg(sha256, ''), 'hex') AS sha256,
               array_agg(body_size)::text AS body_sizes, array_agg(size)::text AS sizes, array_agg(received_at)::text AS received,
               CASE WHEN count(at) > 0 THEN json_agg(at) END AS at, CASE WHEN bool_or(prefix <> '') THEN json_agg(prefix) END AS prefixes,
               (array_agg(uid) FILTER (WHERE smtputf8))::text AS wide
             FROM ${among('m.*')}) m WHERE b.id = $1`,
    values: [mailbox, ...bounds(ranges), arrayText(chunksOf(ranges))],
  });
  const row = rows[0];
  if (!row) throw new MailboxRefusal('nonexistent', mailbox);
  const reader = new FlagReader(row.chunks);
  const uids = numbersIn(row.uids);
  const wide = numbersIn(row.wide);
  const columns = {
    uids, messageIds: row.message_ids ?? [], sha256: row.sha256 ?? '', bodySizes: numbersIn(row.body_sizes), sizes: numbersIn(row.sizes),
    receivedAt: numbersIn(row.received), ...(row.at && { at: row.at }), ...(row.prefixes && { prefixes: row.prefixes }), ...(wide.length > 0 && { smtputf8: wide.join(',') }),
  };
  const none: readonly string[] = [];
  return { columns, flags: uids.map((uid) => reader.of(uid)?.flags ?? none) };
}

/** Those of these messages that exist, as far as an expunge must know them. */
export async function readGoing(pool: pg.Pool, mailbox: string, uids: readonly number[]): Promise<Doomed> {
  if (uids.length === 0) return { uids: [], sizes: [], messageIds: [] };
  const { rows } = await pool.query<{ uids: string | null; sizes: string | null; message_ids: string[] | null }>({
    name: 'mailbox-doomed',
    text: `SELECT array_agg(uid)::text AS uids, array_agg(size)::text AS sizes, json_agg(message_id) AS message_ids FROM ${among('m.uid, m.size, m.message_id')}`,
    values: [mailbox, ...bounds(rangesOf(uids))],
  });
  const [row] = rows;
  return { uids: numbersIn(row?.uids ?? null), sizes: numbersIn(row?.sizes ?? null), messageIds: row?.message_ids ?? [] };
}

/** The part of these columns that has these UIDs: some of theirs, ascending. */
export function remaining<T extends Doomed | EntryColumns>(columns: T, uids: readonly number[]): T {
  if (uids.length === columns.uids.length) return columns;
  const places: number[] = [];
  for (let i = 0, n = 0; i < columns.uids.length; i++) if (columns.uids[i] === uids[n] && n++ >= 0) places.push(i);
  const picked = Object.entries(columns).map(([name, column]: [string, unknown]) => {
    if (name === 'sha256') return [name, places.map((i) => (column as string).slice(i * 64, i * 64 + 64)).join('')] as const;
    return [name, Array.isArray(column) ? places.map((i) => column[i] as unknown) : column] as const;
  });
  return Object.fromEntries(picked) as unknown as T;
}
