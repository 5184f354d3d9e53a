import type { PartialRange } from '@kiroku/domain/imap/grammar/commands.js';

/** Which of `found` messages a PARTIAL names (RFC 9394 §3.1): from, and to before which. */
export function pageOf(found: number, { first, last }: PartialRange): readonly [from: number, to: number] {
  const [low, high] = first < 0 ? [found + Math.min(first, last), found + Math.max(first, last) + 1] : [Math.min(first, last) - 1, Math.max(first, last)];
  return [Math.min(found, Math.max(0, low)), Math.min(found, Math.max(0, high))];
}
