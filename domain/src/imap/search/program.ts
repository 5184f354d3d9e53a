import type { Snapshot } from '../../mailbox/store-port.js';
import type { SearchKey, SearchLeaf } from '../grammar/search-key.js';
import { fold } from './fold.js';
import { snapshotTest } from './snapshot-tests.js';
import type { SearchSource, SourceTest } from './source.js';
import { type Ascending, difference, intersection, placeOf, union } from './sets.js';

/** The mailbox and the session as a search sees them. */
export interface SearchContext {
  /** Sorted by UID; only the first `count` count (default: all). */
  readonly snapshot: Pick<Snapshot, 'uids' | 'modSeqs' | 'flags' | 'flagSets'>;
  readonly count?: number;
  /** The session's message numbers, 1 to `size`: a `Tracker`. Messages that the session does not know yet are not found. */
  readonly numbers: { readonly size: number; uid(seq: number): number };
  /** `$` (RFC 5182): UIDs, ascending. */
  readonly saved: Uint32Array;
  /** `\Recent`, which is the session's and in no flag set. Default: none is. */
  readonly isRecent?: (uid: number) => boolean;
  /** Epoch ms. */
  readonly now: number;
  /** Epoch ms at which a day (counted from 1970-01-01) begins where the server is; INTERNALDATE and SAVEDATE are compared by it. */
  readonly startOfDay: (day: number) => number;
  readonly source: SearchSource;
}

/** Finds, among places of the snapshot, those that match; both ascending. Only what the source must be asked for takes a promise. */
type Find = (among: Ascending, context: SearchContext) => Ascending | Promise<Ascending>;

/** A part of a search with what it costs: 0 flags and numbers, 1 stored columns, 2 and 3 header, 4 text. */
interface Part {
  readonly cost: number;
  readonly find: Find;
  /** Questions to the source; those of one cost can be asked together. */
  readonly tests?: readonly Test[];
}
type Test = (context: SearchContext) => SourceTest;

/** A search, ready to run any number of times. */
export interface SearchProgram {
  readonly part: Part;
  /** MODSEQ is in it: the response must tell the highest of what was found (RFC 7162 §3.1.5). */
  readonly asksModSeq: boolean;
}

export function compileSearch(key: SearchKey): SearchProgram {
  return { part: compile(key), asksModSeq: mentionsModSeq(key) };
}

/** @returns UIDs, ascending. */
export async function runSearch({ part }: SearchProgram, context: SearchContext): Promise<Uint32Array> {
  const { snapshot: { uids }, numbers, count = uids.length } = context;
  const known = numbers.size === 0 ? 0 : placeOf(uids, numbers.uid(numbers.size) + 1, count);
  const all = new Uint32Array(known);
  for (let i = 0; i < known; i++) all[i] = i;
  const places = await part.find(all, context);
  return uidsAt(places, context);
}

function mentionsModSeq(key: SearchKey): boolean {
  if (key.key === 'and' || key.key === 'or') return key.of.some(mentionsModSeq);
  return key.key === 'not' ? mentionsModSeq(key.of) : key.key === 'MODSEQ';
}

function compile(key: SearchKey): Part {
  switch (key.key) {
    case 'and': return every(key.of.flatMap(conjuncts).map(compile));
    case 'or': return some(key.of.map(compile));
    case 'not': return none(compile(key.of));
    default: return leaf(key);
  }
}

/** AND inside AND is one: the cheap parts of both come first. */
function conjuncts(key: SearchKey): readonly SearchKey[] {
  return key.key === 'and' ? key.of.flatMap(conjuncts) : [key];
}

const byCost = (a: Part, b: Part): number => a.cost - b.cost;
const costOf = (parts: readonly Part[]): number => Math.max(0, ...parts.map((p) => p.cost));

/** Each part looks only at what the cheaper ones have left; questions of one cost are asked together. */
function every(parts: readonly Part[]): Part {
  const steps: Part[] = [];
  for (const part of [...parts].sort(byCost)) {
    const last = steps.at(-1);
    if (part.tests && last?.tests && last.cost === part.cost) steps[steps.length - 1] = source(part.cost, ...last.tests, ...part.tests);
    else steps.push(part);
  }
  return {
    cost: costOf(parts),
    find: async (among, context) => {
      let left = among;
      for (const { find } of steps) {
        if (left.length === 0) return left;
        const found = find(left, context);
        left = found instanceof Uint32Array ? found : await found;
      }
      return left;
    },
  };
}

