import type { Session } from '../session.js';
import type { Selected } from '../selected.js';

/** Lines that are put together before the reader is looked at: some 50 KB. */
const MOST_LINES = 1_000;

/** Where messages that are answered in order stand: in the session's numbers, and among the columns of the mailbox. */
export class Places {
  uid = 0;
  /** Do the MODSEQs of the stretch rise with the UIDs, or are they equal? */
  rises = false;
  private seq = 0;
  /** Among the columns; -1: it is no longer there. Read anew each time: an expunge on the way makes new columns. */
  private at = -1;

  constructor(
    private readonly session: Session,
    private readonly selected: Pick<Selected, 'live' | 'tracker'>,
  ) {}

  /** @param uid above that of the call before. @returns false when there is no such message any more. */
  move(uid: number): boolean {
    const { tracker } = this.selected;
    // Nearly always the next one, and at the same place here and there.
    this.seq = this.seq < tracker.size && tracker.uid(this.seq + 1) === uid ? this.seq + 1 : tracker.seq(uid);
    this.uid = uid;
    this.at = this.seq - 1;
    return this.index >= 0;
  }

  /** Has the session been told that it is there? */
  get told(): boolean {
    return this.seq > 0;
  }

  get index(): number {
    const { live } = this.selected;
    if (live.uids[this.at] !== this.uid || this.at >= live.count) this.at = live.indexOf(this.uid);
    return this.at;
  }

  /**
   * How many messages from here on follow each other by UID, here and there, with the same flags and with MODSEQs that are equal or rise by
   * one: what is said of the first is said of all, but for the numbers.
   * @param most at least 1.
   */
  stretch(most: number): number {
    const { at, uid, seq } = this;
    const { tracker, live } = this.selected;
    const { uids, flags, modSeqs } = live;
    const [set, modSeq] = [flags[at], modSeqs[at] as number];
    const step = modSeqs[at + 1] === modSeq + 1 ? 1 : 0;
    this.rises = step === 1;
    const end = Math.min(most, live.count - at, tracker.size - seq + 1, MOST_LINES);
    let n = 1;
    while (n < end && flags[at + n] === set && modSeqs[at + n] === modSeq + step * n && uids[at + n] === uid + n && tracker.uid(seq + n) === uid + n) n++;
    return n;
  }

  /** The beginning of the answer, for `Assembly.counted`. */
  opening(): [string, number, string] {
    return this.session.uidOnly ? ['* ', this.uid, ' UIDFETCH ('] : ['* ', this.seq, ' FETCH ('];
  }
}
