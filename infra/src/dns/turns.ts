/** Lets a fixed number of tasks run at once; the others wait in the order they came. */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      // A freed place goes straight to the next: nobody who comes now can overtake it.
      const next = this.#waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}
