import type { Present } from '@kiroku/domain/imap/session/tracker.js';
import { runsOf } from '@kiroku/domain/mailbox/flag-runs.js';
import type { Changes, FlagChange, FlagRun, MailboxStatus, MailboxStore, Snapshot, StoredFlags } from '@kiroku/domain/mailbox/store-port.js';
import { type UidRange, uidsIn } from '@kiroku/domain/mailbox/uid-set.js';

/** Flag changes kept for sessions that come along later, in ranges of UIDs; one that is further behind looks at all messages. */
const BATCHES = 256;
const RANGES = 20_000;

interface Batch {
  /** The mailbox's MODSEQ before it. */
  readonly after: number;
  readonly ranges: readonly UidRange[];
}

/**
 * One mailbox as all sessions of this process share it: the columns of its snapshot, brought up to date by what the store says has changed.
 * `uids` keeps the promise of `Present`; so a session that has not caught up yet can go on with the array it has.
 */
export class LiveMailbox implements Present {
  uids: Uint32Array;
  modSeqs: Float64Array;
  flags: Uint32Array;
  count: number;
  expunges = 0;
  status: MailboxStatus;
  /** The mailbox has been deleted. */
  gone = false;
  /** Sets of flags in use, and how each is printed. */
  readonly flagSets: string[][] = [];
  readonly printed: string[] = [];
  /** Keywords seen so far, in lower case → as first written. */
  readonly keywords = new Map<string, string>();
  /** Told after each change, also of one made here. */
  readonly listeners = new Set<() => void>();
  private readonly setNames = new Map<string, number>();
  private batches: Batch[] = [];
  /** Ranges in all of them. */
  private kept = 0;
  private next: Promise<void> | undefined;

  constructor(
    readonly id: string,
    private readonly store: Pick<MailboxStore, 'changes'>,
    snapshot: Snapshot,
  ) {
    this.status = snapshot.status;
    this.count = snapshot.uids.length;
    this.uids = snapshot.uids;
    // What the store gives out is shared; these are written in place.
    this.modSeqs = snapshot.modSeqs.slice();
    const names = snapshot.flagSets.map((set) => this.setOf(set));
    this.flags = names.every((name, i) => name === i) ? snapshot.flags.slice() : snapshot.flags.map((index) => names[index] as number);
  }

  /** Index of a message, -1 when it is not there. */
  indexOf(uid: number): number {
    const at = this.atLeast(uid);
    return at < this.count && this.uids[at] === uid ? at : -1;
  }

  /** Where the first UID that is at least `uid` stands. */
  private atLeast(uid: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.uids[middle] as number) < uid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  flagsOf(index: number): readonly string[] {
    return this.flagSets[this.flags[index] as number] ?? [];
  }

  /**
   * Brings everything up to date with what has returned anywhere before this call (promise 3 of the design). Who asks at the same moment
   * shares one question; who asks later gets one of his own at once, because the store lets those that wait share what it asks.
   */
  refresh(): Promise<void> {
    return (this.next ??= Promise.resolve().then(() => {
      this.next = undefined;
      return this.ask();
    }));
  }

  /** The store has called back: what it knew then is enough. */
  hinted(): Promise<void> {
    return this.next ?? this.ask(true);
  }

  /** What a STORE has changed: applied as it is when nobody else has changed anything in between. */
  async stored({ changed, status, before }: StoredFlags): Promise<void> {
    const since = this.status.highestModSeq;
    if (status.highestModSeq <= since) return; // somebody has asked since, and was told of it
    if (before !== since) return this.refresh();
    this.status = status;
    this.change(since, changed.filter(({ modSeq }) => modSeq > since));
    this.tell();
  }

  /** UIDs of messages whose flags have changed since a MODSEQ at which a session caught up; perhaps some twice. */
  flaggedSince(modSeq: number): readonly number[] {
    if (modSeq >= this.status.highestModSeq) return [];
    const from = this.batches.findIndex(({ after }) => after >= modSeq);
    if (from >= 0 && this.batches[from]?.after === modSeq) return this.batches.slice(from).flatMap(({ ranges }) => uidsIn(ranges));
    const uids: number[] = [];
    for (let i = 0; i < this.count; i++) if ((this.modSeqs[i] as number) > modSeq) uids.push(this.uids[i] as number);
    return uids;
  }

