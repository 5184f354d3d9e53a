import type { SearchLeaf } from '../grammar/search-key.js';
import { resolveRanges, type Ranges, type SequenceSet } from '../grammar/sequence-set.js';
import type { SearchContext } from './program.js';
import { type Ascending, placeOf } from './sets.js';

type SnapshotLeaf = Extract<SearchLeaf, { key: 'FLAG' | 'UID' | 'SEQUENCE' | 'MODSEQ' }>;
type FindNow = (among: Ascending, context: SearchContext) => Ascending;

/** What flags, numbers and MODSEQ answer, without anything made per message. */
export function snapshotTest(leaf: SnapshotLeaf): FindNow {
  switch (leaf.key) {
    case 'FLAG': return leaf.flag.toLowerCase() === '\\recent' ? recent : withFlag(leaf.flag.toLowerCase());
    case 'MODSEQ': return sinceModSeq(leaf.modSeq);
    case 'UID': return (among, context) => inRanges(among, context, uidRanges(leaf.set, context));
    case 'SEQUENCE': return (among, context) => inRanges(among, context, numberRanges(leaf.set, context));
  }
}

const recent: FindNow = (among, { snapshot: { uids }, isRecent }) => (isRecent ? among.filter((place) => isRecent(uids[place] as number)) : new Uint32Array());

function withFlag(flag: string): FindNow {
  return (among, { snapshot: { flags, flagSets } }) => {
    const has = Uint8Array.from(flagSets, (set) => (set.some((f) => f.toLowerCase() === flag) ? 1 : 0));
    const found = new Uint32Array(among.length);
    let count = 0;
    for (let i = 0; i < among.length; i++) {
      const place = among[i] as number;
      found[count] = place;
      count += has[flags[place] as number] as number;
    }
    return found.subarray(0, count);
  };
}

function sinceModSeq(least: number): FindNow {
  return (among, { snapshot: { modSeqs } }) => {
    const found = new Uint32Array(among.length);
    let count = 0;
    for (let i = 0; i < among.length; i++) {
      const place = among[i] as number;
      found[count] = place;
      if ((modSeqs[place] as number) >= least) count++;
    }
    return found.subarray(0, count);
  };
}

/** Pairs of UIDs as `resolveRanges` makes them, or single UIDs, ascending. */
type UidRanges = { readonly pairs: Ranges } | { readonly singles: Uint32Array };

function uidRanges(set: SequenceSet, { numbers, saved }: SearchContext): UidRanges {
  if (set === '$') return { singles: saved };
  return { pairs: resolveRanges(set, numbers.size === 0 ? 0 : numbers.uid(numbers.size)) };
}

/** Message numbers rise with the UIDs, so a range of one is a range of the other. Numbers that do not exist are no error in a search. */
function numberRanges(set: SequenceSet, { numbers, saved }: SearchContext): UidRanges {
  if (set === '$') return { singles: saved };
  const pairs: number[] = [];
  const ranges = resolveRanges(set, numbers.size);
  for (let i = 0; i < ranges.length; i += 2) {
    const [first, last] = [ranges[i] as number, Math.min(ranges[i + 1] as number, numbers.size)];
    if (first <= last) pairs.push(numbers.uid(first), numbers.uid(last));
  }
  return { pairs };
}

function inRanges(among: Ascending, { snapshot: { uids }, count = uids.length }: SearchContext, ranges: UidRanges): Ascending {
  const found = new Uint32Array(among.length);
  let n = 0;
  let a = 0;
  const take = (first: number, last: number): void => {
    const from = placeOf(uids, first, count);
    const to = first === last ? from + (uids[from] === first ? 1 : 0) : placeOf(uids, last + 1, count);
    a += placeOf(among.subarray(a), from);
    for (; a < among.length && (among[a] as number) < to; a++) found[n++] = among[a] as number;
  };
  if ('singles' in ranges) for (const uid of ranges.singles) take(uid, uid);
  else for (let i = 0; i < ranges.pairs.length; i += 2) take(ranges.pairs[i] as number, ranges.pairs[i + 1] as number);
  return found.subarray(0, n);
}
