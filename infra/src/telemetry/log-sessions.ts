import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { record, type Engine } from '@kiroku/domain/kernel/execute.js';
import type { SessionFact } from '@kiroku/domain/mail/events.js';
import type { SessionLog } from './session-log.js';

const MOST_WAITING = 10_000;
const MOST_PER_APPEND = 1_000;
/** ms between tries while the log is away. */
const PAUSE = 1_000;

/** Session facts on their way to the event log: gathered while the last append runs, bounded while the log is away. */
export class LoggedSessions implements SessionLog {
  #waiting: { key: string; event: Recorded }[] = [];
  #running: Promise<void> | undefined;
  #dropped = 0;

  constructor(
    private readonly log: EventLog,
    private readonly engine: Pick<Engine, 'clock' | 'ids'>,
    private readonly dropped: (count: number) => void,
    private readonly trouble: (error: unknown) => void,
  ) {}

  note(session: string, fact: SessionFact): void {
    const [event] = record([fact], this.engine, { actor: `session:${session}`, correlation: session }, {});
    if (!event) return;
    this.#waiting.push({ key: session, event });
    if (this.#waiting.length > MOST_WAITING) {
      const lost = this.#waiting.length - MOST_WAITING;
      this.#waiting.splice(0, lost);
      this.#dropped += lost;
      this.dropped(lost);
    }
    this.#running ??= this.#drain();
  }

  /** Resolves when what was noted so far is in the log, or could not be brought there within one more try. */
  async flush(): Promise<void> {
    await Promise.race([this.#running, new Promise((resolve) => setTimeout(resolve, 5_000).unref())]);
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MOST_PER_APPEND);
      try {
        await this.log.append(batch.map(({ key, event }) => ({ topic: 'session' as const, key, event })), { patient: true });
      } catch (error) {
        this.trouble(error);
        this.#waiting.unshift(...batch); // may come twice when the outcome was unknown; ids tell
        await new Promise((resolve) => setTimeout(resolve, PAUSE).unref());
      }
    }
    this.#running = undefined; // in the same turn as the last look: what is noted from now on starts a new run
  }
}
