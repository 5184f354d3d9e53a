import type { Expansion } from '@kiroku/domain/delivery/expand.js';
import type { Positioned, Slice } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type { MessageAccepted } from '@kiroku/domain/mail/events.js';

/**
 * Entries, routes and bounces per transaction, unless one message alone has more: a transaction must end long before the statement
 * time-out, or its partition would stand still for ever.
 */
const MOST_OUTCOMES = 4_000;

export type Accepted = Recorded<'MessageAccepted', MessageAccepted['data']>;
/** A slice on its way. */
export interface Work {
  readonly slice: Slice;
  /** Events of the slice that are delivered, and the checkpoint behind them. */
  done: number;
  position: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What the next transaction does of a slice. */
export interface Piece {
  readonly work: Work;
  readonly messages: readonly Accepted[];
  /** Events of the slice that are delivered then, and the checkpoint behind them. */
  readonly end: number;
  readonly to: number;
}

const isAccepted = (event: Recorded): event is Accepted => event.type === 'MessageAccepted';

/** The next `room` messages of a slice, and what lies between and behind them. */
export function pieceOf(work: Work, room: number): Piece {
  const { events, next } = work.slice;
  const messages: Accepted[] = [];
  let end = work.done;
  for (; end < events.length; end++) {
    const { event } = events[end] as Positioned;
    if (!isAccepted(event)) continue;
    if (messages.length === room) break;
    messages.push(event);
  }
  return { work, messages, end, to: events[end]?.position ?? next };
}

/** Messages of a slice that are done by now and were not when `done` of its events were. */
export const countMessages = ({ slice, done: now }: Work, done: number): number => slice.events.slice(done, now).filter(({ event }) => isAccepted(event)).length;

/** Where in its partition a message of this work was accepted. */
export const positionOf = ({ slice }: Work, { id }: Accepted): number => slice.events.find(({ event }) => event.id === id)?.position ?? slice.from;

/** How many messages, from the first on, a transaction can take. */
export function fitting(expansions: readonly Expansion[]): number {
  let outcomes = 0;
  const over = expansions.findIndex(({ local, remote, failures }, i) => (outcomes += local.length + remote.length + failures.length) > MOST_OUTCOMES && i > 0);
  return over === -1 ? expansions.length : over;
}

/** The same pieces, with the first `count` messages only. */
export function first(pieces: readonly Piece[], count: number): readonly Piece[] {
  const taken: Piece[] = [];
  for (const piece of pieces) {
    const enough = piece.messages.length <= count;
    if (!enough && count === 0) break;
    taken.push(enough ? piece : pieceOf(piece.work, count));
    if (!enough) break;
    count -= piece.messages.length;
  }
  return taken;
}
