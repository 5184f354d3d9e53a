import { messagesIn } from '@kiroku/domain/mailbox/flag-runs.js';
import type { FlagRun, StoredFlags } from '@kiroku/domain/mailbox/store-port.js';
import type { Selected } from '../selected.js';
import type { Session } from '../session.js';
import { Assembly } from './assembly.js';

/** Messages whose answers are kept until the decision is written: some 50 octets each. */
const MOST = 12_000;

/** What a STORE answers, put together while its decision is being written: nothing of it is sent before that is durable. */
export class FlagLines {
  private pieces: (string | Uint8Array)[] = [];
  private of: StoredFlags | undefined;
  private expunges = 0;

  /** @param uidForm names UIDs (RFC 9051 §6.4.9). */
  constructor(
    private readonly session: Session,
    private readonly selected: Selected,
    private readonly uidForm: boolean,
  ) {}

  /** May be called again: what was decided before has come to nothing then. */
  prepare(decided: StoredFlags): void {
    const { live, tracker } = this.selected;
    this.pieces = [];
    this.of = undefined;
    if (decided.before !== live.status.highestModSeq || tracker.lags(live) || messagesIn(decided.changed) > MOST) return;
    const out = new Assembly({ write: (piece) => void this.pieces.push(piece), room: () => undefined });
    for (const run of decided.changed) this.tell(out, run);
    out.send();
    this.of = decided;
    this.expunges = live.expunges;
  }

  /** To be called when the mailbox has taken in what was stored. @returns false when something else has happened there as well: then it is to be looked at. */
  send(stored: StoredFlags): boolean {
    const { live } = this.selected;
    if (this.of !== stored || live.status.highestModSeq !== stored.status.highestModSeq || live.expunges !== this.expunges) return false;
    for (const piece of this.pieces) this.session.output.write(piece);
    this.pieces = [];
    return true;
  }

  private tell(out: Assembly, { first, last, modSeq, flags }: FlagRun): void {
    const { tracker } = this.selected;
    const { uidOnly, condstore } = this.session;
    const said = `FLAGS (${flags.join(' ')})${condstore ? ` MODSEQ (${modSeq})` : ''})\r\n`;
    for (let seq = tracker.atLeast(first); seq <= tracker.size && tracker.uid(seq) <= last; ) {
      const uid = tracker.uid(seq);
      let n = 1;
      while (uid + n <= last && seq + n <= tracker.size && tracker.uid(seq + n) === uid + n) n++;
      if (uidOnly) out.counted(n, ['* ', uid, ` UIDFETCH (${said}`]);
      else if (condstore || this.uidForm) out.counted(n, ['* ', seq, ' FETCH (UID ', uid, ` ${said}`]);
      else out.counted(n, ['* ', seq, ` FETCH (${said}`]);
      seq += n;
    }
  }
}
