import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Cause } from './queue-events.js';
import { afresh, counted, DEFAULT_RETRY, delayNoticeDue, FRESH, PMAIL_TABLE, type RetryPolicy, type RetryState, schedule, type Scheduled, senderClassOf } from './retry.js';

const T0 = Date.UTC(2026, 0, 5, 0, 0);
const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];
const EXACT: RetryPolicy = { ...DEFAULT_RETRY, jitter: 0 };

const at = (now: number, cause: Cause, state: RetryState = FRESH, policy: RetryPolicy = EXACT, chance = 0.5): Scheduled =>
  schedule(policy, state, cause, { now, acceptedAt: T0, chance });
const after = (now: number, ...causes: Cause[]): RetryState => causes.reduce((state, cause) => counted(state, cause, now), FRESH);
/** All tries of a recipient that fails for the same cause each time: ms after acceptance. */
function tries(policy: RetryPolicy, cause: Cause, chance = 0.5): { times: number[]; end: Scheduled } {
  let state = FRESH;
  let now = T0;
  const times: number[] = [];
  for (;;) {
    times.push(now - T0);
    const next = schedule(policy, state, cause, { now, acceptedAt: T0, chance });
    if (!('nextAt' in next)) return { times, end: next };
    state = next.state;
    now = next.nextAt;
  }
}

describe('a refused recipient', () => {
  it('bounces at once', () => expect(at(T0, 'refused')).toMatchObject({ giveUp: 'refused', why: 'refused: try 1, given up at once' }));

  it('is forgiven as often as the policy says, whatever comes in between', () => {
    const policy = { ...EXACT, refused: 2 };
    expect(at(T0, 'refused', FRESH, policy)).toMatchObject({ nextAt: T0 + 120 * SECOND, why: 'refused: try 1, next in 120 s, given up after 3 tries' });
    expect(at(T0, 'refused', after(T0, 'refused', 'line'), policy)).toHaveProperty('nextAt');
    expect(at(T0, 'refused', after(T0, 'refused', 'line', 'refused'), policy)).toMatchObject({ giveUp: 'refused', why: 'refused: try 4, given up after 3 tries' });
  });
});

describe('the intervals', () => {
  it('grow by half up to the longest', () => {
    const { times } = tries(EXACT, 'no-answer');
    expect(times.slice(0, 4)).toEqual([0, 120, 300, 570].map((s) => s * SECOND));
    const last = times.slice(12, 20);
    expect(last.map((t, i) => t - (times[11 + i] ?? 0))).toEqual(last.map(() => HOUR));
  });

  it('stay as they are where the policy says so', () => expect(tries({ ...EXACT, asIs: true }, 'line').times).toHaveLength(8 * 30 + 1));

  it('begin small again when the cause changes', () =>
    expect(at(T0, 'line', after(T0, ...Array.from({ length: 20 }, () => 'no-answer' as const)))).toMatchObject({ nextAt: T0 + 120 * SECOND }));

  it.each([[0, 108], [0.5, 120], [1, 132]])('vary by a tenth: chance %d makes %i seconds of 120', (chance, seconds) =>
    expect(at(T0, 'line', FRESH, DEFAULT_RETRY, chance)).toMatchObject({ nextAt: T0 + seconds * SECOND }));
});

describe('the end', () => {
  it.each([['line', 8 * HOUR, 'line-fault'], ['no-answer', 24 * HOUR, 'no-answer']] as const)('of %s is the last try at that hour exactly', (cause, period, rule) => {
    const { times, end } = tries(EXACT, cause);
    expect(times.at(-1)).toBe(period);
    expect(end).toMatchObject({ giveUp: rule, why: expect.stringMatching(`, given up after ${period === DAY ? '1 d' : '8 h'}$`) });
  });

  it('is not there one millisecond before', () => {
    const state = counted(FRESH, 'line', T0);
    expect(at(T0 + 8 * HOUR - 1, 'line', state)).toMatchObject({ nextAt: T0 + 8 * HOUR });
    expect(at(T0 + 8 * HOUR, 'line', state)).toMatchObject({ giveUp: 'line-fault' });
  });

  it('counts from the first fault of the present run: a server that comes back greylisting has its hours', () => {
    const down = counted(counted(FRESH, 'line', T0), 'no-answer', T0 + MINUTE);
    expect(at(T0 + 20 * HOUR, 'line', down)).toMatchObject({ until: T0 + 28 * HOUR, why: 'line fault: try 3, next in 120 s, given up after 8 h' });
  });

  it('is the age of five days, whatever the causes', () => {
    const state = after(T0, 'line', 'no-answer');
    expect(at(T0 + 5 * DAY - 1, 'line', state)).toMatchObject({ nextAt: T0 + 5 * DAY, why: 'line fault: try 3, next in 1 s, given up after 5 d in all' });
    expect(at(T0 + 5 * DAY, 'line', state)).toMatchObject({ giveUp: 'too-old' });
  });

  it('counts from where somebody took care of it', () => {
    const state = afresh(T0 + 6 * DAY);
    expect(at(T0 + 6 * DAY + MINUTE, 'line', state)).toMatchObject({ nextAt: T0 + 6 * DAY + 3 * MINUTE, state: { from: T0 + 6 * DAY, tries: 1 } });
  });
});

