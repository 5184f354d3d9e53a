import type { FlagGroup, MailboxEntry, MailboxEvent, MailboxHead } from './mailbox.js';
import { isKeyword } from './flags.js';
import { hasUid, parseUids, rangesOf, uidsIn, uidText, type UidRange } from './uid-set.js';

/**
 * Messages that enter a mailbox together, as columns: ten thousand copies are a few events of a megabyte, not ten thousand.
 * Their UIDs follow each other, from `firstUid` on; they share one MODSEQ.
 */
export interface MessageBatch {
  readonly mailboxId: string;
  readonly firstUid: number;
  readonly modSeq: number;
  readonly messageIds: readonly string[];
  /** 64 hex digits per message, one after another. */
  readonly sha256: string;
  readonly bodySizes: readonly number[];
  /** RFC822.SIZE. */
  readonly sizes: readonly number[];
  /** INTERNALDATE, epoch ms. */
  readonly receivedAt: readonly number[];
  /** Hints where the bodies lie; absent when there is none for any. */
  readonly at?: readonly (string | null)[];
  /** Absent when all are empty. */
  readonly prefixes?: readonly string[];
  /** UIDs of those accepted with SMTPUTF8. */
  readonly smtputf8?: string;
  /** Those that come with flags. */
  readonly flags?: readonly FlagGroup[];
  /** The mailbox they were copied from, and their UIDs there in the order of the batch (ascending). */
  readonly from?: { readonly mailboxId: string; readonly uids: string };
  readonly head: MailboxHead;
}

/** A message of a batch without what the batch decides. */
export type BatchEntry = Omit<MailboxEntry, 'uid' | 'modSeq'>;

export const lastUidOf = (batch: MessageBatch): number => batch.firstUid + batch.sizes.length - 1;

/** One message of a batch. */
export function entryOf(batch: MessageBatch, uid: number): MailboxEntry {
  const i = uid - batch.firstUid;
  const at = batch.at?.[i];
  return {
    uid, modSeq: batch.modSeq, messageId: batch.messageIds[i] as string, sha256: batch.sha256.slice(i * 64, i * 64 + 64),
    bodySize: batch.bodySizes[i] as number, size: batch.sizes[i] as number, receivedAt: batch.receivedAt[i] as number,
    prefix: batch.prefixes?.[i] ?? '', ...(at != null && { at }), ...(batch.smtputf8 !== undefined && hasUid(parsed(batch, batch.smtputf8), uid) && { smtputf8: true as const }),
  };
}

/** Text of an event is parsed once, however many rows ask. */
const memory = new WeakMap<object, Map<string, readonly UidRange[]>>();
export function parsed(owner: object, text: string): readonly UidRange[] {
  let mine = memory.get(owner);
  if (!mine) memory.set(owner, (mine = new Map<string, readonly UidRange[]>()));
  let ranges = mine.get(text);
  if (!ranges) mine.set(text, (ranges = parseUids(text)));
  return ranges;
}

/** Keywords that an event sets. */
export function keywordsIn({ type, data }: MailboxEvent): readonly string[] {
  if (type !== 'FlagsChanged' && type !== 'MessagesAppended') return [];
  const groups = type === 'FlagsChanged' ? data.groups : (data.flags ?? []);
  return [...new Set(groups.flatMap((g) => g.flags.filter(isKeyword)))];
}

/** Columns as they are read from a mailbox: some of its messages, ascending by UID. */
export interface EntryColumns {
  readonly uids: readonly number[];
  readonly messageIds: readonly string[];
  readonly sha256: string;
  readonly bodySizes: readonly number[];
  readonly sizes: readonly number[];
  readonly receivedAt: readonly number[];
  readonly at?: readonly (string | null)[];
  readonly prefixes?: readonly string[];
  /** UIDs. */
  readonly smtputf8?: string;
}

/** A part of the columns, for one event; UIDs of `smtputf8` become those of the new place. */
export function sliceOf(columns: EntryColumns, start: number, end: number, firstUid: number): Omit<MessageBatch, 'mailboxId' | 'modSeq' | 'head' | 'flags' | 'from'> {
  const { uids, at, prefixes, smtputf8 } = columns;
  const wide = smtputf8 === undefined ? [] : wideOnes(uids.slice(start, end), parsed(columns, smtputf8), firstUid);
  const somewhere = at?.slice(start, end);
  const before = prefixes?.slice(start, end);
  return {
    firstUid,
    messageIds: columns.messageIds.slice(start, end),
    sha256: columns.sha256.slice(start * 64, end * 64),
    bodySizes: columns.bodySizes.slice(start, end),
    sizes: columns.sizes.slice(start, end),
    receivedAt: columns.receivedAt.slice(start, end),
    ...(somewhere?.some((a) => a !== null) && { at: somewhere }),
    ...(before?.some((p) => p !== '') && { prefixes: before }),
    ...(wide.length > 0 && { smtputf8: uidText(rangesOf(wide)) }),
  };
}

const wideOnes = (uids: readonly number[], wide: readonly UidRange[], firstUid: number): readonly number[] =>
  uids.flatMap((uid, i) => (hasUid(wide, uid) ? [firstUid + i] : []));

/** Messages as columns, as if they had the UIDs 1, 2, 3 … */
export function columnsOf(entries: readonly BatchEntry[]): EntryColumns {
  const wide = entries.flatMap((e, i) => (e.smtputf8 ? [i + 1] : []));
  return {
    uids: uidsIn(entries.length === 0 ? [] : [[1, entries.length]]),
    messageIds: entries.map((e) => e.messageId), sha256: entries.map((e) => e.sha256).join(''), bodySizes: entries.map((e) => e.bodySize),
    sizes: entries.map((e) => e.size), receivedAt: entries.map((e) => e.receivedAt), at: entries.map((e) => e.at ?? null),
    prefixes: entries.map((e) => e.prefix), ...(wide.length > 0 && { smtputf8: uidText(rangesOf(wide)) }),
  };
}

/** UIDs of a copied batch in its source, in order. */
export const sourceUids = (from: { readonly uids: string }): readonly number[] => uidsIn(parseUids(from.uids));
