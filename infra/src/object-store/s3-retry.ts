import { isPassing } from './s3-errors.js';
import type { Reach } from './s3-reach.js';

/** The wait before the first repetition, doubled for each more, and the longest. ms */
const FIRST = 50;
const LONGEST = 1000;

/** ms before repetition `n`, from 0. Anything up to the full step, so that many senders do not come back together. */
export const backOff = (n: number, random: number): number => Math.ceil(Math.min(LONGEST, FIRST * 2 ** Math.min(n, 20)) * (0.1 + 0.9 * random));

const timedOut = (): Error => Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });

/**
 * Repeats what failed for a passing reason, until the server is known to be away; then one attempt is made, briefly, or none.
 * @param total ms after which it rejects, also while an attempt is under way; that attempt must end by itself.
 * @throws the last attempt's error, that of another request to a server that is away, or one with code ETIMEDOUT.
 */
export async function persistently<T>(total: number, attempt: () => Promise<T>, reach: Reach): Promise<T> {
  const { away } = reach;
  if (away && !reach.mayTry()) throw away.failure;
  const limit = away ? Math.min(total, reach.moment) : total;
  const end = performance.now() + limit;
  let last: Error | undefined;
  let given = false;
  const repeat = async (): Promise<T> => {
    for (let n = 0; ; n++) {
      try {
        return await reach.watch(attempt);
      } catch (error) {
        last = error as Error;
        const wait = backOff(n, Math.random());
        if (given || reach.away || !isPassing(error) || performance.now() + wait >= end) throw error;
        await new Promise((resolve) => setTimeout(resolve, wait));
        if (given) throw error;
      }
    }
  };
  let release: (() => void) | undefined;
  const over = new Promise<never>((_, reject) => {
    const giveUp = (failure: Error): void => {
      given = true;
      reject(last ?? failure);
    };
    const timer = setTimeout(giveUp, limit, timedOut());
    const forget = reach.onAway(giveUp);
    release = () => {
      clearTimeout(timer);
      forget();
    };
  });
  try {
    return await Promise.race([repeat(), over]);
  } finally {
    release?.();
  }
}

/** Runs `task` for each, at most `width` at a time. Rejects with the first failure, when those under way have ended. */
export async function inLanes<T>(width: number, items: Iterable<T>, task: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    for (let next = rest.next(); !next.done && !failure; next = rest.next()) {
      try {
        await task(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  if (failure) throw failure.error;
}
