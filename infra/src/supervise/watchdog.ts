/** CPU ms of the main thread without a sign of life: then it turns in a loop that does not end. */
export const STUCK_AFTER = 60_000;
/** ms between two looks. */
const LOOK = 5_000;

/**
 * Tells a process that is in an endless loop from one that is slow, stopped, swapped out, or waits for a disk: only the first uses CPU
 * time. A wait of whatever length is none of its business; so are hours of a machine asleep.
 */
export class Watchdog {
  #base: number | undefined;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param cpu CPU ms that the main thread has used; undefined when nobody knows: then it never barks.
   * @param stuck called once.
   */
  constructor(private readonly cpu: () => number | undefined, stuck: () => void, limit: number = STUCK_AFTER) {
    this.sign();
    this.#timer = setInterval(() => {
      const used = this.cpu();
      if (used === undefined || this.#base === undefined || used - this.#base < limit) return;
      this.stop();
      stuck();
    }, Math.min(LOOK, limit / 2)).unref();
  }

  /** A sign of life. */
  sign(): void {
    this.#base = this.cpu();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
