/**
 * Signatures: a small bit set per text that says which short pieces ("grams") occur in it, so that most texts without a given string are
 * known to be so without reading them. Grams are two characters where one is not ASCII (Japanese needs no words), three where all are
 * ASCII (two would be in every English text), and each ideograph or kana by itself. Text and needle must be folded.
 *
 * A signature may say yes wrongly and never no wrongly. What is stored depends on every constant here: a change needs a new table.
 */

/** Bits per different gram. All grams of a needle must be there, so a filter of one hash and 28 % ones is enough. */
const BITS_PER_GRAM = 3;
/** 64 Ki bits: 8 KiB for the largest text. */
const MOST_BITS = 65_536;
/** Different grams are counted in this many places (a power of two). */
const PLACES = 1 << 20;
/** From here on characters are words or syllables: CJK radicals, kana, ideographs, and everything after. */
const IDEOGRAPHIC = 0x2e80;

const { imul } = Math;
const place = (hash: number): number => (imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 12) & (PLACES - 1);
const one = (a: number): number => place(imul(a, 0x9e3779b1));
const two = (a: number, b: number): number => place(imul(a, 0x9e3779b1) ^ imul(b + 0x10000, 0x85ebca6b));
const three = (a: number, b: number, c: number): number => place(imul(a, 0x9e3779b1) ^ imul(b + 0x10000, 0x85ebca6b) ^ imul(c + 0x20000, 0xc2b2ae35));

/** Calls back with the place of every gram of a text, often several times with the same. */
function eachGram(text: string, gram: (place: number) => void): void {
  let before = -1; // the two characters before this one
  let last = -1;
  for (let i = 0; i < text.length; i++) {
    const here = text.charCodeAt(i);
    if (here >= IDEOGRAPHIC) gram(one(here));
    if (last >= 0) {
      if (here >= 0x80 || last >= 0x80) gram(two(last, here));
      else if (before >= 0 && before < 0x80) gram(three(before, last, here));
    }
    before = last;
    last = here;
  }
}

/** Gathers the grams of one text, or of several, into one signature. Reusable; keeps 128 KiB. */
export class Signer {
  readonly #seen = new Uint32Array(PLACES / 32);
  #places = new Uint32Array(4_096);
  #count = 0;

  /** Folded text. Grams do not reach from one call into the next. */
  add(foldedText: string): void {
    // `eachGram` written out: a call for each piece of all text that there is costs half of the time.
    const { length } = foldedText;
    let before = -1;
    let last = -1;
    for (let i = 0; i < length; i++) {
      const here = foldedText.charCodeAt(i);
      if (here >= IDEOGRAPHIC) this.#take(one(here));
      if (here >= 0x80 || last >= 0x80) {
        if (last >= 0) this.#take(two(last, here));
      } else if (last >= 0 && before >= 0 && before < 0x80) this.#take(three(before, last, here));
      before = last;
      last = here;
    }
  }

  #take(p: number): void {
    const word = p >>> 5;
    const bit = 1 << (p & 31);
    const seen = this.#seen[word] as number;
    if ((seen & bit) !== 0) return;
    this.#seen[word] = seen | bit;
    if (this.#count === this.#places.length) {
      const wider = new Uint32Array(this.#count * 2);
      wider.set(this.#places);
      this.#places = wider;
    }
    this.#places[this.#count++] = p;
  }

  /** The signature of what was added; begins anew. Of a text without grams: no bytes. */
  finish(): Uint8Array {
    const bits = Math.min(MOST_BITS, Math.ceil((this.#count * BITS_PER_GRAM) / 8) * 8);
    const signature = new Uint8Array(bits / 8);
    for (let i = 0; i < this.#count; i++) {
      const p = this.#places[i] as number;
      const at = p % bits;
      signature[at >>> 3] = (signature[at >>> 3] as number) | (1 << (at & 7));
      this.#seen[p >>> 5] = 0;
    }
    this.#count = 0;
    return signature;
  }
}

/** More than these rule out hardly anything that they do not. */
const MOST_GRAMS = 12;

/**
 * What a signature must have to be worth reading its text: places to be taken modulo the signature's number of bits; bit n is the bit of
 * value 2^(n mod 8) in byte n / 8, as PostgreSQL's `get_bit(bytea, n)` counts. Empty for a needle too short to rule out anything.
 */
export function gramsOf(foldedNeedle: string): readonly number[] {
  const all = new Set<number>();
  eachGram(foldedNeedle.length > 1_000 ? foldedNeedle.slice(0, 1_000) : foldedNeedle, (p) => all.add(p));
  const grams = [...all];
  if (grams.length <= MOST_GRAMS) return grams;
  return Array.from({ length: MOST_GRAMS }, (_, i) => grams[Math.floor((i * grams.length) / MOST_GRAMS)] as number);
}

/** False: the text does not contain the needle. True: it must be read. */
export function mayContain(signature: Uint8Array, grams: readonly number[]): boolean {
  const bits = signature.length * 8;
  if (bits === 0) return grams.length === 0;
  return grams.every((p) => {
    const at = p % bits;
    return ((signature[at >>> 3] as number) & (1 << (at & 7))) !== 0;
  });
}
