import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import type { Movement } from '@kiroku/domain/imap/session/tracker.js';
import { rightFor } from '@kiroku/domain/mailbox/rights.js';
import { rangesOf, type UidRange } from '@kiroku/domain/mailbox/uid-set.js';
import { Assembly } from './fetch/assembly.js';
import { type Column, columnOf, lineOf } from './fetch/columns.js';
import { Places } from './fetch/places.js';
import type { PlainItem } from './fetch/plan.js';
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
  tellFlags(session, selected, rangesOf(selected.takeFlagged()));
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

/** FETCH responses nobody asked for, for messages within ascending ranges. */
export function tellFlags(session: Session, { live, tracker }: Pick<Selected, 'live' | 'tracker'>, ranges: readonly UidRange[], uidForm = false): void {
  if (ranges.length === 0) return;
  const out = new Assembly(session.output);
  const places = new Places(session, { live, tracker });
  const items: readonly PlainItem['item'][] = [...(!session.uidOnly && (session.condstore || uidForm) ? (['UID'] as const) : []), 'FLAGS', ...(session.condstore ? (['MODSEQ'] as const) : [])];
  const columns = items.map((item) => columnOf(live, item) as Column);
  for (const [first, last] of ranges)
    for (let uid = first; uid <= last; ) {
      if (!places.move(uid) || !places.told) {
        uid++;
        continue;
      }
      const stretch = places.stretch(last - uid + 1);
      out.counted(stretch, lineOf(places, columns));
      uid += stretch;
    }
  out.send();
}