  private async ask(hinted = false): Promise<void> {
    const changes = await this.store.changes(this.id, this.status.highestModSeq, this.status.uidNext, hinted);
    if (changes) this.apply(changes);
    else if (!this.gone) {
      this.gone = true;
      this.tell();
    }
  }

  private apply({ status, appended, flagged, vanished }: Changes): void {
    if (status.highestModSeq <= this.status.highestModSeq) return;
    const after = this.status.highestModSeq;
    this.status = status;
    if (vanished.length > 0) this.remove(vanished);
    const last = this.count === 0 ? 0 : (this.uids[this.count - 1] as number);
    const came = appended.filter(({ uid }) => uid > last);
    // Answers overtake each other: this one may tell again what another has told.
    this.change(after, (came.length === appended.length ? flagged : [...flagged, ...runsOf(appended.filter(({ uid }) => uid <= last))]).filter(({ modSeq }) => modSeq > after));
    if (came.length > 0) this.append(came);
    this.tell();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }

  private remove(vanished: readonly number[]): void {
    const gone = new Set(vanished);
    const uids = new Uint32Array(this.count);
    const modSeqs = new Float64Array(this.count);
    const flags = new Uint32Array(this.count);
    let to = 0;
    for (let i = 0; i < this.count; i++) {
      const uid = this.uids[i] as number;
      if (gone.has(uid)) continue;
      uids[to] = uid;
      modSeqs[to] = this.modSeqs[i] as number;
      flags[to++] = this.flags[i] as number;
    }
    if (to === this.count) return;
    this.uids = uids;
    this.modSeqs = modSeqs;
    this.flags = flags;
    this.count = to;
    this.expunges++;
  }

  private change(after: number, runs: readonly FlagRun[]): void {
    const ranges: UidRange[] = [];
    let list: readonly string[] | undefined;
    let set = 0;
    for (const { first, last, modSeq, flags } of runs) {
      const [from, to] = [this.atLeast(first), this.atLeast(last + 1)];
      if (from === to) continue;
      if (flags !== list) set = this.setOf((list = flags));
      this.modSeqs.fill(modSeq, from, to);
      this.flags.fill(set, from, to);
      ranges.push([first, last]);
    }
    this.batches.push({ after, ranges });
    this.kept += ranges.length;
    while (this.batches.length > BATCHES || (this.kept > RANGES && this.batches.length > 0)) this.kept -= this.batches.shift()?.ranges.length ?? 0;
  }

  private append(appended: readonly FlagChange[]): void {
    const length = this.count + appended.length;
    if (length > this.uids.length) {
      const room = Math.max(length + (length >>> 3), 16);
      this.uids = grown(new Uint32Array(room), this.uids, this.count);
      this.modSeqs = grown(new Float64Array(room), this.modSeqs, this.count);
      this.flags = grown(new Uint32Array(room), this.flags, this.count);
    }
    for (const { uid, modSeq, flags } of appended) {
      this.uids[this.count] = uid;
      this.modSeqs[this.count] = modSeq;
      this.flags[this.count++] = this.setOf(flags);
    }
  }

  private setOf(flags: readonly string[]): number {
    const printed = `(${flags.join(' ')})`;
    const known = this.setNames.get(printed);
    if (known !== undefined) return known;
    const index = this.flagSets.push([...flags]) - 1;
    this.printed.push(printed);
    this.setNames.set(printed, index);
    for (const flag of flags) if (!flag.startsWith('\\') && !this.keywords.has(flag.toLowerCase())) this.keywords.set(flag.toLowerCase(), flag);
    return index;
  }
}

function grown<T extends Uint32Array | Float64Array>(to: T, from: T, count: number): T {
  to.set(from.subarray(0, count));
  return to;
}
