import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks again and again until the answer is neither undefined nor false nor an exception; resolves to the answer.
 * @param ms milliseconds after which it gives up.
 * @throws Error that says what was awaited and how the last attempt failed.
 */
export async function until<T>(
  what: string,
  ms: number,
  probe: () => T | Promise<T>,
): Promise<Exclude<T, undefined | false>> {
  const end = performance.now() + ms;
  let last: unknown;
  for (let wait = 5; ; wait = Math.min(wait * 1.5, 200)) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= end) throw new Error(`not within ${ms} ms: ${what}`, { cause: last });
    await pause(wait);
  }
}

/** The promise's own end, or an error after `ms`. The promise itself goes on. */
export async function within<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
