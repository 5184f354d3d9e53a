import { isPassing } from './s3-errors.js';

/** The wait before the first repetition, doubled for each more, and the longest. ms */
const FIRST = 50;
const LONGEST = 2000;

/** ms before repetition `n`, from 0. Anything up to the full step, so that many senders do not come back together. */
export const backOff = (n: number, random: number): number => Math.ceil(Math.min(LONGEST, FIRST * 2 ** Math.min(n, 20)) * (0.1 + 0.9 * random));

const timedOut = (): Error => Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });

/**
 * Repeats what failed for a passing reason.
 * @param total ms after which it rejects, also while an attempt is under way; that attempt must end by itself.
 * @throws the last attempt's error, or one with code ETIMEDOUT.
 */
export async function persistently<T>(total: number, attempt: () => Promise<T>): Promise<T> {
  const end = performance.now() + total;
  let last: unknown;
  let given = false;
  const repeat = async (): Promise<T> => {
    for (let n = 0; ; n++) {
      try {
        return await attempt();
      } catch (error) {
        last = error;
        const wait = backOff(n, Math.random());
        if (given || !isPassing(error) || performance.now() + wait >= end) throw error;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      given = true;
      reject((last as Error | undefined) ?? timedOut());
    }, total);
  });
  try {
    return await Promise.race([repeat(), limit]);
  } finally {
    clearTimeout(timer);
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
