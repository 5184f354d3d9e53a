/** First and last UID, both included. */
export type UidRange = readonly [first: number, last: number];

/** Ascending UIDs as ranges. */
export function rangesOf(uids: ArrayLike<number>): readonly UidRange[] {
  const ranges: UidRange[] = [];
  const length = uids.length;
  for (let i = 0; i < length; ) {
    const first = uids[i] as number;
    let last = first;
    while (++i < length && uids[i] === last + 1) last++;
    ranges.push([first, last]);
  }
  return ranges;
}

/** UIDs in any order, perhaps some twice, as ranges. */
export function rangesOfAny(uids: ArrayLike<number>): readonly UidRange[] {
  for (let i = 1; i < uids.length; i++) if ((uids[i] as number) <= (uids[i - 1] as number)) return rangesOf([...new Set(Array.from(uids))].sort((a, b) => a - b));
  return rangesOf(uids);
}

/** Ranges as IMAP writes them (RFC 9051 §9, sequence-set): `1:5000,5003`; '' when there are none. */
export const uidText = (ranges: readonly UidRange[]): string => ranges.map(([first, last]) => (first === last ? String(first) : `${first}:${last}`)).join(',');

/** What `uidText` wrote. Not for what clients send. */
export function parseUids(text: string): readonly UidRange[] {
  if (text === '') return [];
  return text.split(',').map((part) => {
    const colon = part.indexOf(':');
    return colon === -1 ? [Number(part), Number(part)] : [Number(part.slice(0, colon)), Number(part.slice(colon + 1))];
  });
}

export function uidsIn(ranges: readonly UidRange[]): readonly number[] {
  const uids: number[] = [];
  for (const [first, last] of ranges) for (let uid = first; uid <= last; uid++) uids.push(uid);
  return uids;
}

/** Is it in these ascending ranges? */
export function hasUid(ranges: readonly UidRange[], uid: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = ranges[middle] as UidRange;
    if (uid < first) high = middle - 1;
    else if (uid > last) low = middle + 1;
    else return true;
  }
  return false;
}
