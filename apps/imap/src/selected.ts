import { Tracker } from '@kiroku/domain/imap/session/tracker.js';
import type { Folder, StoredFlags } from '@kiroku/domain/mailbox/store-port.js';
import type { LiveMailbox } from './mailboxes/live-mailbox.js';
import type { LiveMailboxes } from './mailboxes/live-mailboxes.js';

/** The mailbox that a session has selected, and how much of it the client has been told. */
export class Selected {
  readonly tracker: Tracker;
  /** Flag changes up to here have been told. */
  told: number;
  /** Keywords that the last FLAGS response named. */
  keywords: number;
  /** UID → MODSEQ of what the client's own commands changed last: it knows that already. */
  private own = new Map<number, number>();
  private listener: (() => void) | undefined;

  constructor(
    /** As the session's account sees it; of somebody else's it is looked up again, see `stillReadable`. */
    public folder: Folder,
    readonly live: LiveMailbox,
    private readonly mailboxes: LiveMailboxes,
    readonly readOnly: boolean,
  ) {
    this.tracker = new Tracker(live);
    this.told = live.status.highestModSeq;
    this.keywords = live.keywords.size;
  }

  /** Does the asking account have this right (RFC 4314 §2.1)? */
  may(right: string): boolean {
    return this.folder.rights.includes(right);
  }

  /** The client has been answered these changes, or asked not to be. */
  knows({ changed, status, before }: StoredFlags): void {
    // Nearly always nothing else has happened since it was last told.
    if (before === this.told && this.live.status.highestModSeq === status.highestModSeq) {
      this.told = status.highestModSeq;
      return;
    }
    for (const { first, last, modSeq } of changed) for (let uid = first; uid <= last; uid++) this.own.set(uid, modSeq);
  }

  /** UIDs of messages that the client knows and whose flags have changed without it, ascending; they count as told. */
  takeFlagged(): readonly number[] {
    const { live, told, own } = this;
    const changed = live.flaggedSince(told);
    this.told = live.status.highestModSeq;
    if (own.size > 0) this.own = new Map();
    if (changed.length === 0) return changed;
    const uids = new Set<number>();
    for (const uid of changed) {
      const index = live.indexOf(uid);
      if (index >= 0 && own.get(uid) !== live.modSeqs[index] && this.tracker.seq(uid) > 0) uids.add(uid);
    }
    return [...uids].sort((a, b) => a - b);
  }

  /** Has this changed after it was last answered? */
  onChange(listener: (() => void) | undefined): void {
    if (this.listener) this.live.listeners.delete(this.listener);
    this.listener = listener;
    if (listener) this.live.listeners.add(listener);
  }

  close(): void {
    this.onChange(undefined);
    this.mailboxes.release(this.live);
  }
}
