/** Who wants connections. */
export interface Wanting {
  /** A connection may be had now: ask again. */
  pump(): void;
}

/** Connections of all routes together. */
export class Sessions {
  #used = 0;
  #handing = false;
  /** Those who were told no, in the order in which they asked. */
  readonly #wanting = new Set<Wanting>();
  /** Connections without work, the longest idle first, and how to close them. */
  readonly #idle = new Set<() => void>();

  constructor(private readonly most: () => number) {}

  get used(): number {
    return this.#used;
  }

  /** Does somebody wait for a connection to become free? */
  get wanted(): boolean {
    return this.#wanting.size > 0;
  }

  /** @returns false when there is none to be had; then `pump` is called when there may be. */
  take(who: Wanting): boolean {
    this.#wanting.delete(who);
    if (this.#used < this.most()) {
      this.#used++;
      return true;
    }
    this.#wanting.add(who);
    const [close] = this.#idle;
    close?.();
    return false;
  }

  release(): void {
    this.#used--;
    if (this.#handing) return; // the loop below goes on
    this.#handing = true;
    for (const next of this.#wanting) {
      if (this.#used >= this.most()) break;
      this.#wanting.delete(next);
      next.pump();
    }
    this.#handing = false;
  }

  /** A connection has no work: it may be closed for others. */
  idles(close: () => void): void {
    this.#idle.add(close);
  }

  works(close: () => void): void {
    this.#idle.delete(close);
  }

  forget(who: Wanting): void {
    this.#wanting.delete(who);
  }
}
