import type { RecordedOf } from '../kernel/event.js';
import type { Positioned } from '../kernel/event-log.js';
import type { Projection } from '../kernel/projection.js';
import { lastUidOf, parsed } from './batch.js';
import { CHUNK, chunkOf, chunksOf, formatRuns, parseRuns, storedWithText, type TextRun, withText } from './chunk.js';
import type { FlagGroup, MailboxEvent } from './mailbox.js';
import type { UidRange } from './uid-set.js';

/** ms. Mail is delivered at once; where it was not, SAVEDATE is kept. */
const NOTICEABLE = 60_000;

type StateRow = {
  mailbox_id: string; chunk: number; mod_seq: number; seen: number; deleted: number;
  /** Runs of UIDs (see `chunk.ts`), each with its MODSEQ and flags: `5:9 120 \Seen kw`. Only messages whose flags were ever set. */
  flags: string;
  /** Likewise with epoch ms: when the message entered this mailbox, where that is not when it was received. */
  saved: string;
};

/** The MODSEQ and flags of a run in column `flags`. */
export function flagsIn(text: string): { readonly modSeq: number; readonly flags: readonly string[] } {
  const [modSeq, ...flags] = text.split(' ');
  return { modSeq: Number(modSeq), flags };
}
const flagText = (modSeq: number, flags: readonly string[]): string => [modSeq, ...flags].join(' ');

/**
 * What changes about messages, 256 UIDs to a row; apart from `mailbox_message_1` so that mail that comes in writes nothing here.
 */
export const mailboxStates: Projection<StateRow> = {
  name: 'mailbox_state_1',
  topics: ['decision'],
  inline: true,
  types: ['MessageAppended', 'MessagesAppended', 'FlagsChanged', 'MessageExpunged', 'MessagesExpunged', 'MailboxDeleted'],
  owned: true,
  key: ['mailbox_id', 'chunk'],
  columns: { mailbox_id: 'uuid', chunk: 'bigint', mod_seq: 'bigint', seen: 'integer', deleted: 'integer', flags: 'text', saved: 'text' },
  keysOf: ({ event }) => chunksTouched(event as RecordedOf<MailboxEvent>).map((chunk) => ({ mailbox_id: (event as RecordedOf<MailboxEvent>).data.mailboxId, chunk })),
  // Nothing can be known of UIDs that were not given out.
  unread: ({ event }, key) => event.type === 'MessagesAppended' && (event as RecordedOf<MailboxEvent> & { type: 'MessagesAppended' }).data.firstUid <= (key['chunk'] as number) * CHUNK,
  removes: ({ event }) => {
    const { type, data } = event as RecordedOf<MailboxEvent>;
    return type === 'MailboxDeleted' ? { mailbox_id: data.mailboxId } : undefined;
  },
  apply: (row, positioned, key) => changed(row, positioned, key['chunk'] as number),
};

function chunksTouched(event: RecordedOf<MailboxEvent>): readonly number[] {
  const { type, data } = event;
  switch (type) {
    case 'MessageAppended':
      return event.at - data.receivedAt < NOTICEABLE ? [] : [chunkOf(data.uid)];
    case 'MessageExpunged':
      return [chunkOf(data.uid)];
    case 'MessagesAppended':
      return chunksOf([[data.firstUid, lastUidOf(data)]]);
    case 'MessagesExpunged':
      return chunksOf(parsed(data, data.uids));
    case 'FlagsChanged':
      return [...new Set(data.groups.flatMap((g) => chunksOf(parsed(data, g.uids))))];
    default:
      return [];
  }
}

function changed(before: StateRow | undefined, { event }: Positioned, chunk: number): StateRow | null {
  const { type, data, at } = event as RecordedOf<MailboxEvent>;
  const row = before ?? { mailbox_id: data.mailboxId, chunk, mod_seq: 0, seen: 0, deleted: 0, flags: '', saved: '' };
  const entered = (ranges: readonly UidRange[]): StateRow => ({ ...row, saved: storedWithText(row.saved, chunk, ranges, String(at)) });
  switch (type) {
    case 'MessageAppended': return entered([[data.uid, data.uid]]);
    case 'MessagesAppended': return flagged(entered([[data.firstUid, lastUidOf(data)]]), data, data.flags ?? []);
    // When they entered stays as it is, and with it its text.
    case 'FlagsChanged': return flagged(row, data, data.groups);
    case 'MessageExpunged': return before ? without(row, [[data.uid, data.uid]]) : null;
    case 'MessagesExpunged': return before ? without(row, parsed(data, data.uids)) : null;
    default: return null;
  }
}

function flagged(row: StateRow, data: { readonly modSeq: number }, groups: readonly FlagGroup[]): StateRow {
  if (groups.length === 0) return row;
  let runs = parseRuns(row.flags);
  for (const group of groups) runs = withText(runs, row.chunk, parsed(data, group.uids), flagText(data.modSeq, group.flags));
  return counted(row, runs);
}

function without(row: StateRow, gone: readonly UidRange[]): StateRow | null {
  const saved = storedWithText(row.saved, row.chunk, gone, undefined);
  const left = counted({ ...row, saved }, withText(parseRuns(row.flags), row.chunk, gone, undefined));
  return left.flags !== '' || saved !== '' ? left : null;
}

function counted(row: StateRow, runs: readonly TextRun[]): StateRow {
  let [mod_seq, seen, deleted] = [0, 0, 0];
  for (const { first, last, text } of runs) {
    const { modSeq, flags } = flagsIn(text);
    const messages = last - first + 1;
    mod_seq = Math.max(mod_seq, modSeq);
    if (flags.includes('\\Seen')) seen += messages;
    if (flags.includes('\\Deleted')) deleted += messages;
  }
  return { ...row, mod_seq, seen, deleted, flags: formatRuns(runs) };
}
