import type { SortCriterion } from '../grammar/commands.js';
import { baseSubject } from './base-subject.js';
import { fold } from './fold.js';
import { ranksOf } from './order.js';

/** What SORT and THREAD look at in a header; decoded text, not folded. */
export interface HeaderKeys {
  /** Epoch ms of the Date field, in UTC; undefined when there is none that can be read. */
  readonly sentAt: number | undefined;
  readonly subject: string;
  /** addr-mailbox of the first address of each field, '' when there is none (RFC 5256 §3). */
  readonly from: string;
  readonly to: string;
  readonly cc: string;
  /** The first address for people: its name, or else mailbox@host (RFC 5957 §3). */
  readonly displayFrom: string;
  readonly displayTo: string;
}

/** The messages to sort, in mailbox order: equal lengths. Columns that no criterion asks for may be absent. */
export interface SortInput {
  readonly receivedAt: ArrayLike<number>;
  readonly sizes?: ArrayLike<number>;
  readonly headers?: readonly HeaderKeys[];
}

/** Which columns these criteria need. INTERNALDATE stands in for a missing Date. */
export function sortNeeds(order: readonly SortCriterion[]): { readonly sizes: boolean; readonly headers: boolean } {
  return {
    sizes: order.some(({ key }) => key === 'SIZE'),
    headers: order.some(({ key }) => key !== 'SIZE' && key !== 'ARRIVAL'),
  };
}

/**
 * SORT (RFC 5256 §3, RFC 5957): the places 0 … n-1 of the input in the order asked for. What all criteria find equal stays in mailbox
 * order; REVERSE turns one criterion round, not that.
 */
export function sortOrder(count: number, input: SortInput, order: readonly SortCriterion[]): Uint32Array {
  const columns = order.map(({ key, reverse }) => ({ values: columnOf(key, count, input), sign: reverse ? -1 : 1 }));
  const places = Uint32Array.from({ length: count }, (_, i) => i);
  return places.sort((a, b) => {
    for (const { values, sign } of columns) {
      const difference = (values[a] as number) - (values[b] as number);
      if (difference !== 0) return sign * difference;
    }
    return a - b;
  });
}

/** A criterion as numbers that sort as it does. */
function columnOf(key: SortCriterion['key'], count: number, input: SortInput): ArrayLike<number> {
  const ranked = (textOf: (header: HeaderKeys) => string): ArrayLike<number> => ranksOf(Array.from({ length: count }, (_, i) => textOf(headerAt(input, i))));
  switch (key) {
    case 'ARRIVAL': return input.receivedAt;
    case 'SIZE': return input.sizes ?? absent(key);
    case 'DATE': return sentDates(count, input);
    case 'SUBJECT': return ranked((h) => baseSubject(h.subject).text);
    case 'FROM': return ranked((h) => fold(h.from));
    case 'TO': return ranked((h) => fold(h.to));
    case 'CC': return ranked((h) => fold(h.cc));
    case 'DISPLAYFROM': return ranked((h) => fold(h.displayFrom));
    case 'DISPLAYTO': return ranked((h) => fold(h.displayTo));
  }
}

function headerAt({ headers }: SortInput, i: number): HeaderKeys {
  return headers?.[i] ?? absent('headers');
}

/** RFC 5256 §2.2: the Date field, or INTERNALDATE where it cannot be read. */
export function sentDates(count: number, input: Pick<SortInput, 'receivedAt' | 'headers'>): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => headerAt(input, i).sentAt ?? (input.receivedAt[i] as number));
}

function absent(what: string): never {
  throw new RangeError(`sorting needs the column ${what}`);
}
