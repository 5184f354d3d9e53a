import type { TlsReportRow } from './views.js';

/** Who reports, and what is known of the policies that were met. */
export interface TlsReporter {
  readonly organization: string;
  readonly contact: string;
  readonly reportId: string;
  /** The domain's MTA-STS policy: its lines, and its mx patterns. */
  readonly sts?: { readonly lines: readonly string[]; readonly mx: readonly string[] };
}

interface FailureDetails {
  readonly 'result-type': string;
  readonly 'sending-mta-ip'?: string;
  readonly 'receiving-mx-hostname': string;
  readonly 'receiving-ip'?: string;
  readonly 'failed-session-count': number;
}

/** RFC 8460 §4.4. */
export interface TlsReport {
  readonly 'organization-name': string;
  readonly 'date-range': { readonly 'start-datetime': string; readonly 'end-datetime': string };
  readonly 'contact-info': string;
  readonly 'report-id': string;
  readonly policies: readonly {
    readonly policy: { readonly 'policy-type': string; readonly 'policy-string'?: readonly string[]; readonly 'policy-domain': string; readonly 'mx-host'?: readonly string[] };
    readonly summary: { readonly 'total-successful-session-count': number; readonly 'total-failure-session-count': number };
    readonly 'failure-details'?: readonly FailureDetails[];
  }[];
}

const sum = (rows: readonly TlsReportRow[]): number => rows.reduce((total, { count }) => total + count, 0);

/**
 * The report to one domain about one UTC day.
 * @param day as `dayOf` writes it.
 * @param rows of the view `tls_report_1`; those of other days and domains are left out.
 * @returns undefined when there is nothing to report.
 */
export function tlsReport(domain: string, day: string, rows: readonly TlsReportRow[], reporter: TlsReporter): TlsReport | undefined {
  const groups = new Map<string, TlsReportRow[]>();
  for (const row of rows) {
    if (row.domain !== domain || row.day !== day) continue;
    // DANE is a policy of the host, MTA-STS one of the domain (RFC 8460 §3).
    const name = `${row.policy} ${row.policy === 'tlsa' ? row.host : domain}`;
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  if (groups.size === 0) return undefined;
  return {
    'organization-name': reporter.organization,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': reporter.contact,
    'report-id': reporter.reportId,
    policies: [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, group]) => policyReport(name, group, reporter)),
  };
}

function policyReport(name: string, rows: readonly TlsReportRow[], { sts }: TlsReporter): TlsReport['policies'][number] {
  const [type = '', domain = ''] = name.split(' ');
  const failed = rows.filter(({ failure }) => failure !== '');
  return {
    policy: {
      'policy-type': type,
      ...(type === 'sts' && sts && { 'policy-string': sts.lines }),
      'policy-domain': domain,
      ...(type === 'sts' && sts && { 'mx-host': sts.mx }),
    },
    summary: { 'total-successful-session-count': sum(rows) - sum(failed), 'total-failure-session-count': sum(failed) },
    ...(failed.length > 0 && { 'failure-details': failed.map(details).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) }),
  };
}

const details = ({ failure, source, host, ip, count }: TlsReportRow): FailureDetails => ({
  'result-type': failure,
  ...(source !== '' && { 'sending-mta-ip': source }),
  'receiving-mx-hostname': host,
  ...(ip !== '' && { 'receiving-ip': ip }),
  'failed-session-count': count,
});
