import { eachRun } from '@kiroku/domain/mailbox/chunk.js';
import type { Changes, FlagChange, MailboxStatus, Snapshot } from '@kiroku/domain/mailbox/store-port.js';
import { parseUids } from '@kiroku/domain/mailbox/uid-set.js';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { FlagReader, type StoredChunk } from './flag-reader.js';
import { fillNumbers, numbersIn } from './numbers.js';

export interface StatusRow {
  readonly id: string; readonly uid_validity: number; readonly uid_next: number; readonly highest_mod_seq: number; readonly messages: number; readonly bytes: number;
}
export const STATUS = 'b.id, b.uid_validity, b.uid_next, b.highest_mod_seq, b.messages, b.bytes';
export const statusOf = ({ id, uid_validity, uid_next, highest_mod_seq, messages, bytes }: StatusRow): MailboxStatus =>
  ({ id, uidValidity: uid_validity, uidNext: uid_next, highestModSeq: highest_mod_seq, messages, bytes });

/** Messages in all snapshots that are kept: 16 bytes each. */
const MOST_KEPT = 2_000_000;

/**
 * Snapshots of mailboxes, kept and brought up to date by what happened since. All sessions of a process share the columns of one:
 * they are never written again once given out.
 */
export class Snapshots {
  readonly #kept = new LRUCache<string, Snapshot>({ maxSize: MOST_KEPT, sizeCalculation: (s) => s.uids.length + 64 });
  readonly #reading = new Map<string, Promise<Snapshot | undefined>>();

  constructor(private readonly pool: pg.Pool) {}

  /** As the mailbox is now, or was at some instant since this was asked for. */
  async of(mailbox: string): Promise<Snapshot | undefined> {
    const kept = this.#kept.get(mailbox);
    const snapshot = kept === undefined ? await this.#read(mailbox) : await this.#renewed(kept);
    if (snapshot === undefined) this.#kept.delete(mailbox);
    else {
      const now = this.#kept.get(mailbox);
      if (now === undefined || now.status.highestModSeq <= snapshot.status.highestModSeq) this.#kept.set(mailbox, snapshot);
    }
    return snapshot;
  }

