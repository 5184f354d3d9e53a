import { expect } from '@jest/globals';
import { type Decider, Refusal } from './decider.js';
import type { Fact } from './event.js';

/** Decisions as sentences: `given(decider)(history…).when(command).then(facts…)`. For tests only. */
export const given =
  <Command, Event extends Fact, State>(decider: Decider<Command, Event, State>) =>
  (...history: Event[]) => ({
    when(command: Command) {
      const outcome = () => decider.decide(command, history.reduce((state, event) => decider.evolve(state, event), decider.initial));
      return {
        then: (...facts: Event[]) => expect(outcome()).toEqual(facts),
        thenNothing: () => expect(outcome()).toEqual([]),
        refuses: (reason: string) => {
          let refusal: unknown;
          try {
            outcome();
          } catch (error) {
            refusal = error;
          }
          expect(refusal).toBeInstanceOf(Refusal);
          expect((refusal as Refusal).reason).toBe(reason);
        },
      };
    },
  });
