import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { dayOf, TLS_REPORT_STREAM, type TlsReportEvent, type TlsReportKey } from '@kiroku/domain/tls-policy/views.js';
import type pg from 'pg';

const AT_ONCE = 500;

/**
 * Forgets rows for reports about TLS of days that ended more than `retention` ms ago. Events say which, so that a rebuilt view forgets
 * them too.
 * @returns rows forgotten.
 */
export async function forgetTlsReports(pool: pg.Pool, engine: Engine, retention: number, signal?: AbortSignal): Promise<number> {
  const before = dayOf(engine.clock.now() - retention);
  for (let forgotten = 0; ; ) {
    const { rows } = await pool.query<TlsReportKey>(
      `SELECT day, domain, policy, host, ip, source, failure FROM view.tls_report_1 WHERE day < $1
       ORDER BY day, domain, policy, host, ip, source, failure LIMIT ${AT_ONCE}`, [before]);
    if (rows.length > 0) await forget(engine, rows);
    forgotten += rows.length;
    if (rows.length < AT_ONCE || signal?.aborted) return forgotten;
  }
}

async function forget(engine: Engine, rows: readonly TlsReportKey[]): Promise<void> {
  const fact: TlsReportEvent = { type: 'TlsReportsForgotten', data: { rows } };
  const events = record([fact], engine, { actor: 'system:worker', correlation: engine.ids.uuid() }, {});
  for (let attempts = 5; ; attempts--) {
    const last = await engine.store.readLast([TLS_REPORT_STREAM]);
    try {
      await engine.store.append([{ stream: TLS_REPORT_STREAM, expected: last.get(TLS_REPORT_STREAM)?.version ?? 0, events }]);
      return;
    } catch (error) {
      if (!(error instanceof VersionConflict) || attempts <= 1) throw error;
    }
  }
}
