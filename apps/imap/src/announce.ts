import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import type { Movement } from '@kiroku/domain/imap/session/tracker.js';
import { rightFor } from '@kiroku/domain/mailbox/rights.js';
import { Assembly } from './fetch/assembly.js';
import { Places } from './fetch/places.js';
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
  if (uids.length === 0) return;
  const out = new Assembly(session.output);
  const places = new Places(session, { live, tracker });
  const named = !session.uidOnly && (session.condstore || uidForm);
  for (const uid of uids) {
    if (!places.move(uid) || !places.told) continue;
    places.open(out);
    if (named) {
      out.text('UID ');
      out.number(uid);
      out.text(' ');
    }
    out.text('FLAGS ');
    out.text(live.printed[live.flags[places.index] as number] as string);
    if (session.condstore) {
      out.text(' MODSEQ (');
      out.number(live.modSeqs[places.index] as number);
      out.text(')');
    }
    out.text(')\r\n');
  }
  out.send();
}
