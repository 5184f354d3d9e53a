import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { isReason } from './reason.js';

/**
 * Messages that local delivery cannot deliver because of a fault of its own, set aside so that they hold up no other: stream
 * `quarantine-<queue id>`. Nothing is lost: the message stays in the log, its body is kept, and an administrator has it tried again.
 */
export const quarantineStream = (messageId: string): string => `quarantine-${messageId}`;

/** What delivery knows of a message it gives up for now, and where in topic `mail` it was accepted. */
export interface SetAside {
  readonly messageId: string;
  /** The body, which must be kept. Hex. */
  readonly sha256: string;
  readonly size: number;
  readonly partition: number;
  readonly position: number;
  /** What went wrong, in the program's own words; one line, at most LONGEST_ERROR characters. */
  readonly error: string;
  /** Tries made, the first of them at `since` (epoch ms). */
  readonly tries: number;
  readonly since: number;
}

export type QuarantineEvent =
  | Fact<'MessageQuarantined', SetAside>
  | Fact<'QuarantineRetried', { readonly messageId: string; readonly reason: string }>
  /** An administrator gave it up: it is never delivered, nobody is told, and its body may be removed. */
  | Fact<'QuarantineDiscarded', { readonly messageId: string; readonly reason: string }>
  /** It was delivered, in the same append. */
  | Fact<'QuarantineEnded', { readonly messageId: string }>;

export type QuarantineCommand =
  | ({ readonly type: 'SetAside' } & SetAside)
  | { readonly type: 'Retry' | 'Discard'; readonly messageId: string; readonly reason: string }
  | { readonly type: 'End'; readonly messageId: string };

export type QuarantineRefusal = 'not-quarantined' | 'already-discarded' | 'bad-reason';
type State = 'none' | 'aside' | 'retrying' | 'discarded';

export const LONGEST_ERROR = 300;
/** An error's message as an event may hold it: short, one line, and nothing that a database cannot store. */
export const errorText = (error: unknown): string =>
  (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).replace(/[\p{Cc}\p{Cs}]+/gu, ' ').slice(0, LONGEST_ERROR).toWellFormed();

export const quarantineDecider: Decider<QuarantineCommand, QuarantineEvent, State> = {
  initial: 'none',
  decide(command, state) {
    const { messageId } = command;
    switch (command.type) {
      case 'SetAside': {
        const { type: _, ...data } = command;
        return state === 'aside' || state === 'discarded' ? [] : [{ type: 'MessageQuarantined', data }];
      }
      case 'Retry':
        judge(command, state);
        return state === 'retrying' ? [] : [{ type: 'QuarantineRetried', data: { messageId, reason: command.reason } }];
      case 'Discard': // of one that is being tried again, too: delivery's append then comes too late
        judge(command, state);
        return [{ type: 'QuarantineDiscarded', data: { messageId, reason: command.reason } }];
      case 'End':
        return state === 'none' || state === 'discarded' ? [] : [{ type: 'QuarantineEnded', data: { messageId } }];
    }
  },
  evolve(_, { type }) {
    switch (type) {
      case 'MessageQuarantined':
        return 'aside';
      case 'QuarantineRetried':
        return 'retrying';
      case 'QuarantineDiscarded':
        return 'discarded';
      case 'QuarantineEnded':
        return 'none';
    }
  },
};

/** May an administrator decide about it? */
function judge({ messageId, reason }: { readonly messageId: string; readonly reason: string }, state: State): void {
  if (!isReason(reason)) throw new Refusal<QuarantineRefusal>('bad-reason');
  if (state === 'discarded') throw new Refusal<QuarantineRefusal>('already-discarded', messageId);
  if (state === 'none') throw new Refusal<QuarantineRefusal>('not-quarantined', messageId);
}

export const quarantineAggregate = { decider: quarantineDecider, upgrades: {} };
