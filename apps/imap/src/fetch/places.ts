import type { Session } from '../session.js';
import type { Selected } from '../selected.js';
import type { Assembly } from './assembly.js';

const FETCH = ' FETCH (';
const UIDFETCH = ' UIDFETCH (';

/** Where messages that are answered in order stand: in the session's numbers, and among the columns of the mailbox. */
export class Places {
  uid = 0;
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

  /** The beginning of the answer. */
  open(out: Assembly): void {
    out.text('* ');
    out.number(this.session.uidOnly ? this.uid : this.seq);
    out.text(this.session.uidOnly ? UIDFETCH : FETCH);
  }
}
