import { Refusal } from '../kernel/decider.js';
import { type EntryColumns, sliceOf } from './batch.js';
import { type FlagGroup, LAST_UID, type MailboxEvent, type MailboxHead } from './mailbox.js';
import { sorted } from './flags.js';
import { addRange, addRun } from './flag-runs.js';
import { rangesOf, type UidRange, uidsIn, uidText } from './uid-set.js';
import type { FlagOperation, FlagRun } from './store-port.js';

/** Messages per event: bounds what a reader of one event must hold. */
export const MOST_PER_EVENT = 1_000;

export interface FlagsDecided {
  /** Undefined when the command changed nothing. */
  readonly event: Extract<MailboxEvent, { type: 'FlagsChanged' }> | undefined;
  readonly changed: readonly FlagRun[];
  readonly modified: readonly number[];
  readonly head: MailboxHead;
}

export interface FlagCommand {
  readonly operation: FlagOperation;
  readonly flags: readonly string[];
  readonly unchangedSince?: number | undefined;
  /** Flags that the account may change; others stay as they are (RFC 4314 §4). Default: all. */
  readonly allowed?: (flag: string) => boolean;
}

/**
 * STORE: one event and one MODSEQ, whatever the number of messages. Those changed after `unchangedSince` are left alone.
 * @param runs ascending. Equal lists of flags should be the same array, for speed.
 * @param flags as `storedFlags` gives them.
 */
export function changeFlags(
  mailboxId: string,
  head: MailboxHead,
  runs: readonly FlagRun[],
  { operation, flags, unchangedSince = Infinity, allowed }: FlagCommand,
): FlagsDecided {
  const outcome = outcomes(operation, flags, allowed);
  const modSeq = head.highestModSeq + 1;
  const groups = new Map<readonly string[], UidRange[]>();
  const changed: FlagRun[] = [];
  const modified: UidRange[] = [];
  for (const { first, last, modSeq: was, flags: before } of runs) {
    if (was > unchangedSince) {
      modified.push([first, last]);
      continue;
    }
    const now = outcome(before);
    if (now === undefined) {
      addRun(changed, first, last, was, before);
      continue;
    }
    const group = groups.get(now);
    if (group) addRange(group, first, last);
    else groups.set(now, [[first, last]]);
    addRun(changed, first, last, modSeq, now);
  }
  const left = uidsIn(modified);
  if (groups.size === 0) return { event: undefined, changed, modified: left, head };
  const after = { ...head, highestModSeq: modSeq };
  return { event: { type: 'FlagsChanged', data: { mailboxId, modSeq, groups: groupsOf(groups), head: after } }, changed, modified: left, head: after };
}

/** What flags become; undefined: they stay. Equal results are the same array. */
function outcomes(operation: FlagOperation, flags: readonly string[], allowed: (flag: string) => boolean = () => true): (before: readonly string[]) => readonly string[] | undefined {
  const known = new Map<readonly string[], readonly string[] | undefined>();
  const results = new Map<string, readonly string[]>();
  const wanted = new Set(flags.filter(allowed));
  const flagsAfter = (before: readonly string[]): readonly string[] => {
    if (operation === 'remove') return before.filter((f) => !wanted.has(f));
    const kept = operation === 'add' ? before : before.filter((f) => !allowed(f));
    return sorted([...new Set([...kept, ...wanted])]);
  };
  return (before) => {
    if (known.has(before)) return known.get(before);
    const text = flagsAfter(before).join(' ');
    const same = text === before.join(' ') ? undefined : (results.get(text) ?? (text === '' ? [] : text.split(' ')));
    if (same) results.set(text, same);
    known.set(before, same);
    return same;
  };
}

const groupsOf = (groups: ReadonlyMap<readonly string[], readonly UidRange[]>): readonly FlagGroup[] => [...groups].map(([flags, ranges]) => ({ flags, uids: uidText(ranges) }));

/** Messages that are to enter, with their flags in the same order. */
export interface Entering {
  readonly columns: EntryColumns;
  readonly flags: readonly (readonly string[])[];
  /** The mailbox they are copied from. */
  readonly from?: string | undefined;
}

