import type { Cause, QueuedMessage } from './queue-events.js';

/**
 * When a recipient that could not be delivered is tried again, and when it is given up. By cause, as E-Post has it, or by a table,
 * as PMail has it. Milliseconds and counts, unless said otherwise.
 */
export interface RetryPolicy {
  /** So many refusals (5xx) are forgiven; the next one is final. 0 = a refusal bounces at once. */
  readonly refused: number;
  /** How long line faults (4xx, broken connections) may go on without another cause in between. */
  readonly line: number;
  /** The same where nobody answers. */
  readonly noAnswer: number;
  /** To the second try; then longer by half each time up to `longest`, and from the start again when the cause changes. */
  readonly interval: number;
  readonly longest: number;
  /** Every interval as long as the first. */
  readonly asIs: boolean;
  /** Seconds (!) to the next try after the first, second, … failure; given up when it is used up. [] = by cause. */
  readonly table: readonly number[];
  /** How much an interval may be longer or shorter by chance, in hundredths. */
  readonly jitter: number;
  /** Given up at this age, whatever the causes (RFC 5321 §4.5.4.1: at least 4 to 5 days). */
  readonly maxAge: number;
  /** Age at which the sender hears of the delay; 0 = never. */
  readonly delayNotice: number;
}

const SECOND = 1_000;
const HOUR = 3_600_000;

export const DEFAULT_RETRY: RetryPolicy = {
  refused: 0, line: 8 * HOUR, noAnswer: 24 * HOUR, interval: 120 * SECOND, longest: HOUR, asIs: false, table: [], jitter: 10,
  maxAge: 120 * HOUR, delayNotice: 4 * HOUR,
};
/** PMail's resend table, in seconds. */
export const PMAIL_TABLE: readonly number[] = [300, 900, 1800, 3600, 10_800, 21_600, 43_200];

/** Intervals grow by half. */
const GROWTH = 1.5;
/** ms; this machine's own trouble passes soon or not at all. */
const LOCAL_INTERVAL = 60 * SECOND;
/** No two tries nearer to each other, ms. */
const SHORTEST = SECOND;

/** Why a recipient was given up: the literal in `RecipientExpired` and `RecipientBounced`. */
export type GiveUp = 'refused' | 'line-fault' | 'no-answer' | 'table-used-up' | 'too-old';

/** What the schedule remembers of a recipient. JSON. */
export interface RetryState {
  /** Tries that failed, whatever the cause; this machine's own trouble is none. */
  readonly tries: number;
  readonly refused: number;
  /** Of the last tries in a row: their cause, how many, and when the first of them was (epoch ms). */
  readonly cause?: Exclude<Cause, 'local'>;
  readonly run: number;
  readonly since: number;
  /** Age counts from here instead of the acceptance: somebody released, rerouted or readdressed it (epoch ms). */
  readonly from?: number;
}

export const FRESH: RetryState = { tries: 0, refused: 0, run: 0, since: 0 };
/** As new, for a recipient that people have taken care of. @param at epoch ms */
export const afresh = (at: number): RetryState => ({ ...FRESH, from: at });

/** The state after a failure. The queue's view and the scheduler both count by this. @param at epoch ms */
export function counted(state: RetryState, cause: Cause, at: number): RetryState {
  if (cause === 'local') return state;
  const same = state.cause === cause;
  return {
    tries: state.tries + 1,
    refused: state.refused + (cause === 'refused' ? 1 : 0),
    cause,
    run: same ? state.run + 1 : 1,
    since: same ? state.since : at,
    ...(state.from !== undefined && { from: state.from }),
  };
}

/** When and why; or why no more. */
export type Scheduled =
  | {
      readonly state: RetryState;
      /** Epoch ms, after `now` and not after `until`. */
      readonly nextAt: number;
      /** Epoch ms: given up at the first failure from then on, if the cause stays. */
      readonly until: number;
      readonly why: string;
    }
  | { readonly state: RetryState; readonly giveUp: GiveUp; readonly why: string };

export interface Circumstances {
  /** Epoch ms. */
  readonly now: number;
  readonly acceptedAt: number;
  /** 0 to 1. Recipients of one attempt share it, so that they stay together. */
  readonly chance: number;
}

