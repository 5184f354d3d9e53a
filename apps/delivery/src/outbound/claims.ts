import { gather } from '@kiroku/infra/read-model/gather.js';
import type { RowName } from '@kiroku/infra/read-model/queue.js';
import { type Entry, keyOf } from './entry.js';
import type { QueueAccess } from './ports.js';

/** Rows per statement. */
const MOST = 1_000;
const LINGER = 20;
/** ms until a release that failed is tried again, growing to the second. */
const SHORTEST_PAUSE = 200;
const LONGEST_PAUSE = 5_000;

interface Ask { readonly entries: readonly Entry[]; readonly host: string }

/** Claims of this process: what arrived meanwhile shares a statement. */
export class Claims {
  #releases: RowName[] = [];
  #releasing: Promise<void> | undefined;

  constructor(
    private readonly queue: QueueAccess,
    private readonly now: () => number,
    private readonly trouble: (error: unknown) => void,
  ) {}

  /**
   * Resolves to those of `entries` that may be sent now: their claim is durable.
   * Rejects when the outcome is unknown: they are to be released before anybody claims them again.
   */
  readonly take: (ask: Ask) => Promise<readonly Entry[]> = gather<Ask, readonly Entry[]>(async (asks) => {
    const all = asks.flatMap(({ entries, host }) => entries.map(({ row }) => ({ row, host })));
    const got = await this.queue.claim(all, this.now());
    if (got.length === all.length) return asks.map((ask) => ask.entries);
    const mine = new Set(got.map(keyOf));
    return asks.map(({ entries }) => entries.filter((e) => mine.has(e.key)));
  });

  /** These are being sent to that host: whoever finds the claim after a crash is to know. */
  named(names: readonly RowName[], host: string): void {
    this.queue.name(names.map(({ message_id, address }) => ({ message_id, address })), host).catch(this.trouble);
  }

  /** Resolves when they are released, however often that takes; never rejects. */
  release(names: readonly RowName[]): Promise<void> {
    for (const { message_id, address } of names) this.#releases.push({ message_id, address });
    this.#releasing ??= this.#release().finally(() => (this.#releasing = undefined));
    return this.#releasing;
  }

  async #release(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, LINGER)); // nobody waits for it: what ends meanwhile goes along
    for (let failures = 0; this.#releases.length > 0; ) {
      const batch = this.#releases.splice(0, MOST);
      try {
        await this.queue.unclaim(batch);
        failures = 0;
      } catch (error) {
        if (failures === 0) this.trouble(error);
        this.#releases = [...batch, ...this.#releases];
        const pause = Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** failures++);
        await new Promise((resolve) => setTimeout(resolve, pause).unref());
      }
    }
  }
}