/**
 * APPEND and COPY: UIDs in order, one MODSEQ for all, as many events as needed.
 * @throws Refusal `uids-used-up` when they do not all fit below 2^32.
 */
export function appendMessages(
  mailboxId: string,
  head: MailboxHead,
  { columns, flags, from }: Entering,
): { readonly events: readonly Extract<MailboxEvent, { type: 'MessagesAppended' }>[]; readonly head: MailboxHead; readonly uids: readonly number[] } {
  const count = columns.uids.length;
  if (count === 0) return { events: [], head, uids: [] };
  const first = head.uidNext;
  if (first + count - 1 > LAST_UID) throw new Refusal('uids-used-up', mailboxId);
  // Grows by as much as uidNext; see MailboxHead.
  const modSeq = head.highestModSeq + count;
  const events: Extract<MailboxEvent, { type: 'MessagesAppended' }>[] = [];
  let now = head;
  for (let start = 0; start < count; start += MOST_PER_EVENT) {
    const end = Math.min(start + MOST_PER_EVENT, count);
    const firstUid = first + start;
    const batch = sliceOf(columns, start, end, firstUid);
    now = { ...now, uidNext: first + end, highestModSeq: modSeq, messages: now.messages + end - start, bytes: now.bytes + batch.sizes.reduce((a, b) => a + b, 0) };
    const groups = flagGroups(flags, start, end, firstUid);
    events.push({
      type: 'MessagesAppended',
      data: {
        mailboxId, modSeq, ...batch, ...(groups.length > 0 && { flags: groups }),
        ...(from !== undefined && { from: { mailboxId: from, uids: uidText(rangesOf(columns.uids.slice(start, end))) } }), head: now,
      },
    });
  }
  return { events, head: now, uids: uidsIn([[first, first + count - 1]]) };
}

function flagGroups(flags: readonly (readonly string[])[], start: number, end: number, firstUid: number): readonly FlagGroup[] {
  const byText = new Map<string, { readonly flags: readonly string[]; readonly uids: number[] }>();
  for (let i = start; i < end; i++) {
    const mine = flags[i] ?? [];
    if (mine.length === 0) continue;
    const text = mine.join(' ');
    const group = byText.get(text) ?? { flags: mine, uids: [] };
    byText.set(text, group);
    group.uids.push(firstUid + i - start);
  }
  return [...byText.values()].map((group) => ({ flags: group.flags, uids: uidText(rangesOf(group.uids)) }));
}

/** What EXPUNGE must know of the messages that go: parallel lists, ascending by UID. */
export interface Doomed {
  readonly uids: readonly number[];
  readonly messageIds: readonly string[];
  readonly sizes: readonly number[];
}

/** EXPUNGE: the messages must be the mailbox's own, read at the head's version. One MODSEQ for all. */
export function expungeAll(
  mailboxId: string,
  head: MailboxHead,
  { uids, messageIds, sizes }: Doomed,
): { readonly events: readonly Extract<MailboxEvent, { type: 'MessagesExpunged' }>[]; readonly head: MailboxHead } {
  const modSeq = head.highestModSeq + 1;
  const events: Extract<MailboxEvent, { type: 'MessagesExpunged' }>[] = [];
  let now = head;
  // Uids alone are short: more of them fit than of whole entries.
  for (let start = 0; start < uids.length; start += 5 * MOST_PER_EVENT) {
    const end = Math.min(start + 5 * MOST_PER_EVENT, uids.length);
    const bytes = sizes.slice(start, end).reduce((a, b) => a + b, 0);
    now = { ...now, highestModSeq: modSeq, messages: now.messages - (end - start), bytes: now.bytes - bytes };
    const data = { mailboxId, modSeq, uids: uidText(rangesOf(uids.slice(start, end))), messageIds: messageIds.slice(start, end), bytes, head: now };
    events.push({ type: 'MessagesExpunged', data });
  }
  return { events, head: now };
}
