import { attemptFacts, stillTrue, triedOf } from '@kiroku/domain/delivery/attempts.js';
import { type DeliveryEvent, messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { Attempt, QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { record } from '@kiroku/domain/kernel/execute.js';
import { atMost } from '@kiroku/infra/cache/bound.js';
import { LRUCache } from 'lru-cache';
import type { Claims } from './claims.js';
import { type Entry, keyOf } from './entry.js';
import type { OutboundPorts } from './ports.js';

/** An attempt that is over: results as the conversation gave them, one per entry. */
export interface Ended {
  readonly entries: readonly Entry[];
  readonly attempt: Attempt;
  /** The entries bear a claim, which goes once the attempt is recorded. */
  readonly claimed: boolean;
  /** Called once it is recorded. */
  readonly recorded?: () => void;
}

/** An attempt on its way into the store. */
interface Pending extends Ended {
  facts: readonly (QueueEvent | DeliveryEvent)[];
  /** Made once: by the first one's id the attempt is known again when nobody knows whether it was written. */
  events: readonly Recorded[];
  /** The version it was first appended behind, when the outcome of that is unknown. */
  doubtful: number | undefined;
}

/** Events per round. */
const MOST_EVENTS = 500;
/** Recipients whose results wait before no new message is begun. */
const MOST_WAITING = 2_000;
/** With fewer attempts a round waits for some more (ms): no conversation waits for it. */
const FEW = 50;
const LINGER = 5;
/** Streams whose version is remembered: recipients of one message end one after the other. */
const VERSIONS = 20_000;
/** ms between tries when the store says no, growing to the second. */
const SHORTEST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;
const ASIDE = 2_000;

/**
 * Writes down what became of attempts: those that ended meanwhile share a round. Nothing is forgotten before the store has it:
 * results wait here, and their claims in the database, for as long as the store says no.
 */
export class Recorder {
  readonly #versions = new LRUCache<string, number>(atMost(VERSIONS));
  #queue: Pending[] = [];
  /** What could not be written for a reason of its own. */
  #aside: Pending[] = [];
  /** Recipients not recorded yet. */
  #recipients = 0;
  #running: Promise<void> | undefined;
  #failing = false;
  #stopped = false;
  #wake: () => void = () => undefined;

  constructor(
    private readonly ports: OutboundPorts,
    private readonly claims: Claims,
    /** Told of entries that are recorded: they leave memory. */
    private readonly done: (entries: readonly Entry[]) => void,
    /** Told when there is room again after there was none. */
    private readonly relieved: () => void,
  ) {}

  /** No new messages: the store does not keep up. */
  get full(): boolean {
    return this.#failing || this.#recipients >= MOST_WAITING;
  }

  get waiting(): number {
    return this.#recipients;
  }

  add(ended: Ended): void {
    const { clock } = this.ports.engine;
    const { entries, attempt } = ended;
    // Of what was delivered nobody needs to know more, unless the sender asked.
    const tried = entries.filter((e, i) => { const r = attempt.results[i]; return r?.outcome !== 'delivered' || r.relayed === true; });
    const attempting = { settings: this.ports.settings().retry, now: clock.now(), chance: this.ports.chance() };
    const facts = this.#consequences(() => attemptFacts(attempt, (entries[0] as Entry).message, tried.map((e) => triedOf(e.row)), attempting), attempt);
    this.#queue.push({ ...ended, facts, events: this.#enveloped(attempt.messageId, facts), doubtful: undefined });
    this.#recipients += entries.length;
    this.#start();
  }

  /** What happened is written down even where a row does not say what follows; the queue then tries again of itself. */
  #consequences(decide: () => readonly (QueueEvent | DeliveryEvent)[], attempt: Attempt): readonly (QueueEvent | DeliveryEvent)[] {
    try {
      return decide();
    } catch (error) {
      this.ports.trouble(error);
      return [{ type: 'DeliveryAttempted', data: attempt }];
    }
  }

  #enveloped(messageId: string, facts: readonly (QueueEvent | DeliveryEvent)[]): readonly Recorded[] {
    return record(facts, this.ports.engine, { actor: 'system:delivery', correlation: messageId }, {});
  }

  /** Resolves when everything is recorded, or at the latest after `ms`; nothing is tried any more then. @returns whether all is. */
  async flush(ms: number): Promise<boolean> {
    const timer = setTimeout(() => {
      this.#stopped = true;
      this.#wake();
    }, ms);
    while (this.#recipients > 0 && !this.#stopped) {
      this.#putBack();
      await this.#running;
      if (this.#aside.length > 0 && !this.#stopped) await this.#pause(SHORTEST_PAUSE);
    }
    clearTimeout(timer);
    this.#stopped = true;
    return this.#recipients === 0;
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0 && !this.#stopped) this.#start();
    });
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#queue.length > 0 && !this.#stopped; ) {
      const full = this.full;
      if (this.#queue.length < FEW) await this.#pause(LINGER);
      const round = this.#next();
      const { again, troubled, written } = await this.#write(round);
      this.#queue.unshift(...again);
      this.#failing = troubled.length > 1 && !written;
      if (this.#failing) {
        this.#queue.unshift(...troubled);
        await this.#pause(Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** Math.min(failures++, 10)));
      } else {
        failures = 0;
        this.#putAside(troubled);
      }
      if (full && !this.full) this.relieved();
    }
  }

  /** What fails while others are written, or alone, must not hold the others up. */
  #putAside(troubled: readonly Pending[]): void {
    if (troubled.length === 0) return;
    if (this.#aside.length === 0) setTimeout(() => this.#putBack(), ASIDE).unref();
    this.#aside.push(...troubled);
  }

  #putBack(): void {
    if (this.#stopped) return;
    this.#queue.push(...this.#aside.splice(0));
    if (this.#queue.length > 0) this.#start();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #next(): readonly Pending[] {
    let events = 0;
    let n = 0;
    while (n < this.#queue.length && (n === 0 || events + (this.#queue[n] as Pending).events.length <= MOST_EVENTS)) events += (this.#queue[n++] as Pending).events.length;
    return this.#queue.splice(0, n);
  }

  /**
   * Each stream in a call of its own: the store puts them into one transaction, and tells them apart when one is at fault.
   * @returns what is to be written once more, and what met trouble.
   */
  async #write(round: readonly Pending[]): Promise<{ again: readonly Pending[]; troubled: readonly Pending[]; written: boolean }> {
    const streams = new Map<string, Pending[]>();
    for (const pending of round) {
      const stream = messageStream(pending.attempt.messageId);
      const same = streams.get(stream);
      if (same) same.push(pending);
      else streams.set(stream, [pending]);
    }
    const moved = new Map<string, readonly Pending[]>();
    const troubled: Pending[] = [];
    let written = false;
    await Promise.all([...streams].map(async ([stream, all]) => {
      const expected = this.#versionOf(stream, all);
      const events = all.length === 1 ? (all[0] as Pending).events : all.flatMap((p) => p.events);
      try {
        await this.ports.engine.store.append([{ stream, expected, events }]);
        written = true;
        this.#versions.set(stream, expected + events.length);
        this.#settled(all);
      } catch (error) {
        if (error instanceof VersionConflict) return void moved.set(stream, all);
        if (troubled.length === 0) this.ports.trouble(error);
        for (const pending of all) pending.doubtful ??= expected;
        troubled.push(...all);
      }
    }));
    if (moved.size === 0) return { again: [], troubled, written };
    try {
      return { again: await this.#readAgain(moved), troubled, written };
    } catch (error) {
      if (troubled.length === 0) this.ports.trouble(error);
      return { again: [], troubled: [...troubled, ...[...moved.values()].flat()], written };
    }
  }

  #versionOf(stream: string, all: readonly Pending[]): number {
    let version = this.#versions.get(stream) ?? 0;
    for (const { entries } of all) for (const { row } of entries) version = Math.max(version, row.version);
    return version;
  }

  /** Somebody else appended to these streams, or nobody knows whether we did. @returns what is still to be written, as far as it is still true. */
  async #readAgain(moved: ReadonlyMap<string, readonly Pending[]>): Promise<readonly Pending[]> {
    const open: Pending[] = [];
    for (const [stream, all] of moved)
      for (const pending of all) {
        if (pending.doubtful !== undefined && (await this.#isWritten(stream, pending.doubtful, pending))) this.#settled([pending]);
        else open.push(pending);
      }
    // Versions first: what changes after that makes the next append fail again, and the rows are at least as new.
    const last = await this.ports.engine.store.readLast([...moved.keys()]);
    const rows = new Set((await this.ports.queue.rows(open.flatMap((p) => p.entries.map((e) => e.row)))).map(keyOf));
    for (const [stream, { version }] of last) this.#versions.set(stream, version);
    for (const pending of open) {
      const { messageId } = pending.attempt;
      pending.facts = stillTrue(pending.facts, (address) => rows.has(keyOf({ message_id: messageId, address })));
      const [first, ...rest] = this.#enveloped(messageId, pending.facts);
      if (first) pending.events = [{ ...first, id: (pending.events[0] as Recorded).id }, ...rest];
    }
    return open;
  }

  async #isWritten(stream: string, after: number, { events }: Pending): Promise<boolean> {
    const { events: since } = await this.ports.engine.store.read(stream, after);
    return since.some((e) => e.id === events[0]?.id);
  }

  #settled(all: readonly Pending[]): void {
    for (const { entries, claimed, attempt, recorded } of all) {
      this.#recipients -= entries.length;
      if (claimed) void this.claims.release(entries.map((e) => e.row));
      for (const { outcome } of attempt.results) this.ports.counted?.(outcome, 1);
      this.done(entries);
      recorded?.();
    }
  }
}
