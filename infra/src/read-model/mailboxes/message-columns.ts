import { lastUidOf, parsed } from '@kiroku/domain/mailbox/batch.js';
import { addRun } from '@kiroku/domain/mailbox/flag-runs.js';
import type { MailboxEvent } from '@kiroku/domain/mailbox/mailbox.js';
import type { Changes, FlagChange, FlagRun, MailboxStatus, Snapshot } from '@kiroku/domain/mailbox/store-port.js';
import { rangesOf, type UidRange } from '@kiroku/domain/mailbox/uid-set.js';
import { type FlagSets, placeOf } from './flag-sets.js';

/** What happened lately is kept for sessions that come along; bounds the memory of one mailbox. */
const STEPS = 1_000;
const RANGES = 20_000;
/** Different lists of flags; more of them than that are read anew, without those that nobody has any more. */
const MOST_SETS = 10_000;

/** One change, with what is needed to tell it again. */
interface Step {
  readonly before: number;
  readonly after: number;
  readonly uidNext: number;
  readonly flagged: readonly UidRange[];
  readonly vanished: readonly UidRange[];
}

/**
 * The messages of a mailbox with their flags, ordered by UID: 16 bytes each. What was lent out stays as it was; the first change after that
 * takes a copy.
 */
export class MessageColumns {
  count: number;
  #uids: Uint32Array;
  #modSeqs: Float64Array;
  #flags: Uint32Array;
  #lent = false;
  readonly sets: FlagSets;
  #steps: Step[] = [];
  #counts = new Map<string, number>();

  constructor({ uids, modSeqs, flags }: Pick<Snapshot, 'uids' | 'modSeqs' | 'flags'>, sets: FlagSets) {
    this.count = uids.length;
    this.#uids = uids;
    this.#modSeqs = modSeqs;
    this.#flags = flags;
    this.sets = sets;
  }

  /** Is it better read anew? */
  get worn(): boolean {
    return this.sets.list.length > MOST_SETS;
  }

  lend(status: MailboxStatus): Snapshot {
    this.#lent = true;
    return {
      status, uids: this.#uids.subarray(0, this.count), modSeqs: this.#modSeqs.subarray(0, this.count), flags: this.#flags.subarray(0, this.count), flagSets: this.sets.list,
    };
  }

