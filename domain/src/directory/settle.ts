import type { Fact, Origin } from '../kernel/event.js';
import { VersionConflict } from '../kernel/event-store.js';
import { type Engine, record } from '../kernel/execute.js';
import type { Draft, Last } from './draft.js';
import { directoryUpgrades } from './history.js';

/** Mail that arrives all the time moves a mailbox on while its account is being deleted. */
const ATTEMPTS = 20;

export type Read = (streams: readonly string[]) => Promise<Last>;

/**
 * Read, plan, append; again from the top when someone else was faster.
 * @returns the facts recorded, [] when the plan changes nothing.
 * @throws VersionConflict when others were faster 20 times.
 */
export async function settle(engine: Engine, origin: Origin, plan: (read: Read) => Promise<Draft>): Promise<readonly Fact[]> {
  for (let attempt = 1; ; attempt++) {
    const draft = await plan((streams) => engine.store.readLast(streams));
    const { appends } = draft;
    if (appends.length === 0) return [];
    try {
      await engine.store.append(appends.map(({ stream, expected, facts }) => ({ stream, expected, events: record(facts, engine, origin, directoryUpgrades) })));
      return draft.facts;
    } catch (error) {
      if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
    }
  }
}
