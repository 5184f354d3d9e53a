import { describe, expect, it } from '@jest/globals';
import type { Verdict } from '@kiroku/domain/routing/verification.js';
import { fixedClock } from '../ids/ids.js';
import { CallForward } from './call-forward.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** An inner server that says what it is told to, and what it was asked. */
function inner(says: Verdict | Error = 'yes') {
  const clock = fixedClock(1_767_571_200_000);
  const server = { says, asked: [] as string[] };
  const ask = async (address: string): Promise<Verdict> => {
    server.asked.push(address);
    if (server.says instanceof Error) throw server.says;
    return server.says;
  };
  return { server, clock, calls: new CallForward(ask, clock) };
}

describe('the answer of an inner server', () => {
  it.each([['yes', DAY], ['no', HOUR], ['temporary', 5 * MINUTE]] as const)('%s holds for %d ms', async (says, time) => {
    const { server, clock, calls } = inner(says);
    expect(await calls.verdict('Ann@inner.test')).toBe(says);
    clock.advance(time - 1);
    expect(await calls.verdict('ann@INNER.test')).toBe(says);
    expect(server.asked).toEqual(['Ann@inner.test']);
    clock.advance(1);
    server.says = 'no';
    expect(await calls.verdict('ann@inner.test')).toBe('no');
    expect(server.asked).toHaveLength(2);
  });

  it('that was yes counts for a week while the server is away, and is asked for again every 5 minutes', async () => {
    const { server, clock, calls } = inner('yes');
    await calls.verdict('ann@inner.test');
    server.says = new Error('connection refused');
    clock.advance(DAY);
    expect(await calls.verdict('ann@inner.test')).toBe('yes');
    expect(server.asked).toHaveLength(2);
    clock.advance(5 * MINUTE);
    expect(await calls.verdict('ann@inner.test')).toBe('yes');
    expect(server.asked).toHaveLength(3);
    clock.advance(6 * DAY - 5 * MINUTE);
    expect(await calls.verdict('ann@inner.test')).toBe('temporary');
  });

  it('that was no is not yes again because the server is away', async () => {
    const { server, clock, calls } = inner('yes');
    await calls.verdict('ann@inner.test');
    clock.advance(DAY);
    server.says = 'no';
    await calls.verdict('ann@inner.test');
    clock.advance(HOUR);
    server.says = 'temporary';
    expect(await calls.verdict('ann@inner.test')).toBe('temporary');
  });

  it('of another source, or of one that was changed since, is asked again; an old yes still counts', async () => {
    const { server, clock, calls } = inner('yes');
    const ad = { name: 'ad', revision: 1 };
    expect(await calls.verdict('ann@inner.test', ad)).toBe('yes');
    server.says = 'no';
    expect(await calls.verdict('ann@inner.test', ad)).toBe('yes');
    server.says = 'temporary';
    expect(await calls.verdict('ann@inner.test', { ...ad, revision: 2 })).toBe('yes');
    clock.advance(5 * MINUTE);
    server.says = 'no';
    expect(await calls.verdict('ann@inner.test', { ...ad, revision: 2 })).toBe('no');
    server.says = 'yes';
    expect(await calls.verdict('ann@inner.test')).toBe('yes');
    expect(server.asked).toHaveLength(4);
  });

  it('is asked for once by all who ask at the same time', async () => {
    const { server, calls } = inner('no');
    expect(await Promise.all(Array.from({ length: 100 }, () => calls.verdict('ann@inner.test')))).toEqual(Array.from({ length: 100 }, () => 'no'));
    expect(server.asked).toHaveLength(1);
  });

  it('is asked for by at most 50 at a time; the others may come again', async () => {
    const answers: ((verdict: Verdict) => void)[] = [];
    const calls = new CallForward(() => new Promise((resolve) => answers.push(resolve)), fixedClock(0));
    const verdicts = Array.from({ length: 60 }, (_, i) => calls.verdict(`u${i}@inner.test`));
    expect(await Promise.all(verdicts.slice(50))).toEqual(Array.from({ length: 10 }, () => 'temporary'));
    expect(answers).toHaveLength(50);
    for (const answer of answers) answer('yes');
    expect(await Promise.all(verdicts.slice(0, 50))).toEqual(Array.from({ length: 50 }, () => 'yes'));
    const late = calls.verdict('u59@inner.test');
    answers.at(-1)?.('no');
    expect(await late).toBe('no');
  });

  it('is temporary when nobody could be asked, and nobody is asked about what is no address', async () => {
    const { server, calls } = inner(new Error('no route'));
    expect(await calls.verdict('ann@inner.test')).toBe('temporary');
    expect(await calls.verdict('nonsense')).toBe('no');
    expect(server.asked).toEqual(['ann@inner.test']);
  });
});
