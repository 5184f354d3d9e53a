import type { QueuedMessage } from '@kiroku/domain/delivery/queue-events.js';
import type { Claim, RowName } from '@kiroku/infra/read-model/queue.js';
import { type Entry, entryOf, keyOf } from './entry.js';
import { attemptOf } from './job.js';
import type { OutboundPorts } from './ports.js';
import type { Recorder } from './recorder.js';
import type { Window } from './window.js';

const REPLY = '451 4.4.2 This server stopped before it recorded the outcome';

/**
 * Claims that others left behind. Where the owner is gone and no attempt was recorded since, nobody knows whether the message
 * arrived: that is an attempt with the outcome `unknown`, tried again by rule. Where the owner lives, its recipients are left to it.
 */
export class Takeover {
  /** Recipients that another living process is at. */
  #theirs: ReadonlyMap<string, RowName> = new Map();
  /** Being recorded. */
  readonly #under = new Set<string>();

  constructor(
    private readonly ports: OutboundPorts,
    private readonly window: Window,
    private readonly recorder: Recorder,
  ) {}

  has(key: string): boolean {
    return this.#theirs.has(key);
  }

  get waitsForOthers(): boolean {
    return this.#theirs.size > 0;
  }

  /**
   * Looks at these partitions. After it, rows whose keys are neither `has` nor in the window may be touched.
   * @returns the recipients that others have done with since the last look.
   */
  async look(partitions: readonly number[]): Promise<readonly RowName[]> {
    const found = partitions.length === 0 ? [] : await this.ports.queue.foreignClaims(partitions);
    const before = this.#theirs;
    this.#theirs = new Map(found.filter((c) => c.alive).map((c) => [keyOf(c), c]));
    await this.#takeOver(found);
    return [...before.values()].filter((name) => !this.#theirs.has(keyOf(name)) && !this.window.has(keyOf(name)));
  }

  async #takeOver(found: readonly Claim[]): Promise<void> {
    const left = found.filter((c) => !c.alive && !this.#under.has(keyOf(c)));
    if (left.length === 0) return;
    const rows = new Map((await this.ports.queue.rows(left)).map((row) => [keyOf(row), row]));
    const messages = new Map<string, QueuedMessage>();
    const settled: Claim[] = [];
    for (const claim of left) {
      const row = rows.get(keyOf(claim));
      if (!row || row.state === 'unread' || (row.last_at ?? -1) >= claim.started_at) settled.push(claim);
      else this.#unknown(claim, entryOf(row, messages));
    }
    await this.#release(settled);
  }

  #unknown(claim: Claim, entry: Entry): void {
    const { key, row } = entry;
    this.#under.add(key);
    this.window.occupy(key);
    const route = this.ports.route(row, entry.message);
    const result = { address: row.address, outcome: 'unknown', cause: 'line', reply: REPLY, phase: 'end-of-data' } as const;
    const attempt = attemptOf([entry], route, [result], 0);
    this.recorder.add({
      entries: [entry], claimed: false, attempt: { ...attempt, ...(claim.host !== '' && { host: claim.host }) },
      recorded: () => {
        this.#under.delete(key);
        void this.#release([claim]).catch((error: unknown) => this.ports.trouble(error)); // seen again as settled
      },
    });
  }

  async #release(claims: readonly Claim[]): Promise<void> {
    const owners = new Map<string, Claim[]>();
    for (const claim of claims) owners.set(claim.owner, [...(owners.get(claim.owner) ?? []), claim]);
    for (const [owner, its] of owners) await this.ports.queue.unclaim(its, owner);
  }
}