/** After a try has failed: when to try again, or that it was the last. Never neither, never in the past. */
export function schedule(policy: RetryPolicy, state: RetryState, cause: Cause, { now, acceptedAt, chance }: Circumstances): Scheduled {
  const age = (state.from ?? acceptedAt) + policy.maxAge;
  if (cause === 'local') {
    const nextAt = now + jittered(LOCAL_INTERVAL, policy, chance);
    return { state, nextAt, until: Math.max(age, nextAt), why: `trouble of this server: not counted, ${inSeconds(nextAt - now)}` };
  }
  const after = counted(state, cause, now);
  const said = `${CAUSES[cause]}: try ${after.tries}`;
  const giveUp = (rule: GiveUp, words: string): Scheduled => ({ state: after, giveUp: rule, why: `${said}, given up ${words}` });
  if (cause === 'refused' && after.refused > policy.refused) return giveUp('refused', policy.refused === 0 ? 'at once' : `after ${times(policy.refused + 1)}`);
  if (now >= age) return giveUp('too-old', `after ${duration(policy.maxAge)} in all`);
  if (policy.table.length > 0) {
    const seconds = policy.table[after.tries - 1];
    if (seconds === undefined) return giveUp('table-used-up', `after ${times(policy.table.length + 1)}`);
    const rest = policy.table.slice(after.tries - 1).reduce((a, b) => a + b, 0) * SECOND;
    const nextAt = Math.min(now + jittered(seconds * SECOND, policy, chance), age);
    return { state: after, nextAt, until: Math.max(nextAt, Math.min(now + rest, age)), why: `${said} of ${policy.table.length + 1}, ${inSeconds(nextAt - now)}` };
  }
  const period = cause === 'line' ? policy.line : cause === 'no-answer' ? policy.noAnswer : Infinity;
  const end = after.since + period;
  if (now >= end) return giveUp(cause === 'line' ? 'line-fault' : 'no-answer', `after ${duration(period)}`);
  const until = Math.min(end, age);
  const nextAt = Math.min(now + jittered(intervalOf(policy, after.run), policy, chance), until);
  const limit = cause === 'refused' ? times(policy.refused + 1) : end <= age ? duration(period) : `${duration(policy.maxAge)} in all`;
  return { state: after, nextAt, until, why: `${said}, ${inSeconds(nextAt - now)}, given up after ${limit}` };
}

/** Is the sender to hear now that it takes longer? Not once it is given up: then they hear that. */
export const delayNoticeDue = (policy: RetryPolicy, state: RetryState, { now, acceptedAt }: Pick<Circumstances, 'now' | 'acceptedAt'>): boolean =>
  policy.delayNotice > 0 && now - (state.from ?? acceptedAt) >= policy.delayNotice;

const CAUSES = { refused: 'refused', line: 'line fault', 'no-answer': 'no answer' } as const;

function intervalOf({ interval, longest, asIs }: RetryPolicy, run: number): number {
  // The exponent is bounded so that it stays a number; 1.5^60 of any interval is beyond every `longest`.
  return asIs ? interval : Math.max(interval, Math.min(longest, interval * GROWTH ** Math.min(run - 1, 60)));
}

const jittered = (ms: number, { jitter }: RetryPolicy, chance: number): number =>
  Math.max(SHORTEST, Math.round(ms * (1 + (jitter / 100) * (2 * chance - 1))));

const inSeconds = (ms: number): string => `next in ${Math.ceil(ms / SECOND)} s`;
const times = (n: number): string => (n === 1 ? '1 try' : `${n} tries`);
const duration = (ms: number): string =>
  ms % (24 * HOUR) === 0 ? `${ms / (24 * HOUR)} d` : ms % HOUR === 0 ? `${ms / HOUR} h` : ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / SECOND} s`;

/** Whose mail it is: `notice` = null sender; `authenticated` = somebody logged in; `outside` = all others. */
export type SenderClass = 'authenticated' | 'outside' | 'notice';

export const senderClassOf = ({ sender, login }: Pick<QueuedMessage, 'sender' | 'login'>): SenderClass =>
  sender === '' ? 'notice' : login === undefined ? 'outside' : 'authenticated';
