import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import type { Movement } from '@kiroku/domain/imap/session/tracker.js';
import { rightFor } from '@kiroku/domain/mailbox/rights.js';
import type { Selected } from './selected.js';
import type { Session } from './session.js';

/** Characters of answers that are put together into one write. */
export const BATCH = 16 * 1024;

/** RFC 9051 §7.3.5: the system flags, then the keywords in use. */
export function flagsResponse(session: Session, selected: Selected): void {
  const { live, readOnly } = selected;
  selected.keywords = live.keywords.size;
  const all = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft', ...[...live.keywords.values()].sort()];
  session.output.untagged(`FLAGS (${all.join(' ')})`);
  const kept = readOnly ? [] : [...all, '\\*'].filter((flag) => selected.may(rightFor(flag)));
  session.output.untagged(`OK [PERMANENTFLAGS (${kept.join(' ')})] ${readOnly ? 'Read-only' : 'Kept for good'}`);
}

/**
 * Tells the client what has happened in the selected mailbox since it was last told (RFC 9051 §5.2), as far as the process knows.
 * @param expunges see `mayExpunge`.
 */
export function announce(session: Session, expunges: boolean): void {
  const { selected } = session;
  if (!selected || session.phase === 'logout') return;
  const { live, tracker } = selected;
  if (live.gone) {
    session.output.untagged('BYE The mailbox has been deleted');
    return session.hangUp('mailbox-deleted');
  }
  if (live.keywords.size > selected.keywords) flagsResponse(session, selected);
  const moved = tracker.advance(live, expunges);
  tellExpunged(session, moved.expunged);
  if (moved.firstNew > 0) {
    session.output.untagged(`${tracker.size} EXISTS`);
    if (!session.rev2) session.output.untagged('0 RECENT');
  }
  tellFlags(session, selected, selected.takeFlagged());
}

function tellExpunged(session: Session, expunged: Movement['expunged']): void {
  if (expunged.length === 0) return;
  if (session.qresync || session.uidOnly) return session.output.untagged(`VANISHED ${printSet(expunged.map(({ uid }) => uid))}`);
  let text = '';
  // From the last to the first: the numbers of those still to come stay as they are.
  for (let i = expunged.length - 1; i >= 0; i--) {
    text += `* ${expunged[i]?.seq} EXPUNGE\r\n`;
    if (text.length < BATCH) continue;
    session.output.write(text);
    text = '';
  }
  session.output.write(text);
}

/** FETCH responses nobody asked for. */
export function tellFlags(session: Session, { live, tracker }: Pick<Selected, 'live' | 'tracker'>, uids: readonly number[], uidForm = false): void {
  let text = '';
  for (const uid of uids) {
    const index = live.indexOf(uid);
    const seq = tracker.seq(uid);
    if (index < 0 || seq === 0) continue;
    const modSeq = session.condstore ? ` MODSEQ (${live.modSeqs[index]})` : '';
    const flags = `FLAGS ${live.printed[live.flags[index] as number]}${modSeq}`;
    text += session.uidOnly ? `* ${uid} UIDFETCH (${flags})\r\n` : session.condstore || uidForm ? `* ${seq} FETCH (UID ${uid} ${flags})\r\n` : `* ${seq} FETCH (${flags})\r\n`;
    if (text.length < BATCH) continue;
    session.output.write(text);
    text = '';
  }
  session.output.write(text);
}