  /** Where the first UID that is at least `uid` stands. */
  place(uid: number): number {
    return placeOf(this.#uids, uid, this.count);
  }

  has(uid: number): boolean {
    const place = this.place(uid);
    return place < this.count && this.#uids[place] === uid;
  }

  /** Those that are there within ascending ranges, and their flags. */
  runsOf(ranges: readonly UidRange[]): readonly FlagRun[] {
    const runs: FlagRun[] = [];
    const [uids, modSeqs, flags] = [this.#uids, this.#modSeqs, this.#flags];
    for (const [first, last] of ranges) {
      const end = this.place(last + 1);
      for (let i = this.place(first); i < end; ) {
        const [uid, modSeq, set] = [(uids[i] as number) - i, modSeqs[i], flags[i]];
        const start = i;
        while (++i < end && flags[i] === set && modSeqs[i] === modSeq && (uids[i] as number) - i === uid);
        addRun(runs, uid + start, uid + i - 1, modSeq as number, this.sets.list[set as number] as readonly string[]);
      }
    }
    return runs;
  }

  /** UIDs of those that have a flag. */
  having(flag: string): readonly number[] {
    const uids: number[] = [];
    const having = this.sets.having(flag);
    for (let i = 0; i < this.count; i++) if (having[this.#flags[i] as number]) uids.push(this.#uids[i] as number);
    return uids;
  }

  /** How many have a flag. */
  counted(flag: string): number {
    const known = this.#counts.get(flag);
    if (known !== undefined) return known;
    const having = this.sets.having(flag);
    let count = 0;
    for (let i = 0; i < this.count; i++) if (having[this.#flags[i] as number]) count++;
    this.#counts.set(flag, count);
    return count;
  }

  /** @param before where the mailbox stood before this event. */
  take(event: MailboxEvent, before: { readonly highestModSeq: number; readonly uidNext: number }): void {
    const { type, data } = event;
    const step = { before: before.highestModSeq, after: data.head.highestModSeq, uidNext: before.uidNext };
    if (type === 'FlagsChanged') {
      for (const group of data.groups) this.#set(parsed(data, group.uids), data.modSeq, this.sets.index(group.flags));
      this.#note({ ...step, flagged: data.groups.flatMap((group) => parsed(data, group.uids)), vanished: [] });
    } else if (type === 'MessagesAppended') {
      this.#grow(lastUidOf(data) - data.firstUid + 1);
      for (let uid = data.firstUid; uid <= lastUidOf(data); uid++) this.#push(uid, data.modSeq, 0);
      for (const group of data.flags ?? []) this.#set(parsed(data, group.uids), data.modSeq, this.sets.index(group.flags));
      this.#note({ ...step, flagged: [], vanished: [] });
    } else if (type === 'MessagesExpunged') {
      const gone = parsed(data, data.uids);
      this.#remove(gone);
      this.#note({ ...step, flagged: [], vanished: gone });
    }
  }

  /** What others did. */
  catchUp({ status, appended, flagged, vanished }: Changes, before: { readonly highestModSeq: number; readonly uidNext: number }): void {
    const gone = rangesOf(vanished);
    if (gone.length > 0) this.#remove(gone);
    this.#grow(appended.length);
    for (const { uid, modSeq, flags } of appended) this.#push(uid, modSeq, this.sets.index(flags));
    for (const { first, last, modSeq, flags } of flagged) this.#set([[first, last]], modSeq, this.sets.index(flags));
    this.#note({ before: before.highestModSeq, after: status.highestModSeq, uidNext: before.uidNext, flagged: flagged.map(({ first, last }): UidRange => [first, last]), vanished: gone });
  }

  /** All that happened after a MODSEQ, where that is still known. */
  since(modSeq: number, status: MailboxStatus): Changes | undefined {
    if (modSeq === status.highestModSeq) return { status, appended: [], flagged: [], vanished: [] };
    let first = this.#steps.length - 1;
    while (first >= 0 && (this.#steps[first] as Step).before > modSeq) first--;
    const start = this.#steps[first];
    if (start?.before !== modSeq) return undefined;
    const steps = this.#steps.slice(first);
    const flagged = this.runsOf(united(steps.flatMap((step) => step.flagged)).map(([from, to]): UidRange => [from, Math.min(to, start.uidNext - 1)]));
    const appended = this.#from(start.uidNext);
    const vanished: number[] = [];
    for (const [from, to] of united(steps.flatMap((step) => step.vanished))) for (let uid = from; uid <= to && uid < start.uidNext; uid++) vanished.push(uid);
    return { status, appended, flagged, vanished };
  }

  #from(uid: number): readonly FlagChange[] {
    const found: FlagChange[] = [];
    for (let i = this.place(uid); i < this.count; i++)
      found.push({ uid: this.#uids[i] as number, modSeq: this.#modSeqs[i] as number, flags: this.sets.list[this.#flags[i] as number] as readonly string[] });
    return found;
  }

  #note(step: Step): void {
    this.#counts.clear();
    const last = this.#steps.at(-1);
    // Several events with one MODSEQ are one change.
    if (last?.after === step.after) this.#steps[this.#steps.length - 1] = { ...last, flagged: [...last.flagged, ...step.flagged], vanished: [...last.vanished, ...step.vanished] };
    else this.#steps.push(step);
    if (this.#steps.length <= STEPS && step.flagged.length + step.vanished.length < 100) return;
    let kept = this.#steps.reduce((sum, { flagged, vanished }) => sum + flagged.length + vanished.length, 0);
    let from = 0;
    while (from < this.#steps.length && (this.#steps.length - from > STEPS / 2 || kept > RANGES)) {
      const { flagged, vanished } = this.#steps[from++] as Step;
      kept -= flagged.length + vanished.length;
    }
    this.#steps = this.#steps.slice(from);
  }

  #set(ranges: readonly UidRange[], modSeq: number, set: number): void {
    this.#own();
    for (const [first, last] of ranges) {
      const [from, to] = [this.place(first), this.place(last + 1)];
      this.#modSeqs.fill(modSeq, from, to);
      this.#flags.fill(set, from, to);
    }
  }

  #push(uid: number, modSeq: number, set: number): void {
    this.#uids[this.count] = uid;
    this.#modSeqs[this.count] = modSeq;
    this.#flags[this.count++] = set;
  }

  /** Room at the end; what was lent out ends before it. */
  #grow(by: number): void {
    const length = this.count + by;
    if (length <= this.#uids.length) return;
    const room = Math.max(length + (length >>> 3), 16);
    this.#uids = copied(new Uint32Array(room), this.#uids, this.count);
    this.#modSeqs = copied(new Float64Array(room), this.#modSeqs, this.count);
    this.#flags = copied(new Uint32Array(room), this.#flags, this.count);
    this.#lent = false;
  }

  #remove(gone: readonly UidRange[]): void {
    const [uids, modSeqs, flags] = [new Uint32Array(this.#uids.length), new Float64Array(this.#uids.length), new Uint32Array(this.#uids.length)];
    let [from, n] = [0, 0];
    const keep = (to: number): void => {
      if (to <= from) return;
      uids.set(this.#uids.subarray(from, to), n);
      modSeqs.set(this.#modSeqs.subarray(from, to), n);
      flags.set(this.#flags.subarray(from, to), n);
      n += to - from;
    };
    for (const [first, last] of gone) {
      keep(this.place(first));
      from = Math.max(from, this.place(last + 1));
    }
    keep(this.count);
    [this.#uids, this.#modSeqs, this.#flags, this.count, this.#lent] = [uids, modSeqs, flags, n, false];
  }

  #own(): void {
    if (!this.#lent) return;
    this.#modSeqs = this.#modSeqs.slice();
    this.#flags = this.#flags.slice();
    this.#lent = false;
  }
}

/** Ranges in order, each number once. */
function united(ranges: readonly UidRange[]): readonly UidRange[] {
  const all: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const end = all.at(-1);
    if (end && first <= end[1] + 1) end[1] = Math.max(end[1], last);
    else all.push([first, last]);
  }
  return all;
}

function copied<T extends Uint32Array | Float64Array>(to: T, from: T, count: number): T {
  to.set(from.subarray(0, count));
  return to;
}
