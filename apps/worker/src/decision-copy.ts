import type { KurrentEventStore } from '@kiroku/infra/event-store/kurrentdb.js';

/** ms between looks, and after one that failed. */
const LOOK = 1_000;
const PAUSE = 5_000;

/**
 * Where KurrentDB has the decisions, sees that PostgreSQL's copy has them too: whoever appends completes it, but a process that dies in
 * between may be the last for a while. Any number of workers may do it at once.
 */
export class DecisionCopy {
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: Pick<KurrentEventStore, 'catchUp'>,
    private readonly trouble: (error: unknown) => void,
    private readonly look = LOOK,
    private readonly pause = PAUSE,
  ) {}

  start(): void {
    this.#running = this.#run(this.#stopping.signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const failed = await this.store.catchUp().then(() => false, (error: unknown) => {
        if (!signal.aborted) this.trouble(error);
        return true;
      });
      await rest(failed ? this.pause : this.look, signal);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}

const rest = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
