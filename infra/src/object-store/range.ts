import type { BodyRef, Range } from '@kiroku/domain/kernel/object-store.js';

/**
 * The bytes asked for: all without a range.
 * @throws RangeError when they do not lie inside the body.
 */
export function rangeOf({ size }: BodyRef, range: Range | undefined): Range {
  if (!range) return { offset: 0, length: size };
  const { offset, length } = range;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0 || offset + length > size) {
    throw new RangeError(`bytes ${offset}+${length} do not lie inside a body of ${size}`);
  }
  return range;
}
