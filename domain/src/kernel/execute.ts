import type { Clock, Ids } from './clock.js';
import type { Decider } from './decider.js';
import type { Fact, Origin, Recorded } from './event.js';
import { type EventStore, VersionConflict } from './event-store.js';
import { type Upgrades, versionOf } from './upcast.js';

/** What `execute` needs of the outside. */
export interface Engine {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** A decider with the past shapes of its events. */
export interface Aggregate<Command, Event extends Fact, State> {
  readonly decider: Decider<Command, Event, State>;
  readonly upgrades: Upgrades;
}

/** Puts facts into envelopes. */
export function record(
  facts: readonly Fact[],
  { clock, ids }: Pick<Engine, 'clock' | 'ids'>,
  origin: Origin,
  upgrades: Upgrades,
): readonly Recorded[] {
  return facts.map(({ type, data }) => ({ id: ids.uuid(), type, version: versionOf(type, upgrades), at: clock.now(), ...origin, data }));
}

/** The state of one stream as it is now, and its version. */
export async function load<Command, Event extends Fact, State>(
  store: EventStore,
  { decider }: Aggregate<Command, Event, State>,
  stream: string,
): Promise<{ version: number; state: State }> {
  const { version, events } = await store.read(stream);
  // What a stream holds was written by its own decider, and the adapter upcasts on read.
  const state = events.reduce((s, e) => decider.evolve(s, e as unknown as Event), decider.initial);
  return { version, state };
}

/**
 * Read, decide, append; again from the top when someone else was faster.
 * @param attempts tries in all; the last VersionConflict is thrown.
 * @returns the facts recorded, [] when the command changed nothing.
 */
export async function execute<Command, Event extends Fact, State>(
  engine: Engine,
  aggregate: Aggregate<Command, Event, State>,
  stream: string,
  command: Command,
  origin: Origin,
  attempts = 5,
): Promise<readonly Event[]> {
  for (let attempt = 1; ; attempt++) {
    const { version, state } = await load(engine.store, aggregate, stream);
    const facts = aggregate.decider.decide(command, state);
    if (facts.length === 0) return facts;
    try {
      await engine.store.append([{ stream, expected: version, events: record(facts, engine, origin, aggregate.upgrades) }]);
      return facts;
    } catch (error) {
      if (!(error instanceof VersionConflict) || attempt >= attempts) throw error;
    }
  }
}
