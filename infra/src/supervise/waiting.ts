import { setTimeout as pause } from 'node:timers/promises';

/** Somebody waits for an engine. Holds no secrets. */
export interface Wait {
  /** Which, and at which address. */
  readonly for: string;
  readonly why: string;
}

/** ms between two tries at first and at most, and between two times that the same is said. */
const FIRST = 250;
const LONGEST = 5_000;
const AGAIN = 60_000;

/** An engine was away for longer than the settings allow. */
export class WaitedInVain extends Error {}

/** How this process waits for engines that are away while it starts. */
export class Waiting {
  #now: Wait | undefined;
  #since = 0;
  #said = -Infinity;
  #pause = FIRST;
  #begun: () => void = () => undefined;

  /**
   * @param limit ms; 0: not at all.
   * @param say told at once, then now and then; with nothing when it is over.
   */
  constructor(
    private readonly limit: number,
    private readonly say: (wait: Wait | undefined) => void,
    private readonly clock: () => number = () => performance.now(),
    private readonly sleep: (ms: number) => Promise<unknown> = pause,
  ) {}

  get now(): Wait | undefined {
    return this.#now;
  }

  /** Whether anything is waited for. */
  get patient(): boolean {
    return this.limit > 0;
  }

  /** @param begun called whenever a wait begins. */
  notice(begun: () => void): void {
    this.#begun = begun;
  }

  /**
   * Until `open` succeeds, or fails for a reason that stays.
   * @param reason what is waited for after this error; undefined: nothing.
   * @throws WaitedInVain after too long; what `open` throws.
   */
  async until<T>(open: () => Promise<T>, reason: (error: unknown) => Wait | undefined): Promise<T> {
    for (;;) {
      try {
        const opened = await open();
        this.#over();
        return opened;
      } catch (error) {
        const wait = this.patient ? reason(error) : undefined;
        if (!wait) throw error;
        await this.#once(wait);
      }
    }
  }

  async #once(wait: Wait): Promise<void> {
    const now = this.clock();
    const before = this.#now;
    this.#now = wait;
    if (!before) {
      [this.#since, this.#pause] = [now, FIRST];
      this.#begun();
    }
    const left = this.#since + this.limit - now;
    if (left <= 0) throw new WaitedInVain(`${wait.for} did not answer within ${Math.round(this.limit / 1_000)} seconds: ${wait.why}`);
    if (before?.for !== wait.for || now - this.#said >= AGAIN) {
      this.#said = now;
      this.say(wait);
    }
    await this.sleep(Math.min(this.#pause, left));
    this.#pause = Math.min(2 * this.#pause, LONGEST);
  }

  #over(): void {
    if (!this.#now) return;
    this.#now = undefined;
    this.say(undefined);
  }
}

let here: Waiting | undefined;
/** Set in processes that the supervisor started, where nobody sits and waits; not in other commands. */
export const waitingHere = (): Waiting | undefined => here;
export const waitHere = (waiting: Waiting): void => void (here = waiting);
