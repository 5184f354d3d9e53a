import type { EntryColumns } from '@kiroku/domain/mailbox/batch.js';
import { chunksOf } from '@kiroku/domain/mailbox/chunk.js';
import type { Doomed, FlagColumns } from '@kiroku/domain/mailbox/decisions.js';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import { rangesOf, type UidRange } from '@kiroku/domain/mailbox/uid-set.js';
import type pg from 'pg';
import type { Stand } from './decide.js';
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

const STAND = 'b.uid_next, b.highest_mod_seq';
/**
 * Messages of a mailbox within ranges of UIDs, ascending: $1 the mailbox, $2 and $3 the ranges. OFFSET 0 makes the planner look up each
 * range by the key: a join of thousands of ranges with thousands of messages may otherwise compare each with each.
 */
const among = (columns: string): string =>
  `(SELECT m.* FROM unnest($2::bigint[], $3::bigint[]) AS r(first, last) CROSS JOIN LATERAL (
      SELECT ${columns} FROM view.mailbox_message_1 m WHERE m.mailbox_id = $1 AND m.uid BETWEEN r.first AND r.last OFFSET 0) m ORDER BY m.uid) m`;
const CHUNKS = `(SELECT json_agg(json_build_array(s.chunk, s.flags)) FROM view.mailbox_state_1 s WHERE s.mailbox_id = $1 AND s.chunk = ANY ($4::bigint[]) AND s.flags <> '') AS chunks`;
const KEYWORDS = `(SELECT json_object_agg(k.name, k.keyword) FROM view.mailbox_keyword_1 k WHERE k.mailbox_id = $1) AS keywords`;

interface StandRow { readonly uid_next: number; readonly highest_mod_seq: number }
const standOf = (row: StandRow): Stand => ({ uidNext: row.uid_next, highestModSeq: row.highest_mod_seq });

export interface FlagFacts {
  readonly stand: Stand;
  readonly messages: FlagColumns;
  /** In lower case → as stored first. */
  readonly keywords: ReadonlyMap<string, string>;
}
interface FlagRow extends StandRow {
  readonly uids: string | null; readonly mod_seqs: string | null; readonly chunks: StoredChunk[] | null; readonly keywords: Record<string, string> | null;
}
const FLAGS = 'array_agg(m.uid)::text AS uids, array_agg(m.mod_seq)::text AS mod_seqs';

function flagFacts(row: FlagRow): FlagFacts {
  const reader = new FlagReader(row.chunks);
  const uids = numbersIn(row.uids);
  const modSeqs = numbersIn(row.mod_seqs);
  const none: readonly string[] = [];
  const flags = uids.map((uid, i) => {
    const found = reader.of(uid);
    if (found) modSeqs[i] = found.modSeq;
    return found?.flags ?? none;
  });
  return { stand: standOf(row), messages: { uids, modSeqs, flags }, keywords: new Map(Object.entries(row.keywords ?? {})) };
}

/** Flags of those of these messages that exist. @throws MailboxRefusal `nonexistent` */
export async function readFlags(pool: pg.Pool, mailbox: string, wanted: ArrayLike<number>): Promise<FlagFacts> {
  const ranges = rangesOf(ascending(wanted));
  const { rows } = await pool.query<FlagRow>({
    name: 'mailbox-flags',
    text: `SELECT ${STAND}, m.*, ${CHUNKS}, ${KEYWORDS} FROM view.mailbox_1 b CROSS JOIN LATERAL (SELECT ${FLAGS} FROM ${among('m.uid, m.mod_seq')}) m WHERE b.id = $1`,
    values: [mailbox, ...bounds(ranges), arrayText(chunksOf(ranges))],
  });
  if (!rows[0]) throw new MailboxRefusal('nonexistent', mailbox);
  return flagFacts(rows[0]);
}

export async function readKeywords(pool: pg.Pool, mailbox: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ name: string; keyword: string }>({ name: 'mailbox-keywords', text: 'SELECT name, keyword FROM view.mailbox_keyword_1 WHERE mailbox_id = $1', values: [mailbox] });
  return new Map(rows.map((r) => [r.name, r.keyword]));
}

export interface EntryFacts extends FlagFacts {
  readonly columns: EntryColumns;
}
interface EntryRow extends FlagRow {
  readonly message_ids: string[] | null; readonly sha256: string | null; readonly body_sizes: string | null; readonly sizes: string | null; readonly received: string | null;
  readonly at: (string | null)[] | null; readonly prefixes: string[] | null; readonly wide: string | null;
}

