import type { Fact, Recorded } from './event.js';

/**
 * One stored event of every type, and of every version of it, that was ever written: what the history of an installation holds.
 * Examples stay for ever, oldest first; the last is of today's shape. A type without an example does not compile.
 */
export type Examples<F extends Fact> = {
  readonly [T in F['type']]: readonly [...older: Recorded<T>[], newest: Recorded<T, Extract<F, Fact<T>>['data']>];
};

/** 2026-01-05 09:00 in Japan. */
const AT = Date.UTC(2026, 0, 5, 0, 0);

/** An envelope as the first release wrote it. */
export const example = <T extends string, Data>(type: T, data: Data): Recorded<T, Data> => ({
  id: '019b8b3a-0c00-7000-8000-000000000001', type, version: 1, at: AT, actor: 'admin:ann', correlation: 'request-1', data,
});
