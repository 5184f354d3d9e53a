import { type EventLog, type Topic, TOPICS } from '@kiroku/domain/kernel/event-log.js';
import type pg from 'pg';
import { AggregatorRegistry } from 'prom-client';
import { ALL_VIEWS } from '../read-model/views.js';
import { viewConsumer } from '../read-model/view-runner.js';
import { GONE_AFTER } from '../telemetry/heartbeat.js';
import type { Warning } from '../telemetry/warnings.js';

export interface ViewInfo {
  readonly name: string;
  /** Inline views are written with the decision and never lag. */
  readonly inline: boolean;
  readonly topics: readonly Topic[];
  /** Events between the view's checkpoints and the heads of the log. */
  readonly lag: number;
}

export interface ProcessInfo {
  readonly role: string;
  readonly host: string;
  readonly pid: number;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly seenAt: number;
  /** What is wrong, in the process's own words. */
  readonly trouble: string | null;
  readonly warnings: readonly Warning[];
}

/** A warning and where it comes from. What several processes of a machine see alike is there once, with the first of them. */
export type Attention = Warning & { readonly role: string; readonly host?: string };

export interface Health {
  /** `warning`: everything works, and something wants attention. `trouble`: not ready. */
  readonly status: 'ok' | 'warning' | 'trouble';
  readonly database: boolean;
  readonly roles: readonly { readonly role: string; readonly ok: boolean; readonly processes: readonly ProcessInfo[] }[];
  readonly warnings: readonly Attention[];
}

/** Views, processes and metrics: how the platform itself is doing. */
export class Operations {
  /** @param expected roles that must have a living process. */
  constructor(
    private readonly pool: pg.Pool,
    private readonly log: EventLog,
    private readonly expected: readonly string[],
    private readonly now: () => number = Date.now,
  ) {}

  async views(): Promise<readonly ViewInfo[]> {
    const checkpoints = await this.pool.query<{ consumer: string; topic: Topic; partition: number; position: number }>({
      name: 'checkpoints', text: `SELECT consumer, topic, partition, position FROM history.checkpoint WHERE consumer LIKE 'view:%'`,
    });
    const at = new Map(checkpoints.rows.map((r) => [`${r.consumer} ${r.topic} ${r.partition}`, r.position]));
    // After the checkpoints, so that a lag is never below 0.
    const heads = await Promise.all(
      TOPICS.flatMap((topic) =>
        Array.from({ length: this.log.partitions(topic) }, async (_, partition) => ({ topic, partition, head: await this.log.head(topic, partition) })),
      ),
    );
    return ALL_VIEWS.map((view) => {
      const { name, inline, topics } = view;
      const behind = inline ? [] : heads.filter(({ topic }) => topics.includes(topic));
      return {
        name, inline, topics,
        lag: behind.reduce((sum, { topic, partition, head }) => sum + head - (at.get(`${viewConsumer(view)} ${topic} ${partition}`) ?? 0), 0),
      };
    });
  }

  /** Never rejects: no answer of the database is itself the answer. */
  async health(): Promise<Health> {
    const rows = await this.#processes().catch(() => undefined);
    const roles = [...new Set([...this.expected, ...(rows ?? []).map((p) => p.role)])].map((role) => {
      const processes = (rows ?? []).filter((p) => p.role === role).map(({ metrics: _, ...process }) => process);
      return { role, ok: processes.length > 0 && processes.every((p) => p.trouble === null), processes };
    });
    const warnings = [...attentionOf(rows ?? []), ...(await this.#quarantine().catch(() => []))];
    return { status: !rows || !roles.every((r) => r.ok) ? 'trouble' : warnings.length > 0 ? 'warning' : 'ok', database: rows !== undefined, roles, warnings };
  }

  async #quarantine(): Promise<readonly Attention[]> {
    const { rows } = await this.pool.query<{ n: number }>({ name: 'quarantined', text: 'SELECT count(*) AS n FROM view.quarantine_1' });
    const messages = rows[0]?.n ?? 0;
    return messages === 0 ? [] : [{ kind: 'quarantine', messages, role: 'delivery' }];
  }

  /** Prometheus text of all processes of all machines. */
  async metrics(): Promise<string> {
    const processes = (await this.#processes()).map((p) => JSON.parse(p.metrics) as object[]);
    const registry = AggregatorRegistry.aggregate(processes);
    return registry.metrics();
  }

  async #processes(): Promise<readonly (ProcessInfo & { readonly metrics: string })[]> {
    const { rows } = await this.pool.query<{ role: string; host: string; pid: number; started_at: number; seen_at: number; trouble: string | null; warnings: string; metrics: string }>({
      name: 'processes',
      text: 'SELECT role, host, pid, started_at, seen_at, trouble, warnings, metrics FROM ops.process WHERE seen_at >= $1 ORDER BY role, host, pid',
      values: [this.now() - GONE_AFTER],
    });
    return rows.map(({ started_at, seen_at, warnings, ...row }) => ({ ...row, warnings: JSON.parse(warnings) as readonly Warning[], startedAt: started_at, seenAt: seen_at }));
  }
}

function attentionOf(processes: readonly ProcessInfo[]): readonly Attention[] {
  const found = new Map<string, Attention>();
  for (const { role, host, pid, warnings } of processes)
    for (const warning of warnings) {
      const name = warning.kind === 'certificate' ? warning.name : warning.kind === 'restarts' ? String(pid) : '';
      const key = `${host} ${warning.kind} ${name}`;
      if (!found.has(key)) found.set(key, { ...warning, role, host });
    }
  return [...found.values()];
}
