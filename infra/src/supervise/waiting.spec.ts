import { describe, expect, it } from '@jest/globals';
import { type Wait, WaitedInVain, Waiting } from './waiting.js';

const AWAY = 'away';
const reason = (error: unknown): Wait | undefined => ((error as Error).message.startsWith(AWAY) ? { for: (error as Error).message, why: 'nobody answers' } : undefined);

/** Somebody who waits, by a clock that pauses move. */
function waiter(limit = Infinity) {
  let now = 0;
  const said: { readonly at: number; readonly wait: string }[] = [];
  const pauses: number[] = [];
  const waiting = new Waiting(limit, (wait) => void said.push({ at: now, wait: wait?.for ?? 'over' }), () => now, (ms) => {
    pauses.push(ms);
    now += ms;
    return Promise.resolve();
  });
  /** Fails with each of these for so many tries, then succeeds. */
  const open = (...failures: readonly (readonly [string, number])[]) => {
    const left = failures.flatMap(([failure, times]) => Array.from({ length: times }, () => failure));
    return () => waiting.until(() => {
      const failure = left.shift();
      return failure === undefined ? Promise.resolve('open') : Promise.reject(new Error(failure));
    }, reason);
  };
  return { waiting, said, pauses, open };
}

describe('a process that needs an engine', () => {
  it('says nothing of one that is there', async () => {
    const { said, pauses, open } = waiter();
    expect(await open()()).toBe('open');
    expect([said, pauses]).toEqual([[], []]);
  });

  it('says at once what it waits for, again each minute, and when it is over; and asks less and less often', async () => {
    const { said, pauses, open } = waiter();
    expect(await open(['away: Kafka', 30])()).toBe('open');
    expect(pauses.slice(0, 7)).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    expect(said.map(({ wait }) => wait)).toEqual(['away: Kafka', 'away: Kafka', 'away: Kafka', 'over']);
    expect(said[0]?.at).toBe(0);
    expect((said[1]?.at ?? 0) - (said[0]?.at ?? 0)).toBeGreaterThanOrEqual(60_000);
  });

  it('says it when it is another one that it waits for', async () => {
    const { said, open } = waiter();
    await open(['away: PostgreSQL', 2], ['away: Kafka', 2])();
    expect(said.map(({ wait }) => wait)).toEqual(['away: PostgreSQL', 'away: Kafka', 'over']);
  });

  it('does not wait for what no waiting mends', async () => {
    const { waiting, pauses, open } = waiter();
    await expect(open(['away: S3', 1], ['the password is wrong', 1])()).rejects.toThrow('the password is wrong');
    expect(pauses).toEqual([250]);
    expect(waiting.patient).toBe(true);
  });

  it('gives up after the time that it was given, and says what it waited for', async () => {
    const { pauses, open } = waiter(3_000);
    const failed = open(['away: S3', 100])();
    await expect(failed).rejects.toBeInstanceOf(WaitedInVain);
    await expect(failed).rejects.toThrow('away: S3 did not answer within 3 seconds: nobody answers');
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBe(3_000);
  });

  it('does not wait at all when it may not', async () => {
    const { said, open } = waiter(0);
    await expect(open(['away: S3', 1])()).rejects.toThrow('away: S3');
    expect(said).toEqual([]);
  });

  it('tells who wants to know that a wait has begun, each time', async () => {
    const { waiting, open } = waiter();
    let begun = 0;
    waiting.notice(() => begun++);
    await open(['away: S3', 3])();
    await open(['away: S3', 1])();
    expect(begun).toBe(2);
    expect(waiting.now).toBeUndefined();
  });
});
