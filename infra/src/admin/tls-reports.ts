import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { canonicalDomain } from '@kiroku/domain/mail/address.js';
import { type TlsReport, tlsReport } from '@kiroku/domain/tls-policy/report.js';
import { parseStsPolicy } from '@kiroku/domain/tls-policy/sts.js';
import type { TlsReportRow } from '@kiroku/domain/tls-policy/views.js';
import type pg from 'pg';
import type { Reports } from '../postgres/replica.js';
import { type Page, type PageQuery, pageOf } from './page.js';

/** Connections to the servers of one domain on one UTC day. */
export interface TlsDay {
  readonly day: string;
  readonly domain: string;
  readonly successful: number;
  readonly failed: number;
  /** Kinds of failure (RFC 8460 §4.3), the most frequent first. */
  readonly failures: readonly string[];
}

export interface TlsDaysQuery extends PageQuery {
  readonly domain?: string | undefined;
  /** UTC days, `2026-01-05`; both included. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** Of one domain and day; more would be an attack, or a very large domain whose rest is left out. */
const MOST_ROWS = 10_000;

/** What was gathered about TLS with other servers, for the domains that ask for reports (RFC 8460). */
export class TlsReports {
  /** @param ownName this server's name: the reporting organization, and the domain of its postmaster. */
  constructor(
    private readonly pool: pg.Pool,
    private readonly ownName: () => Promise<string>,
    private readonly reports: Reports = pool,
  ) {}

  /** The latest day first, then by domain. */
  async days({ domain, since, until, after, limit }: TlsDaysQuery): Promise<Page<TlsDay>> {
    const [afterDay, afterDomain] = after === undefined ? [null, null] : [after.slice(0, 10), after.slice(11)];
    const { rows } = await this.reports.query<TlsDay>({
      name: 'tls-report-days',
      text: `SELECT day, domain, sum(total - bad)::float8 AS successful, sum(bad)::float8 AS failed,
               coalesce(array_agg(failure ORDER BY total DESC, failure) FILTER (WHERE failure <> ''), '{}') AS failures
             FROM (SELECT day, domain, failure, sum(count) AS total, CASE WHEN failure = '' THEN 0 ELSE sum(count) END AS bad
                   FROM view.tls_report_1
                   WHERE ($1::text IS NULL OR domain = $1) AND ($2::text IS NULL OR day >= $2) AND ($3::text IS NULL OR day <= $3)
                     AND ($4::text IS NULL OR day < $4 OR (day = $4 AND domain > $5))
                   GROUP BY day, domain, failure) q
             GROUP BY day, domain ORDER BY day DESC, domain LIMIT $6`,
      values: [domain === undefined ? null : (canonicalDomain(domain) ?? domain.toLowerCase()), since ?? null, until ?? null, afterDay, afterDomain, limit + 1],
    });
    return pageOf(rows, limit, (row) => row, (row) => `${row.day} ${row.domain}`);
  }

  /**
   * The report to a domain about a UTC day, in the shape of RFC 8460 §4.4. The MTA-STS policy in it is the one that is known now.
   * @throws Refusal `no-tls-report` when there is nothing to report.
   */
  async report(day: string, asked: string): Promise<TlsReport> {
    const domain = canonicalDomain(asked) ?? asked.toLowerCase();
    const host = await this.ownName();
    const { rows } = await this.reports.query<TlsReportRow>({
      name: 'tls-report', values: [day, domain],
      text: `SELECT day, domain, policy, host, ip, source, failure, count FROM view.tls_report_1 WHERE day = $1 AND domain = $2
             ORDER BY policy, host, ip, source, failure LIMIT ${MOST_ROWS}`,
    });
    const sts = rows.some(({ policy }) => policy === 'sts') ? await this.#sts(domain) : undefined;
    const report = tlsReport(domain, day, rows, { organization: host, contact: `postmaster@${host}`, reportId: `${day}T00:00:00Z_${domain}@${host}`, ...(sts && { sts }) });
    if (!report) throw new Refusal('no-tls-report', `${day} ${domain}`.slice(0, 300));
    return report;
  }

  async #sts(domain: string): Promise<{ readonly lines: readonly string[]; readonly mx: readonly string[] } | undefined> {
    const { rows } = await this.pool.query<{ policy: string }>({ name: 'tls-report-sts', text: 'SELECT policy FROM ops.tls_policy WHERE domain = $1', values: [domain] });
    const text = rows[0]?.policy;
    const parsed = text === undefined ? undefined : parseStsPolicy(text);
    if (text === undefined || !parsed || !('policy' in parsed)) return undefined;
    return { lines: text.split(/\r?\n/).filter((line) => line.trim() !== ''), mx: parsed.policy.mx };
  }
}
