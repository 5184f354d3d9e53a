import { CheckpointMoved, VersionConflict } from '@kiroku/domain/kernel/event-store.js';

/** SQLSTATE classes that tell of the data itself: wrong cardinality, a value that cannot be stored, a constraint. */
const ABOUT_DATA = /^2[123]/;
const SQLSTATE = /^[0-9A-Z]{5}$/;
/** Codes of the system (ECONNREFUSED, ENOSPC …). */
const SYSTEM = /^E[A-Z0-9]+$/;
/** What `pg` and its pool say without a code. */
const SURROUNDINGS = /time-?out|connection|terminat|closed|Cannot use a pool|not queryable/i;

/**
 * Is this a fault of ours that the same message may bring about every time? Trouble of the surroundings (database, network, disk, a
 * table that is not there, another process that was faster) is not: it passes, or concerns every message, and is waited for.
 */
export function isOwnFault(error: unknown): boolean {
  if (error instanceof VersionConflict || error instanceof CheckpointMoved) return false;
  if (error instanceof AggregateError) return error.errors.every(isOwnFault);
  if (!(error instanceof Error)) return true;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && SQLSTATE.test(code) && !SYSTEM.test(code)) return ABOUT_DATA.test(code);
  if (typeof code === 'string') return !SYSTEM.test(code);
  return !SURROUNDINGS.test(error.message);
}
