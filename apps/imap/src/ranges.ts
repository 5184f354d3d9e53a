import { type Ranges, resolveRanges, type SequenceSet, STAR } from '@kiroku/domain/imap/grammar/sequence-set.js';
import { announce } from './announce.js';
import { No } from './refusal.js';
import type { Session } from './session.js';

/** Sequence numbers from the first to the last, ascending, none twice. */
export type Span = readonly [first: number, last: number];

/**
 * Tells the client of new messages where a set names UIDs above those it was told of: what another connection has stored there, and was
 * answered, is there for this one's next command (promise 3 of the design).
 */
export async function reach(session: Session, set: SequenceSet): Promise<void> {
  const { live, tracker } = session.box;
  if (set === '$' || !set.some((uid) => uid > tracker.lastUid)) return;
  await live.refresh();
  announce(session, false);
}

/** Which of the messages that the session knows a set names, as spans of sequence numbers. UIDs that are not there are passed over (RFC 9051 §6.4.9). */
export function spansOf(session: Session, set: SequenceSet, uid: boolean): readonly Span[] {
  const { tracker } = session.box;
  if (set === '$') return merged(Array.from(session.saved, (one): Span => [tracker.seq(one), tracker.seq(one)]).filter(([seq]) => seq > 0));
  const star = uid ? tracker.lastUid : tracker.size;
  // The client knows how many there are (RFC 9051 §2.3.1.2); only `*` may mean none.
  if (!uid && set.some((number, i) => number > tracker.size && set[i ^ 1] !== STAR)) throw new No('There is no message of that number', undefined, 'BAD');
  const pairs = resolveRanges(set, star);
  const spans: Span[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const [low = 0, high = 0] = [pairs[i], pairs[i + 1]];
    const span: Span = uid ? [tracker.atLeast(low), tracker.atLeast(high + 1) - 1] : [low, Math.min(high, tracker.size)];
    if (span[0] > 0 && span[0] <= span[1]) spans.push(span);
  }
  return spans;
}

/** Those of ascending numbers that lie in ascending pairs, see `resolveRanges`. */
export function within(numbers: readonly number[], pairs: Ranges): readonly number[] {
  let at = 0;
  return numbers.filter((number) => {
    while (at < pairs.length && (pairs[at + 1] as number) < number) at += 2;
    return at < pairs.length && (pairs[at] as number) <= number;
  });
}

function merged(spans: readonly Span[]): readonly Span[] {
  if (spans.length < 2) return spans;
  const sorted = [...spans].sort((a, b) => a[0] - b[0]);
  const all: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = all.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else all.push([first, last]);
  }
  return all;
}

/** Messages in all. */
export const lengthOf = (spans: readonly Span[]): number => spans.reduce((sum, [first, last]) => sum + last - first + 1, 0);

/** The UIDs of these messages, ascending. */
export function uidsOf(session: Session, spans: readonly Span[]): Uint32Array {
  const { tracker } = session.box;
  const uids = new Uint32Array(lengthOf(spans));
  let at = 0;
  for (const [first, last] of spans) {
    uids.set(tracker.span(first, last), at);
    at += last - first + 1;
  }
  return uids;
}