/** Dearer parts look only at what cheaper ones have not found. */
function some(parts: readonly Part[]): Part {
  const steps = [...parts].sort(byCost);
  return {
    cost: costOf(parts),
    find: async (among, context) => {
      let found: Ascending = new Uint32Array();
      let rest = among;
      for (const { find } of steps) {
        if (rest.length === 0) break;
        const more = await find(rest, context);
        found = union(found, more);
        rest = difference(rest, more);
      }
      return found;
    },
  };
}

function none(part: Part): Part {
  return { cost: part.cost, find: async (among, context) => difference(among, await part.find(among, context)) };
}

function leaf(key: SearchLeaf): Part {
  switch (key.key) {
    case 'ALL':
    case 'SAVEDATESUPPORTED':
      return everything;
    case 'THREADID':
      return nothing; // threads are not kept: THREADID is NIL (RFC 8474 §5.2)
    case 'FLAG':
    case 'UID':
    case 'SEQUENCE':
    case 'MODSEQ':
      return { cost: 0, find: snapshotTest(key) };
    case 'SIZE':
      return source(1, () => ({ by: 'size', ...(key.than === 'larger' ? { from: key.octets + 1, before: Infinity } : { from: 0, before: key.octets }) }));
    case 'AGE': // RFC 5032 §1: both include the second itself
      return source(1, ({ now }) => {
        const then = now - key.seconds * 1000;
        return { by: 'receivedAt', ...(key.than === 'older' ? { from: -Infinity, before: then + 1 } : { from: then, before: Infinity }) };
      });
    case 'EMAILID':
      return source(1, () => ({ by: 'emailId', id: key.id }));
    case 'DAY':
      return day(key);
    case 'ENVELOPE':
      return source(2, constant({ by: 'header', field: key.field, needle: fold(key.text) }));
    case 'HEADER':
      return source(3, constant({ by: 'header', field: key.field, needle: fold(key.text) }));
    case 'BODY':
    case 'TEXT':
      if (key.text === '') return everything;
      return source(4, constant({ by: 'text', in: key.key === 'BODY' ? 'body' : 'all', needle: fold(key.text) }));
  }
}

const everything: Part = { cost: 0, find: (among) => among };
const nothing: Part = { cost: 0, find: () => new Uint32Array() };
const constant = (test: SourceTest) => () => test;

/** RFC 9051 §6.4.4: BEFORE is earlier than the day, SINCE includes it; time of day and zone do not count. */
function day({ of, when, day: d }: Extract<SearchLeaf, { key: 'DAY' }>): Part {
  const [from, before] = when === 'before' ? [-Infinity, d] : when === 'on' ? [d, d + 1] : [d, Infinity];
  if (of === 'sent') return source(2, constant({ by: 'sent', from, before }));
  return source(1, ({ startOfDay }) => {
    const at = (n: number): number => (Number.isFinite(n) ? startOfDay(n) : n);
    return { by: of === 'internal' ? 'receivedAt' : 'savedAt', from: at(from), before: at(before) };
  });
}

function source(cost: number, ...tests: readonly Test[]): Part {
  return { cost, tests, find: ask(tests) };
}

function ask(tests: readonly Test[]): Find {
  return async (among, context) => {
    const uids = uidsAt(among, context);
    const matching = await context.source.matching(uids, tests.map((test) => test(context)));
    return placesOf(intersection(uids, matching), among, uids);
  };
}

function uidsAt(places: Ascending, { snapshot: { uids } }: SearchContext): Uint32Array {
  const found = new Uint32Array(places.length);
  for (let i = 0; i < places.length; i++) found[i] = uids[places[i] as number] as number;
  return found;
}

/** Back from UIDs to places: `uids[i]` is the UID at `among[i]`. */
function placesOf(found: Uint32Array, among: Ascending, uids: Uint32Array): Ascending {
  const places = new Uint32Array(found.length);
  for (let f = 0, a = 0; f < found.length; f++, a++) {
    while (uids[a] !== found[f]) a++;
    places[f] = among[a] as number;
  }
  return places;
}
