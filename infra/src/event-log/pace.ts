import type { Consumer } from '@kiroku/domain/kernel/event-log.js';

/** ms after which a consumer is asked again how fast it wants to go. */
const STEP = 500;

/** What is needed of the log to wait. */
export interface PaceControl {
  readonly stopping: AbortSignal;
  /** A number that changes when something came to any of the consumer's partitions. */
  seen(): number;
  /** ms; ends early when told to stop. */
  pause(ms: number): Promise<void>;
}

/**
 * When a consumer takes its next step: all its partitions together, so that what came to them shares a transaction, also where mail comes to one
 * partition for a moment and then to another.
 */
export class Pace {
  #began = -Infinity;
  #round: Promise<void> | undefined;

  constructor(
    private readonly consumer: Pick<Consumer, 'pace' | 'lull'>,
    private readonly control: PaceControl,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Resolves when the next step begins: at once when the last one is long ago. */
  next(): Promise<void> {
    return (this.#round ??= this.#wait().finally(() => {
      this.#round = undefined;
      this.#began = this.now();
    }));
  }

  async #wait(): Promise<void> {
    const { consumer, control } = this;
    for (let seen = control.seen(); !control.stopping.aborted; ) {
      const left = (consumer.pace?.() ?? 0) - (this.now() - this.#began);
      if (left <= 0) return;
      await control.pause(Math.min(left, consumer.lull ?? STEP));
      if (consumer.lull !== undefined && control.seen() === seen) return;
      seen = control.seen();
    }
  }
}
