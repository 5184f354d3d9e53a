import { errorText, quarantineAggregate, quarantineDecider, quarantineStream, type SetAside } from '@kiroku/domain/delivery/quarantine.js';
import type { Append } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, load, record } from '@kiroku/domain/kernel/execute.js';
import { isOwnFault } from './fault.js';

/** Tries, and ms from the first to the last of them, before a message is set aside. */
const TRIES = 5;
const PATIENCE = 30_000;
/** ms while nothing proves that other messages fare better: then the fault may be everybody's, and waiting costs nobody. */
const LONG_PATIENCE = 10 * 60_000;
/** Messages that fail at a time; each holds up a partition, so there are few. */
const REMEMBERED = 1_000;

/** A message that failed, and where it was accepted. */
export interface Failed extends Pick<SetAside, 'messageId' | 'sha256' | 'size' | 'partition' | 'position'> {
  /** The MessageAccepted. */
  readonly causation: string;
}

/**
 * Decides when a message that fails again and again by a fault of our own is set aside, so that those behind it go on. Its memory is
 * the process's: a restart, perhaps with a release that mends the fault, gives every message new tries.
 */
export class Quarantine {
  readonly #failing = new Map<string, { tries: number; readonly since: number }>();
  #lastSuccess = -Infinity;

  constructor(private readonly engine: Engine) {}

  /** Some message was delivered. */
  delivered(): void {
    this.#lastSuccess = this.engine.clock.now();
  }

  /**
   * Counts a try.
   * @param othersPass asked when nothing else proves it: would another message get through now?
   * @returns what sets it aside ([] when it is already), undefined while it is to be tried on. After the append call `settled`.
   */
  async failed(failed: Failed, error: unknown, othersPass: () => Promise<boolean>): Promise<readonly Append[] | undefined> {
    if (!isOwnFault(error)) return undefined;
    const now = this.engine.clock.now();
    if (this.#failing.size >= REMEMBERED) this.#failing.clear();
    const known = this.#failing.get(failed.messageId) ?? { tries: 0, since: now };
    known.tries++;
    this.#failing.set(failed.messageId, known);
    const age = now - known.since;
    if (known.tries < TRIES || age < PATIENCE) return undefined;
    if (age < LONG_PATIENCE && this.#lastSuccess <= known.since && !(await othersPass())) return undefined;
    return setAside(this.engine, failed, error, known);
  }

  settled(messageId: string): void {
    this.#failing.delete(messageId);
  }
}

/** What sets a message aside; [] when it is already. */
export async function setAside(engine: Engine, { causation, ...failed }: Failed, error: unknown, { tries, since }: Pick<SetAside, 'tries' | 'since'>): Promise<readonly Append[]> {
  const stream = quarantineStream(failed.messageId);
  const { version, state } = await load(engine.store, quarantineAggregate, stream);
  const facts = quarantineDecider.decide({ type: 'SetAside', ...failed, error: errorText(error), tries, since }, state);
  if (facts.length === 0) return [];
  const origin = { actor: 'system:delivery', correlation: failed.messageId, causation };
  return [{ stream, expected: version, events: record(facts, engine, origin, quarantineAggregate.upgrades) }];
}
