import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { lockout, lockoutAggregate, type LockoutEvent, lockoutStream } from '@kiroku/domain/policy/lockout.js';
import type pg from 'pg';

const AT_ONCE = 500;

interface Place { readonly protocol: string; readonly ip: string }

/**
 * Forgets addresses whose lock has expired and whose failures are older than `window` ms: without this, the view would keep a row for
 * every address that ever failed. An event each, so that a rebuilt view forgets them too.
 * @returns addresses forgotten.
 */
export async function forgetLockouts(pool: pg.Pool, engine: Engine, window: number, signal?: AbortSignal): Promise<number> {
  const now = engine.clock.now();
  let forgotten = 0;
  let after: Place = { protocol: '', ip: '' };
  for (;;) {
    const { rows } = await pool.query<Place>(
      `SELECT protocol, ip FROM view.lockout_1 WHERE (protocol, ip) > ($1, $2) AND locked_until <= $3 AND (failures = 0 OR since <= $4)
       ORDER BY protocol, ip LIMIT ${AT_ONCE}`, [after.protocol, after.ip, now, now - window]);
    forgotten += await forget(engine, rows, now, window);
    const last = rows.at(-1);
    if (last === undefined || rows.length < AT_ONCE || signal?.aborted) return forgotten;
    after = last;
  }
}

async function forget(engine: Engine, places: readonly Place[], now: number, window: number): Promise<number> {
  const origin = { actor: 'system:worker', correlation: engine.ids.uuid() };
  const last = await engine.store.readLast(places.map(({ protocol, ip }) => lockoutStream(protocol, ip)));
  const appends = places.flatMap(({ protocol, ip }) => {
    const stream = lockoutStream(protocol, ip);
    const { version, event } = last.get(stream) ?? {};
    if (version === undefined) return [];
    const facts = lockout.decide({ type: 'Forget', protocol, ip, now, window }, lockout.evolve(lockout.initial, event as unknown as LockoutEvent));
    return facts.length === 0 ? [] : [{ stream, expected: version, events: record(facts, engine, origin, lockoutAggregate.upgrades) }];
  });
  for (let left = appends; left.length > 0; ) {
    try {
      await engine.store.append(left);
      return left.length;
    } catch (error) {
      // Somebody is back at this moment, and counted anew: nothing to forget.
      if (!(error instanceof VersionConflict)) throw error;
      const moved = new Set(error.streams);
      left = left.filter(({ stream }) => !moved.has(stream));
    }
  }
  return 0;
}
