import { fold } from './fold.js';

/** A subject without what mailers put around it (RFC 5256 §2.1). */
export interface BaseSubject {
  /** Folded. '' when nothing is left. */
  readonly text: string;
  /** A "re:", "fwd:", "(fwd)" or "[fwd: …]" was taken off: threading prefers subjects without. */
  readonly isReply: boolean;
}

/** Characters of a subject that are looked at; more is no subject. */
const LONGEST = 2_000;

/** @param subject decoded from RFC 2047 and unfolded. Takes time in proportion to its length, whatever is in it. */
export function baseSubject(subject: string): BaseSubject {
  const cut = subject.length > LONGEST ? subject.slice(0, LONGEST) : subject;
  // Folded first: full-width forms and case are then no matter. Step 1: one space for any white space.
  const text = fold(cut).replace(/[\t\r\n ]+/g, ' ');
  let from = 0;
  let to = text.length;
  let isReply = false;
  for (;;) {
    const end = withoutTrailers(text, from, to); // step 2
    isReply ||= end.removed;
    to = end.to;
    const start = withoutLeaders(text, from, to); // steps 3 to 5
    isReply ||= start.removed;
    from = start.from;
    // Step 6: "[fwd:" … "]", and all again.
    if (!text.startsWith('[FWD:', from) || to - from < 6 || text[to - 1] !== ']') return { text: text.slice(from, to), isReply };
    isReply = true;
    from += 5;
    to -= 1;
  }
}

/** subj-trailer = "(fwd)" / WSP */
function withoutTrailers(text: string, from: number, end: number): { readonly to: number; readonly removed: boolean } {
  let to = end;
  let removed = false;
  for (;;) {
    if (to > from && text[to - 1] === ' ') to--;
    else if (to - 5 >= from && text.startsWith('(FWD)', to - 5)) {
      to -= 5;
      removed = true;
    } else return { to, removed };
  }
}

/** subj-leader = (*subj-blob subj-refwd) / WSP, and a subj-blob that is not the whole subject. */
function withoutLeaders(text: string, start: number, to: number): { readonly from: number; readonly removed: boolean } {
  let from = start;
  let removed = false;
  for (;;) {
    while (from < to && text[from] === ' ') from++;
    let at = from;
    let lastBlob = from;
    for (let next = blob(text, at, to); next > at; next = blob(text, at, to)) {
      lastBlob = at;
      at = next;
    }
    const after = refwd(text, at, to);
    if (after > at) {
      from = after;
      removed = true;
    } else {
      // No prefix behind the blobs: each goes by step 4 unless nothing would be left, so the last may stay.
      const left = at < to ? at : lastBlob;
      if (left === from) return { from, removed };
      from = left;
    }
  }
}

/** subj-blob = "[" *BLOBCHAR "]" *WSP. @returns where it ends, `at` when there is none. */
function blob(text: string, at: number, to: number): number {
  if (at >= to || text[at] !== '[') return at;
  let end = at + 1;
  while (end < to && text[end] !== '[' && text[end] !== ']') end++;
  if (end >= to || text[end] !== ']') return at;
  end++;
  while (end < to && text[end] === ' ') end++;
  return end;
}

/** subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":". @returns where it ends, `at` when there is none. */
function refwd(text: string, at: number, to: number): number {
  let end = at;
  if (text.startsWith('RE', at)) end = at + 2;
  else if (text.startsWith('FWD', at)) end = at + 3;
  else if (text.startsWith('FW', at)) end = at + 2;
  else return at;
  while (end < to && text[end] === ' ') end++;
  end = blob(text, end, to);
  return end < to && text[end] === ':' ? end + 1 : at;
}
