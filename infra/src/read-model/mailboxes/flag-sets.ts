/** Lists of flags by number; 0 is the empty one. */
export class FlagSets {
  readonly list: (readonly string[])[] = [[]];
  readonly #byText = new Map<string, number>([['', 0]]);
  readonly #byList = new WeakMap<readonly string[], number>();

  index(flags: readonly string[]): number {
    const same = this.#byList.get(flags);
    if (same !== undefined) return same;
    const text = flags.join(' ');
    const index = this.#byText.get(text) ?? this.list.push(flags) - 1;
    this.#byText.set(text, index);
    this.#byList.set(flags, index);
    return index;
  }

  /** By number: is the flag in it? */
  having(flag: string): readonly boolean[] {
    const name = flag.toLowerCase();
    return this.list.map((flags) => flags.some((f) => f.toLowerCase() === name));
  }
}

export function placeOf(uids: Uint32Array, uid: number, count = uids.length): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((uids[middle] as number) < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}