  async #renewed(kept: Snapshot): Promise<Snapshot | undefined> {
    const { id, highestModSeq, uidNext, uidValidity } = kept.status;
    const changes = await changesSince(this.pool, id, highestModSeq, uidNext);
    if (changes === undefined) return undefined;
    if (changes.status.uidValidity !== uidValidity || changes.status.highestModSeq < highestModSeq) return this.#read(id);
    return changes.status.highestModSeq === highestModSeq ? kept : applied(kept, changes);
  }

  /** Sessions that select a large mailbox at the same time read it once; whoever comes while it is being read waits for the next. */
  #read(mailbox: string): Promise<Snapshot | undefined> {
    const running = this.#reading.get(mailbox);
    if (running) return running.then((s) => (s ? this.#renewed(s) : undefined));
    const reading = readSnapshot(this.pool, mailbox).finally(() => this.#reading.delete(mailbox));
    this.#reading.set(mailbox, reading);
    return reading;
  }
}

async function readSnapshot(pool: pg.Pool, mailbox: string): Promise<Snapshot | undefined> {
  const { rows } = await pool.query<StatusRow & { uids: string | null; mod_seqs: string | null; chunks: StoredChunk[] | null }>({
    name: 'mailbox-snapshot',
    text: `SELECT ${STATUS}, m.uids, m.mod_seqs,
             (SELECT json_agg(json_build_array(s.chunk, s.flags)) FROM view.mailbox_state_1 s WHERE s.mailbox_id = $1 AND s.flags <> '') AS chunks
           FROM view.mailbox_1 b CROSS JOIN LATERAL (
             SELECT array_agg(uid)::text AS uids, array_agg(mod_seq)::text AS mod_seqs
             FROM (SELECT uid, mod_seq FROM view.mailbox_message_1 WHERE mailbox_id = $1 ORDER BY uid) x) m
           WHERE b.id = $1`,
    values: [mailbox],
  });
  const row = rows[0];
  if (!row) return undefined;
  const status = statusOf(row);
  const uids = fillNumbers(row.uids, new Uint32Array(status.messages));
  const modSeqs = fillNumbers(row.mod_seqs, new Float64Array(status.messages));
  const flags = new Uint32Array(status.messages);
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
  return { status, uids, modSeqs, flags, flagSets: sets.list };
}

/** Lists of flags by number; 0 is the empty one. */
class FlagSets {
  readonly list: (readonly string[])[];
  readonly #byText: Map<string, number>;
  readonly #byList = new Map<readonly string[], number>();

  constructor(known: readonly (readonly string[])[] = [[]]) {
    this.list = [...known];
    this.#byText = new Map(known.map((flags, i) => [flags.join(' '), i]));
  }

  index(flags: readonly string[]): number {
    const same = this.#byList.get(flags);
    if (same !== undefined) return same;
    const text = flags.join(' ');
    const index = this.#byText.get(text) ?? this.list.push(flags) - 1;
    this.#byText.set(text, index);
    this.#byList.set(flags, index);
    return index;
  }
}

/** Where the first UID that is at least `uid` stands. */
export function placeOf(uids: Uint32Array, uid: number): number {
  let low = 0;
  let high = uids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((uids[middle] as number) < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** New columns: those of before are other sessions' too. */
function applied(before: Snapshot, { status, appended, flagged, vanished }: Changes): Snapshot {
  const sets = new FlagSets(before.flagSets);
  const uids = new Uint32Array(status.messages);
  const modSeqs = new Float64Array(status.messages);
  const flags = new Uint32Array(status.messages);
  let n = 0;
  let gone = 0;
  let from = 0;
  const keep = (to: number): void => {
    uids.set(before.uids.subarray(from, to), n);
    modSeqs.set(before.modSeqs.subarray(from, to), n);
    flags.set(before.flags.subarray(from, to), n);
    n += to - from;
  };
  for (; gone < vanished.length; gone++) {
    const place = placeOf(before.uids, vanished[gone] as number);
    if (before.uids[place] !== vanished[gone]) continue;
    keep(place);
    from = place + 1;
  }
  keep(before.uids.length);
  for (const { uid, modSeq, flags: list } of appended) {
    uids[n] = uid;
    modSeqs[n] = modSeq;
    flags[n++] = sets.index(list);
  }
  for (const { uid, modSeq, flags: list } of flagged) {
    const place = placeOf(uids, uid);
    if (uids[place] !== uid) continue;
    modSeqs[place] = modSeq;
    flags[place] = sets.index(list);
  }
  return { status, uids, modSeqs, flags, flagSets: sets.list };
}

interface ChangesRow extends StatusRow {
  readonly uids: string | null; readonly mod_seqs: string | null; readonly first_new: number | null; readonly chunks: StoredChunk[] | null; readonly gone: string | null;
}

/**
 * All that happened in a mailbox after a MODSEQ.
 * @param uidNext as it was then, when the caller knows: messages that came and went since are then left out for certain. Otherwise those that
 * were expunged between the last message from before and the first one since may be in `vanished` although they came later.
 */
export async function changesSince(pool: pg.Pool, mailbox: string, since: number, uidNext?: number): Promise<Changes | undefined> {
  const { rows } = await pool.query<ChangesRow>({
    name: 'mailbox-changes',
    text: `SELECT ${STATUS}, f.first_new, m.uids, m.mod_seqs,
             (SELECT json_agg(json_build_array(s.chunk, s.flags) ORDER BY s.chunk) FROM view.mailbox_state_1 s WHERE s.mailbox_id = $1 AND s.mod_seq > $2) AS chunks,
             (SELECT string_agg(v.uids, ',') FROM view.mailbox_vanished_1 v WHERE v.mailbox_id = $1 AND v.mod_seq > $2) AS gone
           FROM view.mailbox_1 b
           CROSS JOIN LATERAL (SELECT CASE WHEN b.highest_mod_seq > $2 THEN view.first_uid_after($1, $2) END AS first_new) f
           CROSS JOIN LATERAL (
             SELECT array_agg(uid)::text AS uids, array_agg(mod_seq)::text AS mod_seqs
             FROM (SELECT uid, mod_seq FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid >= f.first_new ORDER BY uid) x) m
           WHERE b.id = $1`,
    values: [mailbox, since],
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
  const flagged: FlagChange[] = [];
  for (const [, stored] of row.chunks ?? [])
    eachRun(stored, (first, last, text) => {
      const { modSeq, flags } = reader.parsed(text);
      if (modSeq > since) for (let uid = first; uid <= last && uid < firstNew; uid++) flagged.push({ uid, modSeq, flags });
    });
  return { status: statusOf(row), appended, flagged, vanished: vanishedBelow(row.gone, Math.min(firstNew, uidNext ?? Infinity)) };
}

function vanishedBelow(gone: string | null, limit: number): readonly number[] {
  const uids: number[] = [];
  for (const [first, last] of parseUids(gone ?? '')) for (let uid = first; uid <= last && uid < limit; uid++) uids.push(uid);
  return uids.sort((a, b) => a - b);
}
