/** Ascending numbers without repetition. */
export type Ascending = Uint32Array;

/** Those of `all` that are in `some`. */
export function intersection(all: Ascending, some: Ascending): Ascending {
  return filtered(all, some, true);
}

/** Those of `all` that are not in `some`. */
export function difference(all: Ascending, some: Ascending): Ascending {
  return some.length === 0 ? all : filtered(all, some, false);
}

function filtered(all: Ascending, some: Ascending, wanted: boolean): Ascending {
  const left = new Uint32Array(wanted ? Math.min(all.length, some.length) : all.length);
  let count = 0;
  let s = 0;
  for (let a = 0; a < all.length; a++) {
    const number = all[a] as number;
    while (s < some.length && (some[s] as number) < number) s++;
    if ((s < some.length && some[s] === number) === wanted) left[count++] = number;
  }
  return left.subarray(0, count);
}

/** Of two sets that share nothing. */
export function union(a: Ascending, b: Ascending): Ascending {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const all = new Uint32Array(a.length + b.length);
  let [i, j, count] = [0, 0, 0];
  while (i < a.length && j < b.length) all[count++] = (a[i] as number) < (b[j] as number) ? (a[i++] as number) : (b[j++] as number);
  while (i < a.length) all[count++] = a[i++] as number;
  while (j < b.length) all[count++] = b[j++] as number;
  return all;
}

/** The first place in `numbers` with `least` or more; its length when there is none. */
export function placeOf(numbers: Uint32Array, least: number, length = numbers.length): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
