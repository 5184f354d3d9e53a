import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Reach } from './s3-reach.js';
import { backOff, inLanes, persistently } from './s3-retry.js';

const failure = (code: string): Error => Object.assign(new Error(code), { code });

const patient = (): Reach => new Reach(60_000);

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
  it('is repeated while the failure may pass', async () => expect(await persistently(5000, failing('SlowDown', 'ECONNRESET').attempt, patient())).toBe(3));

  it('is not repeated for a reason that stays', async () => {
    const denied = failing('AccessDenied');
    await expect(persistently(5000, denied.attempt, patient())).rejects.toThrow('AccessDenied');
    expect(denied.tries).toBe(1);
  });

  it('ends in time although the server never answers', async () => {
    await expect(persistently(20, () => new Promise<never>(() => undefined), patient())).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  it('that ends by the clock tells the last failure and is not tried again', async () => {
    const down = failing(...new Array<string>(100).fill('ECONNREFUSED'));
    await expect(persistently(120, down.attempt, patient())).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const { tries } = down;
    await new Promise((resolve) => setImmediate(resolve));
    expect(down.tries).toBe(tries);
  });

  it('waits longer each time, never more than a second, never nothing', () =>
    fc.assert(
      fc.property(fc.nat(1000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (n, random) => {
        const wait = backOff(n, random);
        expect(wait).toBeGreaterThanOrEqual(5);
        expect(wait).toBeLessThanOrEqual(1000);
        expect(backOff(n + 1, random)).toBeGreaterThanOrEqual(wait);
      }),
    ));
});

describe('a server that is away', () => {
  const down = (): Promise<never> => Promise.reject(failure('ECONNREFUSED'));

  it('is waited for no longer than it takes to be sure, by all who wait', async () => {
    const reach = new Reach(60);
    const held = persistently(60_000, () => new Promise<never>(() => undefined), reach);
    const refused = persistently(60_000, down, reach);
    await expect(refused).rejects.toThrow('ECONNREFUSED');
    await expect(held).rejects.toThrow('ECONNREFUSED');
  });

  it('is tried now and then, and nobody else waits meanwhile', async () => {
    let now = 0;
    const reach = new Reach(100, () => now);
    await expect(reach.watch(down)).rejects.toThrow();
    now = 100;
    let tries = 0;
    const ask = (): Promise<string> => persistently(60_000, () => { tries++; return down(); }, reach);
    for (const [at, tried] of [[100, 1], [101, 1], [1_099, 1], [1_100, 2]] as const) {
      now = at;
      await expect(ask()).rejects.toThrow('ECONNREFUSED');
      expect(tries).toBe(tried);
    }
  });

  it('is there again as soon as one attempt has been answered, be it by a refusal', async () => {
    let now = 0;
    const reach = new Reach(100, () => now);
    for (const answer of [() => Promise.resolve(), () => Promise.reject(failure('NoSuchKey'))]) {
      await expect(reach.watch(down)).rejects.toThrow();
      now += 100;
      expect(reach.away).toBeDefined();
      await reach.watch(answer).catch(() => undefined);
      expect(reach.away).toBeUndefined();
    }
  });

  it('is not one that answered somebody else meanwhile', async () => {
    let now = 0;
    const reach = new Reach(100, () => now);
    let fail!: (error: Error) => void;
    const slow = reach.watch(() => new Promise<never>((_, reject) => (fail = reject)));
    now = 90;
    await reach.watch(() => Promise.resolve());
    now = 150;
    fail(failure('ETIMEDOUT'));
    await expect(slow).rejects.toThrow();
    expect(reach.away).toBeUndefined();
    now = 190;
    expect(reach.away).toMatchObject({ failure: { code: 'ETIMEDOUT' } });
  });
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
