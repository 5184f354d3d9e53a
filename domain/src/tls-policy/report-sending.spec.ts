import { describe, expect, it } from '@jest/globals';
import { given } from '../kernel/given.js';
import { dueNow, isSettled, REPORT_ATTEMPTS, reportDueAt, tlsReportSending, type TlsReportSendingEvent } from './report-sending.js';

const NOON = Date.UTC(2026, 0, 6, 12);
const HOUR = 3_600_000;
const report = { day: '2026-01-05', domain: 'y.test', reportId: 'r1', to: 'https://y.test/tls' };
const sent = (attempt = 1): TlsReportSendingEvent => ({ type: 'TlsReportSent', data: { ...report, attempt } });
const failed = (attempt: number, nextAt?: number): TlsReportSendingEvent => ({ type: 'TlsReportFailed', data: { ...report, attempt, reason: 'away', ...(nextAt !== undefined && { nextAt }) } });
const fails = { type: 'Failed', ...report, reason: 'away', now: NOON } as const;
const history = given(tlsReportSending);

describe('a report about TLS', () => {
  it('has been sent when it was taken', () => history().when({ type: 'Sent', ...report, now: NOON }).then(sent()));
  it('is not sent twice to one address', () => history(sent()).when({ type: 'Sent', ...report, now: NOON }).thenNothing());
  it('goes to each address once', () =>
    history(sent()).when({ type: 'Sent', ...report, to: 'mailto:tls@y.test', messageId: 'Q1', now: NOON }).then({ type: 'TlsReportSent', data: { ...report, to: 'mailto:tls@y.test', attempt: 1, messageId: 'Q1' } }));
  it('is tried again after ten minutes', () => history().when(fails).then(failed(1, NOON + HOUR / 6)));
  it('is given up at once where there is no hope', () => history().when({ ...fails, forGood: true }).then(failed(1)));

  it('is given up after five attempts, all within a day', () => {
    const past: TlsReportSendingEvent[] = [];
    let now = NOON;
    for (let n = 1; n <= REPORT_ATTEMPTS; n++) {
      const [event] = tlsReportSending.decide({ ...fails, now }, past.reduce((state, e) => tlsReportSending.evolve(state, e), tlsReportSending.initial));
      past.push(event as TlsReportSendingEvent);
      now = (event?.data as { nextAt?: number }).nextAt ?? now;
    }
    expect(past.map((e) => ('nextAt' in e.data ? 'again' : 'over'))).toEqual(['again', 'again', 'again', 'again', 'over']);
    expect(now - NOON).toBeLessThan(24 * HOUR);
    history(...past).when(fails).thenNothing();
  });
});

describe('addresses of a domain', () => {
  const state = [sent(), failed(1, NOON)].map((e, i) => ({ ...e, data: { ...e.data, to: `mailto:${i}@y.test` } }) as TlsReportSendingEvent)
    .reduce((s, e) => tlsReportSending.evolve(s, e), tlsReportSending.initial);

  it('are tried when they are new, or their time has come', () => {
    const all = ['mailto:0@y.test', 'mailto:1@y.test', 'mailto:2@y.test', 'mailto:2@y.test'];
    expect(dueNow(state, all, NOON - 1)).toEqual(['mailto:2@y.test']);
    expect(dueNow(state, all, NOON)).toEqual(['mailto:1@y.test', 'mailto:2@y.test']);
  });

  it('are settled when all are', () => {
    expect([isSettled(state, ['mailto:0@y.test']), isSettled(state, ['mailto:0@y.test', 'mailto:1@y.test']), isSettled(state, [])]).toEqual([true, false, true]);
  });
});

it('reports are due in the four hours after the end of the day, at a time of their own', () => {
  const due = ['x.test', 'y.test', 'example.com', 'a.example'].map((domain) => (reportDueAt('2026-01-05', domain) - Date.UTC(2026, 0, 6)) / HOUR);
  for (const hours of due) expect(hours >= 0 && hours < 4).toBe(true);
  expect(new Set(due).size).toBe(4);
});