describe("PMail's table", () => {
  const policy = { ...EXACT, table: PMAIL_TABLE };

  it('says when each try is', () => {
    const { times, end } = tries(policy, 'no-answer');
    expect(times.map((t) => t / SECOND)).toEqual([0, 300, 1_200, 3_000, 6_600, 17_400, 39_000, 82_200]);
    expect(end).toMatchObject({ giveUp: 'table-used-up', why: 'no answer: try 8, given up after 8 tries' });
  });

  it('counts all causes, and says how long it goes on', () =>
    expect(at(T0, 'line', after(T0, 'no-answer'), policy)).toMatchObject({
      nextAt: T0 + 900 * SECOND, until: T0 + (82_200 - 300) * SECOND, why: 'line fault: try 2 of 8, next in 900 s',
    }));

  it('does not forgive a refusal', () => expect(at(T0, 'refused', FRESH, policy)).toMatchObject({ giveUp: 'refused' }));
});

describe("this server's own trouble", () => {
  it('never counts and never ends anything', () => {
    const state = after(T0, 'line');
    expect(at(T0 + 30 * DAY, 'local', state)).toMatchObject({ state, nextAt: T0 + 30 * DAY + MINUTE, why: 'trouble of this server: not counted, next in 60 s' });
  });
});

describe('the notice of delay', () => {
  const due = (now: number, policy = DEFAULT_RETRY, state = FRESH) => delayNoticeDue(policy, state, { now, acceptedAt: T0 });
  it('is due after four hours', () => expect([due(T0 + 4 * HOUR - 1), due(T0 + 4 * HOUR)]).toEqual([false, true]));
  it('is never due where it is switched off', () => expect(due(T0 + DAY, { ...DEFAULT_RETRY, delayNotice: 0 })).toBe(false));
  it('does not count the time before somebody took care of it', () => expect(due(T0 + DAY, DEFAULT_RETRY, afresh(T0 + DAY - 1))).toBe(false));
});

describe('the class of a sender', () => {
  it.each([['', undefined, 'notice'], ['', 'ann@x.test', 'notice'], ['ann@x.test', 'ann@x.test', 'authenticated'], ['eve@y.test', undefined, 'outside']])(
    '<%s> logged in as %s is %s', (sender, login, expected) => expect(senderClassOf({ sender, ...(login !== undefined && { login }) })).toBe(expected));
});

describe('whatever happens', () => {
  const causes = fc.constantFrom<Cause>('refused', 'line', 'no-answer', 'local');
  const ms = (most: number) => fc.integer({ min: MINUTE, max: most });
  const policies = fc.record({
    refused: fc.nat(10), line: ms(2 * DAY), noAnswer: ms(2 * DAY), interval: fc.integer({ min: 1_000, max: DAY }), longest: fc.integer({ min: 1_000, max: DAY }),
    asIs: fc.boolean(), table: fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 8 }), jitter: fc.nat(50), maxAge: ms(10 * DAY), delayNotice: fc.nat(DAY),
  });
  const histories = fc.array(fc.tuple(causes, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(2 * HOUR)), { maxLength: 60 });

  it('a recipient is tried in the future and within its limits, or given up for a reason', () =>
    fc.assert(
      fc.property(policies, histories, (policy, history) => {
        let state = FRESH;
        let now = T0;
        for (const [cause, chance, late] of history) {
          now += late;
          const next = schedule(policy, state, cause, { now, acceptedAt: T0, chance });
          expect(next.why).not.toBe('');
          expect(JSON.parse(JSON.stringify(next.state))).toEqual(next.state);
          if ('giveUp' in next) return expect(cause).not.toBe('local');
          expect(next.nextAt).toBeGreaterThan(now);
          expect(Number.isSafeInteger(next.nextAt)).toBe(true);
          expect(next.nextAt).toBeLessThanOrEqual(next.until);
          if (cause !== 'local') expect(next.until).toBeLessThanOrEqual(T0 + policy.maxAge);
          expect(next.state).toEqual(counted(state, cause, now));
          state = next.state;
          now = next.nextAt;
        }
        return undefined;
      }),
    ));

  it('a recipient that always fails is given up in the end', () =>
    fc.assert(
      fc.property(fc.record({ interval: ms(DAY), asIs: fc.boolean(), jitter: fc.nat(50) }), fc.constantFrom<Cause>('refused', 'line', 'no-answer'), fc.double({ min: 0, max: 1, noNaN: true }),
        (changes, cause, chance) => void expect(tries({ ...DEFAULT_RETRY, refused: 3, ...changes }, cause, chance).end).toHaveProperty('giveUp')),
      { numRuns: 30 },
    ));
});
