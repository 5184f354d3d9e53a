import type { PartialRange, ReturnOptions } from './commands.js';
import { type Cursor, Problem } from './cursor.js';

const PARTIAL = /(-?)([1-9]\d{0,9}):(-?)([1-9]\d{0,9})(?!\d)/y;

/** RFC 9394 §3.1: `1:100` or `-1:-100`. */
export function partialRange(cursor: Cursor): PartialRange {
  const [, signA, a, signB, b] = /^(-?)(\d+):(-?)(\d+)$/.exec(cursor.need(PARTIAL, 'Range')) ?? [];
  const sign = signA ? -1 : 1;
  const [first, last] = [Number(a), Number(b)].sort((x, y) => x - y);
  if (signA !== signB || last === undefined || first === undefined || last > 4_294_967_295) cursor.fail('Range');
  return { first: sign * first, last: sign * last };
}

const RETURN = /RETURN(?= )/iy;

/** `RETURN (…) SP` of SEARCH and SORT; undefined where there is none. */
export function returnOptions(cursor: Cursor): ReturnOptions | undefined {
  if (!cursor.take(RETURN)) return undefined;
  cursor.space();
  const named = new Set<string>();
  let partial: PartialRange | undefined;
  cursor.list('Options', 10, () => {
    const name = cursor.word('Option');
    if (!['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE', 'PARTIAL'].includes(name)) throw new Problem('Unknown return option');
    if (name === 'PARTIAL') {
      // RFC 9394 §3.1: neither twice nor together with ALL.
      if (partial) throw new Problem('PARTIAL is given twice');
      cursor.space();
      partial = partialRange(cursor);
    }
    named.add(name);
  }, 0);
  if (partial && named.has('ALL')) throw new Problem('PARTIAL and ALL exclude each other');
  cursor.space();
  return {
    min: named.has('MIN'),
    max: named.has('MAX'),
    all: named.has('ALL') || named.size === 0,
    count: named.has('COUNT'),
    save: named.has('SAVE'),
    ...(partial && { partial }),
  };
}