/** Those of these messages that exist, as columns, and their flags: what a copy takes along. @throws MailboxRefusal `nonexistent` */
export async function readEntries(pool: pg.Pool, mailbox: string, wanted: ArrayLike<number>): Promise<EntryFacts> {
  const ranges = rangesOf(ascending(wanted));
  const { rows } = await pool.query<EntryRow>({
    name: 'mailbox-entries',
    text: `SELECT ${STAND}, m.*, ${CHUNKS}, ${KEYWORDS} FROM view.mailbox_1 b CROSS JOIN LATERAL (
             SELECT ${FLAGS}, json_agg(message_id) AS message_ids, encode(string_agg(sha256, ''), 'hex') AS sha256,
               array_agg(body_size)::text AS body_sizes, array_agg(size)::text AS sizes, array_agg(received_at)::text AS received,
               CASE WHEN count(at) > 0 THEN json_agg(at) END AS at, CASE WHEN bool_or(prefix <> '') THEN json_agg(prefix) END AS prefixes,
               (array_agg(uid) FILTER (WHERE smtputf8))::text AS wide
             FROM ${among('m.*')}) m WHERE b.id = $1`,
    values: [mailbox, ...bounds(ranges), arrayText(chunksOf(ranges))],
  });
  const row = rows[0];
  if (!row) throw new MailboxRefusal('nonexistent', mailbox);
  const facts = flagFacts(row);
  const wide = numbersIn(row.wide);
  const columns = {
    uids: facts.messages.uids, messageIds: row.message_ids ?? [], sha256: row.sha256 ?? '', bodySizes: numbersIn(row.body_sizes), sizes: numbersIn(row.sizes),
    receivedAt: numbersIn(row.received), ...(row.at && { at: row.at }), ...(row.prefixes && { prefixes: row.prefixes }), ...(wide.length > 0 && { smtputf8: wide.join(',') }),
  };
  return { ...facts, columns };
}

export interface DoomedFacts {
  readonly stand: Stand;
  readonly doomed: Doomed;
}

/** Those that have `\Deleted`, of these or of all. */
export async function readDoomed(pool: pg.Pool, mailbox: string, wanted: readonly number[] | undefined): Promise<DoomedFacts> {
  const among = wanted && rangesOf(ascending(wanted));
  const { rows } = await pool.query<StandRow & { chunks: StoredChunk[] | null }>({
    name: 'mailbox-deleted',
    text: `SELECT ${STAND}, (SELECT json_agg(json_build_array(s.chunk, s.flags) ORDER BY s.chunk) FROM view.mailbox_state_1 s
             WHERE s.mailbox_id = $1 AND s.deleted > 0 AND ($2::bigint[] IS NULL OR s.chunk = ANY ($2))) AS chunks FROM view.mailbox_1 b WHERE b.id = $1`,
    values: [mailbox, among ? arrayText(chunksOf(among)) : null],
  });
  const row = rows[0];
  if (!row) throw new MailboxRefusal('nonexistent', mailbox);
  const reader = new FlagReader(row.chunks);
  const asked = wanted && new Set(wanted);
  const uids: number[] = [];
  for (const [chunk] of row.chunks ?? [])
    for (let uid = chunk * 256; uid < chunk * 256 + 256; uid++) if (reader.of(uid)?.flags.includes('\\Deleted') && (asked?.has(uid) ?? true)) uids.push(uid);
  const facts = await readGoing(pool, mailbox, uids);
  const moved = facts.stand.highestModSeq - facts.stand.uidNext !== row.highest_mod_seq - row.uid_next;
  return moved ? readDoomed(pool, mailbox, wanted) : facts;
}

/** Those of these messages that exist, as far as an expunge must know them. */
export async function readGoing(pool: pg.Pool, mailbox: string, uids: readonly number[]): Promise<DoomedFacts> {
  const { rows } = await pool.query<StandRow & { uids: string | null; sizes: string | null; message_ids: string[] | null }>({
    name: 'mailbox-doomed',
    text: `SELECT ${STAND}, m.* FROM view.mailbox_1 b CROSS JOIN LATERAL (
             SELECT array_agg(uid)::text AS uids, array_agg(size)::text AS sizes, json_agg(message_id) AS message_ids FROM ${among('m.uid, m.size, m.message_id')}) m WHERE b.id = $1`,
    values: [mailbox, ...bounds(rangesOf(uids))],
  });
  const row = rows[0];
  if (!row) throw new MailboxRefusal('nonexistent', mailbox);
  return { stand: standOf(row), doomed: { uids: numbersIn(row.uids), sizes: numbersIn(row.sizes), messageIds: row.message_ids ?? [] } };
}
