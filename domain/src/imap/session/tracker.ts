/**
 * The UIDs of a mailbox at one moment, as all sessions of a process share them. Only the first `count` of `uids` count, ascending;
 * these never change in place: a new message is written behind them, an expunge makes a new array.
 */
export interface Present {
  readonly uids: Uint32Array;
  readonly count: number;
  /** How often messages have been expunged so far: equal numbers, nothing went. */
  readonly expunges: number;
}

/** What a session has to be told, in this order. */
export interface Movement {
  /** Gone, ascending, and the sequence numbers they had. */
  readonly expunged: readonly { readonly uid: number; readonly seq: number }[];
  /** The sequence number of the first message that is new to the session; 0 = none is. */
  readonly firstNew: number;
}

const NOTHING: Movement = { expunged: [], firstNew: 0 };

/**
 * One session's sequence numbers (RFC 9051 §2.3.1.2). They move only when the session is told: while EXPUNGE may not be sent, what others
 * have removed keeps its number, and what is new gets the next ones. Shares the array of the mailbox while both say the same.
 */
export class Tracker {
  private uids: Uint32Array;
  private count: number;
  private expunges: number;

  constructor(present: Present) {
    this.uids = present.uids;
    this.count = present.count;
    this.expunges = present.expunges;
  }

  /** Messages, as the session knows them. */
  get size(): number {
    return this.count;
  }

  /** 0 when there are none. */
  get lastUid(): number {
    return this.count === 0 ? 0 : (this.uids[this.count - 1] as number);
  }

  /** @param seq from 1 to `size`. */
  uid(seq: number): number {
    return this.uids[seq - 1] as number;
  }

  /** The UIDs from one sequence number to another: to be read only, and at once. */
  span(first: number, last: number): Uint32Array {
    return this.uids.subarray(first - 1, last);
  }

  /** 0 when the session knows no such message. */
  seq(uid: number): number {
    const at = this.atLeast(uid);
    return this.uids[at - 1] === uid && at <= this.count ? at : 0;
  }

  /** The sequence number of the first message with this UID or a greater one; `size` + 1 when there is none. */
  atLeast(uid: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.uids[middle] as number) < uid) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  }

  /** Whether messages are gone that the session still counts. */
  lags(present: Present): boolean {
    return this.expunges !== present.expunges;
  }

  /**
   * Moves on to the mailbox as it is now.
   * @param mayExpunge whether an EXPUNGE or VANISHED response may be sent now (RFC 9051 §7.5.1).
   */
  advance(present: Present, mayExpunge: boolean): Movement {
    if (!this.lags(present)) return this.adopt(present, []);
    if (mayExpunge) return this.adopt(present, this.missing(present));
    return this.lengthen(present);
  }

  private adopt(present: Present, expunged: Movement['expunged']): Movement {
    const known = this.count - expunged.length;
    this.uids = present.uids;
    this.count = present.count;
    this.expunges = present.expunges;
    if (expunged.length === 0 && known === present.count) return NOTHING;
    return { expunged, firstNew: present.count > known ? known + 1 : 0 };
  }

  private missing({ uids, count }: Present): Movement['expunged'] {
    const expunged = [];
    for (let mine = 0, now = 0; mine < this.count; mine++) {
      const uid = this.uids[mine] as number;
      while (now < count && (uids[now] as number) < uid) now++;
      if (now < count && uids[now] === uid) now++;
      else expunged.push({ uid, seq: mine + 1 });
    }
    return expunged;
  }

  /** Only what is new: from here on the array is the session's own until EXPUNGE may be sent. */
  private lengthen({ uids, count }: Present): Movement {
    let from = count;
    while (from > 0 && (uids[from - 1] as number) > this.lastUid) from--;
    if (from === count) return NOTHING;
    const longer = new Uint32Array(this.count + count - from);
    longer.set(this.uids.subarray(0, this.count));
    longer.set(uids.subarray(from, count), this.count);
    const firstNew = this.count + 1;
    this.uids = longer;
    this.count = longer.length;
    return { expunged: [], firstNew };
  }
}
