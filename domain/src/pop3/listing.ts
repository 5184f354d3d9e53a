import type { Snapshot } from './maildrop.js';

/** What one session sees: the snapshot and which messages it has marked for removal. Marks live here until QUIT or for ever not. */
export class Listing {
  private readonly marks: Uint8Array;
  /** Messages that are not marked, and their octets. */
  count: number;
  octets: number;

  constructor(
    private readonly uidValidity: number,
    private readonly snapshot: Snapshot,
  ) {
    this.marks = new Uint8Array(snapshot.uids.length);
    this.count = snapshot.uids.length;
    this.octets = this.total();
  }

  /** @param message as POP3 counts, from 1. */
  at(message: number): { readonly uid: number; readonly size: number } | 'no-such-message' | 'already-deleted' {
    const uid = this.snapshot.uids[message - 1];
    const size = this.snapshot.sizes[message - 1];
    if (uid === undefined || size === undefined) return 'no-such-message';
    return this.marks[message - 1] ? 'already-deleted' : { uid, size };
  }

  /** Marks a message that `at` has found. */
  mark(message: number): void {
    this.marks[message - 1] = 1;
    this.count -= 1;
    this.octets -= this.snapshot.sizes[message - 1] ?? 0;
  }

  reset(): void {
    this.marks.fill(0);
    this.count = this.marks.length;
    this.octets = this.total();
  }

  marked(): number[] {
    const uids: number[] = [];
    this.snapshot.uids.forEach((uid, index) => {
      if (this.marks[index]) uids.push(uid);
    });
    return uids;
  }

  /** The same for ever: neither changes while the mailbox lives, and a new mailbox has another UIDVALIDITY. At most 21 of the 70 characters allowed. */
  uidl(uid: number): string {
    return `${this.uidValidity}.${uid}`;
  }

  *scan(): Generator<string> {
    for (let i = 0; i < this.marks.length; i++) if (!this.marks[i]) yield `${i + 1} ${this.snapshot.sizes[i]}`;
  }

  *uidls(): Generator<string> {
    for (let i = 0; i < this.marks.length; i++) if (!this.marks[i]) yield `${i + 1} ${this.uidl(this.snapshot.uids[i] ?? 0)}`;
  }

  private total(): number {
    return this.snapshot.sizes.reduce((sum, size) => sum + size, 0);
  }
}
