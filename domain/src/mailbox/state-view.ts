import type { RecordedOf } from '../kernel/event.js';
import type { Positioned } from '../kernel/event-log.js';
import type { Projection } from '../kernel/projection.js';
import { lastUidOf, parsed } from './batch.js';
import { CHUNK, chunkOf, chunksOf, fill, formatSlots, parseSlots, type Slots } from './chunk.js';
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

function changed(row: StateRow | undefined, { event }: Positioned, chunk: number): StateRow | null {
  const { type, data, at } = event as RecordedOf<MailboxEvent>;
  const gone = type === 'MessageExpunged' ? [[data.uid, data.uid] as UidRange] : type === 'MessagesExpunged' ? parsed(data, data.uids) : undefined;
  if (row === undefined && gone) return null;
  const flags = parseSlots(row?.flags ?? '', chunk);
  if (type === 'FlagsChanged') {
    setFlags(flags, chunk, data, data.groups);
    // When they entered stays as it is, and with it its text.
    return stored(data.mailboxId, chunk, flags, row?.saved ?? '');
  }
  const saved = parseSlots(row?.saved ?? '', chunk);
  if (gone) for (const slots of [flags, saved]) fill(slots, chunk, gone, undefined);
  if (type === 'MessageAppended') fill(saved, chunk, [[data.uid, data.uid]], String(at));
  if (type === 'MessagesAppended') {
    fill(saved, chunk, [[data.firstUid, lastUidOf(data)]], String(at));
    setFlags(flags, chunk, data, data.flags ?? []);
  }
  return stored(data.mailboxId, chunk, flags, formatSlots(saved, chunk));
}

function setFlags(flags: Slots, chunk: number, data: { readonly modSeq: number }, groups: readonly FlagGroup[]): void {
  for (const group of groups) fill(flags, chunk, parsed(data, group.uids), flagText(data.modSeq, group.flags));
}

function stored(mailbox_id: string, chunk: number, slots: Slots, saved: string): StateRow | null {
  let [mod_seq, seen, deleted] = [0, 0, 0];
  let last: string | undefined;
  let is = { modSeq: 0, seen: 0, deleted: 0 };
  for (let i = 0; i < CHUNK; i++) {
    const text = slots[i];
    if (text === undefined) continue;
    if (text !== last) {
      const { modSeq, flags: set } = flagsIn(text);
      is = { modSeq, seen: set.includes('\\Seen') ? 1 : 0, deleted: set.includes('\\Deleted') ? 1 : 0 };
      last = text;
    }
    mod_seq = Math.max(mod_seq, is.modSeq);
    seen += is.seen;
    deleted += is.deleted;
  }
  const flags = formatSlots(slots, chunk);
  return flags !== '' || saved !== '' ? { mailbox_id, chunk, mod_seq, seen, deleted, flags, saved } : null;
}
