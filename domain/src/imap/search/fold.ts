/** Nothing in it that folding could touch but the case. */
const ASCII = /^[\0-\x7f]*$/;

/**
 * Text in the form in which it is compared: i;unicode-casemap (RFC 5051), which I18NLEVEL=1 (RFC 5255 §4.2) asks of SEARCH, SORT and
 * THREAD. Compatibility decomposition makes full-width and half-width forms equal (`Ａ` and `A`, `ｶﾞ` and `ガ`). Case mapping is the full one
 * (`ß` is `SS`): it finds more, never less, than the simple one. Folding twice changes nothing.
 */
export function fold(text: string): string {
  if (ASCII.test(text)) return text.toUpperCase();
  // Decomposed before and after: small letters hide in compatibility forms (`㎏`), and some capitals are composed.
  return text.normalize('NFKD').toUpperCase().normalize('NFKD');
}

/** Substring search, the only kind SEARCH knows (RFC 9051 §6.4.4). Both must be folded; '' is in every text. */
export function contains(foldedText: string, foldedNeedle: string): boolean {
  return foldedText.includes(foldedNeedle);
}

/**
 * Looks for texts in one that arrives in pieces, in bounded memory: what a hit needs of earlier pieces is kept, the rest is let go.
 * Pieces are cut where folding cannot reach across: before an ASCII character, which no combining mark can join to what follows.
 */
export class PiecewiseSearch {
  readonly #missing: Set<string>;
  readonly #overlap: number;
  #raw = '';
  #tail = '';

  constructor(foldedNeedles: readonly string[]) {
    this.#missing = new Set(foldedNeedles.filter((n) => n !== ''));
    this.#overlap = Math.max(0, ...foldedNeedles.map((n) => n.length)) - 1;
  }

  /** All have been found; what else comes need not be read. */
  get found(): boolean {
    return this.#missing.size === 0;
  }

  /** Those not found so far. */
  get missing(): ReadonlySet<string> {
    return this.#missing;
  }

  /** A folded text, whole. */
  take(foldedText: string): void {
    for (const needle of this.#missing) if (foldedText.includes(needle)) this.#missing.delete(needle);
  }

  /** The next piece of a text that is not folded. */
  write(piece: string): void {
    const text = this.#raw + piece;
    const cut = lastSafeCut(text);
    this.#raw = text.slice(cut);
    if (cut > 0) this.#look(text.slice(0, cut));
  }

  /** The text ends here; what comes next belongs to another one, and no hit spans both. */
  end(): void {
    this.#look(this.#raw);
    this.#raw = '';
    this.#tail = '';
  }

  #look(text: string): void {
    const folded = this.#tail + fold(text);
    this.take(folded);
    this.#tail = this.#overlap > 0 ? folded.slice(-this.#overlap) : '';
  }
}

/** More combining marks in a row than this are no language: the text is cut all the same, so that memory stays bounded. */
const LONGEST_RUN = 65_536;

function lastSafeCut(text: string): number {
  for (let i = text.length - 1; i > 0; i--) if (text.charCodeAt(i) < 0x80) return i;
  return text.length > LONGEST_RUN ? LONGEST_RUN : 0;
}
