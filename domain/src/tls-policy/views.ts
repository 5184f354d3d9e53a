import type { Fact } from '../kernel/event.js';
import type { Attempt, TlsOutcome } from '../delivery/queue-events.js';
import type { RecordedOf } from '../kernel/event.js';
import type { Positioned } from '../kernel/event-log.js';
import type { Projection } from '../kernel/projection.js';
import type { TlsTable } from './row.js';
import { tlsPolicy, type TlsPolicyEvent } from './table.js';

type PolicyRow = { id: number; policy: string };

/** One row: the administrators' TLS table as JSON. */
export const tlsPolicyView: Projection<PolicyRow> = {
  name: 'tls_policy_1',
  topics: ['decision'],
  inline: true,
  types: ['TlsPolicyChanged'],
  key: ['id'],
  columns: { id: 'integer', policy: 'text' },
  keysOf: () => [{ id: 1 }],
  apply(row, { event }) {
    const before = row ? (JSON.parse(row.policy) as TlsTable) : tlsPolicy.initial;
    return { id: 1, policy: JSON.stringify(tlsPolicy.evolve(before, event as unknown as RecordedOf<TlsPolicyEvent>)) };
  },
};

/** What makes two connections the same to a report; `failure` '' when all went well, `ip` and `source` '' when not known. */
export type TlsReportRow = {
  day: string; domain: string; policy: string; host: string; ip: string; source: string; failure: string;
  /** Connections. */
  count: number;
};

/** Stream `tls-reports`: what is no longer kept of them. */
export const TLS_REPORT_STREAM = 'tls-reports';
/** A row's name. */
export type TlsReportKey = Omit<TlsReportRow, 'count'>;
/** Rows past their retention are gone, from a view that is rebuilt as well. */
export type TlsReportEvent = Fact<'TlsReportsForgotten', { readonly rows: readonly TlsReportKey[] }>;

/** The UTC day of an instant, e.g. 2026-01-05 (RFC 8460 §4.1). */
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

const keyOf = (at: number, { domain, policy, host, ip, source, failure }: TlsOutcome): TlsReportKey => ({
  day: dayOf(at), domain, policy, host, ip: ip ?? '', source: source ?? '', failure: failure ?? '',
});
const outcomesOf = ({ event }: Positioned): readonly TlsOutcome[] => (event.data as Attempt).tlsOutcomes ?? [];

/**
 * Connections per day, domain, policy, host and result: what reports about TLS are made of. Inline, because it concerns few
 * decisions: to follow them it would read all.
 */
export const tlsReportView: Projection<TlsReportRow> = {
  name: 'tls_report_1',
  topics: ['decision'],
  inline: true,
  types: ['DeliveryAttempted', 'TlsReportsForgotten'],
  key: ['day', 'domain', 'policy', 'host', 'ip', 'source', 'failure'],
  columns: { day: 'text', domain: 'text', policy: 'text', host: 'text', ip: 'text', source: 'text', failure: 'text', count: 'bigint' },
  keysOf: (positioned) => {
    if (positioned.event.type === 'TlsReportsForgotten') return (positioned.event.data as TlsReportEvent['data']).rows;
    const outcomes = outcomesOf(positioned);
    if (outcomes.length === 0) return [];
    return [...new Map(outcomes.map((outcome) => keyOf(positioned.event.at, outcome)).map((key) => [JSON.stringify(key), key])).values()];
  },
  apply(row, positioned, key) {
    if (positioned.event.type === 'TlsReportsForgotten') return null;
    const columns = Object.entries(key) as [keyof TlsReportKey, string][];
    const here = outcomesOf(positioned).map((outcome) => keyOf(positioned.event.at, outcome)).filter((other) => columns.every(([name, value]) => other[name] === value));
    return { ...(key as TlsReportKey), count: (row?.count ?? 0) + here.length };
  },
};
