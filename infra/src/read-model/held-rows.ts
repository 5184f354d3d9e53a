/** A row that a batch of events made; undefined: there is none any more. */
interface Held<R> {
  readonly name: string;
  row: R | undefined;
}

/**
 * Rows of a table that one writer alone fills and nobody reads meanwhile: they are written when no event touched them for a while,
 * so that a row which several batches concern is written once and not read again.
 */
export class HeldRows<R, H extends Held<R>> {
  /** First the one that no event touched for longest. */
  readonly #rows = new Map<string, H>();
  #last: Promise<void> = Promise.resolve();

  /** @param most rows that wait at most. */
  constructor(private readonly most: number) {}

  /**
   * Batches are folded one after the other, while earlier ones are being written: the next needs to know what is held.
   * @returns to call when the rows of this batch are held.
   */
  async turn(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    return resolve;
  }

  get(name: string): H | undefined {
    return this.#rows.get(name);
  }

  /** @returns what has to be written to make room, deletions included. */
  hold(changed: readonly H[]): readonly H[] {
    for (const held of changed) {
      this.#rows.delete(held.name);
      this.#rows.set(held.name, held);
    }
    const leaving: H[] = [];
    for (const held of this.#rows.values()) {
      if (this.#rows.size - leaving.length <= this.most) break;
      leaving.push(held);
    }
    for (const { name } of leaving) this.#rows.delete(name);
    return leaving;
  }

  /** @returns all of them: none is held any more. */
  take(): readonly H[] {
    const all = [...this.#rows.values()];
    this.#rows.clear();
    return all;
  }
}
