/** A half of a surrogate pair. */
const SURROGATE = /[\ud800-\udfff]/;

/**
 * Folded texts by their UTF-8 octets, as RFC 5051 compares them. JavaScript compares 16-bit units, which puts U+10000 and above before
 * U+E000; it is used where no text has such characters, being several times faster.
 */
export function octetOrder(texts: readonly string[]): (a: string, b: string) => number {
  return texts.some((t) => SURROGATE.test(t)) ? byCodePoint : byUnit;
}

function byUnit(a: string, b: string): number {
  return a < b ? -1 : a === b ? 0 : 1;
}

function byCodePoint(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for the highest code points. */
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);

/** Each text's place among them: equal texts, equal places. Sorting by these numbers is sorting by the texts. */
export function ranksOf(texts: readonly string[]): Uint32Array {
  const different = [...new Set(texts)].sort(octetOrder(texts));
  const places = new Map(different.map((text, place) => [text, place]));
  return Uint32Array.from(texts, (text) => places.get(text) as number);
}
