import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backOff, inLanes, persistently } from './s3-retry.js';

const failure = (code: string): Error => Object.assign(new Error(code), { code });

/** Fails with each of the codes, then succeeds. */
function failing(...codes: string[]): { readonly attempt: () => Promise<number>; tries: number } {
  const made = {
    tries: 0,
    attempt: async () => {
      const code = codes[made.tries++];
      if (code !== undefined) throw failure(code);
      return made.tries;
    },
  };
  return made;
}

describe('a request', () => {
  it('is repeated while the failure may pass', async () => expect(await persistently(5000, failing('SlowDown', 'ECONNRESET').attempt)).toBe(3));

  it('is not repeated for a reason that stays', async () => {
    const denied = failing('AccessDenied');
    await expect(persistently(5000, denied.attempt)).rejects.toThrow('AccessDenied');
    expect(denied.tries).toBe(1);
  });

  it('ends in time although the server never answers', async () => {
    await expect(persistently(20, () => new Promise<never>(() => undefined))).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  it('that ends by the clock tells the last failure and is not tried again', async () => {
    const down = failing(...new Array<string>(100).fill('ECONNREFUSED'));
    await expect(persistently(120, down.attempt)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const { tries } = down;
    await new Promise((resolve) => setImmediate(resolve));
    expect(down.tries).toBe(tries);
  });

  it('waits longer each time, never more than two seconds, never nothing', () =>
    fc.assert(
      fc.property(fc.nat(1000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (n, random) => {
        const wait = backOff(n, random);
        expect(wait).toBeGreaterThanOrEqual(5);
        expect(wait).toBeLessThanOrEqual(2000);
        expect(backOff(n + 1, random)).toBeGreaterThanOrEqual(wait);
      }),
    ));
});

describe('work in lanes', () => {
  it('is done for all, never more at a time than there are lanes', async () => {
    let [busy, most] = [0, 0];
    const done: number[] = [];
    await inLanes(3, Array.from({ length: 20 }, (_, i) => i), async (i) => {
      most = Math.max(most, ++busy);
      await new Promise((resolve) => setImmediate(resolve));
      done.push(i);
      busy--;
    });
    expect(done.length).toBe(20);
    expect(most).toBe(3);
  });

  it('stops at a failure', async () => {
    const begun: number[] = [];
    const work = inLanes(2, [0, 1, 2, 3, 4, 5], async (i) => {
      begun.push(i);
      if (i === 1) throw new Error('broken');
    });
    await expect(work).rejects.toThrow('broken');
    expect(begun.length).toBeLessThan(6);
  });
});
