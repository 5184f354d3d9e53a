import type { Decider } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import type { EventStore } from '../kernel/event-store.js';

/** The last event of each stream that a plan looks at; a stream that is absent is empty. */
export type Last = Awaited<ReturnType<EventStore['readLast']>>;

/** What one decider made of one stream. */
export interface Decision {
  readonly stream: string;
  readonly facts: readonly Fact[];
  /** The stream's state with these facts. */
  readonly state: unknown;
}

/**
 * One append over several streams, being drawn up. Only for streams whose every event carries the whole state.
 * Deciding adds nothing: a refusal half-way through an account leaves the draft as it was. Decisions that stand are added,
 * and later ones see them.
 */
export class Draft {
  readonly #facts = new Map<string, Fact[]>();
  readonly #states = new Map<string, unknown>();

  constructor(private readonly last: Last) {}

  state<Command, Event extends Fact, State>(stream: string, decider: Decider<Command, Event, State>): State {
    if (this.#states.has(stream)) return this.#states.get(stream) as State;
    const event = this.last.get(stream)?.event;
    return event ? decider.evolve(decider.initial, event as unknown as Event) : decider.initial;
  }

  /** @throws Refusal */
  decide<Command, Event extends Fact, State>(stream: string, decider: Decider<Command, Event, State>, command: Command): Decision {
    const state = this.state(stream, decider);
    const facts = decider.decide(command, state);
    return { stream, facts, state: facts.reduce((s, fact) => decider.evolve(s, fact), state) };
  }

  add(...decisions: readonly Decision[]): this {
    for (const { stream, facts, state } of decisions) {
      if (facts.length === 0) continue;
      this.#facts.set(stream, [...(this.#facts.get(stream) ?? []), ...facts]);
      this.#states.set(stream, state);
    }
    return this;
  }

  get facts(): readonly Fact[] {
    return [...this.#facts.values()].flat();
  }

  /** Per stream: the version that it was read at, and what is to be appended. */
  get appends(): readonly { readonly stream: string; readonly expected: number; readonly facts: readonly Fact[] }[] {
    return [...this.#facts].map(([stream, facts]) => ({ stream, expected: this.last.get(stream)?.version ?? 0, facts }));
  }
}
