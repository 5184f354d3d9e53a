/** More logins wait than the server can check soon. Temporary: answer 454 4.7.0 or -ERR [SYS/TEMP]. */
export class TooManyLogins extends Error {
  constructor() {
    super('too many logins wait to be checked');
  }
}

/**
 * Lets a few expensive checks run at once and a bounded number wait, so that a flood of logins eats neither the memory
 * nor the thread pool that file writes need too.
 */
export class LoginGate {
  private running = 0;
  private readonly queue: (() => void)[] = [];

  constructor(
    private readonly atOnce: number,
    private readonly waiting: number,
  ) {}

  /** @throws TooManyLogins without running `check`. */
  async run<T>(check: () => Promise<T>): Promise<T> {
    if (this.running < this.atOnce) this.running++;
    else if (this.queue.length >= this.waiting) throw new TooManyLogins();
    // The place is handed over by whoever leaves: `running` stays as it is.
    else await new Promise<void>((enter) => this.queue.push(enter));
    try {
      return await check();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.running--;
    }
  }
}
