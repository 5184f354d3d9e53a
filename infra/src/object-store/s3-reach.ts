import { isPassing } from './s3-errors.js';

/** ms between two tries at a server that is away, and for which one such try is waited for. */
const PROBE = 1_000;
const MOMENT = 900;

/**
 * Whether the server is within reach, as all requests together find it: away is one to which for some time every attempt has failed. Who
 * asks it for something then need not find that out again: nobody waits, and now and then one is let through to see.
 */
export class Reach {
  /** For a request to a server that is away. ms */
  readonly moment: number = MOMENT;
  #failingSince: number | undefined;
  #failure: Error | undefined;
  #answered = -Infinity;
  #probed = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<(failure: Error) => void>();

  /** @param patience ms for which it may fail before it counts as away: shorter trouble is waited out. */
  constructor(
    private readonly patience: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** What the server failed with last, while it is away. */
  get away(): { readonly failure: Error } | undefined {
    return this.#failure && this.#failingSince !== undefined && this.now() - this.#failingSince >= this.patience ? { failure: this.#failure } : undefined;
  }

  /** Whether a request may try a server that is away. */
  mayTry(): boolean {
    if (this.now() - this.#probed < PROBE) return false;
    this.#probed = this.now();
    return true;
  }

  /** @param tell called once when the server becomes known to be away. @returns what ends that. */
  onAway(tell: (failure: Error) => void): () => void {
    this.#waiting.add(tell);
    return () => void this.#waiting.delete(tell);
  }

  /** Makes one attempt, and learns from its end, also when nobody waits for it any more. */
  async watch<T>(attempt: () => Promise<T>): Promise<T> {
    const began = this.now();
    try {
      const result = await attempt();
      this.#answers();
      return result;
    } catch (error) {
      if (isPassing(error)) this.#fails(began, error as Error);
      else this.#answers();
      throw error;
    }
  }

  #answers(): void {
    this.#answered = this.now();
    this.#failingSince = this.#failure = undefined;
    clearTimeout(this.#timer);
  }

  #fails(began: number, error: Error): void {
    this.#failure = error;
    if (this.#failingSince !== undefined) return;
    this.#failingSince = Math.max(began, this.#answered);
    this.#timer = setTimeout(() => this.#tell(), Math.max(0, this.#failingSince + this.patience - this.now())).unref();
  }

  #tell(): void {
    const failure = this.#failure;
    if (failure) for (const tell of [...this.#waiting]) tell(failure);
  }
}
