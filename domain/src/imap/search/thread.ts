import { baseSubject, type BaseSubject } from './base-subject.js';
import { ranksOf } from './order.js';
import { sentDates, type HeaderKeys } from './sort.js';
import { familyOf } from './references.js';

/** What threading looks at. */
export interface ThreadHeader extends HeaderKeys {
  /** Without angle brackets; undefined when there is none that can be read. */
  readonly messageId: string | undefined;
  /** Of References, oldest first; of In-Reply-To (the first one) when there are none (RFC 5256 §3). */
  readonly references: readonly string[];
}

/** The messages to thread, in mailbox order: equal lengths. */
export interface ThreadInput {
  readonly receivedAt: ArrayLike<number>;
  readonly headers: readonly ThreadHeader[];
}

/**
 * Threads as a forest over places of the input: `children[i]` are the answers to message i, in order; `roots` the threads, a list of more
 * than one place being siblings whose parent is not there (RFC 5256 §4, `((3)(5))`).
 */
export interface Forest {
  readonly roots: readonly (readonly number[])[];
  readonly children: ReadonlyMap<number, readonly number[]>;
}

/** THREAD=ORDEREDSUBJECT (RFC 5256 §3): by base subject; the first message of each is the parent of all others. */
export function orderedSubject(input: ThreadInput): Forest {
  const count = input.headers.length;
  const dates = sentDates(count, input);
  const subjects = ranksOf(input.headers.map((h) => baseSubject(h.subject).text));
  const places = Uint32Array.from({ length: count }, (_, i) => i);
  places.sort((a, b) => (subjects[a] as number) - (subjects[b] as number) || (dates[a] as number) - (dates[b] as number) || a - b);
  const children = new Map<number, number[]>();
  const firsts: number[] = [];
  let first = -1;
  for (const place of places) {
    if (first >= 0 && subjects[first] === subjects[place]) {
      const answers = children.get(first);
      if (answers) answers.push(place);
      else children.set(first, [place]);
    } else firsts.push((first = place));
  }
  firsts.sort((a, b) => (dates[a] as number) - (dates[b] as number) || a - b);
  return { roots: firsts.map((f) => [f]), children };
}

/** A top-level thread while subjects are gathered: a message, or a parent that is not there with its children. */
interface Top {
  /** -1: not there. */
  readonly place: number;
  /** Only of one that is not there; at least two. */
  readonly orphans: number[];
}

/** THREAD=REFERENCES (RFC 5256 §3). Loops and forged references cost no more than honest ones. */
export function references(input: ThreadInput): Forest {
  const count = input.headers.length;
  const dates = sentDates(count, input);
  const byDate = (a: number, b: number): number => (dates[a] as number) - (dates[b] as number) || a - b;
  const family = familyOf(input.headers); // steps 1 to 3
  const tops: Top[] = family.tops.map((t) => (typeof t === 'number' ? { place: t, orphans: [] } : { place: -1, orphans: [...t].sort(byDate) }));
  const head = (top: Top): number => (top.place >= 0 ? top.place : (top.orphans[0] as number));
  tops.sort((a, b) => byDate(head(a), head(b))); // step 4
  const children = family.children;
  const merged = mergeSubjects(tops, (top) => baseSubject((input.headers[head(top)] as ThreadHeader).subject), children); // step 5
  for (const answers of children.values()) answers.sort(byDate); // step 6
  for (const { orphans } of merged) orphans.sort(byDate);
  merged.sort((a, b) => byDate(head(a), head(b)));
  return { roots: merged.map(({ place, orphans }) => (place >= 0 ? [place] : orphans)), children };
}

/** RFC 5256 §3 step 5: threads with the same base subject become one. @returns the threads that are left. */
function mergeSubjects(tops: readonly Top[], subjectOf: (top: Top) => BaseSubject, children: Map<number, number[]>): Top[] {
  const subjects = new Map<Top, BaseSubject>(tops.map((top) => [top, subjectOf(top)]));
  const isReply = (top: Top): boolean => top.place >= 0 && (subjects.get(top) as BaseSubject).isReply;
  const table = new Map<string, Top>();
  for (const top of tops) {
    const { text } = subjects.get(top) as BaseSubject;
    const there = text === '' ? top : table.get(text);
    if (there === undefined) table.set(text, top);
    else if (there.place >= 0 && (top.place < 0 || (isReply(there) && !isReply(top)))) table.set(text, top);
  }
  const left = new Set<Top>();
  const gone = new Set<Top>();
  for (const top of tops) {
    if (gone.has(top)) continue;
    const { text } = subjects.get(top) as BaseSubject;
    const there = table.get(text);
    if (text === '' || there === undefined || there === top) left.add(top);
    else if (there.place < 0) there.orphans.push(...(top.place < 0 ? top.orphans : [top.place]));
    else if (isReply(top) && !isReply(there)) adopt(children, there.place, top.place);
    else {
      const parent: Top = { place: -1, orphans: [there.place, top.place] };
      table.set(text, parent);
      left.delete(there);
      gone.add(there);
      left.add(parent);
    }
  }
  return [...left];
}

function adopt(children: Map<number, number[]>, parent: number, child: number): void {
  const answers = children.get(parent);
  if (answers) answers.push(child);
  else children.set(parent, [child]);
}

/** A set of UIDs or message numbers as THREAD answers it: `(3 6 (4 23)(44 7 96))` (RFC 5256 §4). '' when there are no threads. */
export function threadText({ roots, children }: Forest, numberOf: (place: number) => number): string {
  const parts: string[] = [];
  for (const siblings of roots) {
    parts.push('(');
    // A stack of what is still to be written: a place, or a closing bracket.
    const todo: (number | ')')[] = [')'];
    const later = (places: readonly number[]): void => {
      for (let i = places.length - 1; i >= 0; i--) todo.push(')', ~(places[i] as number));
    };
    if (siblings.length === 1) todo.push(siblings[0] as number);
    else later(siblings);
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      if (next === ')') {
        parts.push(')');
        continue;
      }
      // A complement begins a bracket of its own.
      const place = next < 0 ? ~next : next;
      if (next < 0) parts.push('(');
      parts.push(String(numberOf(place)));
      const answers = children.get(place) ?? [];
      if (answers.length > 0) parts.push(' ');
      if (answers.length === 1) todo.push(answers[0] as number);
      else later(answers);
    }
  }
  return parts.join('');
}
