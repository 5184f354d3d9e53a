import type { Fact } from './event.js';

/**
 * An expected "no" of a decision or a policy. The reason is a literal that each edge (SMTP, POP3, API, CLI) maps to its own words
 * in one table; `detail` is for administrators and never shown to a stranger.
 */
export class Refusal<Reason extends string = string> extends Error {
  constructor(
    readonly reason: Reason,
    readonly detail?: string,
  ) {
    super(detail === undefined ? reason : `${reason}: ${detail}`);
  }
}

/**
 * A decision: command and state in, facts out. Pure: time, ids and chance arrive in the command.
 * Repeating a command that already had its effect is harmless: `decide` returns [].
 */
export interface Decider<Command, Event extends Fact, State> {
  readonly initial: State;
  /** @throws Refusal when the rules say no. */
  decide(command: Command, state: State): readonly Event[];
  evolve(state: State, event: Event): State;
}
