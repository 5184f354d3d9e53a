/**
 * How long to wait before starting a process again: doubles with each short life, begins anew after a long one. All in ms.
 */
export class Backoff {
  private wait = 0;

  constructor(
    private readonly first = 100,
    private readonly longest = 5_000,
    private readonly healthy = 30_000,
  ) {}

  /** @param lived how long the process lived, in ms. */
  next(lived: number): number {
    this.wait = this.wait === 0 || lived >= this.healthy ? this.first : Math.min(this.wait * 2, this.longest);
    return this.wait;
  }
}
