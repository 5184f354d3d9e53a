import type { LiveMailbox } from '../mailboxes/live-mailbox.js';
import type { Places } from './places.js';
import type { PlainItem } from './plan.js';

/** What a column of the mailbox says of a message, for `Assembly.counted`: numbers rise by one along a stretch. */
export type Column = (places: Places) => readonly (string | number)[];

/** How an item is answered that is in the columns of the mailbox; undefined for others. */
export function columnOf(live: LiveMailbox, item: PlainItem['item']): Column | undefined {
  switch (item) {
    case 'UID':
      return ({ uid }) => ['UID ', uid];
    case 'FLAGS':
      // Gone while it was being fetched: what it had is not known any more.
      return ({ index }) => [`FLAGS ${index < 0 ? '()' : live.printed[live.flags[index] as number]}`];
    case 'MODSEQ':
      return ({ index, rises }) => {
        const modSeq = index < 0 ? live.status.highestModSeq : (live.modSeqs[index] as number);
        return rises ? ['MODSEQ (', modSeq, ')'] : [`MODSEQ (${modSeq})`];
      };
    case 'THREADID':
      return () => ['THREADID NIL'];
    default:
      return undefined;
  }
}

/** A line of an answer that has nothing but columns, with neighbouring texts as one piece. */
export function lineOf(places: Places, columns: readonly Column[]): readonly (string | number)[] {
  const pieces: (string | number)[] = [];
  let text = '';
  const add = (piece: string | number): void => {
    if (typeof piece === 'string') text += piece;
    else {
      pieces.push(text, piece);
      text = '';
    }
  };
  for (const piece of places.opening()) add(piece);
  for (let i = 0; i < columns.length; i++) {
    if (i > 0) text += ' ';
    for (const piece of (columns[i] as Column)(places)) add(piece);
  }
  pieces.push(`${text})\r\n`);
  return pieces;
}
