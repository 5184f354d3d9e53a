/**
 * What is known of whoever wants connections. `good`: has answered quickly the last time; `slow`: has not; `new`: nothing is known.
 * Each kind is served in its turn, so that a thousand new destinations do not hold up one that is known to be quick.
 */
export type Standing = 'good' | 'new' | 'slow';
const STANDINGS: readonly Standing[] = ['good', 'new', 'slow'];

/** Who wants connections. */
export interface Wanting {
  readonly standing: Standing;
  /** A connection may be had now: ask again. */
  pump(): void;
}

/** A connection's place among all. */
export interface Seat {
  /** It counts in the share of the slow ones. */
  readonly slow: boolean;
}
type Counted = { slow: boolean };

/** Connections of all routes together. Slow ones may hold half of them: others always find room. */
export class Sessions {
  #used = 0;
  #slow = 0;
  #handing = false;
  /** Those who were told no, in the order in which they asked. */
  readonly #wanting: Readonly<Record<Standing, Set<Wanting>>> = { good: new Set(), new: new Set(), slow: new Set() };
  #turn = 0;
  /** Connections without work, the longest idle first, and how to close them. */
  readonly #idle = new Set<() => void>();

  constructor(private readonly most: () => number) {}

  get used(): number {
    return this.#used;
  }

  /** Does somebody wait for a connection to become free? */
  get wanted(): boolean {
    return STANDINGS.some((standing) => this.#wanting[standing].size > 0 && (standing !== 'slow' || this.slowShare));
  }

  /** Is there room for one more slow one? */
  get slowShare(): boolean {
    return this.#slow < Math.max(1, this.most() >> 1);
  }

  /** @returns undefined when there is none to be had; then `pump` is called when there may be. */
  take(who: Wanting): Seat | undefined {
    this.forget(who);
    const slow = who.standing === 'slow';
    if (this.#used < this.most() && (!slow || this.slowShare)) {
      this.#used++;
      if (slow) this.#slow++;
      return { slow };
    }
    this.#wanting[who.standing].add(who);
    if (this.#used < this.most()) return undefined;
    const [close] = this.#idle;
    close?.();
    return undefined;
  }

  release(seat: Seat): void {
    this.#used--;
    if (seat.slow) this.#slow--;
    this.#hand();
  }

  /** It has not got on for long. @returns whether it may keep its place: not when the slow ones' share is full and others wait. */
  crawls(seat: Seat): boolean {
    if (!seat.slow && this.slowShare) {
      (seat as Counted).slow = true;
      this.#slow++;
    }
    return seat.slow || !this.wanted;
  }

  /** It has got on. */
  quickens(seat: Seat): void {
    if (!seat.slow) return;
    (seat as Counted).slow = false;
    this.#slow--;
    this.#hand();
  }

  /** What is free goes to those who wait, a standing at a time. */
  #hand(): void {
    if (this.#handing) return; // the loop below goes on
    this.#handing = true;
    for (let idle = 0; idle < STANDINGS.length && this.#used < this.most(); ) {
      const standing = STANDINGS[this.#turn] as Standing;
      this.#turn = (this.#turn + 1) % STANDINGS.length;
      const [next] = standing === 'slow' && !this.slowShare ? [] : this.#wanting[standing];
      idle = next ? 0 : idle + 1;
      if (next) {
        this.#wanting[standing].delete(next);
        next.pump();
      }
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
    for (const standing of STANDINGS) this.#wanting[standing].delete(who);
  }
}
