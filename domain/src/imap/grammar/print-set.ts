/**
 * Numbers as a `sequence-set` in their order, runs that count up by one as ranges: `10:12,3`. '' for none, which is no set.
 * @param numbers of COPYUID and the like keep their order; others are ascending.
 */
export function printSet(numbers: ArrayLike<number>, from = 0, to = numbers.length): string {
  let text = '';
  for (let i = from; i < to; i++) {
    const first = numbers[i] as number; // i is below the length
    let last = first;
    while (i + 1 < to && numbers[i + 1] === last + 1) {
      last++;
      i++;
    }
    if (text !== '') text += ',';
    text += first === last ? first : `${first}:${last}`;
  }
  return text;
}

/** Pairs of first and last, 0 for `*`. */
export function printRanges(pairs: readonly number[]): string {
  const star = (number: number | undefined): string => (number ? `${number}` : '*');
  let text = '';
  for (let i = 0; i < pairs.length; i += 2) text += `${i > 0 ? ',' : ''}${star(pairs[i])}${pairs[i] === pairs[i + 1] ? '' : `:${star(pairs[i + 1])}`}`;
  return text;
}
