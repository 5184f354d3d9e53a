import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type pg from 'pg';
import { refuseUnfinished, switchLog } from './checkpoints.js';
import { compareFacts, copyFacts, factsIn, type FactsReport } from './facts.js';
import type { Steps } from './steps.js';

/** `look`: what would be done. `verify`: compare what is there. `move`: copy, compare, and switch when all is the same. */
export type Mode = 'look' | 'verify' | 'move';

export interface LogMove {
  /** Of the database that holds the checkpoints and the views. */
  readonly pool: pg.Pool;
  readonly source: EventLog;
  /** Opened only when it is needed. */
  readonly target: () => Promise<EventLog>;
  /** What the installation uses from then on. */
  readonly engine: { readonly engine: string; readonly place: string };
  readonly now: () => number;
}

/**
 * Moves all facts to another event log. The server must not run. Nothing of the source is removed.
 * @throws MigrationRefused
 */
export async function moveLog({ pool, source, target, engine, now }: LogMove, mode: Mode, steps: Steps): Promise<FactsReport> {
  if (mode !== 'verify') await refuseUnfinished(pool, source);
  if (mode === 'look') return { events: await factsIn(source), kept: 0, differences: [] };
  const log = await target();
  if (mode === 'verify') return compareFacts(source, log, steps);
  const report = await copyFacts(source, log, steps);
  if (report.differences.length === 0) await switchLog(pool, log, engine, now());
  return report;
}
