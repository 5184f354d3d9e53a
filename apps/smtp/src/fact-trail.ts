import type { Entry, EventLog } from '@kiroku/domain/kernel/event-log.js';

/** Facts kept in memory while the log is slow or away. */
const WAITING = 10_000;
/** Facts of one append. */
const BATCH = 500;

/**
 * Facts that nobody waits for: refusals. Appended in the order of `add`, one batch at a time; while the log is away they are
 * kept up to a limit, and what cannot be kept or was refused is counted and gone.
 */
export class FactTrail {
  /** Facts that were lost. */
  dropped = 0;
  private waiting: Entry[] = [];
  private running: Promise<void> | undefined;

  constructor(private readonly log: EventLog) {}

  add(entries: readonly Entry[]): void {
    if (this.waiting.length + entries.length > WAITING) {
      this.dropped += entries.length;
      return;
    }
    this.waiting.push(...entries);
    this.running ??= this.drain();
  }

  /** Resolves when all that was added so far is written or lost. */
  async settled(): Promise<void> {
    while (this.running) await this.running;
  }

  private async drain(): Promise<void> {
    await Promise.resolve(); // what is added in this turn goes in one batch
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, BATCH);
      try {
        await this.log.append(batch, { patient: true });
      } catch {
        this.dropped += batch.length;
      }
    }
    this.running = undefined;
  }
}
