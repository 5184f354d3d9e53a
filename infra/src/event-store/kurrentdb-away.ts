import { isNetworkError, wordsOf } from '../net/network-errors.js';

/** KurrentDB does not answer, or is not ready. */
export class KurrentAway extends Error {}

/** What the client calls it, besides the network's own errors. */
const PASSING: ReadonlySet<string> = new Set(['unavailable', 'deadline-exceeded', 'timeout', 'cancelled', 'not-leader']);
/** Where it passes gRPC's own errors on: DEADLINE_EXCEEDED, UNAVAILABLE. */
const CODES: ReadonlySet<unknown> = new Set([4, 14]);
/** gRPC says of these, too, that the server is unavailable; they stay. */
const TLS = /certificate|self[- ]signed|\bSSL\b|altnames/i;

/** The error, as a KurrentAway if it may pass. */
export function asAway(error: unknown): unknown {
  const { type, code } = error as { readonly type?: unknown; readonly code?: unknown };
  const words = wordsOf(error);
  const passing = isNetworkError(error) || CODES.has(code) || PASSING.has(String(type)) || /^KurrentDB did not answer|^Failed to discover/.test(words);
  return passing && !TLS.test(words) ? new KurrentAway(words.replace(/\. Resolution note:\s*$/, ''), { cause: error }) : error;
}
