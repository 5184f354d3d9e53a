import type { LiveMailbox } from '../mailboxes/live-mailbox.js';
import type { Assembly } from './assembly.js';
import type { Places } from './places.js';
import type { PlainItem } from './plan.js';

/** Writes what a column of the mailbox says of a message. */
export type Column = (out: Assembly, places: Places) => void;

/** How an item is answered that is in the columns of the mailbox; undefined for others. */
export function columnOf(live: LiveMailbox, item: PlainItem['item']): Column | undefined {
  switch (item) {
    case 'UID':
      return (out, { uid }) => {
        out.text('UID ');
        out.number(uid);
      };
    case 'FLAGS':
      return (out, { index }) => {
        out.text('FLAGS ');
        // Gone while it was being fetched: what it had is not known any more.
        out.text(index < 0 ? '()' : (live.printed[live.flags[index] as number] as string));
      };
    case 'MODSEQ':
      return (out, { index }) => {
        out.text('MODSEQ (');
        out.number(index < 0 ? live.status.highestModSeq : (live.modSeqs[index] as number));
        out.text(')');
      };
    case 'THREADID':
      return (out) => out.text('THREADID NIL');
    default:
      return undefined;
  }
}
