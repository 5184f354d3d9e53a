import { describe, expect, it } from '@jest/globals';
import type { TlsOutcome } from '../delivery/queue-events.js';
import { fold } from '../kernel/fold.js';
import { tlsOutcome, type TlsResult } from './outcome.js';
import { tlsReport } from './report.js';
import { type TlsReportRow, tlsReportView } from './views.js';

const NOON = Date.UTC(2026, 0, 5, 12);
const DAY = 24 * 60 * 60 * 1000;
const subject = { domain: 'x.test', policy: 'sts' } as const;
const at = { host: 'mx.x.test', ip: '192.0.2.1', source: '198.51.100.1' };

describe('the outcome of a connection', () => {
  const failed = (phase: string, reply = '450 4.7.5 TLS handshake failed'): TlsResult => ({ opened: false, phase, reply });
  const untrusted = (why: string): TlsResult => failed('tls', `450 4.7.5 Server certificate not trusted: ${why}`);
  it.each<[TlsResult, string | undefined]>([
    [{ opened: true, encrypted: true }, undefined],
    [{ opened: true, encrypted: false }, 'starttls-not-supported'],
    [failed('STARTTLS'), 'starttls-not-supported'],
    [untrusted('ERR_TLS_CERT_ALTNAME_INVALID'), 'certificate-host-mismatch'],
    [untrusted('certificate is not for mx.x.test'), 'certificate-host-mismatch'],
    [untrusted('CERT_HAS_EXPIRED'), 'certificate-expired'],
    [untrusted('DEPTH_ZERO_SELF_SIGNED_CERT'), 'certificate-not-trusted'],
    [untrusted('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'certificate-not-trusted'],
    [failed('tls', '450 4.7.5 TLS handshake failed: ERR_SSL_WRONG_VERSION_NUMBER'), 'validation-failure'],
    [untrusted('no TLSA record matches'), 'validation-failure'],
    [failed('tls'), 'validation-failure'],
  ])('%j counts as %s', (result, failure) => expect(tlsOutcome(subject, at, result)).toEqual({ ...subject, ...at, ...(failure && { failure }) }));

  it('is the policy’s own failure when that was known before', () =>
    expect(tlsOutcome({ ...subject, failure: 'sts-policy-fetch-error' }, at, { opened: true, encrypted: true })?.failure).toBe('sts-policy-fetch-error'));
  it('is nobody’s business when the domain wants no reports', () => expect(tlsOutcome(undefined, at, { opened: true, encrypted: true })).toBeUndefined());
});

const attempted = (when: number, ...tlsOutcomes: TlsOutcome[]) => ({ type: 'DeliveryAttempted', when, data: { messageId: 'Q1', route: 'mx', duration: 1, results: [], tlsOutcomes } });
const view = (...events: { type: string; when: number; data: object }[]): readonly TlsReportRow[] =>
  fold(tlsReportView, events.map(({ type, when, data }, i) => ({
    stream: 'message-Q1', event: { id: `${i}`, type, version: 1, at: when, actor: 'system:delivery', correlation: 'Q1', data },
  })));
const fine: TlsOutcome = { ...subject, ...at };

describe('the view of TLS outcomes', () => {
  it('counts connections of a kind per day', () =>
    expect(view(attempted(NOON, fine, fine), attempted(NOON, { ...fine, failure: 'certificate-expired' }, fine), attempted(NOON + DAY, fine))).toEqual([
      { day: '2026-01-05', ...subject, ...at, failure: '', count: 3 },
      { day: '2026-01-05', ...subject, ...at, failure: 'certificate-expired', count: 1 },
      { day: '2026-01-06', ...subject, ...at, failure: '', count: 1 },
    ]));
  it('knows nothing of attempts without', () =>
    expect(view({ type: 'DeliveryAttempted', when: NOON, data: { messageId: 'Q1', route: 'mx', duration: 1, results: [] } })).toEqual([]));
  it('leaves open what is not known', () =>
    expect(view(attempted(NOON, { ...subject, host: 'mx.x.test' }))).toEqual([{ day: '2026-01-05', ...subject, host: 'mx.x.test', ip: '', source: '', failure: '', count: 1 }]));
  it('forgets what it is told to forget', () => {
    const [first, second] = view(attempted(NOON, fine, { ...fine, failure: 'certificate-expired' })) as [TlsReportRow, TlsReportRow];
    const { count: _, ...key } = first;
    expect(view(attempted(NOON, fine, { ...fine, failure: 'certificate-expired' }), { type: 'TlsReportsForgotten', when: NOON + DAY, data: { rows: [key] } })).toEqual([second]);
  });
  it('ends a day at midnight, UTC', () =>
    expect(view(attempted(Date.UTC(2026, 0, 6) - 1, fine), attempted(Date.UTC(2026, 0, 6), fine)).map(({ day }) => day)).toEqual(['2026-01-05', '2026-01-06']));
});

describe('the report to a domain', () => {
  const reporter = { organization: 'Kiroku Test', contact: 'postmaster@k.test', reportId: '2026-01-05_x.test' };

  it('has the shape of RFC 8460 §4.4', () => {
    const rows = view(
      attempted(NOON, ...Array<TlsOutcome>(5).fill(fine)),
      attempted(NOON, { ...fine, failure: 'certificate-expired' }, { ...fine, failure: 'certificate-expired' }, { ...subject, host: 'mx2.x.test', failure: 'starttls-not-supported' }),
      attempted(NOON, { ...fine, policy: 'tlsa' }),
      attempted(NOON, { ...fine, domain: 'other.test' }),
      attempted(NOON + DAY, fine),
    );
    const lines = ['version: STSv1', 'mode: testing', 'mx: *.x.test', 'max_age: 86400'];
    expect(tlsReport('x.test', '2026-01-05', rows, { ...reporter, sts: { lines, mx: ['*.x.test'] } })).toEqual({
      'organization-name': 'Kiroku Test',
      'date-range': { 'start-datetime': '2026-01-05T00:00:00Z', 'end-datetime': '2026-01-05T23:59:59Z' },
      'contact-info': 'postmaster@k.test',
      'report-id': '2026-01-05_x.test',
      policies: [
        {
          policy: { 'policy-type': 'sts', 'policy-string': lines, 'policy-domain': 'x.test', 'mx-host': ['*.x.test'] },
          summary: { 'total-successful-session-count': 5, 'total-failure-session-count': 3 },
          'failure-details': [
            { 'result-type': 'certificate-expired', 'sending-mta-ip': '198.51.100.1', 'receiving-mx-hostname': 'mx.x.test', 'receiving-ip': '192.0.2.1', 'failed-session-count': 2 },
            { 'result-type': 'starttls-not-supported', 'receiving-mx-hostname': 'mx2.x.test', 'failed-session-count': 1 },
          ],
        },
        {
          policy: { 'policy-type': 'tlsa', 'policy-domain': 'mx.x.test' },
          summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 0 },
        },
      ],
    });
  });

  it('is not made when there is nothing to say', () => expect(tlsReport('x.test', '2026-01-07', view(attempted(NOON, fine)), reporter)).toBeUndefined());
});
