import type { Config } from '../config/config.js';
import { replicaProblem, type ReplicaLook } from '../postgres/replica-look.js';
import { ReplicaReads } from '../postgres/replica.js';
import type { Metrics } from '../telemetry/metrics.js';
import { replicaWarnings, type Warning } from '../telemetry/warnings.js';
import type { Platform } from './platform.js';

/** Reads of reports, with what administrators are to know of them. */
export interface OpenReports {
  readonly reads: ReplicaReads;
  readonly warnings: () => readonly Warning[];
}

/** The replica that the settings name, watched from now on; undefined when they name none. To be closed before the platform. */
export function openReports({ pool, engine, metrics, logger, trouble }: Pick<Platform, 'pool' | 'engine' | 'metrics' | 'logger' | 'trouble'>, config: Config): OpenReports | undefined {
  const { postgresReplica: replica } = config;
  if (!replica) return undefined;
  const limit = config.postgresReplicaLag * 1_000;
  const warnings = (): readonly Warning[] => (reads.found ? replicaWarnings(reads.found, limit) : []);
  let said = '';
  const reads = new ReplicaReads({
    primary: pool, replica, limit, clock: engine.clock, trouble,
    answered: (by) => metrics.count('kiroku_reports_total', 'Reports, by the server that answered', 1, { by }),
    looked: (found) => {
      const now = warnings().length > 0 ? stateOf(found) : '';
      if (now === said) return;
      said = now;
      if (now === '') logger.info('the replica answers reports');
      else logger.warn({ ...(found.kind === 'away' && { why: found.why }), ...(found.kind === 'following' && { behindMs: Math.round(found.lag) }) }, `${now}; the primary answers reports`);
    },
  });
  measure(metrics, reads, limit);
  reads.start();
  return { reads, warnings };
}

/** For the log: without what changes from look to look. */
const stateOf = (found: ReplicaLook): string => (found.kind === 'wrong' ? replicaProblem(found.problem) : found.kind === 'away' ? 'the replica is away' : 'the replica is too far behind');

function measure(metrics: Metrics, reads: ReplicaReads, limit: number): void {
  metrics.gauge('kiroku_replica_usable', '1 while the replica answers reports, 0 while the primary does', () => (reads.found && replicaWarnings(reads.found, limit).length === 0 ? 1 : 0));
  // Absent while nobody knows.
  metrics.gauges('kiroku_replica_lag_seconds', 'How far the replica is behind the primary', [], async () =>
    reads.found?.kind === 'following' && Number.isFinite(reads.found.lag) ? [{ labels: {}, value: reads.found.lag / 1_000 }] : []);
}
