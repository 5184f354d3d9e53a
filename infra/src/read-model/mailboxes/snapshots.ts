import { eachRun } from '@kiroku/domain/mailbox/chunk.js';
import { addRun, messagesIn } from '@kiroku/domain/mailbox/flag-runs.js';
import { type MailboxHead, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import type { Changes, FlagChange, FlagRun, MailboxStatus } from '@kiroku/domain/mailbox/store-port.js';
import { parseUids } from '@kiroku/domain/mailbox/uid-set.js';
import type pg from 'pg';
import { FlagReader, type StoredChunk } from './flag-reader.js';
import { FlagSets, placeOf } from './flag-sets.js';
import { MessageColumns } from './message-columns.js';
import { fillNumbers, numbersIn } from './numbers.js';
import { PACKED, unpack, unpacked } from './packed-mailboxes.js';

export interface StatusRow {
  readonly id: string; readonly uid_validity: number; readonly uid_next: number; readonly highest_mod_seq: number; readonly messages: number; readonly bytes: number;
}
export const STATUS = 'b.id, b.uid_validity, b.uid_next, b.highest_mod_seq, b.messages, b.bytes';
export const statusOf = ({ id, uid_validity, uid_next, highest_mod_seq, messages, bytes }: StatusRow): MailboxStatus =>
  ({ id, uidValidity: uid_validity, uidNext: uid_next, highestModSeq: highest_mod_seq, messages, bytes });

/** Where the stream of a mailbox stands, as of one instant with its views. $2 is the stream. */
const PLACE = `${STATUS}, b.account_id, b.name,
  (SELECT d.version + d.count - 1 FROM history.decision d WHERE d.stream = $2 ORDER BY d.version DESC LIMIT 1) AS version,
  (SELECT json_object_agg(k.name, k.keyword) FROM view.mailbox_keyword_1 k WHERE k.mailbox_id = $1) AS keywords`;

interface PlaceRow extends StatusRow {
  readonly account_id: string; readonly name: string; readonly version: number; readonly keywords: Record<string, string> | null;
}

export interface Place {
  readonly version: number;
  readonly head: MailboxHead;
  /** In lower case → as stored first. */
  readonly keywords: ReadonlyMap<string, string>;
}

const placeIn = (row: PlaceRow): Place => ({
  version: row.version, keywords: new Map(Object.entries(row.keywords ?? {})),
  head: {
    accountId: row.account_id, name: row.name, uidValidity: row.uid_validity, uidNext: row.uid_next, highestModSeq: row.highest_mod_seq, messages: row.messages, bytes: row.bytes,
  },
});

/** Without its messages. Undefined when there is no such mailbox. */
export async function readPlace(pool: pg.Pool, mailbox: string): Promise<Place | undefined> {
  const { rows } = await pool.query<PlaceRow>({ name: 'mailbox-place', text: `SELECT ${PLACE} FROM view.mailbox_1 b WHERE b.id = $1`, values: [mailbox, mailboxStream(mailbox)] });
  return rows[0] && placeIn(rows[0]);
}

/** A mailbox with its messages. */
export interface Whole extends Place {
  readonly columns: MessageColumns;
  /** How much has happened to it since it was packed (see `packed-mailboxes.ts`): Infinity where it is not. */
  readonly changes: number;
}

interface WholeRow extends PlaceRow {
  readonly uids: string | null; readonly mod_seqs: string | null; readonly chunks: StoredChunk[] | null;
  readonly packed: Buffer | null; readonly packed_mod_seq: number; readonly packed_uid_next: number;
}

/** With its messages: packed as they are, and what has happened since, or each by itself. */
export async function readMailbox(pool: pg.Pool, mailbox: string): Promise<Whole | undefined> {
  const { rows } = await pool.query<WholeRow>({
    name: 'mailbox-whole',
    text: `SELECT ${PLACE}, m.uids, m.mod_seqs, p.columns AS packed, p.mod_seq AS packed_mod_seq, p.uid_next AS packed_uid_next,
             CASE WHEN p.mailbox_id IS NULL THEN (SELECT json_agg(json_build_array(s.chunk, s.flags)) FROM view.mailbox_state_1 s WHERE s.mailbox_id = $1 AND s.flags <> '') END AS chunks
           FROM view.mailbox_1 b ${PACKED} CROSS JOIN LATERAL (
             SELECT array_agg(uid)::text AS uids, array_agg(mod_seq)::text AS mod_seqs
             FROM (SELECT uid, mod_seq FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND p.mailbox_id IS NULL ORDER BY uid) x) m
           WHERE b.id = $1`,
    values: [mailbox, mailboxStream(mailbox)],
  });
  const row = rows[0];
  if (!row) return undefined;
  if (!row.packed) return { ...placeIn(row), columns: columnsIn(row), changes: Infinity };
  const whole = await unpackedIn(pool, mailbox, row, row.packed);
  if (whole !== 'damaged') return whole;
  await unpack(pool, mailbox);
  return readMailbox(pool, mailbox);
}

async function unpackedIn(pool: pg.Pool, mailbox: string, row: WholeRow, packed: Buffer): Promise<Whole | undefined | 'damaged'> {
  const columns = unpacked(packed);
  if (!columns) return 'damaged';
  let place = placeIn(row);
  let changes = 0;
  if (row.packed_mod_seq < row.highest_mod_seq) {
    const since = await changesSince(pool, mailbox, row.packed_mod_seq, row.packed_uid_next);
    if (!since) return undefined;
    columns.catchUp(since, { highestModSeq: row.packed_mod_seq, uidNext: row.packed_uid_next });
    changes = since.appended.length + messagesIn(since.flagged) + since.vanished.length;
    place = since;
  }
  return columns.count === place.head.messages ? { version: place.version, head: place.head, keywords: place.keywords, columns, changes } : 'damaged';
}

function columnsIn(row: WholeRow): MessageColumns {
  const uids = fillNumbers(row.uids, new Uint32Array(row.messages));
  const modSeqs = fillNumbers(row.mod_seqs, new Float64Array(row.messages));
  const flags = new Uint32Array(row.messages);
  const sets = new FlagSets();
  const reader = new FlagReader(null);
  for (const [, stored] of row.chunks ?? [])
    eachRun(stored, (first, last, text) => {
      const { modSeq, flags: list } = reader.parsed(text);
      const set = sets.index(list);
      for (let i = placeOf(uids, first); i < uids.length && (uids[i] as number) <= last; i++) {
        flags[i] = set;
        modSeqs[i] = modSeq;
      }
    });
  return new MessageColumns({ uids, modSeqs, flags }, sets);
}

interface ChangesRow extends PlaceRow {
  readonly uids: string | null; readonly mod_seqs: string | null; readonly first_new: number | null; readonly chunks: StoredChunk[] | null; readonly gone: string | null;
}

/**
 * All that happened in a mailbox after a MODSEQ.
 * @param uidNext as it was then, when the caller knows: messages that came and went since are then left out for certain. Otherwise those that
 * were expunged between the last message from before and the first one since may be in `vanished` although they came later.
 */
export async function changesSince(pool: pg.Pool, mailbox: string, since: number, uidNext?: number): Promise<(Changes & Place) | undefined> {
  const { rows } = await pool.query<ChangesRow>({
    name: 'mailbox-changes',
    text: `SELECT ${PLACE}, f.first_new, m.uids, m.mod_seqs,
             (SELECT json_agg(json_build_array(s.chunk, s.flags) ORDER BY s.chunk) FROM view.mailbox_state_1 s WHERE s.mailbox_id = $1 AND s.mod_seq > $3) AS chunks,
             (SELECT string_agg(v.uids, ',') FROM view.mailbox_vanished_1 v WHERE v.mailbox_id = $1 AND v.mod_seq > $3) AS gone
           FROM view.mailbox_1 b
           CROSS JOIN LATERAL (SELECT CASE WHEN b.highest_mod_seq > $3 THEN view.first_uid_after($1, $3) END AS first_new) f
           CROSS JOIN LATERAL (
             SELECT array_agg(uid)::text AS uids, array_agg(mod_seq)::text AS mod_seqs
             FROM (SELECT uid, mod_seq FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid >= f.first_new ORDER BY uid) x) m
           WHERE b.id = $1`,
    values: [mailbox, mailboxStream(mailbox), since],
  });
  const row = rows[0];
  if (!row) return undefined;
  const reader = new FlagReader(row.chunks);
  const modSeqs = numbersIn(row.mod_seqs);
  const appended = numbersIn(row.uids).map((uid, i): FlagChange => {
    const set = reader.of(uid);
    return { uid, modSeq: set?.modSeq ?? (modSeqs[i] as number), flags: set?.flags ?? [] };
  });
  const firstNew = row.first_new ?? uidNext ?? Infinity;
  const flagged: FlagRun[] = [];
  for (const [, stored] of row.chunks ?? [])
    eachRun(stored, (first, last, text) => {
      const { modSeq, flags } = reader.parsed(text);
      if (modSeq > since && first < firstNew) addRun(flagged, first, Math.min(last, firstNew - 1), modSeq, flags);
    });
  return { ...placeIn(row), status: statusOf(row), appended, flagged, vanished: vanishedBelow(row.gone, Math.min(firstNew, uidNext ?? Infinity)) };
}

function vanishedBelow(gone: string | null, limit: number): readonly number[] {
  const uids: number[] = [];
  for (const [first, last] of parseUids(gone ?? '')) for (let uid = first; uid <= last && uid < limit; uid++) uids.push(uid);
  return uids.sort((a, b) => a - b);
}
